//! What identities may do, what policies said, and what they did.

use serde_json::{Value, json};

use super::delivery::{Api, Records, at, findings, installed, lines, text, user};

/// The export of an account whose user `reader` may do this.
fn account(actions: &[&str]) -> String {
    json!({
        "UserDetailList": [{
            "Arn": "arn:aws:iam::111122223333:user/reader", "GroupList": [],
            "UserPolicyList": [{ "PolicyName": "own", "PolicyDocument": { "Statement": [
                { "Effect": "Allow", "Action": actions, "Resource": "*" }] } }],
        }],
        "GroupDetailList": [], "RoleDetailList": [], "Policies": [],
    })
    .to_string()
}

fn operations(rows: &Value) -> Vec<String> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("no rows: {rows}"));
    rows.iter().map(|row| text(&row["operation"])).collect()
}

#[test]
fn b1_what_is_entitled_and_what_was_done_are_set_beside_each_other() {
    let folder = installed();
    let file = folder.write(
        "account.json",
        account(&["s3:ListAllMyBuckets", "sqs:SendMessage"]),
    );
    folder.ok(&[
        "entitlement",
        "import",
        file.to_str().unwrap(),
        "--kind",
        "aws",
    ]);
    let reader = user("reader", "AKIAEXAMPLE000000001");
    let mut records = Records::of("aws.cloudtrail");
    let bucket = json!({ "requestParameters": { "bucketName": "orders" } });
    records.call(at(100, 600), &reader, "s3:ListBuckets", &json!({}));
    records.call(at(100, 601), &reader, "s3:PutBucketPolicy", &bucket);
    records.call(
        at(100, 602),
        &reader,
        "iam:CreateUser",
        &json!({ "errorCode": "AccessDenied" }),
    );
    records.ingest(&folder);
    let api = Api::of(&folder);
    let used = api.get("/v1/identities/reader/entitlements?from=2026-09-01&to=2026-10-01");
    assert_eq!(operations(&used["did"]), ["s3:ListBuckets"]);
    assert_eq!(used["did"][0]["basis"], "granted");
    assert_eq!(used["may"][0]["unused"], json!(["sqs:SendMessage"]));
    let may_not = used["may_not"].as_array().unwrap().iter();
    let mut may_not: Vec<_> = may_not
        .map(|row| (text(&row["why"]), text(&row["operation"])))
        .collect();
    may_not.sort();
    let may_not: Vec<_> = may_not
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    let expected = [
        ("denied", "iam:CreateUser"),
        ("without_entitlement", "s3:PutBucketPolicy"),
    ];
    assert_eq!(may_not, expected);
}

/// A request to Kubernetes and what its authoriser said of it.
fn request(number: i64, verb: &str, resource: &str, decision: &str, reason: &str) -> Value {
    let time = at(100, 600 + number).to_string();
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "stage": "ResponseComplete",
        "auditID": format!("20000000-0000-4000-8000-{number:012}"), "verb": verb,
        "requestURI": format!("/api/v1/namespaces/shop/{resource}/db"),
        "user": { "username": "system:serviceaccount:shop:api", "groups": ["system:authenticated"] },
        "sourceIPs": ["192.0.2.20"], "userAgent": "api/1.0",
        "objectRef": { "resource": resource, "namespace": "shop", "name": "db", "apiVersion": "v1" },
        "responseStatus": { "code": if decision == "allow" { 200 } else { 403 } },
        "requestReceivedTimestamp": time, "stageTimestamp": time,
        "annotations": { "authorization.k8s.io/decision": decision, "authorization.k8s.io/reason": reason },
    })
}

const GRANTED: &str =
    "RBAC: allowed by RoleBinding \"api/shop\" of Role \"api\" to ServiceAccount \"api/shop\"";

#[test]
fn b4_one_row_says_entitlement_policy_decision_and_action() {
    let folder = installed();
    let rights = json!({ "kind": "List", "apiVersion": "v1", "items": [
        { "kind": "Role", "metadata": { "name": "api", "namespace": "shop" },
          "rules": [{ "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"] }] },
        { "kind": "RoleBinding", "metadata": { "name": "api", "namespace": "shop" },
          "roleRef": { "kind": "Role", "name": "api", "apiGroup": "rbac.authorization.k8s.io" },
          "subjects": [{ "kind": "ServiceAccount", "name": "api", "namespace": "shop" }] },
    ] });
    let file = folder.write("rights.json", rights.to_string());
    let import = [
        "entitlement",
        "import",
        file.to_str().unwrap(),
        "--kind",
        "kubernetes",
        "--account",
    ];
    let mut records = Records::of("kubernetes.audit");
    records.push(request(1, "get", "secrets", "allow", GRANTED));
    records.push(request(2, "delete", "configmaps", "forbid", ""));
    records.ingest(&folder);
    let account = folder
        .json(&["query", "SELECT DISTINCT account FROM events"])
        .remove(0);
    let account = account["account"].as_str().unwrap_or("shop").to_owned();
    folder.ok(&[import.as_slice(), &[account.as_str()]].concat());
    let api = Api::of(&folder);
    let who = "/v1/identities/shop:api/entitlements";
    let used = api.get(&format!("{who}?from=2026-09-01&to=2026-10-01"));
    let row = &used["did"][0];
    assert_eq!(row["operation"], "get secrets", "{used}");
    assert_eq!(row["basis"], "granted");
    assert_eq!(row["policy_decision"]["allowed"], true);
    let policy = text(&row["policy_decision"]["policy_id"]);
    assert!(policy.contains("api"), "{policy}");
    assert!(lines(&row["by"]).contains("api"), "{row}");
    let refused = &used["may_not"][0];
    assert_eq!(
        (&refused["why"], &refused["operation"]),
        (&json!("denied"), &json!("delete configmaps"))
    );
    assert_eq!(refused["policy_decision"]["allowed"], false);
}

#[test]
fn b15_every_alert_and_every_allow_or_deny_names_who_decided_on_what_and_how() {
    let folder = installed();
    let mut records = Records::of("kubernetes.audit");
    for number in 1..=3 {
        records.push(request(number, "get", "secrets", "allow", GRANTED));
    }
    for number in 4..=16 {
        records.push(request(number, "list", "roles", "allow", GRANTED));
    }
    records.push(request(17, "delete", "configmaps", "forbid", ""));
    records.ingest(&folder);
    let sql = "SELECT event_uid, outcome, policy_allowed, policy_id, risk_decision FROM events ORDER BY time";
    let events = folder.json(&["query", sql]);
    for event in &events {
        let allowed = event["policy_allowed"]
            .as_bool()
            .unwrap_or_else(|| panic!("{event}"));
        assert_eq!(allowed, event["outcome"] == "success", "{event}");
        assert!(!allowed || event["policy_id"].is_string(), "{event}");
    }
    let denied = events.last().unwrap();
    assert_eq!(denied["policy_allowed"], false, "{denied}");
    let alert = findings(&folder, "enumeration").remove(0);
    for decided in [
        "rule",
        "reasons",
        "events",
        "severity",
        "confidence",
        "status",
    ] {
        let told = &alert[decided];
        assert!(
            !told.is_null() && *told != json!([]) && *told != json!(""),
            "{decided}: {alert}"
        );
    }
    let led = events
        .iter()
        .filter(|event| event["risk_decision"] == alert["id"]);
    assert!(
        led.count() > 0,
        "the event that led to it names it: {events:?}"
    );
    // A person's decision is one as well: who, on what, what.
    let id = text(&alert["id"]);
    folder.ok(&[
        "finding",
        "decide",
        &id,
        "--disposition",
        "benign",
        "--note",
        "a new job",
    ]);
    let decided = findings(&folder, "enumeration").remove(0);
    assert_eq!(
        (&decided["disposition"], &decided["note"]),
        (&json!("benign"), &json!("a new job"))
    );
    assert!(decided["analyst"].is_string(), "{decided}");
}

/// A call that Google Cloud's authoriser granted.
fn granted(number: i64, service: &str, method: &str, permission: &str, resource: &str) -> Value {
    json!({
        "insertId": format!("g-{number}"), "timestamp": at(100, 600 + number).to_string(),
        "logName": "projects/shop/logs/cloudaudit.googleapis.com%2Factivity",
        "resource": { "type": "project", "labels": { "project_id": "shop" } },
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": service,
            "methodName": method, "resourceName": resource, "status": {},
            "authenticationInfo": { "principalEmail": "runner@shop.iam.gserviceaccount.com" },
            "requestMetadata": { "callerIp": "192.0.2.30", "callerSuppliedUserAgent": "gcloud" },
            "authorizationInfo": [{ "permission": permission, "resource": resource, "granted": true }],
        },
    })
}

#[test]
fn b20_allowed_by_policy_at_every_step_and_unsafe_as_a_sequence() {
    let darken = |number| {
        let method = "google.logging.v2.ConfigServiceV2.DeleteSink";
        granted(
            number,
            "logging.googleapis.com",
            method,
            "logging.sinks.delete",
            "projects/shop/sinks/audit",
        )
    };
    let read = |number| {
        let method = "google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion";
        let secret = "projects/shop/secrets/db/versions/1";
        granted(
            number,
            "secretmanager.googleapis.com",
            method,
            "secretmanager.versions.access",
            secret,
        )
    };
    let folder = installed();
    let mut records = Records::of("gcp.audit");
    records.push(darken(1));
    records.push(read(2));
    records.ingest(&folder);
    let sql = "SELECT policy_allowed, outcome FROM events";
    let decisions = folder.json(&["query", sql]);
    assert_eq!(decisions.len(), 2);
    assert!(
        decisions
            .iter()
            .all(|event| event["policy_allowed"] == true),
        "{decisions:?}"
    );
    let found = findings(&folder, "allowed_but_unsafe");
    let found = found
        .iter()
        .find(|one| one["rule"] == "sequence/logging-off-then-secrets");
    let found = found.unwrap();
    assert_eq!(
        (
            found["allowed"].as_array().unwrap().len(),
            &found["refused"]
        ),
        (2, &json!([]))
    );
    let reasons = lines(&found["reasons"]);
    let by_policy = reasons.matches("permitted by policy").count();
    assert_eq!(by_policy, 2, "{reasons}");

    // The same steps the other way round are not that sequence.
    let other = installed();
    let mut records = Records::of("gcp.audit");
    records.push(read(1));
    records.push(darken(2));
    records.ingest(&other);
    let found = findings(&other, "allowed_but_unsafe");
    assert!(
        !found
            .iter()
            .any(|one| one["rule"] == "sequence/logging-off-then-secrets"),
        "{found:?}"
    );
}
