//! Machines: what they do beside their work, in what order, and how fast.

use serde_json::json;

use super::delivery::{Records, at, findings, installed, kinds, lines, role, text, user};
use crate::command::Folder;

/// The charter of a deployer, approved.
fn deployer_has_a_charter(folder: &Folder) {
    let file = folder.write(
        "charter.yaml",
        "charter: ci-deployer\nidentities: [\"aws.arn:arn:aws:iam::111122223333:role/ci-deployer\"]\n\
         purpose: Deploys the payments service from main.\nowner: platform@example.com\nallow:\n\
         \x20 - operation: [\"ecr:GetDownloadUrlForLayer\", \"ecs:DescribeServices\", \"ecs:UpdateService\"]\n\
         never:\n  - action: [secret_read]\n",
    );
    folder.ok(&["charter", "propose", file.to_str().unwrap()]);
    folder.ok(&["charter", "approve", "ci-deployer"]);
}

fn deployer() -> serde_json::Value {
    role("ci-deployer", "ASIAEXAMPLE0000000010", "GitHubActions")
}

/// The steps of the declared workflow, one a minute.
fn deploy(records: &mut Records, day: i64) {
    let service = json!({ "requestParameters": { "cluster": "shop", "service": "payments" } });
    records.call(
        at(day, 600),
        &deployer(),
        "ecr:GetDownloadUrlForLayer",
        &json!({}),
    );
    records.call(at(day, 601), &deployer(), "ecs:DescribeServices", &service);
    records.call(at(day, 602), &deployer(), "ecs:UpdateService", &service);
}

#[test]
fn b11_fourteen_listings_of_roles_beside_the_workflow_are_weighed_two_ways() {
    let folder = installed();
    deployer_has_a_charter(&folder);
    let mut records = Records::of("aws.cloudtrail");
    for day in 90..100 {
        deploy(&mut records, day);
    }
    records.ingest(&folder);
    assert_eq!(kinds(&folder), [""; 0], "the declared workflow alone");
    let mut records = Records::numbered_from("aws.cloudtrail", 100);
    deploy(&mut records, 100);
    for minute in 0..14 {
        records.call(
            at(100, 610 + minute),
            &deployer(),
            "iam:ListRoles",
            &json!({}),
        );
    }
    records.ingest(&folder);
    let found = findings(&folder, "enumeration");
    assert_eq!(found.len(), 1, "{found:?}");
    let found = &found[0];
    let observed = lines(&found["reasons"]);
    let (first, last) = (at(100, 610).to_string(), at(100, 623).to_string());
    let said = format!("observed: 14 listings from {first} to {last}");
    assert!(observed.contains(&said), "{observed}");
    let hypotheses = found["hypotheses"].as_array().unwrap().iter();
    let mut hypotheses: Vec<String> = hypotheses.map(|one| text(&one["name"])).collect();
    hypotheses.sort();
    assert_eq!(hypotheses, ["drift", "misuse"]);
    // The workflow is declared, and this is no part of it.
    let beside = findings(&folder, "scope_departure");
    assert!(
        beside
            .iter()
            .any(|one| one["rule"] == "charter/ci-deployer"),
        "{beside:?}"
    );
}

/// An integration of the table below: whether it may write, whether a change of configuration
/// fails, what its writes come to, and whether that is a control gap.
type Integration = (
    &'static str,
    &'static str,
    bool,
    &'static [Option<&'static str>],
    bool,
);

const DENIED: Option<&str> = Some("AccessDenied");
const INTEGRATIONS: [Integration; 5] = [
    ("refused", "yes", true, &[DENIED, DENIED], true),
    ("let-through", "yes", true, &[DENIED, None], true),
    ("no-failed-change", "yes", false, &[DENIED, None], false),
    ("writer", "no", true, &[DENIED, None], false),
    ("no-write", "yes", true, &[], false),
];

#[test]
fn b12_writes_of_a_read_only_integration_after_a_failed_change_are_a_control_gap() {
    let folder = installed();
    let mut declared = "alias,kind,owner,read_only\n".to_owned();
    let mut records = Records::of("aws.cloudtrail");
    for (name, read_only, failed, writes, _) in INTEGRATIONS {
        declared.push_str(&format!(
            "aws.arn:arn:aws:iam::111122223333:user/{name},service_account,bi@example.com,{read_only}\n"
        ));
        let who = user(
            name,
            &format!("AKIA{}", name.to_uppercase().replace('-', "")),
        );
        records.call(at(100, 600), &who, "s3:ListBuckets", &json!({}));
        if failed {
            let change = json!({ "errorCode": "ResourceConflictException",
                "requestParameters": { "functionName": "report" } });
            records.call(
                at(100, 610),
                &who,
                "lambda:UpdateFunctionConfiguration20150331v2",
                &change,
            );
        }
        for (minute, error) in (620..).zip(writes) {
            let object = json!({ "errorCode": error,
                "requestParameters": { "bucketName": "reports", "key": "a.csv" } });
            records.call(at(100, minute), &who, "s3:PutObject", &object);
        }
    }
    let file = folder.write("declared.csv", declared);
    folder.ok(&["identity", "import", file.to_str().unwrap()]);
    records.ingest(&folder);
    let mut found = findings(&folder, "control_gap");
    found.retain(|one| one["rule"] == "code/control-gap");
    for (name, .., gap) in INTEGRATIONS {
        let of = |one: &&serde_json::Value| text(&one["title"]).starts_with(&format!("{name} "));
        let told: Vec<_> = found.iter().filter(of).collect();
        assert_eq!(told.len(), usize::from(gap), "{name}: {found:?}");
        if let Some(told) = told.first() {
            let reasons = lines(&told["reasons"]);
            assert!(reasons.contains("UpdateFunctionConfiguration"), "{reasons}");
            assert!(reasons.contains("s3:PutObject"), "{reasons}");
        }
    }
}

#[test]
fn b17_one_token_at_three_hundred_things_in_eight_seconds_is_a_burst() {
    let folder = installed();
    let mut records = Records::of("aws.cloudtrail");
    for (name, objects) in [("exporter", 300), ("reader", 299)] {
        let who = user(name, &format!("AKIA{}", name.to_uppercase()));
        for object in 0..objects {
            let time = at(100, 600).plus_micros(object * 8_000_000 / objects);
            let more = json!({ "requestParameters": { "bucketName": "orders", "key": format!("{object}.json") } });
            records.call(time, &who, "s3:GetObject", &more);
        }
    }
    records.ingest(&folder);
    let found = findings(&folder, "burst");
    assert_eq!(found.len(), 1, "{found:?}");
    let observed = lines(&found[0]["reasons"]);
    // The records' times are whole seconds.
    assert!(
        observed.contains("observed: 300 distinct targets within 7 s"),
        "{observed}"
    );
    assert!(
        text(&found[0]["title"]).contains("AKIAEXPORTER"),
        "{found:?}"
    );
}

#[test]
fn b18_a_departure_says_the_permissions_the_first_abuse_the_mission_and_the_violation() {
    let folder = installed();
    deployer_has_a_charter(&folder);
    let mut records = Records::of("aws.cloudtrail");
    deploy(&mut records, 100);
    let secret = json!({ "requestParameters": { "secretId": "payments/database" } });
    records.call(
        at(100, 605),
        &deployer(),
        "secretsmanager:GetSecretValue",
        &secret,
    );
    records.call(
        at(100, 606),
        &deployer(),
        "secretsmanager:GetSecretValue",
        &secret,
    );
    records.ingest(&folder);
    let sessions = folder.json(&["session", "list", "ci-deployer"]);
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    let session = &sessions[0];
    let permissions = session["permissions"].as_array().unwrap();
    let of = |name: &str| permissions.iter().find(|one| one["permission"] == name);
    let used = of("ecs:UpdateService").unwrap_or_else(|| panic!("{permissions:?}"));
    assert_eq!(
        (&used["uses"], &used["first_abuse"]),
        (&json!(1), &json!(null))
    );
    let abused = of("secretsmanager:GetSecretValue").unwrap();
    assert_eq!(abused["uses"], 2);
    let first = &abused["first_abuse"];
    let when = json!(at(100, 605));
    assert_eq!(*first, when);
    let found = findings(&folder, "scope_departure");
    let found = found
        .iter()
        .find(|one| one["rule"] == "charter/ci-deployer")
        .unwrap();
    let told = lines(&found["reasons"]);
    for said in [
        "mission: Deploys the payments service from main.",
        "observed: ",
        "charter: ci-deployer, version 1, line 8: ",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert_eq!(found["session"], session["uid"]);
}

#[test]
fn b21_what_departs_from_approved_use_goes_to_the_owner() {
    let folder = installed();
    deployer_has_a_charter(&folder);
    let mut records = Records::of("aws.cloudtrail");
    deploy(&mut records, 99);
    records.ingest(&folder);
    assert!(
        findings(&folder, "scope_departure").is_empty(),
        "approved use"
    );
    let mut records = Records::numbered_from("aws.cloudtrail", 100);
    let queue = json!({ "requestParameters": { "queueUrl": "https://queue.example/1/orders" } });
    records.call(at(100, 600), &deployer(), "sqs:PurgeQueue", &queue);
    records.ingest(&folder);
    let found = findings(&folder, "scope_departure");
    assert_eq!(found.len(), 1, "{found:?}");
    let reasons = lines(&found[0]["reasons"]);
    assert!(
        reasons.contains("routed to the owner of the charter, platform@example.com"),
        "{reasons}"
    );
    assert_eq!(found[0]["status"], "open");
}

#[test]
fn b22_behavioural_findings_carry_the_printed_rows_and_those_that_were_checked() {
    let folder = installed();
    deployer_has_a_charter(&folder);
    let mut records = Records::of("aws.cloudtrail");
    for minute in 0..14 {
        records.call(
            at(100, 610 + minute),
            &deployer(),
            "iam:ListRoles",
            &json!({}),
        );
    }
    records.ingest(&folder);
    for kind in ["enumeration", "scope_departure"] {
        let found = findings(&folder, kind);
        let printed = lines(&found[0]["seed_ref"]);
        assert_eq!(
            printed, "OWASP NHI-06\nNIST CSF 2.0 DE.CM\nNIST SP 800-207 5.1",
            "{kind}"
        );
        let checked = lines(&found[0]["mapped_ref"]);
        for control in ["DE.CM-03", "NHI5:2025"] {
            assert!(checked.contains(control), "{kind}: {checked}");
        }
    }
}
