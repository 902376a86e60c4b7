//! Charters by page and API.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use deedtrail_core::charter::{CharterRecord, CharterStatus, Signed};
use deedtrail_core::id::TenantId;
use deedtrail_core::port::store::{Progress, Store as _};
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::sample::Sample;
use serde_json::{Value, json};

use crate::caller::{Answer, Caller, local};
use crate::reference::compared;

const TEXT: &str = "charter: ci-deployer
identities: \"email:ci-*\"
purpose: Deploys <b>payments</b>.
owner: lead@example.com
never:
  - action: secret_read
";

fn version(version: u32, status: CharterStatus, text: &str) -> CharterRecord {
    let signed = |by: &str| Signed {
        by: by.into(),
        at: Timestamp::from_micros(1_772_442_000_000_000),
    };
    CharterRecord {
        tenant: TenantId::default(),
        name: "ci-deployer".into(),
        version,
        status,
        text: text.to_owned(),
        owner: "lead@example.com".into(),
        purpose: "Deploys <b>payments</b>.".into(),
        proposed: signed("ana@example.com"),
        approved: (status == CharterStatus::InForce).then(|| signed("ana@example.com")),
        retired: None,
    }
}

/// The story with two versions of a charter.
fn caller() -> Caller {
    let sample = Sample::story();
    let looser = TEXT.replace("secret_read", "destroy");
    let progress = Progress {
        through: sample.store.processed().unwrap(),
        charters: vec![
            version(1, CharterStatus::InForce, TEXT),
            version(2, CharterStatus::Draft, &looser),
        ],
        ..Progress::default()
    };
    sample.store.save(progress).unwrap();
    Caller::new(sample)
}

async fn page(caller: &Caller, address: &str) -> String {
    let answer = caller
        .send(local(Method::GET, address, Body::empty()))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.text().to_owned()
}

async fn send(caller: &Caller, address: &str, kind: &str, body: String) -> Answer {
    let mut request = local(Method::POST, address, Body::from(body));
    request
        .headers_mut()
        .insert("content-type", kind.parse().unwrap());
    caller.send(request).await
}

async fn form(caller: &Caller, address: &str, body: &str) -> Answer {
    let kind = "application/x-www-form-urlencoded";
    send(caller, address, kind, body.to_owned()).await
}

async fn api(caller: &Caller, address: &str, body: &Value) -> Answer {
    send(caller, address, "application/json", body.to_string()).await
}

#[tokio::test]
async fn the_list_names_versions_and_owners() {
    let empty = Caller::new(Sample::empty());
    assert!(
        page(&empty, "/charters")
            .await
            .contains("Nobody has proposed a charter yet")
    );
    let html = page(&caller(), "/charters").await;
    for words in [
        "One charter is in force",
        "<a class=\"go\" href=\"/charters/ci-deployer\">",
        "lead@example.com",
        "version 1",
        "Draft",
    ] {
        assert!(html.contains(words), "`{words}` is missing");
    }
    assert!(
        !html.contains("<b>payments"),
        "text from outside is escaped"
    );
}

#[tokio::test]
async fn a_charter_shows_versions_and_what_they_differ_in() {
    let caller = caller();
    let html = page(&caller, "/charters/ci-deployer").await;
    for words in [
        "Against version 1",
        "Loosened",
        "never no longer has: action secret_read",
        "for the owner <bdi>lead@example.com</bdi>",
        "action=\"/charters/ci-deployer/approve\"",
    ] {
        assert!(html.contains(words), "`{words}` is missing");
    }
    let first = page(&caller, "/charters/ci-deployer?version=1").await;
    assert!(!first.contains("Against version"));
    let none = caller
        .send(local(Method::GET, "/charters/none", Body::empty()))
        .await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_mistake_comes_back_with_the_text_and_its_place() {
    let caller = caller();
    let answer = form(
        &caller,
        "/charters",
        "text=charter%3A+x%0D%0Apurpos%3A+y%0D%0A",
    )
    .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let html = answer.text();
    assert!(html.contains("line:2:1: unknown field"), "{html}");
    assert!(html.contains("did you mean"), "{html}");
    assert!(html.contains("purpos: y"), "the text is kept");
}

#[tokio::test]
async fn proposals_and_decisions_are_entries_of_the_log() {
    let caller = caller();
    let end = caller.app.ports.log.end();
    let text = format!("text={}", TEXT.replace('\n', "%0A").replace(' ', "+"));
    let answer = form(&caller, "/charters", &text).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header("location"), "/charters/ci-deployer");
    for what in ["approve", "retire"] {
        let address = format!("/charters/ci-deployer/{what}");
        let answer = form(&caller, &address, "version=2").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    }
    assert_eq!(caller.app.ports.log.end(), end + 3);
    let decided = form(&caller, "/charters/ci-deployer/approve", "version=1").await;
    assert_eq!(decided.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn answers_have_the_fields_their_schemas_name() {
    let caller = caller();
    for (address, schema) in [
        ("/v1/charters", "CharterList"),
        ("/v1/charters/ci-deployer", "CharterVersions"),
        (
            "/v1/charters/ci-deployer/diff?from=1&to=2",
            "CharterDifferences",
        ),
        ("/v1/charters/none", "Problem"),
    ] {
        compared(&caller.get(address).await.json(), schema);
    }
    let text = TEXT.replace("email:ci-*", "*:*");
    for (address, body, schema) in [
        ("/v1/charters", json!({ "text": TEXT }), "CharterProposed"),
        ("/v1/charters", json!({ "text": "charter: [" }), "Problem"),
        (
            "/v1/charters/ci-deployer/approve",
            json!({ "version": 2 }),
            "CharterDecided",
        ),
        (
            "/v1/charters/ci-deployer/retire",
            json!({}),
            "CharterDecided",
        ),
        (
            "/v1/charter-proposals",
            json!({ "identity": "ci-deployer" }),
            "CharterLearned",
        ),
        (
            "/v1/charter-checks",
            json!({ "text": text }),
            "CharterChecked",
        ),
    ] {
        compared(&api(&caller, address, &body).await.json(), schema);
    }
    let checked = api(&caller, "/v1/charter-checks", &json!({ "text": text }))
        .await
        .json();
    assert!(checked["events"].as_u64().unwrap() > 0, "{checked}");
}
