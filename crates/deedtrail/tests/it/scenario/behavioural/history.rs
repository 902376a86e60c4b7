//! What is told only beside a history: drift, unusual hours, volumes and chains, and who somebody is.

use serde_json::{Value, json};

use super::delivery::{Records, ToolCall, at, findings, installed, kinds, lines, role, text, user};
use crate::command::Folder;

/// One run of a nightly report, one step a minute.
fn run(records: &mut Records, who: &Value, day: i64, hour: i64, bytes: i64) {
    let table = json!({ "requestParameters": { "tableName": "orders" } });
    let object = |bytes: i64| {
        json!({ "requestParameters": { "bucketName": "reports", "key": "orders.csv" },
                "additionalEventData": { "bytesTransferredOut": bytes } })
    };
    let from = hour * 60;
    records.call(at(day, from), who, "dynamodb:DescribeTable", &table);
    records.call(at(day, from + 1), who, "dynamodb:Query", &table);
    records.call(at(day, from + 2), who, "s3:GetObject", &object(bytes));
    records.call(at(day, from + 3), who, "s3:PutObject", &object(0));
}

fn reporter() -> Value {
    user("reporter", "AKIAEXAMPLE000000004")
}

const USUAL_BYTES: i64 = 20_000;

/// Days 30 to 99 as always, with runs at these hours.
fn routine(hours: &[i64]) -> Records {
    let mut records = Records::of("aws.cloudtrail");
    for day in 30..100 {
        for hour in hours {
            run(&mut records, &reporter(), day, *hour, USUAL_BYTES + day);
        }
    }
    records
}

/// What is found of a history with runs at these hours, and one more day.
fn after(hours: &[i64], add: impl FnOnce(&mut Records)) -> Vec<String> {
    let folder = installed();
    let mut records = routine(hours);
    add(&mut records);
    // The next day ends the session before it.
    run(&mut records, &reporter(), 101, 9, USUAL_BYTES);
    records.ingest(&folder);
    kinds(&folder)
}

const TOOLS: [&str; 5] = [
    "read_ticket",
    "search_articles",
    "read_order",
    "read_customer",
    "draft_reply",
];

/// A day of an agent: eight calls in no fixed order, of which so many in a hundred read payments.
fn day_of_work(records: &mut Records, agent: &str, day: i64, payments: u64) {
    let mut drawn = u64::try_from(day).unwrap() + agent.len() as u64;
    let mut draw = |below: u64| {
        drawn = drawn
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (drawn >> 33) % below
    };
    for minute in 600..608 {
        let place = usize::try_from(draw(5)).unwrap();
        let call = ToolCall {
            agent,
            trace: u32::try_from(day).unwrap(),
            tool: if draw(100) < payments {
                "read_payment"
            } else {
                TOOLS[place]
            },
            arguments: json!({}),
            error: None,
        };
        records.span(at(day, minute), &call);
    }
}

#[test]
fn b7_new_work_that_grows_over_four_weeks_is_drift_before_any_rule_fires() {
    let folder = installed();
    // Single sessions are not told of, so that what is found is the drift alone.
    folder.write(
        "data/deedtrail.toml",
        "[detection]\nbehaviour_alerts_per_day = 0\n",
    );
    let mut records = Records::of("otel.genai");
    for day in 0..120 {
        let weeks = u64::try_from((day - 85).max(0) / 7).unwrap();
        day_of_work(&mut records, "clerk", day, 5 + 20 * weeks);
        day_of_work(&mut records, "helper", day, 5);
    }
    records.ingest(&folder);
    assert_eq!(kinds(&folder), ["behaviour_drift"], "no rule fires");
    let found = folder.json(&["finding", "list"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(text(&found[0]["title"]).starts_with("clerk: "), "{found:?}");
    let reasons = lines(&found[0]["reasons"]);
    assert!(reasons.contains("read_payment"), "{reasons}");
}

#[test]
fn what_an_import_makes_one_is_learned_as_one_with_or_without_a_restart() {
    let folder = installed();
    let mut records = Records::of("otel.genai");
    for day in 0..9 {
        day_of_work(&mut records, "clerk", day, 5);
        day_of_work(&mut records, "helper", day, 5);
    }
    records.ingest(&folder);
    let same = folder.write("same.csv", "alias\nagent.id:clerk;agent.id:helper\n");
    folder.ok(&["identity", "import", same.to_str().unwrap()]);
    let mut later = Records::of("otel.genai");
    day_of_work(&mut later, "clerk", 10, 5);
    later.ingest(&folder);
    let learned = folder.json(&["behaviour", "show", "clerk"]);
    folder.ok(&["rebuild"]);
    assert_eq!(folder.json(&["behaviour", "show", "clerk"]), learned);
    let days = learned[0]["behaviour"]["days"].as_array().unwrap();
    let events = days.iter().map(|day| day["events"].as_u64().unwrap());
    assert_eq!(events.sum::<u64>(), 19 * 8, "{learned:?}");
}

#[test]
fn b13_each_departure_from_the_baseline_triggers_exactly_one_detector() {
    assert_eq!(
        after(&[9, 12, 15], |records| run(
            records,
            &reporter(),
            100,
            9,
            USUAL_BYTES
        )),
        [""; 0]
    );
    let at_night = after(&[9, 12, 15], |records| {
        run(records, &reporter(), 100, 2, USUAL_BYTES);
    });
    assert_eq!(at_night, ["off_hours"]);
    // Too few sessions for the learned volume, which would say so too.
    let far_more = after(&[9], |records| run(records, &reporter(), 100, 9, 600 << 20));
    assert_eq!(far_more, ["exfiltration"]);
    let chain = after(&[9, 12, 15], |records| {
        let who = reporter();
        let calls = [
            "s3:PutObject",
            "s3:GetObject",
            "dynamodb:Query",
            "dynamodb:DescribeTable",
        ];
        for (minute, call) in (540..).zip(calls) {
            let target = match call.split_once(':') {
                Some(("s3", _)) => json!({ "bucketName": "reports", "key": "orders.csv" }),
                _ => json!({ "tableName": "orders" }),
            };
            records.call(
                at(100, minute),
                &who,
                call,
                &json!({ "requestParameters": target }),
            );
        }
    });
    assert_eq!(chain, ["behaviour_departure"]);
}

/// The id of the identity and how many credentials it has.
fn identity(folder: &Folder, who: &str) -> (String, usize) {
    let shown = folder.json(&["identity", "show", who]).remove(0);
    (
        text(&shown["id"]),
        shown["credentials"].as_array().unwrap().len(),
    )
}

#[test]
fn b14_an_identity_and_its_baseline_outlive_a_rotated_key_and_a_new_name() {
    let folder = installed();
    routine(&[9, 12, 15]).ingest(&folder);
    let before = identity(&folder, "reporter");
    assert_eq!(before.1, 1);
    // A new key, then a new name: AWS keeps the unique id.
    let mut records = Records::numbered_from("aws.cloudtrail", 1_000);
    let rotated = user("reporter", "AKIAEXAMPLE000000005");
    run(&mut records, &rotated, 100, 9, USUAL_BYTES);
    let mut renamed = user("reporter-eu", "AKIAEXAMPLE000000005");
    renamed["principalId"] = rotated["principalId"].clone();
    run(&mut records, &renamed, 101, 9, USUAL_BYTES);
    // Work at night is unusual for who has worked for seventy days, not for somebody new.
    run(&mut records, &renamed, 102, 2, USUAL_BYTES);
    run(
        &mut records,
        &user("newcomer", "AKIAEXAMPLE000000006"),
        102,
        2,
        USUAL_BYTES,
    );
    records.ingest(&folder);
    for name in [
        "reporter-eu",
        "arn:aws:iam::111122223333:user/reporter",
        "arn:aws:iam::111122223333:user/reporter-eu",
    ] {
        assert_eq!(identity(&folder, name), (before.0.clone(), 2), "{name}");
    }
    let unusual = findings(&folder, "off_hours");
    assert_eq!(unusual.len(), 1, "{unusual:?}");
    assert_eq!(unusual[0]["identity"], json!(before.0));
    let reasons = lines(&unusual[0]["reasons"]);
    assert!(reasons.contains("on 72 active days"), "{reasons}");

    // A role is known by its unique id as well.
    let mut records = Records::numbered_from("aws.cloudtrail", 2_000);
    let old = role("shipper", "ASIAEXAMPLE0000000020", "one");
    let mut new = role("shipper-eu", "ASIAEXAMPLE0000000021", "two");
    new["principalId"] = json!("AROASHIPPER:two");
    new["sessionContext"]["sessionIssuer"]["principalId"] = json!("AROASHIPPER");
    records.call(at(102, 700), &old, "s3:ListBuckets", &json!({}));
    records.call(at(102, 701), &new, "s3:ListBuckets", &json!({}));
    records.ingest(&folder);
    let of = |name: &str| identity(&folder, &format!("arn:aws:iam::111122223333:role/{name}")).0;
    assert_eq!(of("shipper"), of("shipper-eu"));
}
