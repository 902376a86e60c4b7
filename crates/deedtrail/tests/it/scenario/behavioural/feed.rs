//! What feeds cost, and what the logs of a SaaS would tell.

use serde_json::{Value, json};

use crate::command::Folder;

use super::delivery::{Api, Records, at, installed, lines, text, user};

#[test]
fn b9_thirty_days_of_records_stand_beside_four_hundred_days_of_summaries() {
    let folder = installed();
    let space = |api: &Api| {
        let space = api.get("/v1/sources")["space"].clone();
        ["raw", "raw_30_days", "summaries", "summaries_400_days"].map(|name| {
            space[name]
                .as_u64()
                .unwrap_or_else(|| panic!("{name}: {space}"))
        })
    };
    let api = Api::of(&folder);
    let [_, before, ..] = space(&api);
    assert_eq!(before, 0, "without a record there is no rate");
    drop(api);
    let mut records = Records::of("aws.cloudtrail");
    for day in 0..10 {
        for minute in 0..40 {
            let more = json!({ "requestParameters": { "bucketName": format!("b-{minute}") } });
            records.call(
                at(day, minute),
                &user("ana", "AKIAEXAMPLE000000001"),
                "s3:ListObjects",
                &more,
            );
        }
    }
    records.ingest(&folder);
    let [raw, raw_kept, summaries, summaries_kept] = space(&Api::of(&folder));
    // Ten days, of which the first and the last are nine apart.
    let expected = raw / 9 * 30;
    assert!(
        raw > 0 && raw_kept.abs_diff(expected) < expected / 10,
        "{raw} {raw_kept}"
    );
    assert!(summaries > 0);
    assert_eq!(summaries_kept, summaries / 9 * 400);
}

fn readiness(folder: &Folder, name: &str) -> (Option<i32>, Value) {
    let output = folder.run(&["--json", "source", "readiness", name]);
    let told = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), told)
}

/// What a kind of telemetry lacks.
fn missing(told: &Value, kind: &str) -> String {
    let kinds = told["kinds"].as_array().unwrap();
    let one = kinds.iter().find(|one| one["kind"] == kind).unwrap();
    lines(&one["missing"])
}

#[test]
fn b23_before_a_saas_is_adopted_its_logs_say_what_they_tell() {
    let folder = installed();
    let (code, slack) = readiness(&folder, "slack");
    assert_eq!(code, Some(0));
    let feeds = slack["feeds"].as_array().unwrap();
    let names: Vec<String> = feeds.iter().map(|feed| text(&feed["source"])).collect();
    assert!(names.contains(&"slack.audit".to_owned()), "{names:?}");
    assert!(
        names.iter().all(|name| name.starts_with("slack.")),
        "{names:?}"
    );
    let audit = feeds
        .iter()
        .find(|feed| feed["source"] == "slack.audit")
        .unwrap();
    assert!(text(&audit["needs"]).starts_with("Enterprise"), "{audit}");
    assert!(
        text(&audit["lacks"]).starts_with("Messages and searches of people"),
        "{audit}"
    );
    assert_eq!(slack["verdict"], "adopt", "{slack}");
    assert!(
        missing(&slack, "click").contains("what link protection said"),
        "{slack}"
    );

    // Its records name no session.
    let (_, asana) = readiness(&folder, "Asana");
    assert_eq!(asana["verdict"], "adopt_with_conditions", "{asana}");
    assert_eq!(missing(&asana, "behavioural"), "in which session");
    let conditions = lines(&asana["conditions"]);
    assert!(
        conditions
            .contains("behavioural: asana.audit, which says most, does not say in which session"),
        "{conditions}"
    );

    // Sign-ins alone tell nothing of what follows them.
    let (_, duo) = readiness(&folder, "duo");
    assert!(missing(&duo, "behavioural").contains("on what"), "{duo}");

    let (code, nobody) = readiness(&folder, "Nobody's Notes");
    assert_eq!((code, &nobody["verdict"]), (Some(1), &json!("unknown")));
    assert_eq!(nobody["feeds"], json!([]));
    let (_, slip) = readiness(&folder, "slak");
    assert_eq!(slip["did_you_mean"], json!(["slack"]));
    let said = folder
        .run(&["source", "readiness", "Googel Workspace"])
        .stdout;
    let said = String::from_utf8(said).unwrap();
    let meant = "Googel Workspace: unknown; did you mean `google_workspace`?\n";
    assert!(said.starts_with(meant), "{said}");

    let (_, product) = readiness(&folder, "Google Workspace");
    assert!(product["feeds"].as_array().unwrap().len() > 10, "{product}");
    assert_eq!(Api::of(&folder).get("/v1/saas-readiness/slack"), slack);
    let printed = folder.ok(&["source", "readiness", "slack"]);
    assert!(printed.starts_with("slack: adopt\n"), "{printed}");
}

#[test]
fn b23_what_one_log_lacks_another_does_not_make_up_for() {
    let folder = installed();
    let (_, atlassian) = readiness(&folder, "atlassian");
    let apart = "behavioural: what only atlassian.jira tells comes without: in which session";
    let conditions = lines(&atlassian["conditions"]);
    assert!(conditions.contains(apart), "{conditions}");
    let (_, zoom) = readiness(&folder, "zoom");
    for kind in zoom["kinds"].as_array().unwrap() {
        let feeds = kind["feeds"].as_array().unwrap();
        if let Some(fullest) = feeds.first() {
            assert_eq!(kind["missing"], fullest["missing"], "{kind}");
        }
    }
}
