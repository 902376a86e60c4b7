//! What holds over all kinds of telemetry: X1 and X2.

use serde_json::{Value, json};

use super::record::{at, click, okta, tool};
use super::stage::{Stage, each, texts};

const ANA: &str = "ana@example.com";

#[test]
fn x1_one_identity_has_click_session_tool_call_and_use_on_one_timeline() {
    let stage = Stage::new();
    let file = stage.folder.write(
        "rights.csv",
        "alias,system,permission\nemail:ana@example.com,billing,invoice.approve;invoice.delete\n",
    );
    let file = file.to_str().unwrap();
    stage
        .folder
        .ok(&["entitlement", "import", file, "--kind", "list"]);
    let visit = click(0, "Ana@Example.com", "https://files.example.net/report");
    stage.take("m365_defender.url_click_events", &[visit]);
    stage.take("okta.system", &[okta(3, "user.session.start", ANA, None)]);
    let mut call = tool(6, "helper", "search_orders", &json!({ "query": "late" }));
    let attributes = &mut call["scopeSpans"][0]["spans"][0]["attributes"];
    let user = json!({ "key": "user.id", "value": { "stringValue": ANA } });
    attributes.as_array_mut().unwrap().push(user);
    stage.take("otel.genai", &[call]);
    let invoice = json!({ "id": "i-1", "service": "billing", "action": "invoice.approve",
        "timestamp": at(9).to_string(), "email": ANA, "outcome": "success",
        "target": "invoice-7" });
    stage.take("generic.json", &[invoice]);

    let mut timeline = stage.folder.json(&["timeline", ANA]);
    timeline.reverse();
    let kinds: Vec<_> = timeline
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["click", "authentication", "tool_call", "activity"]);
    let who = stage.folder.json(&["identity", "show", ANA]).remove(0);
    let id = who["id"].as_str().unwrap();
    assert_eq!(who["identity"]["last_seen"], at(9).to_string());
    let sessions = stage.get(&format!("/v1/sessions?identity={id}"));
    assert!(each(&sessions["sessions"], "systems").contains(&&json!(["okta"])));
    let state = stage.get(&format!("/v1/identities/{id}/entitlements?from=2026-11-01"));
    let used = state["did"].as_array().unwrap();
    let used = used
        .iter()
        .find(|did| did["operation"] == "invoice.approve");
    assert_eq!(used.unwrap()["basis"], "granted");
    assert_eq!(texts(&state["may"][0], "unused"), ["invoice.delete"]);
    let page = stage.text(&format!("/identities/{id}"));
    for words in [
        "search_orders",
        "invoice.approve",
        "user.session.start",
        "click",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[test]
fn x2_the_share_of_events_that_name_nobody_is_told_with_its_source() {
    let stage = Stage::new();
    let event = |number: i64, who: Option<&str>| {
        json!({ "id": format!("e-{number}"), "service": "billing", "action": "invoice.read",
            "timestamp": at(number).to_string(), "email": who, "outcome": "success",
            "target": "invoice-7" })
    };
    let known: Vec<Value> = (0..99).map(|number| event(number, Some(ANA))).collect();
    stage.take("generic.json", &known);
    let share = |stage: &Stage| {
        let figures = stage.get("/v1/today");
        (
            figures["events"].clone(),
            figures["without_identity"].clone(),
        )
    };
    assert_eq!(share(&stage), (json!(99), json!(0)));
    assert!(
        stage
            .text("/")
            .contains("0 % of events name nobody who acted")
    );
    let check = |stage: &Stage| {
        let output = stage.folder.run(&["--json", "doctor"]);
        let lines = String::from_utf8(output.stdout).unwrap();
        let checks = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        checks
            .into_iter()
            .find(|check| check["id"] == "identities")
            .unwrap()
    };
    assert_eq!(check(&stage)["ok"], true);
    stage.take("generic.json", &[event(99, None), event(100, None)]);
    assert_eq!(share(&stage), (json!(101), json!(2)));
    let found = check(&stage);
    assert_eq!(found["ok"], false);
    let detail = found["detail"].as_str().unwrap();
    assert!(
        detail.contains("2 of 101 events") && detail.contains("generic.json"),
        "{detail}"
    );
    assert!(
        stage
            .text("/")
            .contains("1.99 % of events name nobody who acted")
    );
}
