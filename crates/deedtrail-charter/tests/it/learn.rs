//! Charters proposed from history, and what changes between two of them.

use deedtrail_charter::learn::{About, learn};
use deedtrail_charter::library::Fixture;
use deedtrail_charter::{Compiled, check, diff, parse};
use serde_json::{Value, json};

use crate::history::{at, history};

/// Thirty workdays of a pipeline that starts at nine, and one odd event.
fn pipeline() -> Vec<Fixture> {
    let mut lines: Vec<Value> = Vec::new();
    for day in (0..42).filter(|day| day % 7 < 5) {
        let session = format!("run-{day}");
        let steps = [
            ("read", "git.clone", "acme/payments"),
            ("execute", "workflow.run", "build"),
            ("deploy", "ecs:UpdateService", "payments-api"),
            ("read", "ecs:DescribeServices", "payments-api"),
        ];
        for (minute, (action, operation, target)) in (0..).zip(steps) {
            let event = json!({ "action": action, "operation": operation, "target_name": target, "src_asn": 64500, "src_country": "DE", "bytes_out": 1_000_000 + day });
            lines.push(at(day * 1440 + minute, "ci-1", Some(&session), &event));
        }
        for bucket in 0..12 {
            let event = json!({ "action": "read", "operation": "s3:GetObject", "target_name": format!("artifacts/{day}/{bucket}"), "src_asn": 64500 });
            lines.push(at(day * 1440 + 2, "ci-1", None, &event));
        }
    }
    lines.push(at(
        41 * 1440,
        "ci-1",
        None,
        &json!({ "action": "enumerate", "operation": "iam:ListRoles", "src_asn": 64666 }),
    ));
    history(&lines)
}

fn about() -> About {
    About {
        name: "ci".to_owned(),
        identities: vec!["name:ci-1".to_owned()],
        purpose: "Deploys payments.".to_owned(),
        owner: "platform@example.com".to_owned(),
    }
}

#[test]
fn what_is_done_again_and_again_is_proposed() {
    let events = pipeline();
    let proposal = learn(about(), events.iter().map(Fixture::subject));
    insta::assert_snapshot!("proposal", proposal.text);
    let again = learn(about(), events.iter().map(Fixture::subject));
    assert_eq!(again.text, proposal.text);
    let read = parse("proposal", &proposal.text).unwrap();
    assert_eq!(read.charter, proposal.charter);
    let charter = Compiled::of(&read, 0).unwrap();
    let report = check(&charter, events.iter().map(Fixture::subject));
    assert_eq!(report.covered + 1, report.events, "{:?}", report.rules);
}

#[test]
fn without_events_there_is_little_to_say() {
    let proposal = learn(about(), []);
    assert!(parse("x", &proposal.text).is_ok(), "{}", proposal.text);
    assert_eq!(proposal.events, 0);
}

#[test]
fn hostile_names_stay_in_their_line() {
    let name = "x\nnever: []\n# \"'`: [{*&!|>%@ \u{2028}";
    let event =
        json!({ "action": "read", "operation": name, "target_name": name, "workload": name });
    let events = history(
        &(0..40)
            .map(|minute| at(minute, "ci-1", None, &event))
            .collect::<Vec<_>>(),
    );
    let proposal = learn(about(), events.iter().map(Fixture::subject));
    let read = parse("x", &proposal.text).unwrap();
    assert_eq!(read.charter, proposal.charter);
}

#[test]
fn differences_say_what_is_looser_and_what_is_tighter() {
    let head = "charter: ci\nidentities: \"name:ci-1\"\npurpose: p\nowner: o@example.com\n";
    let of = |rest: &str| parse("x", &format!("{head}{rest}")).unwrap().charter;
    let old = of(
        "allow:\n  - action: read\n  - action: write\nnever:\n  - action: destroy\nlimits: {audience: 5, events_per_hour: 10}\nfrom: {networks: [AS1], countries: [DE]}\ntools: [a, b]\n",
    );
    let new = of(
        "allow:\n  - action: read\n  - action: deploy\nlimits: {audience: 50, bytes_out_per_day: 1GiB}\nfrom: {networks: [AS1, AS2]}\ntools: [a]\nwhen: {days: mon-fri}\n",
    );
    let lines: Vec<String> = diff(&old, &new)
        .into_iter()
        .map(|d| format!("{}: {}", d.direction.name(), d.sentence))
        .collect();
    insta::assert_snapshot!("diff", lines.join("\n"));
    assert_eq!(diff(&old, &old), []);
}

#[test]
fn every_part_that_differs_is_told_in_words() {
    let of = |rest: &str| {
        let head = "charter: a\nidentities: [\"agent.id:a\"]\npurpose: p\nowner: o\n";
        parse("a", &format!("{head}{rest}")).unwrap().charter
    };
    let without = of("");
    let old = of(
        "group: {department: [Sales], kind: [ai_agent]}\nwhen: {days: mon-fri, hours: \"08:00-18:00\", zone: Europe/Berlin}\nlimits: {bytes_out_per_day: 1GiB}\nsequence: {steps: [checkout, build, deploy], must_end_with: deploy}\nchange_ticket: {required_for: [deploy]}\n",
    );
    let new = of(
        "group: {department: [Sales, Legal], tag: [tier=1]}\nwhen: {days: [mon-thu], hours: [\"06:00-20:00\"]}\nlimits: {bytes_out_per_day: 3GiB}\nsequence: {steps: [checkout, {name: build, operation: \"make*\", optional: true}, test, deploy], strict: true, idle: 30}\nchange_ticket: {required_for: [config_change]}\n",
    );
    let told = |old, new| {
        let lines = diff(old, new).into_iter();
        let lines = lines.map(|d| format!("{}: {}", d.direction.name(), d.sentence));
        lines.collect::<Vec<_>>().join("\n")
    };
    let all = [told(&without, &old), told(&old, &new), told(&new, &without)];
    for text in &all {
        assert!(!text.contains(['{', '"']), "{text}");
    }
    insta::assert_snapshot!("words", all.join("\n\n"));
}
