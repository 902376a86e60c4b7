//! Deliveries: counts, limits, overload.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use deedtrail_testkit::Refusal;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::WebConfig;

use crate::caller::{Answer, Caller, local, with_headers};
use deedtrail_core::port::store::Scope;

const BODY: &str = "{\"id\":\"1\",\"operation\":\"x\",\"actor\":\"a@example.com\"}\nno json\n";

async fn post(caller: &Caller, address: &str, body: impl Into<Body>) -> Answer {
    caller.send(local(Method::POST, address, body.into())).await
}

#[tokio::test]
async fn a_delivery_is_counted_and_a_repeat_changes_nothing() {
    let caller = Caller::new(Sample::empty());
    let first = post(&caller, "/v1/ingest/okta.system", BODY).await;
    assert_eq!(first.status, StatusCode::OK);
    let answer = first.json();
    assert_eq!(answer["records"], 2);
    assert_eq!(answer["accepted"], 1);
    assert_eq!(answer["quarantined"], 1);
    assert_eq!(answer["quarantine"][0]["line"], 2);
    assert_eq!(answer["receipts"][0]["count"], 2);
    let again = post(&caller, "/v1/ingest/okta.system", BODY).await.json();
    assert_eq!(again["duplicates"], 2);
    assert_eq!(again["accepted"], 0);
}

#[tokio::test]
async fn a_table_is_taken_as_its_lines_or_not_at_all() {
    let caller = Caller::new(Sample::empty());
    let table = format!("PAR1\0{BODY}");
    let answer = post(&caller, "/v1/ingest/okta.system", table).await.json();
    assert_eq!(answer["records"], 2);
    assert_eq!(answer["quarantine"][0]["line"], 2);
    // The same records, by another way.
    let again = post(&caller, "/v1/ingest/okta.system", BODY).await.json();
    assert_eq!(again["duplicates"], 2);
    let broken = post(&caller, "/v1/ingest/okta.system", "PAR1\x15").await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
    let detail = broken.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("fetch or write it again"), "{detail}");
}

#[tokio::test]
async fn an_unknown_source_gets_the_nearest_names() {
    let caller = Caller::new(Sample::empty());
    for (name, suggested) in [
        ("aws.cloudtrial", "`aws.cloudtrail`"),
        ("okta", "`okta.system`"),
    ] {
        let answer = post(&caller, &format!("/v1/ingest/{name}"), BODY).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["type"], "urn:deedtrail:problem:unknown-source");
        assert!(
            problem["detail"].as_str().unwrap().contains(suggested),
            "{problem}"
        );
    }
    let nonsense = post(&caller, "/v1/ingest/%00%3Cscript%3E", BODY).await;
    assert_eq!(nonsense.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_the_limit() {
    let config = WebConfig {
        ingest_bytes_max: 50,
        ..WebConfig::default()
    };
    let caller = Caller::with_config(Sample::empty(), config);
    let declared = post(&caller, "/v1/ingest/okta.system", BODY).await;
    let stream = Body::from_stream(Body::from(BODY).into_data_stream());
    let streamed = post(&caller, "/v1/ingest/okta.system", stream).await;
    for answer in [declared, streamed] {
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.contains("50 bytes") && detail.contains("smaller batches"),
            "{detail}"
        );
    }
    assert_eq!(caller.app.figures().unwrap().log_end, 0);
    let token = format!("Bearer {}", caller.token(&[Scope::Read]));
    let metrics = with_headers("GET", "/metrics", &[("authorization", &token)], "");
    let metrics = caller.send(metrics).await;
    assert!(
        metrics.text().contains("\ndeedtrail_refused_total 2\n"),
        "{}",
        metrics.text()
    );
}

#[tokio::test]
async fn an_encoding_nobody_knows_is_refused() {
    let caller = Caller::new(Sample::empty());
    let mut request = local(Method::POST, "/v1/ingest/okta.system", Body::from(BODY));
    request
        .headers_mut()
        .insert("content-encoding", "br".parse().unwrap());
    let answer = caller.send(request).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(answer.json()["detail"].as_str().unwrap().contains("gzip"));
}

#[tokio::test]
async fn a_log_that_refuses_says_when_to_come_back() {
    let caller = Caller::new(Sample::empty());
    for (refusal, status) in [
        (Refusal::Busy, 429),
        (Refusal::DiskFull, 507),
        (Refusal::ReadOnly, 503),
    ] {
        caller.sample.log.refuse_with(Some(refusal));
        let answer = post(&caller, "/v1/ingest/okta.system", BODY).await;
        assert_eq!(answer.status.as_u16(), status);
        assert!(
            answer.header("retry-after").parse::<u32>().unwrap() >= 1,
            "{refusal:?}"
        );
        let ready = caller.get("/readyz").await.status.as_u16();
        let expected = if refusal == Refusal::Busy { 200 } else { 503 };
        assert_eq!(ready, expected, "{refusal:?}");
    }
    caller.sample.log.refuse_with(Some(Refusal::DiskFull));
    let ready = caller.get("/readyz").await.json();
    assert!(ready["detail"].as_str().unwrap().contains("disk is full"));
    caller.sample.log.refuse_with(None);
    let answer = post(&caller, "/v1/ingest/okta.system", BODY).await;
    assert_eq!(answer.json()["records"], 2, "it recovers by itself");
}

#[tokio::test]
async fn too_many_deliveries_at_once_are_told_to_wait() {
    let config = WebConfig {
        ingest_concurrent_max: 0,
        ingest_wait_max: Duration::ZERO,
        ..WebConfig::default()
    };
    let caller = Caller::with_config(Sample::empty(), config);
    let answer = post(&caller, "/v1/ingest/okta.system", BODY).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn a_delivery_without_a_source_is_told_by_its_records() {
    let caller = Caller::new(Sample::empty());
    let body = BODY.replacen('{', "{\"told\":\"okta.system\",", 1);
    let answer = post(&caller, "/v1/ingest", body.clone()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = answer.json();
    assert_eq!(answer["records"], 2, "{answer}");
    assert_eq!(answer["sources"]["okta.system"], 1, "{answer}");
    assert_eq!(answer["sources"]["unlabelled.record"], 1, "{answer}");
    // The same record with its label.
    let again = post(&caller, "/v1/ingest/okta.system", body).await.json();
    assert_eq!(again["duplicates"], 1, "{again}");
}
