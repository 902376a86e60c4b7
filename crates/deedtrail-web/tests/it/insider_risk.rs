//! Insider risk by page and API: without names, until one is asked for with a reason.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use deedtrail_app::access::Principal;
use deedtrail_app::findings::Conclusion;
use deedtrail_core::event::ActorKind;
use deedtrail_core::finding::FindingStatus;
use deedtrail_core::identity::Identity;
use deedtrail_core::port::log::EvidenceLog as _;
use deedtrail_core::port::store::{FindingFilter, IdentityFilter, Progress, Scope, Store as _};
use deedtrail_testkit::sample::Sample;
use serde_json::{Value, json};

use crate::caller::{Answer, Caller, local, with_headers};
use crate::reference::compared;

async fn list(caller: &Caller) -> Vec<Value> {
    let answer = caller.get("/v1/insider-risk").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    compared(&answer.json(), "InsiderRisk");
    answer.json()["people"].as_array().unwrap().clone()
}

async fn form(caller: &Caller, person: &str, body: &str) -> Answer {
    let address = format!("/insider-risk/{person}");
    let mut request = local(Method::POST, &address, Body::from(body.to_owned()));
    let kind = "application/x-www-form-urlencoded".parse().unwrap();
    request.headers_mut().insert("content-type", kind);
    caller.send(request).await
}

/// Text of the newest entry of the log.
fn newest_entry(caller: &Caller) -> String {
    let log = &caller.sample.log;
    let mut entries = log.read(log.end() - 1, 1).unwrap();
    let text = entries.swap_remove(0).entry.parts.swap_remove(0);
    String::from_utf8(text.bytes).unwrap()
}

#[tokio::test]
async fn neither_page_nor_api_tells_who_it_is() {
    let caller = Caller::new(Sample::hostile());
    let people = list(&caller).await;
    assert!(people.len() >= 8, "{}", people.len());
    let page = caller.get("/insider-risk").await.text().to_owned();
    let (_, main) = page.split_once("<main").unwrap();
    let api = serde_json::to_string(&people).unwrap();
    let store = &caller.sample.store;
    let identities = store.identities(&IdentityFilter::default()).unwrap();
    for shown in [main, &api] {
        for identity in &identities {
            assert!(!shown.contains(&identity.id.to_string()));
            assert!(!shown.contains(&identity.first_alias.to_string()));
        }
        for finding in store.findings(&FindingFilter::default(), 99).unwrap() {
            assert!(!shown.contains(&finding.id.to_string()));
        }
        for text in ["alert", "DROP", "WfWf", "\u{337}", "Z", "onerror"] {
            assert!(!shown.contains(text), "`{text}` is shown");
        }
        assert!(shown.contains("Active at an unusual hour"));
    }
    assert_eq!(people, list(&caller).await, "pseudonyms stay the same");
    let elsewhere = Caller::new(Sample::hostile());
    elsewhere
        .sample
        .store
        .put_setting("insider_risk.secret", "another")
        .unwrap();
    assert_ne!(people, list(&elsewhere).await);
}

#[tokio::test]
async fn revealing_takes_a_reason_and_the_right_to_decide_and_is_recorded() {
    let caller = Caller::new(Sample::hostile());
    let people = list(&caller).await;
    let person = people[0]["person"].as_str().unwrap();
    let end = caller.sample.log.end();
    for body in ["", "reason=", "reason=+%0A+"] {
        let answer = form(&caller, person, body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(answer.text().contains("say why"));
    }
    let stranger = form(&caller, "person-000000000000", "reason=x").await;
    assert_eq!(stranger.status, StatusCode::NOT_FOUND);
    assert_eq!(caller.sample.log.end(), end, "nothing was revealed so far");

    let revealed = form(&caller, person, "reason=case+17").await;
    assert_eq!(
        revealed.status,
        StatusCode::SEE_OTHER,
        "{}",
        revealed.text()
    );
    let address = revealed.header("location").to_owned();
    let id = address.strip_prefix("/identities/").unwrap();
    let entry = newest_entry(&caller);
    let expected = format!("local person revealed: {person} is {id}: case 17");
    assert_eq!(entry, expected);

    let address = format!("/v1/insider-risk/{person}/reveal");
    let body = json!({ "reason": "case 18" }).to_string();
    let asked = local(Method::POST, &address, Body::from(body.clone()));
    let answer = caller.send(asked).await;
    compared(&answer.json(), "RevealedPerson");
    assert_eq!(answer.json()["identity"], id);
    assert!(newest_entry(&caller).ends_with("case 18"));

    let reader = format!("Bearer {}", caller.token(&[Scope::Read]));
    let headers = [("authorization", reader.as_str())];
    let refused = caller
        .send(with_headers("POST", &address, &headers, body))
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let read = caller
        .send(with_headers(
            "GET",
            "/insider-risk",
            &headers,
            Body::empty(),
        ))
        .await;
    assert_eq!(read.status, StatusCode::OK);
    assert!(!read.text().contains("action=\"/insider-risk/"));
}

#[tokio::test]
async fn machines_and_closed_findings_do_not_count() {
    let caller = Caller::new(Sample::hostile());
    let before = list(&caller).await.len();
    let store = &caller.sample.store;
    let finding = store
        .findings(&FindingFilter::default(), 1)
        .unwrap()
        .remove(0);
    let closed = Conclusion {
        status: FindingStatus::Closed,
        disposition: Some("benign"),
        note: None,
    };
    let decided = caller
        .app
        .decide_finding(&Principal::local(), finding.id, closed);
    assert_eq!(decided.unwrap().status, FindingStatus::Closed);
    assert_eq!(list(&caller).await.len(), before - 1);

    let machine = |identity: Identity| Identity {
        kind: ActorKind::Workload,
        ..identity
    };
    let identities = store.identities(&IdentityFilter::default()).unwrap();
    let progress = Progress {
        through: store.processed().unwrap(),
        identities: identities.into_iter().map(machine).collect(),
        ..Progress::default()
    };
    store.save(progress).unwrap();
    assert!(list(&caller).await.is_empty());
    let page = caller.get("/insider-risk").await;
    assert!(page.text().contains("Nobody departs from their usual work"));
}
