//! What is seen of systems and queues, and what the first page says.

use std::sync::Arc;

use deedtrail_core::Text;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _, NewEntry};
use deedtrail_core::time::Timestamp;
use deedtrail_evidence::disk::RealDisk;
use deedtrail_evidence::{Log, LogConfig};
use deedtrail_testkit::{FakeClock, SeededEntropy};
use serde_json::{Value, json};

use crate::command::Folder;
use crate::scenario::record::{
    Caller::{Role, User},
    at, cloudtrail, google, okta,
};
use crate::scenario::stage::{Stage, each, texts};

#[test]
fn p6_coverage_shows_planes_by_system_and_the_missing_application_plane() {
    let stage = Stage::new();
    stage.take(
        "google_workspace.login",
        &[google(0, "login", "login_success")],
    );
    let application = |stage: &Stage| -> Value {
        let coverage = stage.get("/v1/coverage");
        let place = texts(&coverage, "planes")
            .iter()
            .position(|name| *name == "application");
        let systems = coverage["systems"].as_array().unwrap();
        assert_eq!(systems.len(), 1, "{coverage}");
        assert_eq!(systems[0]["system"], "google_workspace");
        systems[0]["planes"][place.unwrap()].clone()
    };
    let missing = application(&stage);
    assert_eq!(missing["state"], "missing");
    assert!(
        texts(&missing, "sources").contains(&"google_workspace.chat"),
        "{missing}"
    );
    let page = stage.text("/coverage");
    assert!(
        page.contains(r#"<span class="badge crit">Missing</span>"#),
        "{page}"
    );
    stage.take(
        "google_workspace.chat",
        &[google(1, "chat", "message_posted")],
    );
    assert_eq!(application(&stage)["state"], "seen");
}

/// Ticks of a server that goes on running for two hours: nobody waits for them.
fn tick(folder: &Folder, now: Timestamp) {
    let checkpoints = folder.path("state/deedtrail/checkpoints");
    let config = LogConfig::new(&folder.path("data"), &checkpoints);
    let clock = Arc::new(FakeClock::at(now));
    let entropy = Arc::new(SeededEntropy::new(7));
    let log = Log::open(&config, Arc::new(RealDisk), clock, entropy).unwrap();
    let tick = |hours: i64| NewEntry {
        kind: EntryKind::Tick,
        tenant: TenantId::default(),
        source: None,
        received: now.plus_micros(hours * Timestamp::HOUR_US),
        idempotency_key: None,
        note: Text::default(),
        parts: Vec::new(),
    };
    log.append((1..=2).map(tick).collect()).unwrap();
    log.close().unwrap();
}

#[test]
fn p7_a_sign_in_to_where_nothing_is_seen_is_found_and_trust_falls() {
    let stage = Stage::new();
    let now = stage.now();
    // Two hours ago.
    let then = now.micros_since(at(0)) / Timestamp::MINUTE_US - 120;
    let ana = "ana@example.com";
    let sign_on = |app| okta(then + 1, "user.authentication.sso", ana, Some(app));
    stage.take(
        "okta.system",
        &[
            okta(then, "user.session.start", ana, None),
            sign_on("Salesforce"),
            sign_on("Amazon Web Services"),
        ],
    );
    let role = Role("helper", "ben");
    let made = json!({ "userName": "eve" });
    let list = cloudtrail(then, role, "iam:ListUsers", json!(null), json!({}));
    let plant = cloudtrail(then + 70, role, "iam:CreateAccessKey", made, json!({}));
    stage.take("aws.cloudtrail", &[list, plant]);
    let trust = |stage: &Stage, who: &str| stage.session(who)["trust"].clone();
    let before = trust(&stage, ana)["score"].as_i64().unwrap();
    let Stage {
        folder, mut server, ..
    } = stage;
    server.stop();
    tick(&folder, now);
    let stage = Stage::beside(folder);

    let finding = stage.finding("blind_session");
    let title = finding["title"].as_str().unwrap();
    assert!(title.contains("Salesforce"), "{title}");
    let mapped = texts(&finding, "mapped_ref");
    assert!(mapped.contains(&"SP 800-207 tenet 7"), "{mapped:?}");
    let blind = stage.get("/v1/blind-sessions");
    let systems = each(&blind["sessions"], "system");
    assert_eq!(systems, ["Salesforce"], "AWS has a feed");

    let quiet = trust(&stage, ana);
    let lost = before - quiet["score"].as_i64().unwrap();
    assert_eq!(lost, 3, "each full hour since the last sign-in: {quiet:#}");
    let risky = trust(&stage, "helper");
    let rows = each(&risky["steps"], "row");
    for row in ["start_strong", "age", "finding_high", "departure"] {
        assert!(rows.contains(&&json!(row)), "{row}: {risky:#}");
    }
    assert!(risky["lowest"].as_i64().unwrap() < 50, "{risky:#}");
}

#[test]
fn p14_the_share_of_non_human_identities_stands_beside_the_published_one() {
    let stage = Stage::new();
    let figures = stage.get("/v1/today");
    assert_eq!(
        figures["local"]["percent"],
        json!(null),
        "nothing to count yet"
    );
    let today = stage.now().micros_since(at(0)) / Timestamp::MINUTE_US;
    let user = |name: &str| format!("aws.arn:arn:aws:iam::111122223333:user/{name}");
    let machines = ["one", "two", "old"].map(|name| format!("{},service_account\n", user(name)));
    let people = format!("{},human\n", user("ana"));
    stage.declare(&format!("alias,kind\n{}{people}", machines.concat()));
    let plant = |name: &str, minutes| {
        let key = format!("AKIAEXAMPLE{}", name.to_uppercase());
        let whom = json!({ "userName": "eve" });
        cloudtrail(
            minutes,
            User(name, &key),
            "iam:CreateAccessKey",
            whom,
            json!({}),
        )
    };
    let days = 24 * 60;
    let records = [
        plant("old", today - 60 * days),
        plant("one", today - 2 * days),
        plant("two", today - 2 * days),
        plant("ana", today - days),
    ];
    stage.take("aws.cloudtrail", &records);
    let planted = stage.findings("credential_planted");
    assert_eq!(planted.len(), 4);
    let figures = stage.get("/v1/today");
    let benchmark = &figures["benchmark"];
    assert_eq!(benchmark["percent"], 80);
    assert_eq!(
        benchmark["source"],
        "NHI Mgmt Group, Post-authentication telemetry"
    );
    assert_eq!(benchmark["date"], "2026-06-27");
    let local = &figures["local"];
    assert_eq!(
        *local,
        json!({ "days": 30, "findings": 3, "non_human": 2, "unknown": 0, "percent": 67 })
    );
    let page = stage.text("/");
    for words in [
        "80 % of identity breaches involved compromised non-human identities",
        "NHI Mgmt Group, Post-authentication telemetry, 2026-06-27",
        "67 % of 3 high and critical findings of the last 30 days",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[test]
fn p17_what_one_published_and_another_consumed_is_an_edge_of_both() {
    let stage = Stage::new();
    let line = |minute, who: &str, operation: &str, request: &str, topic: &str| {
        format!(
            "[2026-11-18 10:{minute:02}:00,123] DEBUG Principal = User:{who} is Allowed operation = \
             {operation} from host = 192.0.2.31 on resource = Topic:LITERAL:{topic} for request = \
             {request} with resourceRefCount = 1 (kafka.authorizer.logger)\n"
        )
    };
    let lines = [
        line(0, "svc-orders", "WRITE", "Produce", "orders"),
        line(5, "svc-billing", "READ", "Fetch", "orders"),
        line(6, "svc-other", "READ", "Fetch", "stock"),
    ];
    let file = stage.folder.write("kafka.log", lines.concat());
    let file = file.to_str().unwrap();
    let answer = stage
        .folder
        .json(&["ingest", "--source", "kafka.authorizer", file]);
    assert_eq!(answer[0]["accepted"], 3);
    let (orders, billing) = (stage.session("svc-orders"), stage.session("svc-billing"));
    for session in [&orders, &billing] {
        let edges = session["blast"]["queues"].as_array().unwrap();
        assert_eq!(edges.len(), 1, "{session:#}");
        assert_eq!(edges[0]["from"], orders["uid"]);
        assert_eq!(edges[0]["topic"], "orders");
        assert_eq!(edges[0]["to"], billing["uid"]);
    }
    assert_eq!(stage.session("svc-other")["blast"]["queues"], json!([]));
    let uid = orders["uid"].as_str().unwrap();
    let next = stage.get(&format!("/v1/sessions/{uid}/next"));
    assert_eq!(
        each(&next["steps"], "action"),
        ["message_publish", "message_consume"]
    );
    let page = stage.text(&format!("/sessions/{uid}"));
    assert!(page.contains("svc-orders → orders → svc-billing"), "{page}");
}

#[test]
fn p7_blind_sessions_are_told_by_the_command_line_alone() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let said = |folder: &Folder| {
        let output = folder.run(&["session", "blind"]);
        assert!(output.status.success());
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
    };
    let [_, why] = said(&folder);
    assert!(why.contains("No record has come in yet"), "{why}");

    let ana = "ana@example.com";
    let okta = [
        okta(0, "user.session.start", ana, None),
        okta(1, "user.authentication.sso", ana, Some("Salesforce")),
        okta(
            1,
            "user.authentication.sso",
            ana,
            Some("Amazon Web Services"),
        ),
    ];
    let calls = [cloudtrail(
        30,
        User("ben", "AKIABEN"),
        "iam:ListUsers",
        json!(null),
        json!({}),
    )];
    let write = |name: &str, records: &[Value]| {
        let lines: Vec<String> = records.iter().map(Value::to_string).collect();
        let path = folder.write(name, lines.join("\n"));
        path.to_str().unwrap().to_owned()
    };
    let files = [
        write("okta.ndjson", &okta),
        write("cloudtrail.ndjson", &calls),
    ];
    folder.ok(&["ingest", &files[0], &files[1]]);
    let entries = || folder.json(&["evidence", "check"])[0]["entries"].clone();
    let before = entries();
    let rows = folder.json(&["session", "blind"]);
    let systems: Vec<&Value> = rows.iter().map(|row| &row["system"]).collect();
    assert_eq!(systems, ["Salesforce"], "AWS has a feed");
    let [table, talk] = said(&folder);
    assert!(table.contains("Salesforce"), "{table}");
    assert!(talk.contains("a finding is made of"), "{talk}");
    let found = folder.json(&["finding", "list", "--kind", "blind_session"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(entries(), before, "asking writes nothing");
    folder.ok(&["rebuild"]);
    assert_eq!(
        folder.json(&["session", "blind"]),
        rows,
        "and a rebuild says the same"
    );
    assert_eq!(
        folder.json(&["finding", "list", "--kind", "blind_session"]),
        found
    );
}
