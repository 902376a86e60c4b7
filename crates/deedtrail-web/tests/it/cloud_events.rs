//! `CloudEvents` in binary mode: what the headers and the body become.

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use deedtrail_core::port::log::EvidenceLog as _;
use deedtrail_core::port::store::Scope;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::WebConfig;
use serde_json::{Value, json};

use crate::caller::{Answer, Caller};

const ID: [(&str, &[u8]); 3] = [
    ("ce-id", b"1"),
    ("ce-source", b"/s"),
    ("ce-specversion", b"1.0"),
];

async fn send(caller: &Caller, headers: &[(&str, &[u8])], body: &[u8]) -> Answer {
    let token = caller.token(&[Scope::Ingest]);
    let mut request = Request::post("/v1/cloudevents")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from(body.to_vec()))
        .unwrap();
    for (name, value) in headers {
        let name: axum::http::HeaderName = name.parse().unwrap();
        let value = HeaderValue::from_bytes(value).unwrap();
        request.headers_mut().append(name, value);
    }
    caller.send(request).await
}

/// The event that is stored of these headers, besides those every event has, and this body.
async fn check(headers: &[(&str, &[u8])], body: &[u8], expected: Value) {
    let caller = Caller::with_config(Sample::empty(), WebConfig::default());
    let before = caller.app.figures().unwrap().log_end;
    let answer = send(&caller, &[&ID, headers].concat(), body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let entries = caller.sample.log.read(before, usize::MAX).unwrap();
    let bytes = entries.last().unwrap().bytes();
    let mut event: Value = serde_json::from_slice(&bytes).unwrap();
    for (name, value) in [("id", "1"), ("source", "/s"), ("specversion", "1.0")] {
        assert_eq!(
            event.as_object_mut().unwrap().remove(name),
            Some(value.into())
        );
    }
    assert_eq!(event, expected);
}

#[tokio::test]
async fn percents_and_quotes_are_taken_off_once() {
    for (sent, meant) in [
        ("Euro%20%E2%82%AC", "Euro €"),
        ("100%25", "100%"),
        ("%2541", "%41"),
        ("50% and %zz %4", "50% and %zz %4"),
        ("\"a%20\\\"b\\\" c\"", "a \"b\" c"),
        ("half \"quoted\"", "half \"quoted\""),
        ("€", "€"),
        ("}", "}"),
    ] {
        check(
            &[("ce-subject", sent.as_bytes())],
            b"",
            json!({ "subject": meant }),
        )
        .await;
    }
}

#[tokio::test]
async fn a_body_is_json_only_if_it_is_said_to_be() {
    for (kind, body, name, data) in [
        (
            "application/json",
            &b"{\"a\":1}"[..],
            "data",
            json!({ "a": 1 }),
        ),
        (
            "application/json; charset=utf-8",
            b"\"a\"",
            "data",
            json!("a"),
        ),
        ("application/vnd.x+JSON", b"[1]", "data", json!([1])),
        ("application/json", b"{\"a\":", "data", json!("{\"a\":")),
        ("text/plain", b"{\"a\":1}", "data", json!("{\"a\":1}")),
        ("text/plain", b"7", "data", json!("7")),
        (
            "text/xml",
            "<a>\u{e9}</a>".as_bytes(),
            "data",
            json!("<a>\u{e9}</a>"),
        ),
        ("image/png", b"\x89PNG", "data_base64", json!("iVBORw==")),
        ("application/json", b"\xff", "data_base64", json!("/w==")),
    ] {
        let expected = json!({ "datacontenttype": kind, name: data });
        check(&[("content-type", kind.as_bytes())], body, expected).await;
    }
    check(&[], b"{\"a\":1}", json!({ "data": { "a": 1 } })).await;
    check(&[], b"", json!({})).await;
}

#[tokio::test]
async fn headers_that_are_no_attributes_are_refused() {
    let caller = Caller::with_config(Sample::empty(), WebConfig::default());
    for (name, value) in [
        ("ce-data", &b"{}"[..]),
        ("ce-data_base64", b"AAAA"),
        ("ce-", b"x"),
        ("ce-id", b"2"),
        ("ce-subject", b"%ff"),
        ("ce-subject", b"\xff"),
    ] {
        let headers = [&ID[..], &[(name, value)]].concat();
        let answer = send(&caller, &headers, b"{}").await;
        assert_eq!(answer.status, 400, "{name} {}", answer.text());
    }
    for missing in 0..3 {
        let mut headers = ID.to_vec();
        headers.remove(missing);
        assert_eq!(send(&caller, &headers, b"{}").await.status, 400);
    }
    let entries = caller.sample.log.read(0, usize::MAX).unwrap();
    assert!(entries.iter().all(|entry| entry.entry.source.is_none()));
}
