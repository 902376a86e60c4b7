//! One session over systems, how far it reached, and what became of it.

use serde_json::{Value, json};

use crate::scenario::record::Caller::{Role, User};
use crate::scenario::record::{cloudtrail, days_before, github, okta, push, role_arn, tool, vault};
use crate::scenario::stage::{Stage, each, texts};

const ANA: &str = "ana@example.com";

/// Calls of AWS with what each is about, and the class of action it is of.
fn calls() -> [(&'static str, Value, &'static str); 10] {
    [
        (
            "secretsmanager:GetSecretValue",
            json!({ "secretId": "prod/db" }),
            "secret_read",
        ),
        (
            "iam:CreateAccessKey",
            json!({ "userName": "ben" }),
            "credential_create",
        ),
        (
            "iam:AttachUserPolicy",
            json!({ "userName": "ben", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess" }),
            "privilege_grant",
        ),
        ("s3:DeleteBucket", json!({ "bucketName": "old" }), "destroy"),
        (
            "rds:ModifyDBInstance",
            json!({ "dBInstanceIdentifier": "orders" }),
            "config_change",
        ),
        (
            "ses:SendEmail",
            json!({ "destination": {} }),
            "notify_people",
        ),
        (
            "sns:Publish",
            json!({ "topicArn": "arn:aws:sns:us-east-1:1:news" }),
            "message_publish",
        ),
        (
            "secretsmanager:RotateSecret",
            json!({ "secretId": "prod/db" }),
            "credential_rotate",
        ),
        (
            "cloudtrail:StopLogging",
            json!({ "name": "main" }),
            "logging_change",
        ),
        ("iam:ListRoles", json!(null), "enumerate"),
    ]
}

#[test]
fn p1_twelve_actions_are_of_twelve_classes() {
    let stage = Stage::new();
    let caller = User("ana", "AKIAEXAMPLEANA");
    let calls = calls();
    let records: Vec<_> = (0..)
        .zip(&calls)
        .map(|(minute, (call, about, _))| {
            cloudtrail(minute, caller, call, about.clone(), json!({}))
        })
        .collect();
    stage.take("aws.cloudtrail", &records);
    stage.take("okta.system", &[okta(20, "user.session.start", ANA, None)]);
    stage.take("github.webhook", &[push(21, "ana-dev", &["src/cart.rs"])]);
    let sql = "SELECT operation, action FROM events ORDER BY time_effective";
    let rows = stage.folder.json(&["query", sql]);
    let found: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["operation"].as_str().unwrap(),
                row["action"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = calls.iter().map(|(call, _, action)| (*call, *action));
    let expected: Vec<_> = expected
        .chain([
            ("user.session.start", "authenticate"),
            ("push", "code_change"),
        ])
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn p2_one_session_over_identity_provider_code_and_cloud() {
    let stage = Stage::new();
    stage.take(
        "okta.system",
        &[
            okta(0, "user.session.start", ANA, None),
            okta(1, "user.session.start", "ben@example.com", None),
        ],
    );
    let person = json!({ "external_identity_nameid": ANA });
    stage.take("github.audit", &[github(5, "git.push", "ana-dev", person)]);
    let put = json!({ "bucketName": "shop-assets", "key": "logo.svg" });
    let call = cloudtrail(9, Role("deployer", ANA), "s3:PutObject", put, json!({}));
    stage.take("aws.cloudtrail", &[call]);

    let session = stage.session(ANA);
    let uid = session["uid"].as_str().unwrap();
    let steps = stage.folder.json(&["session", "show", uid]);
    let one: Vec<_> = steps
        .iter()
        .skip(1)
        .map(|step| {
            (
                step["system"].as_str().unwrap(),
                step["operation"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("okta", "user.session.start"),
        ("github", "git.push"),
        ("aws", "s3:PutObject"),
    ];
    assert_eq!(one, expected);

    let other = stage.session("ben@example.com");
    let alone = stage.get(&format!("/v1/sessions/{}", other["uid"].as_str().unwrap()));
    assert_eq!(alone["joined"], json!([]), "somebody else's stays apart");
}

#[test]
fn p4_next_actions_are_in_order_with_gaps_marked() {
    let stage = Stage::new();
    let caller = User("ana", "AKIAEXAMPLEANA");
    let call = |minute, name| cloudtrail(minute, caller, name, json!(null), json!({}));
    // Delivered out of order.
    let records = [
        call(21, "iam:ListUsers"),
        call(0, "sts:GetCallerIdentity"),
        call(1, "iam:ListRoles"),
    ];
    stage.take("aws.cloudtrail", &records);
    let session = stage.session("ana");
    let uid = session["uid"].as_str().unwrap();
    let next = stage.get(&format!("/v1/sessions/{uid}/next"));
    let order = each(&next["steps"], "operation");
    assert_eq!(
        order,
        ["sts:GetCallerIdentity", "iam:ListRoles", "iam:ListUsers"]
    );
    let gaps = each(&next["steps"], "gap_s");
    assert_eq!(gaps, [&json!(null), &json!(null), &json!(20 * 60)]);
}

/// What an import says that three users and a role may do.
fn entitled(stage: &Stage) {
    let (mallory, ben) = (
        "arn:aws:iam::111122223333:user/mallory",
        "arn:aws:iam::111122223333:user/ben",
    );
    let deployer = role_arn("deployer");
    let rights = format!(
        "alias,system,permission,scope\n\
         aws.arn:{mallory},aws,s3:GetObject,arn:aws:s3:::reports/*\n\
         aws.arn:{ben},aws,secretsmanager:GetSecretValue,prod/db;prod/mail\n\
         aws.arn:{deployer},aws,s3:DeleteObject,arn:aws:s3:::backups/*\n\
         aws.arn:arn:aws:iam::111122223333:user/eve,aws,kms:Decrypt,key/eve\n"
    );
    let file = stage.folder.write("rights.csv", rights);
    let file = file.to_str().unwrap();
    stage
        .folder
        .ok(&["entitlement", "import", file, "--kind", "list"]);
}

#[test]
fn p5_a_token_and_a_grant_reach_resources_and_users() {
    let stage = Stage::new();
    entitled(&stage);
    let deployer = role_arn("deployer");
    let caller = User("mallory", "AKIAEXAMPLEMAL");
    let key = json!({ "responseElements": { "accessKey": { "accessKeyId": "AKIAEXAMPLENEW",
        "userName": "ben" } } });
    let role = json!({ "responseElements": { "credentials": { "accessKeyId": "ASIADEPLOYER" } } });
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let ben_named = json!({ "userName": "ben" });
    let granted = json!({ "userName": "mallory", "policyArn": admin });
    stage.take(
        "aws.cloudtrail",
        &[
            cloudtrail(0, caller, "iam:CreateAccessKey", ben_named, key),
            cloudtrail(1, caller, "iam:AttachUserPolicy", granted, json!({})),
            cloudtrail(
                2,
                caller,
                "sts:AssumeRole",
                json!({ "roleArn": deployer }),
                role,
            ),
            cloudtrail(
                3,
                Role("deployer", "x"),
                "s3:ListBuckets",
                json!(null),
                json!({}),
            ),
        ],
    );

    let uid = stage.session("mallory")["uid"].as_str().unwrap().to_owned();
    let answer = stage.get(&format!("/v1/sessions/{uid}"));
    let blast = &answer["session"]["blast"];
    let made = each(&blast["credentials_made"]["things"], "name");
    assert_eq!(made, ["ben"], "the token");
    let gained = blast["rights_gained"]["things"].to_string();
    assert!(gained.contains("AdministratorAccess"), "{gained}");
    let reach = &answer["reach"];
    assert_eq!(
        each(&reach["through"], "how"),
        ["its own", "taken on", "credential made"]
    );
    let levels = each(&reach["kinds"], "access");
    assert_eq!(levels, ["administer", "read_secrets", "destroy", "read"]);
    assert_eq!(
        texts(&reach["kinds"][1], "resources"),
        ["prod/db", "prod/mail"]
    );
    assert_eq!(reach["entitlements"], 3, "not what eve may do");
    assert_eq!(
        reach["resources"], 5,
        "everything, two secrets, backups, reports"
    );
    assert_eq!(
        reach["users_affected"], 2,
        "ben and itself, no role: {gained}"
    );

    let shown = &stage.folder.json(&["session", "show", &uid])[0];
    assert_eq!(shown["reach"], *reach, "the command line says the same");
    let page = stage.text(&format!("/sessions/{uid}"));
    assert!(page.contains("resources reachable") && page.contains("users affected"));
    assert!(
        page.contains("read secrets in aws: prod/db, prod/mail"),
        "{page}"
    );
}

#[test]
fn p10_an_agents_message_to_customers_has_action_audience_and_approver() {
    let stage = Stage::new();
    let send = json!({ "list": "all-customers", "recipient_count": 1240,
        "approved_by": "lead@example.com", "subject": "News" });
    let calls = [
        tool(0, "news-agent", "read_template", &json!({ "id": 7 })),
        tool(1, "news-agent", "send_newsletter", &send),
    ];
    stage.take("otel.genai", &calls);
    let sql = "SELECT action, audience_count, approver FROM events ORDER BY time_effective";
    let rows = stage.folder.json(&["query", sql]);
    assert_eq!(rows[0]["audience_count"], json!(null));
    assert_eq!(
        rows[1],
        json!({ "action": "notify_people", "audience_count": 1240, "approver": "lead@example.com" })
    );
    let session = stage.session("news-agent");
    let blast = &session["blast"];
    assert_eq!(blast["people_notified"], 1240);
    let audience = &blast["notified"][0];
    assert_eq!(audience["count"], 1240);
    assert_eq!(audience["approver"], "lead@example.com");
    let reference = audience["reference"].as_str().unwrap();
    assert!(reference.len() == 32 && reference.chars().all(|c| c.is_ascii_hexdigit()));
    assert!(
        !session.to_string().contains("all-customers"),
        "only as a hash"
    );
}

#[test]
fn p15_verdicts_tell_scope_escalation_and_destruction() {
    let stage = Stage::new();
    let call = |who: &str, name: &str, about| {
        let key = format!("AKIAEXAMPLE{}", who.to_uppercase());
        cloudtrail(0, User(who, &key), name, about, json!({}))
    };
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    stage.take(
        "aws.cloudtrail",
        &[
            call(
                "reader",
                "s3:GetObject",
                json!({ "bucketName": "shop", "key": "a" }),
            ),
            call(
                "climber",
                "iam:AttachUserPolicy",
                json!({ "userName": "climber", "policyArn": admin }),
            ),
            call(
                "breaker",
                "s3:DeleteBucket",
                json!({ "bucketName": "shop" }),
            ),
        ],
    );
    for (who, verdict) in [
        ("reader", "in_scope"),
        ("climber", "escalated"),
        ("breaker", "destructive"),
    ] {
        let session = stage.session(who);
        assert_eq!(session["verdict"], verdict, "{who}");
        let listed = stage
            .folder
            .json(&["session", "list", "--verdict", verdict]);
        assert_eq!(each(&json!(listed), "actor"), [who]);
    }
}

#[test]
fn p16_four_uses_of_a_token_are_of_four_classes() {
    let stage = Stage::new();
    let read = |who: &str, minute, path: &str| vault(minute, who, "read", path, &json!({}));
    let mut records: Vec<_> = (1..15)
        .map(|day| read("backup", days_before(day), "secret/data/backup/key"))
        .collect();
    // A token of its own each day, as approles give.
    let mut today = read("backup", 0, "secret/data/backup/key");
    today["auth"]["accessor"] = json!("hmac-sha256:today");
    today["request"]["client_token_accessor"] = json!("hmac-sha256:today");
    records.push(today);
    records.extend((0..6).map(|n| read("thief", n, &format!("secret/data/prod/{n}"))));
    stage.take("vault.audit", &records);
    let call = |who: &str, name: &str, about| {
        let key = format!("AKIAEXAMPLE{}", who.to_uppercase());
        cloudtrail(0, User(who, &key), name, about, json!({}))
    };
    stage.take(
        "aws.cloudtrail",
        &[
            call(
                "planter",
                "iam:CreateAccessKey",
                json!({ "userName": "ben" }),
            ),
            call(
                "meddler",
                "cloudtrail:StopLogging",
                json!({ "name": "main" }),
            ),
        ],
    );
    for (who, verdict) in [
        ("backup", "in_scope"),
        ("planter", "persistence"),
        ("thief", "secret_extraction"),
        ("meddler", "unauthorised_change"),
    ] {
        let session = stage.session(who);
        assert_eq!(session["verdict"], verdict, "{who}: {}", session["reasons"]);
    }
}
