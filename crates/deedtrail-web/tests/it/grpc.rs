//! OTLP over gRPC, framed by hand: what a client that follows no rules meets.

use std::io::Read as _;

use deedtrail_core::port::store::Scope;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::WebConfig;

use crate::caller::{Answer, Caller, with_headers};

const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// Numbers of gRPC (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>).
const OK: &str = "0";
const INVALID_ARGUMENT: &str = "3";
const RESOURCE_EXHAUSTED: &str = "8";
const UNIMPLEMENTED: &str = "12";
const INTERNAL: &str = "13";
const UNAVAILABLE: &str = "14";
const UNAUTHENTICATED: &str = "16";

/// A message in gRPC's frame: whether it is compressed, and its length.
fn framed(flag: u8, length: u32, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![flag];
    frame.extend(length.to_be_bytes());
    frame.extend(message);
    frame
}

/// The number a call ended with; in the headers where there is no message.
async fn call(caller: &Caller, path: &str, token: &str, body: Vec<u8>) -> Answer {
    let authorization = format!("Bearer {token}");
    let headers = [
        ("content-type", "application/grpc"),
        ("grpc-encoding", "gzip"),
        ("authorization", authorization.as_str()),
    ];
    caller
        .send(with_headers("POST", path, &headers, body))
        .await
}

#[tokio::test]
async fn an_empty_request_is_answered_with_an_empty_message() {
    let caller = Caller::new(Sample::empty());
    let token = caller.token(&[Scope::Ingest]);
    let answer = call(&caller, LOGS, &token, framed(0, 0, b"")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/grpc");
    assert_eq!(answer.header("grpc-status"), "", "{answer:?}");
    assert_eq!(&answer.body[..], framed(0, 0, b""));
}

#[tokio::test]
async fn every_refusal_is_told_by_its_number() {
    let config = WebConfig {
        ingest_bytes_max: 1 << 20,
        ..WebConfig::default()
    };
    let caller = Caller::with_config(Sample::empty(), config);
    let token = caller.token(&[Scope::Ingest]);
    let reader = caller.token(&[Scope::Read]);
    let before = caller.app.figures().unwrap().log_end;
    let mut bomb = Vec::new();
    let mut packer = flate2::write::GzEncoder::new(&mut bomb, flate2::Compression::best());
    std::io::copy(&mut std::io::repeat(0).take(64 << 20), &mut packer).unwrap();
    packer.finish().unwrap();
    let length = u32::try_from(bomb.len()).unwrap();
    for (path, token, body, expected) in [
        (LOGS, "", framed(0, 0, b""), UNAUTHENTICATED),
        (LOGS, reader.as_str(), framed(0, 0, b""), "7"),
        (
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            &token,
            framed(0, 0, b""),
            UNIMPLEMENTED,
        ),
        (LOGS, &token, framed(0, 3, b"abc"), INVALID_ARGUMENT),
        (LOGS, &token, framed(1, 3, b"abc"), INTERNAL),
        (LOGS, &token, framed(7, 3, b"abc"), INTERNAL),
        (
            LOGS,
            &token,
            framed(0, u32::MAX, b"abc"),
            RESOURCE_EXHAUSTED,
        ),
        (LOGS, &token, framed(1, length, &bomb), RESOURCE_EXHAUSTED),
        (LOGS, &token, framed(0, 9, b"abc"), INTERNAL),
        (LOGS, &token, b"{}".to_vec(), INTERNAL),
        (LOGS, &token, Vec::new(), INTERNAL),
    ] {
        let told = format!("{path} {:?}", body.get(..9));
        let answer = call(&caller, path, token, body).await;
        assert_eq!(answer.status, 200, "{told}");
        assert_eq!(answer.header("grpc-status"), expected, "{told} {answer:?}");
        assert!(answer.body.is_empty());
    }
    assert_eq!(caller.app.figures().unwrap().log_end, before);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_later() {
    let config = WebConfig {
        ingest_concurrent_max: 0,
        ingest_wait_max: std::time::Duration::ZERO,
        ..WebConfig::default()
    };
    let caller = Caller::with_config(Sample::empty(), config);
    let token = caller.token(&[Scope::Ingest]);
    let answer = call(&caller, LOGS, &token, framed(0, 0, b"")).await;
    assert_eq!(answer.header("grpc-status"), UNAVAILABLE);
    assert_eq!(answer.header("grpc-retry-pushback-ms"), "1000");
    assert_ne!(answer.header("grpc-status"), OK);
}
