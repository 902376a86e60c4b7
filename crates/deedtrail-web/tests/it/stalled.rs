//! Clients of HTTP/2 that take nothing, or send no more; and requests that begin when a connection
//! is about to end.

use std::time::Duration;

use deedtrail_core::limits::{BODY_PAUSE_MAX, BODY_RATE_GRACE};
use deedtrail_core::port::store::Scope;
use deedtrail_web::SHUTDOWN_GRACE;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep};

use crate::wire::{DATA, END_STREAM, GOAWAY, HEADER_TIME_MAX, HEADERS, PING, STATUS_200, Served};

const INITIAL_WINDOW_SIZE: u16 = 4;
const GRPC: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

fn health() -> [(&'static str, &'static str); 4] {
    [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/healthz"),
        (":authority", "x"),
    ]
}

fn post<'a>(path: &'a str, bearer: &'a str, kind: &'a str) -> [(&'a str, &'a str); 6] {
    [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "x"),
        ("authorization", bearer),
        ("content-type", kind),
    ]
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_of_an_answer_is_cut_off() {
    let served = Served::new();
    let begun = Instant::now();
    let mut client = served.connect_http2(&[(INITIAL_WINDOW_SIZE, 0)]).await;
    for stream in [1, 3, 5] {
        client.ask(stream, END_STREAM, &health()).await;
    }
    let frames = client.rest().await;
    let answers = frames.iter().filter(|frame| frame.kind == HEADERS);
    assert_eq!(answers.count(), 3);
    assert!(frames.iter().all(|frame| frame.kind != DATA));
    assert!(begun.elapsed() <= HEADER_TIME_MAX + Duration::from_secs(5));
    served.stop().join_all().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_of_grpc_that_stops_is_answered_and_leaves_no_turn_taken() {
    let served = Served::new();
    let bearer = format!("Bearer {}", served.caller.token(&[Scope::Ingest]));
    let headers = post(GRPC, &bearer, "application/grpc");
    let begun = Instant::now();
    let mut client = served.connect_http2(&[]).await;
    // More than there are turns; the last ones wait for one, and are asked to come again.
    for stream in (1..25).step_by(2) {
        client.ask(stream, 0, &headers).await;
        client.send(DATA, 0, stream, &[0, 0, 0, 0, 9, 1]).await;
    }
    for _ in (1..25).step_by(2) {
        let answer = client.next_of(HEADERS).await.unwrap();
        assert_eq!(answer.payload[0], STATUS_200);
    }
    assert!(begun.elapsed() <= BODY_RATE_GRACE + BODY_PAUSE_MAX);
    // An empty message is taken as if nothing had been.
    client.ask(25, 0, &headers).await;
    client.send(DATA, END_STREAM, 25, &[0; 5]).await;
    let answer = client.next_of(HEADERS).await.unwrap();
    assert_eq!((answer.stream, answer.payload[0]), (25, STATUS_200));
    assert_eq!(client.next_of(DATA).await.unwrap().payload, [0; 5]);
    client.rest().await;
    assert!(begun.elapsed() <= BODY_RATE_GRACE + BODY_PAUSE_MAX + 2 * HEADER_TIME_MAX);
    served.stop().join_all().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_begins_as_an_idle_connection_ends_is_answered() {
    let served = Served::new();
    let bearer = format!("Bearer {}", served.caller.token(&[Scope::Ingest]));
    let mut client = served.connect_http2(&[]).await;
    client.next_of(GOAWAY).await.unwrap();
    let ping = client.next_of(PING).await.unwrap();
    let headers = post("/v1/ingest/okta.system", &bearer, "application/json");
    client.ask(1, 0, &headers).await;
    client.send(DATA, 0, 1, b"{\"id\":").await;
    client.acknowledge(&ping).await;
    // It is told that this is the last one.
    let last = client.next_of(GOAWAY).await.unwrap();
    assert_eq!(last.payload[..4], 1_u32.to_be_bytes());
    sleep(Duration::from_secs(5)).await;
    client.send(DATA, END_STREAM, 1, b"\"1\"}").await;
    let answer = client.next_of(HEADERS).await.expect("it is answered");
    assert_eq!((answer.stream, answer.payload[0]), (1, STATUS_200));
    assert!(
        client
            .rest()
            .await
            .iter()
            .any(|frame| frame.flags == END_STREAM)
    );
    served.stop().join_all().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_server_answers_what_began_and_takes_no_longer_than_it_may() {
    let served = Served::new();
    let bearer = format!("Bearer {}", served.caller.token(&[Scope::Ingest]));
    let mut begun = served.connect_http2(&[]).await;
    let headers = post("/v1/ingest/okta.system", &bearer, "application/json");
    begun.ask(1, 0, &headers).await;
    begun.send(DATA, 0, 1, b"{\"id\":").await;
    // One that lies idle, one that never answers, one that never ends its headers.
    let mut idle = served.connect().await;
    let _deaf = served.connect_http2(&[]).await;
    let mut slow = served.connect().await;
    slow.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let asked = Instant::now();
    let server = served.stop();
    let goodbye = begun.next_of(GOAWAY).await.unwrap();
    assert_eq!(goodbye.payload[..4], i32::MAX.to_be_bytes());
    sleep(Duration::from_secs(5)).await;
    begun.send(DATA, END_STREAM, 1, b"\"1\"}").await;
    let answer = begun.next_of(HEADERS).await.expect("it is answered");
    assert_eq!((answer.stream, answer.payload[0]), (1, STATUS_200));
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
    server.join_all().await;
    assert!(asked.elapsed() <= SHUTDOWN_GRACE + Duration::from_secs(1));
}
