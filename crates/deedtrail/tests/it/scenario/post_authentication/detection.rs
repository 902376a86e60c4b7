//! What is found by what was done.

use serde_json::{Value, json};

use crate::scenario::record::Caller::{Role, User};
use crate::scenario::record::{cloudtrail, days_before, okta, push, vault};
use crate::scenario::stage::{Stage, each, texts};

/// The reasons of a finding in one text.
fn reasons(finding: &Value) -> String {
    texts(finding, "reasons").join("\n")
}

#[test]
fn p3_one_key_of_two_workloads_is_one_credential_and_a_finding() {
    let stage = Stage::new();
    let read = |minute, who: &str, workload: &str| {
        let path = "secret/data/shared/api";
        vault(minute, who, "read", path, json!({ "workload": workload }))
    };
    stage.take(
        "vault.audit",
        &[
            read(0, "shared", "payments"),
            read(5, "shared", "reports"),
            read(0, "own", "mailer"),
            read(5, "own", "mailer"),
        ],
    );
    let finding = stage.finding("credential_reuse");
    assert!(texts(&finding, "mapped_ref").contains(&"NHI9:2025"));
    assert_eq!(finding["events"].as_array().unwrap().len(), 2);
    let who = stage.folder.json(&["identity", "show", "shared"]).remove(0);
    assert_eq!(finding["identity"], who["id"]);
    let credentials = each(&who["credentials"], "reference");
    assert_eq!(credentials, ["hmac-sha256:shareda"], "one credential");
    let sql = "SELECT DISTINCT workload FROM events \
        WHERE credential_ref = 'hmac-sha256:shareda' ORDER BY workload";
    let workloads = stage.folder.json(&["query", sql]);
    assert_eq!(each(&json!(workloads), "workload"), ["payments", "reports"]);
}

#[test]
fn p9_a_changed_manifest_has_file_hashes_time_and_environment() {
    let stage = Stage::new();
    stage.take(
        "github.webhook",
        &[
            push(0, "ci-bot[bot]", &["src/cart.rs"]),
            push(5, "docs-bot[bot]", &["deploy/prod/app.yaml", "README.md"]),
        ],
    );
    let finding = stage.finding("deployment_manifest_change");
    let why = reasons(&finding);
    let (before, after) = ("a".repeat(40), format!("{:040x}", 1_000_005));
    assert!(
        why.contains(&format!("deploy/prod/app.yaml: from {before} to {after}")),
        "{why}"
    );
    assert!(why.contains("at 2026-11-18T10:05:00"), "{why}");
    assert!(why.contains("environment production"), "{why}");
    assert!(!why.contains("README.md"), "{why}");
    let session = stage.session("docs-bot[bot]");
    let file = &session["blast"]["files"][0];
    assert_eq!(
        *file,
        json!({ "path": "deploy/prod/app.yaml", "before": before, "after": after,
            "environment": "production", "at": "2026-11-18T10:05:00.000000Z" })
    );
}

#[test]
fn p11_a_secret_read_and_a_rotation_are_legitimate_with_a_change_ticket() {
    let stage = Stage::new();
    let pair = |who: &str, extra: Value| {
        let path = format!("secret/data/ci/{who}");
        let role = format!("database/rotate-role/{who}");
        [
            vault(0, who, "read", &path, extra.clone()),
            vault(2, who, "update", &role, extra),
        ]
    };
    stage.take(
        "vault.audit",
        &pair("planned", json!({ "ticket": "CHG-1" })),
    );
    stage.take("vault.audit", &pair("unplanned", json!({})));
    let finding = stage.finding("unpaired_secret_read");
    let who = stage
        .folder
        .json(&["identity", "show", "unplanned"])
        .remove(0);
    assert_eq!(finding["identity"], who["id"]);
    let both: Vec<_> = each(&finding["events"], "fact")
        .iter()
        .map(|fact| fact.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both[0].contains("secret/data/ci/unplanned"), "{both:?}");
    assert!(
        both[1].contains("database/rotate-role/unplanned"),
        "{both:?}"
    );
    assert_eq!(stage.session("planned")["verdict"], "in_scope");
    let sql = "SELECT action, change_ticket FROM events WHERE change_ticket IS NOT NULL \
        ORDER BY time_effective";
    let ticketed = stage.folder.json(&["query", sql]);
    let expected = [
        json!({ "action": "secret_read", "change_ticket": "CHG-1" }),
        json!({ "action": "credential_rotate", "change_ticket": "CHG-1" }),
    ];
    assert_eq!(ticketed, expected);
}

#[test]
fn p12_a_new_table_is_found_beside_the_baseline_and_the_scheduled_job_is_not() {
    let stage = Stage::new();
    let read = |minute, role, operation: &str, table: &str| {
        let about = json!({ "tableName": table });
        let data = json!({ "eventCategory": "Data", "managementEvent": false,
            "resources": [{ "type": "AWS::DynamoDB::Table",
                "ARN": format!("arn:aws:dynamodb:us-east-1:111122223333:table/{table}") }] });
        cloudtrail(minute, Role(role, "worker"), operation, about, data)
    };
    let mut records = Vec::new();
    for role in ["indexer", "nightly"] {
        for day in (1..=20).rev() {
            let minute = days_before(day);
            records.push(read(minute, role, "dynamodb:GetItem", "products"));
        }
    }
    records.push(read(0, "nightly", "dynamodb:GetItem", "products"));
    records.push(read(0, "indexer", "dynamodb:Scan", "customers"));
    stage.take("aws.cloudtrail", &records);
    let finding = stage.finding("new_resource_class");
    let who = stage
        .folder
        .json(&["identity", "show", "indexer"])
        .remove(0);
    assert_eq!(finding["identity"], who["id"]);
    let title = finding["title"].as_str().unwrap();
    assert!(title.contains("customers"), "the new element: {title}");
    let why = reasons(&finding);
    let baseline = why.lines().find(|line| line.starts_with("baseline: "));
    let baseline = baseline.unwrap_or_else(|| panic!("{why}"));
    assert!(
        baseline.contains("aws read") && baseline.contains("products"),
        "{why}"
    );
    assert!(!baseline.contains("customers"), "{why}");
}

#[test]
fn p18_findings_are_mapped_to_monitoring_and_zero_trust() {
    let stage = Stage::new();
    let mut moved = okta(
        10,
        "user.authentication.sso",
        "ana@example.com",
        Some("shop"),
    );
    moved["client"] = json!({ "userAgent": { "rawUserAgent": "curl/8" },
        "ipAddress": "203.0.113.9" });
    moved["securityContext"] = json!({ "asNumber": 64510, "asOrg": "elsewhere" });
    let records = [
        okta(0, "user.session.start", "ana@example.com", None),
        moved,
    ];
    stage.take("okta.system", &records);
    stage.take(
        "github.webhook",
        &[push(0, "docs-bot[bot]", &["deploy/prod/app.yaml"])],
    );
    let session = stage.finding("session_change");
    let mapped = texts(&session, "mapped_ref");
    for reference in ["DE.CM-03", "SP 800-207 tenet 4", "SP 800-207 tenet 6"] {
        assert!(mapped.contains(&reference), "{mapped:?}");
    }
    let printed = [
        "OWASP NHI-01",
        "NIST CSF 2.0 DE.CM",
        "NIST SP 800-207 continuous monitoring principle",
    ];
    assert_eq!(texts(&session, "seed_ref"), printed);
    let manifest = stage.finding("deployment_manifest_change");
    assert!(texts(&manifest, "mapped_ref").contains(&"DE.CM-09"));
    let id = session["id"].as_str().unwrap();
    let page = stage.text(&format!("/findings/{id}"));
    assert!(page.contains("SP 800-207 tenet 4"), "{page}");
}

#[test]
fn p19_a_rotation_is_seen_between_two_actions_and_use_of_the_old_key_is_found() {
    let stage = Stage::new();
    let (old, new) = (
        User("loader", "AKIAEXAMPLEOLD"),
        User("loader", "AKIAEXAMPLENEW"),
    );
    let put = |minute, caller| {
        let about = json!({ "bucketName": "drop", "key": format!("{minute}.csv") });
        cloudtrail(minute, caller, "s3:PutObject", about, json!({}))
    };
    let made = json!({ "responseElements": { "accessKey": { "accessKeyId": "AKIAEXAMPLENEW",
        "userName": "loader", "status": "Active" } } });
    let whose = json!({ "userName": "loader" });
    let ended = json!({ "userName": "loader", "accessKeyId": "AKIAEXAMPLEOLD" });
    let records = [
        put(0, old),
        cloudtrail(10, old, "iam:CreateAccessKey", whose, made),
        cloudtrail(11, new, "iam:DeleteAccessKey", ended, json!({})),
        put(20, new),
    ];
    stage.take("aws.cloudtrail", &records);
    let operations = |stage: &Stage| {
        let mut events = stage.folder.json(&["timeline", "loader"]);
        events.reverse();
        let names = events
            .iter()
            .map(|event| event["operation"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let expected = [
        "s3:PutObject",
        "iam:CreateAccessKey",
        "iam:DeleteAccessKey",
        "s3:PutObject",
    ];
    assert_eq!(operations(&stage), expected);
    assert_eq!(
        stage.findings("old_key_used"),
        Vec::<Value>::new(),
        "the new key is right"
    );
    stage.take("aws.cloudtrail", &[put(30, old)]);
    let finding = stage.finding("old_key_used");
    let why = reasons(&finding);
    assert!(
        why.contains("AKIAEXAMPLEOLD was rotated or revoked 19 min before"),
        "{why}"
    );
}
