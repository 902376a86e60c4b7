//! Security Event Tokens, pushed.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use deedtrail_app::App;
use deedtrail_app::signal::{Delivery, FetchError, KeySource, Parties, Stream};
use deedtrail_core::port::store::Scope;
use deedtrail_testkit::sample::{NOW, Sample};
use deedtrail_testkit::{Refusal, Transmitter};
use deedtrail_web::WebConfig;
use serde_json::{Value, json};

use crate::caller::{Answer, Caller, with_headers};

const AGREED: &str = "Bearer 0123456789abcdef";
const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

#[derive(Debug)]
struct Published(Option<String>);

impl KeySource for Published {
    fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        let keys = self
            .0
            .clone()
            .ok_or_else(|| FetchError("gone".to_owned()))?;
        Ok(keys.into_bytes())
    }
}

fn transmitter() -> Transmitter {
    Transmitter::new("k", 1)
}

fn caller() -> Caller {
    let parties = Parties {
        issuer: "https://idp.example.com/".to_owned(),
        audience: "https://rp.example.com".to_owned(),
    };
    let stream = |delivery, keys: Option<String>| {
        Stream::new(parties.clone(), delivery, Box::new(Published(keys)))
    };
    let keys = || Some(transmitter().keys());
    let signals = BTreeMap::from([
        ("open".to_owned(), stream(Delivery::push(None), keys())),
        (
            "agreed".to_owned(),
            stream(Delivery::push(Some(AGREED)), keys()),
        ),
        ("keyless".to_owned(), stream(Delivery::push(None), None)),
        ("polled".to_owned(), stream(Delivery::Poll, keys())),
    ]);
    Caller::with(Sample::empty(), WebConfig::default(), |app| App {
        signals,
        ..app
    })
}

fn payload(id: &str) -> Value {
    json!({
        "iss": "https://idp.example.com/", "aud": "https://rp.example.com", "jti": id,
        "iat": NOW.as_micros() / 1_000_000, "sub_id": { "format": "email", "email": "a@example.com" },
        "events": { REVOKED: {} },
    })
}

async fn push(caller: &Caller, name: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let address = format!("/v1/signals/{name}");
    let typed = [("content-type", "application/secevent+jwt")];
    let headers: Vec<_> = typed.iter().chain(headers).copied().collect();
    caller
        .send(with_headers("POST", &address, &headers, body.to_owned()))
        .await
}

fn refused(answer: &Answer, code: &str) {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
    assert_eq!(answer.json()["err"], code, "{}", answer.text());
    assert!(answer.json()["description"].is_string());
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("content-language"), "en");
}

#[tokio::test]
async fn a_pushed_set_is_durable_before_202_and_known_when_it_comes_again() {
    let caller = caller();
    let set = transmitter().set(&payload("j-1"));
    let first = push(&caller, "open", &[], &set).await;
    assert_eq!((first.status, first.text()), (StatusCode::ACCEPTED, ""));
    // The key that proves it, and the SET.
    assert_eq!(caller.app.figures().unwrap().log_end, 2);
    let again = push(&caller, "open", &[], &format!("{set}\n")).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(caller.app.figures().unwrap().log_end, 2);
    let other = push(&caller, "open", &[], &transmitter().set(&payload("j-2"))).await;
    assert_eq!(other.status, StatusCode::ACCEPTED);
    assert_eq!(caller.app.figures().unwrap().log_end, 3);
}

#[tokio::test]
async fn refusals_speak_the_protocol_and_keep_nothing() {
    let caller = caller();
    let sound = transmitter().set(&payload("j-1"));
    let changed = |name: &str, value: Value| {
        let mut payload = payload("j-1");
        payload[name] = value;
        transmitter().set(&payload)
    };
    let (stranger, unknown) = (Transmitter::new("k", 2), Transmitter::new("other", 1));
    for (set, code) in [
        ("not a token".to_owned(), "invalid_request"),
        (
            changed("iss", json!("https://evil.example/")),
            "invalid_issuer",
        ),
        (
            changed("aud", json!("https://evil.example/")),
            "invalid_audience",
        ),
        (changed("exp", json!(1)), "invalid_request"),
        (changed("events", json!({})), "invalid_request"),
        (stranger.set(&payload("j-1")), "authentication_failed"),
    ] {
        refused(&push(&caller, "open", &[], &set).await, code);
    }
    // The first unknown name makes the keys be looked up; the next has to wait a minute.
    let waits = push(&caller, "open", &[], &unknown.set(&payload("j-1"))).await;
    assert_eq!(waits.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!waits.header("retry-after").is_empty());
    caller.sample.clock.advance(60_000_000);
    refused(
        &push(&caller, "open", &[], &unknown.set(&payload("j-1"))).await,
        "invalid_key",
    );
    for name in ["polled", "nobody"] {
        refused(&push(&caller, name, &[], &sound).await, "access_denied");
    }
    let plain = [("content-type", "application/json")];
    let typed = with_headers("POST", "/v1/signals/open", &plain, sound.clone());
    refused(&caller.send(typed).await, "invalid_request");
    let huge = push(&caller, "open", &[], &"a".repeat(10 << 20)).await;
    assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(huge.json()["err"], "invalid_request");
    assert_eq!(caller.app.figures().unwrap().log_end, 0);
}

#[tokio::test]
async fn the_agreed_authorization_is_asked_for() {
    let caller = caller();
    let set = transmitter().set(&payload("j-1"));
    refused(
        &push(&caller, "agreed", &[], &set).await,
        "authentication_failed",
    );
    let wrong = [("authorization", "Bearer 0123456789abcdee")];
    refused(
        &push(&caller, "agreed", &wrong, &set).await,
        "authentication_failed",
    );
    // A token of ours is another thing.
    let token = format!("Bearer {}", caller.token(&[Scope::Ingest]));
    let ours = [("authorization", token.as_str())];
    refused(
        &push(&caller, "agreed", &ours, &set).await,
        "authentication_failed",
    );
    let right = push(&caller, "agreed", &[("authorization", AGREED)], &set).await;
    assert_eq!(right.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn what_can_be_sent_again_is_503() {
    let caller = caller();
    let set = transmitter().set(&payload("j-1"));
    let answer = push(&caller, "keyless", &[], &set).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    for refusal in [Refusal::Busy, Refusal::DiskFull] {
        caller.sample.log.refuse_with(Some(refusal));
        let answer = push(&caller, "open", &[], &set).await;
        assert_eq!(
            answer.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{}",
            answer.text()
        );
        assert!(!answer.header("retry-after").is_empty());
    }
    caller.sample.log.refuse_with(None);
    let answer = push(&caller, "open", &[], &set).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
}
