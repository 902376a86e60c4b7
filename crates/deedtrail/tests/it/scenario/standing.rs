//! Baselines, readiness, activity beside danger, and trust that is looked at again with every event.

use deedtrail_core::time::Timestamp;
use serde_json::{Value, json};

use super::behavioural::delivery::{Records, at, installed, user};
use super::stage::Stage;

fn reporter() -> Value {
    user("reporter", "AKIAEXAMPLE000000021")
}

/// A nightly report on each of these days.
fn reports(records: &mut Records, days: std::ops::Range<i64>) {
    for day in days {
        let table = json!({ "requestParameters": { "tableName": "orders" } });
        for minute in [0, 1, 2] {
            records.call(at(day, 540 + minute), &reporter(), "dynamodb:Query", &table);
        }
    }
}

#[test]
fn b6_an_approved_baseline_says_what_changed_since_the_one_before() {
    let folder = installed();
    let mut records = Records::of("aws.cloudtrail");
    reports(&mut records, 0..60);
    records.ingest(&folder);
    folder.ok(&["baseline", "approve", "reporter", "--to", "2026-07-01"]);
    folder.ok(&["baseline", "approve", "reporter"]);
    let same = folder.ok(&["baseline", "diff", "reporter", "1", "2"]);
    assert_eq!(same, "", "the same work differs in nothing");

    let mut later = Records::numbered_from("aws.cloudtrail", 1_000);
    reports(&mut later, 60..70);
    later.call(at(69, 180), &reporter(), "iam:ListRoles", &json!({}));
    later.ingest(&folder);
    let since = folder.ok(&["baseline", "diff", "reporter", "2"]);
    assert!(
        since.contains("new action: aws.cloudtrail enumerate"),
        "{since}"
    );
    let accept = "--accept-open-findings";
    let approved = folder.json(&["baseline", "approve", "reporter", accept]);
    assert_eq!(approved[0]["version"], 3);
    let changed = folder.json(&["baseline", "diff", "reporter", "2", "3"]);
    let told: Vec<_> = changed
        .iter()
        .map(|it| (&it["of"], &it["before"]))
        .collect();
    assert!(
        told.contains(&(&json!("action"), &json!(0.0))),
        "{changed:?}"
    );
    assert!(told.contains(&(&json!("hour"), &json!(0.0))), "{changed:?}");
    let kept = folder.json(&["baseline", "list", "reporter"]);
    let versions: Vec<_> = kept.iter().map(|it| it["version"].as_u64()).collect();
    assert_eq!(versions, [Some(3), Some(2), Some(1)]);
    assert!(
        kept[0]["approved"]["by"]
            .as_str()
            .is_some_and(|by| !by.is_empty())
    );
    let shown = folder.json(&["behaviour", "show", "reporter"]);
    assert_eq!(shown[0]["baseline"]["version"], 3);

    let reason = "it was somebody else";
    folder.ok(&["baseline", "withdraw", "reporter", "3", "--reason", reason]);
    let shown = folder.json(&["behaviour", "show", "reporter"]);
    assert_eq!(shown[0]["baseline"]["version"], 2);
    let kept = folder.json(&["baseline", "show", "reporter", "--number", "3"]);
    assert_eq!(kept[0]["withdrawn"]["reason"], reason);
    assert!(kept[0]["baseline"]["events"].as_u64() > Some(0));
    let listed = folder.ok(&["baseline", "list", "reporter"]);
    assert!(listed.contains(reason), "{listed}");
    folder.ok(&["rebuild"]);
    let again = folder.json(&["baseline", "show", "reporter", "--number", "3"]);
    assert_eq!(again, kept, "a rebuild comes to the same");
}

/// A file that was opened, as Elastic's schema tells it; `who`: by whom, where it says so.
fn opened(at: Timestamp, number: i64, who: Option<&str>) -> Value {
    let mut record = json!({
        "@timestamp": at.to_string(), "ecs": { "version": "8.11" },
        "event": { "id": format!("opened-{number}"), "action": "file-opened", "kind": "event",
            "category": ["file"], "outcome": "success" },
        "file": { "path": "/srv/menu.json" }
    });
    if let Some(who) = who {
        record["user"] = json!({ "name": who, "email": format!("{who}@example.com") });
    }
    record
}

#[test]
fn b8_a_source_without_actors_is_not_behavioural_and_says_what_is_missing() {
    let folder = installed();
    let mut records = Records::of("generic.ecs");
    for minute in 0..300 {
        records.push(opened(at(1, minute), minute, None));
    }
    records.ingest(&folder);
    let sources = folder.json(&["behaviour", "sources"]);
    assert_eq!(sources[0]["source"], "generic.ecs");
    assert_eq!(sources[0]["events"], 300);
    assert_eq!(
        sources[0]["lacks"],
        json!(["actor", "sequence", "threshold"])
    );
    let told = folder.ok(&["behaviour", "sources"]);
    assert!(told.contains("not behavioural"), "{told}");

    // The same log once it names who acted: 130 sessions of one person, 30 events each.
    let mut named = Records::of("generic.ecs");
    for day in 2..132 {
        for minute in 0..30 {
            let number = 1_000 + day * 100 + minute;
            named.push(opened(at(day, 600 + minute), number, Some("ana")));
        }
    }
    named.ingest(&folder);
    let sources = folder.json(&["behaviour", "sources"]);
    assert_eq!(sources[0]["lacks"], json!([]), "{sources:?}");
}

#[test]
fn b16_a_busy_safe_key_is_active_and_a_quiet_one_that_dumped_secrets_is_dangerous() {
    let stage = Stage::new();
    let now = stage.now();
    let Stage {
        folder, mut server, ..
    } = stage;
    server.stop();
    let ago = |minutes: i64| now.plus_micros(-minutes * Timestamp::MINUTE_US);
    let mut records = Records::of("aws.cloudtrail");
    let poller = user("poller", "AKIAEXAMPLE000000022");
    for minute in 0..1_400 {
        let object = json!({ "requestParameters": { "bucketName": "public", "key": "menu.json" } });
        records.call(ago(1_410 - minute), &poller, "s3:GetObject", &object);
        records.call(ago(1_410 - minute), &poller, "s3:GetObject", &object);
    }
    let quiet = user("exporter", "AKIAEXAMPLE000000023");
    for number in 0..12 {
        let secret = json!({ "requestParameters": { "secretId": format!("prod/db-{number}") } });
        records.call(ago(60), &quiet, "secretsmanager:GetSecretValue", &secret);
    }
    records.ingest(&folder);
    let standing = |who: &str| folder.json(&["behaviour", "show", who]).remove(0);
    let (busy, dumped) = (standing("poller"), standing("exporter"));
    assert_eq!(
        (&busy["active"], &busy["danger"]),
        (&json!("busy"), &json!("low"))
    );
    assert_eq!(dumped["active"], "regular");
    assert!(
        ["high", "critical"].contains(&dumped["danger"].as_str().unwrap()),
        "{dumped}"
    );
    assert_eq!(dumped["danger_reasons"][0]["row"], "secret_extraction");
    let stage = Stage::beside(folder);
    let listed = stage.get("/v1/standings");
    assert_eq!(
        listed["standings"][0]["name"], dumped["name"],
        "the dangerous one first"
    );
    let page = stage.text("/behaviour");
    assert!(page.contains("exporter"), "the page names it");
}

#[test]
fn b19_trust_falls_with_what_is_done_and_says_when_it_crosses_a_threshold() {
    let stage = Stage::new();
    let mut records = Records::of("aws.cloudtrail");
    let intern = user("intern", "AKIAEXAMPLE000000024");
    records.call(at(10, 600), &intern, "s3:ListBuckets", &json!({}));
    let policy = json!({ "requestParameters": {
        "userName": "intern", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess" } });
    records.call(at(10, 601), &intern, "iam:AttachUserPolicy", &policy);
    let key = json!({ "requestParameters": { "userName": "build" } });
    records.call(at(10, 602), &intern, "iam:CreateAccessKey", &key);
    let trail = json!({ "requestParameters": { "name": "main" } });
    records.call(at(10, 603), &intern, "cloudtrail:StopLogging", &trail);
    records.ingest(&stage.folder);
    let session = stage.sessions("intern").remove(0);
    let steps = session["trust"]["steps"].as_array().unwrap();
    let crossed: Vec<_> = steps
        .iter()
        .filter_map(|it| it["crossed"].as_u64())
        .collect();
    assert_eq!(crossed, [70, 40], "{steps:?}");
    let scores: Vec<_> = steps
        .iter()
        .map(|it| it["score"].as_u64().unwrap())
        .collect();
    assert!(scores.is_sorted_by(|one, other| one >= other), "{scores:?}");
}
