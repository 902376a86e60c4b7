//! Protocols of shippers: their words, their codes, their acknowledgements.

use axum::body::Body;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deedtrail_core::port::store::Scope;
use deedtrail_testkit::Refusal;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::reference::schemas;
use serde_json::{Value, json};

use crate::caller::{Answer, Caller, with_headers};
use crate::reference::compare;

const EVENTS: &str = r#"
{"time":1,"sourcetype":"okta.system","event":{"id":"1","operation":"x"}}
{"sourcetype":"okta.system","event":"{\"id\":\"2\",\"operation\":\"y\"}"}
{"event":{"id":"3"},"index":"main"}
{"no envelope":1}
"#;
const BULK: &str = r#"{"create":{"_index":"okta.system","_id":"a"}}
{"operation":"x"}
{"index":{"_index":"logs-okta.system-default"}}
{"id":"2","operation":"y"}
{"delete":{"_index":"okta.system","_id":"a"}}
{"create":{"_index":"unknown"}}
{"id":"3"}
"#;

async fn post(caller: &Caller, address: &str, body: &str) -> Answer {
    post_with(caller, &caller.token(&[Scope::Ingest]), address, body).await
}

async fn post_with(caller: &Caller, token: &str, address: &str, body: &str) -> Answer {
    let authorization = format!("Splunk {token}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("x-splunk-request-channel", "c"),
    ];
    let request = with_headers("POST", address, &headers, body.to_owned());
    caller.send(request).await
}

fn fits(answer: &Value, schema: &str) {
    let mut wrong = Vec::new();
    compare(answer, &schemas()[schema], schema, &mut wrong);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn the_collector_takes_events_and_acknowledges_what_is_durable() {
    let caller = Caller::new(Sample::empty());
    let first = post(&caller, "/services/collector/event", EVENTS).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text());
    let answer = first.json();
    fits(&answer, "HecAnswer");
    assert_eq!(
        (&answer["text"], &answer["code"]),
        (&json!("Success"), &json!(0))
    );
    let counts = &answer["deedtrail"];
    assert_eq!(
        (&counts["accepted"], &counts["quarantined"]),
        (&json!(2), &json!(2))
    );
    let reason = counts["quarantine"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("`main`"), "{reason}");
    let ack = answer["ackId"].as_u64().unwrap();
    let question = json!({ "acks": [ack, ack + 100] }).to_string();
    let told = post(&caller, "/services/collector/ack", &question)
        .await
        .json();
    fits(&told, "HecAcknowledged");
    let expected = json!({ "acks": { ack.to_string(): true, (ack + 100).to_string(): false } });
    assert_eq!(told, expected);
    // A retry stores nothing and is acknowledged as well.
    let again = post(&caller, "/services/collector", EVENTS).await.json();
    assert_eq!(
        (&again["deedtrail"]["duplicates"], &again["ackId"]),
        (&json!(4), &json!(ack))
    );
}

#[tokio::test]
async fn raw_records_are_of_the_source_the_address_names() {
    let caller = Caller::new(Sample::empty());
    let body = "{\"id\":\"1\"}\n\n{\"id\":\"2\"}\nno json\n";
    let address = "/services/collector/raw?sourcetype=okta.system&channel=x";
    let answer = post(&caller, address, body).await.json();
    let counts = &answer["deedtrail"];
    assert_eq!(
        (&counts["accepted"], &counts["quarantined"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(counts["quarantine"][0]["code"], "not_json");
}

#[tokio::test]
async fn the_collector_refuses_in_its_own_codes() {
    let caller = Caller::new(Sample::empty());
    let none = post(&caller, "/services/collector/event", " \n").await;
    assert_eq!(
        (none.status, &none.json()["code"]),
        (StatusCode::BAD_REQUEST, &json!(5))
    );
    let asked = post(&caller, "/services/collector/ack", "{\"acks\":7}").await;
    assert_eq!(asked.json()["code"], 6);
    fits(&asked.json(), "HecRefusal");
    let health = caller.get("/services/collector/health").await;
    assert_eq!(
        (health.status, &health.json()["code"]),
        (StatusCode::OK, &json!(17))
    );
    let token = caller.token(&[Scope::Ingest]);
    for (refusal, status, code) in [
        (Refusal::Busy, StatusCode::SERVICE_UNAVAILABLE, 9),
        (Refusal::DiskFull, StatusCode::SERVICE_UNAVAILABLE, 9),
    ] {
        caller.sample.log.refuse_with(Some(refusal));
        let refused = post_with(&caller, &token, "/services/collector/event", EVENTS).await;
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (status, &json!(code))
        );
        assert_ne!(refused.header("retry-after"), "");
    }
    let wrong = with_headers("POST", "/services/collector/event", &[], EVENTS);
    let wrong = caller.send(wrong).await;
    assert_eq!(
        (wrong.status, &wrong.json()["code"]),
        (StatusCode::UNAUTHORIZED, &json!(3))
    );
}

#[tokio::test]
async fn a_bulk_request_is_answered_operation_by_operation() {
    let caller = Caller::new(Sample::empty());
    let first = post(&caller, "/_bulk", BULK).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text());
    assert_eq!(first.header("x-elastic-product"), "Elasticsearch");
    let answer = first.json();
    fits(&answer, "BulkAnswer");
    assert_eq!(answer["errors"], true);
    let items = answer["items"].as_array().unwrap();
    let told: Vec<(&str, u64)> = items
        .iter()
        .map(|item| {
            let (name, item) = item.as_object().unwrap().iter().next().unwrap();
            (name.as_str(), item["status"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("create", 201),
            ("index", 201),
            ("delete", 400),
            ("create", 201)
        ]
    );
    assert_eq!(items[0]["create"]["_id"], "a");
    assert_eq!(answer["deedtrail"]["quarantined"], 1);
    // The same again: nothing is new, and a client sees no error in it.
    let again = post(&caller, "/elastic/_bulk", BULK).await.json();
    assert_eq!(again["items"][0]["create"]["status"], 200);
    assert_eq!(again["deedtrail"]["duplicates"], 3);
    // Another content under the client's id is kept and told.
    let other = BULK.replace("\"operation\":\"x\"", "\"operation\":\"z\"");
    let other = post(&caller, "/elastic/ignored/_bulk", &other).await.json();
    assert_eq!(other["items"][0]["create"]["status"], 409);
    assert_eq!(other["deedtrail"]["conflicts"], 1);
}

#[tokio::test]
async fn a_bulk_request_that_is_not_one_is_refused_whole() {
    let caller = Caller::new(Sample::empty());
    let refused = post(&caller, "/okta.system/_bulk", "{\"index\":{}}\n{}\n{}\n").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(refused.header("x-elastic-product"), "Elasticsearch");
    let problem = refused.json();
    fits(&problem, "ElasticRefusal");
    assert_eq!(problem["status"], 400);
    let reason = problem["error"]["reason"].as_str().unwrap();
    assert!(reason.contains("line [3]"), "{reason}");
    let entries = caller.app.ports.log.read(0, usize::MAX).unwrap();
    assert!(entries.iter().all(|stored| stored.entry.source.is_none()));
}

#[tokio::test]
async fn tokens_come_as_each_protocol_sends_them() {
    let caller = Caller::new(Sample::empty());
    let token = caller.token(&[Scope::Ingest]);
    let basic = STANDARD.encode(format!("elastic:{token}"));
    let key = STANDARD.encode(format!("id:{token}"));
    for (authorization, status) in [
        (format!("Basic {basic}"), StatusCode::OK),
        (format!("ApiKey {key}"), StatusCode::OK),
        (format!("ApiKey {token}"), StatusCode::OK),
        (format!("Splunk {token}"), StatusCode::OK),
        (format!("bearer {token}"), StatusCode::OK),
        (format!("Basic {token}"), StatusCode::UNAUTHORIZED),
        (format!("Digest {token}"), StatusCode::UNAUTHORIZED),
        (token.clone(), StatusCode::UNAUTHORIZED),
    ] {
        let headers = [("authorization", authorization.as_str())];
        let request = with_headers("GET", "/elastic/", &headers, "");
        let answer = caller.send(request).await;
        assert_eq!(answer.status, status, "{authorization}");
        assert_eq!(answer.header("x-elastic-product"), "Elasticsearch");
    }
}

#[tokio::test]
async fn a_method_that_is_not_served_is_told_in_the_words_of_the_protocol() {
    let caller = Caller::new(Sample::empty());
    for (address, member) in [
        ("/v1/ingest/okta.system", "detail"),
        ("/services/collector/event", "text"),
        ("/elastic/_bulk", "error"),
    ] {
        let answer = caller.send(with_headers("DELETE", address, &[], "")).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_ne!(answer.header("allow"), "");
        assert!(answer.json().get(member).is_some(), "{}", answer.text());
    }
}

const LOGS: &str = r#"{"resourceLogs":[{"resource":{},"scopeLogs":[{"logRecords":[
{"body":{"stringValue":"{\"id\":\"1\",\"operation\":\"x\"}"},"attributes":[{"key":"deedtrail.source","value":{"stringValue":"okta.system"}}]}
,{"body":{"stringValue":"words"}}]}]}]}"#;

async fn export(caller: &Caller, kind: &str, body: impl Into<Body>) -> Answer {
    let authorization = format!("Bearer {}", caller.token(&[Scope::Ingest]));
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", kind),
    ];
    let request = with_headers("POST", "/v1/logs", &headers, body);
    caller.send(request).await
}

#[tokio::test]
async fn logs_of_opentelemetry_are_taken_and_a_warning_tells_what_waits() {
    let caller = Caller::new(Sample::empty());
    let told = export(&caller, "application/json; charset=utf-8", LOGS).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.text());
    fits(&told.json(), "OtlpAnswer");
    let one = LOGS.replace(",{\"body\":{\"stringValue\":\"words\"}}", "");
    assert_eq!(
        export(&caller, "application/json", one).await.json(),
        json!({})
    );
    let answer = told.json();
    let warning = answer["partialSuccess"]["errorMessage"].as_str().unwrap();
    assert!(
        warning.starts_with("1 of 2 records wait in quarantine"),
        "{warning}"
    );
    let broken = export(&caller, "application/json", "{\"resourceLogs\":[")
        .await
        .json();
    assert!(
        broken["partialSuccess"]["errorMessage"].is_string(),
        "kept: {broken}"
    );
}

#[tokio::test]
async fn exporters_are_refused_in_the_form_they_speak() {
    let caller = Caller::new(Sample::empty());
    let refused = export(&caller, "text/plain", LOGS).await;
    assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    fits(&refused.json(), "OtlpRefusal");
    let garbled = export(&caller, "application/x-protobuf", &b"\xff\xff"[..]).await;
    assert_eq!(garbled.status, StatusCode::BAD_REQUEST);
    assert_eq!(garbled.header("content-type"), "application/x-protobuf");
    // Field 1, a varint: code 3, INVALID_ARGUMENT.
    assert_eq!(garbled.body[..2], [8, 3]);
    let empty = export(&caller, "application/x-protobuf", "").await;
    assert_eq!((empty.status, empty.body.len()), (StatusCode::OK, 0));
    let authorization = format!("Bearer {}", caller.token(&[Scope::Ingest]));
    caller.sample.log.refuse_with(Some(Refusal::DiskFull));
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    let full = caller
        .send(with_headers("POST", "/v1/logs", &headers, LOGS))
        .await;
    assert_eq!(full.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_ne!(full.header("retry-after"), "");
    assert_eq!(full.json()["code"], 14);
}
