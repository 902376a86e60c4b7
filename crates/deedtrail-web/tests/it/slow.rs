//! Clients that keep a connection and never finish what they began.

use std::time::Duration;

use deedtrail_core::port::store::Scope;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::{WebConfig, serve_within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::caller::Caller;

/// What a test waits for at most before it fails.
const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);

/// A served installation.
struct Served {
    caller: Caller,
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinSet<()>,
}

async fn served() -> Served {
    served_with(WebConfig {
        body_pause_max: SHORT,
        ..WebConfig::default()
    })
    .await
}

async fn served_with(config: WebConfig) -> Served {
    let caller = Caller::with_config(Sample::empty(), config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let router = caller.router.clone();
    let mut server = JoinSet::new();
    server.spawn(serve_within(SHORT, listener, None, router, async {
        stopped.await.unwrap();
    }));
    Served {
        caller,
        address,
        stop,
        server,
    }
}

/// Sends these bytes, keeps the connection open, and returns what came until the server ended it.
async fn until_cut_off(address: std::net::SocketAddr, sent: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_client_that_never_ends_its_headers_is_cut_off() {
    let served = served().await;
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let empty_settings = "\0\0\0\u{4}\0\0\0\0\0";
    let asking_nothing = format!("{preface}{empty_settings}");
    for start in [
        "",
        "GET / HT",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nA: ",
        "PRI * HT",
        preface,
        &asking_nothing,
    ] {
        let answer = until_cut_off(served.address, start).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    let whole = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = until_cut_off(served.address, whole).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    served.stop.send(()).unwrap();
    served.server.join_all().await;
}

#[tokio::test]
async fn a_body_that_stops_arriving_is_answered_408_and_nothing_is_stored() {
    let served = served().await;
    let token = served.caller.token(&[Scope::Ingest]);
    let before = served.caller.app.figures().unwrap().log_end;
    let start = format!(
        "POST /v1/ingest/okta.system HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 100\r\nConnection: close\r\n\r\n{{\"id\":"
    );
    let answer = until_cut_off(served.address, &start).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("Send it again"), "{answer}");
    assert_eq!(served.caller.app.figures().unwrap().log_end, before);
    served.stop.send(()).unwrap();
    served.server.join_all().await;
}

#[tokio::test]
async fn strangers_are_answered_before_they_send_a_webhooks_body() {
    let served = served_with(WebConfig {
        ingest_concurrent_max: 1,
        ..WebConfig::default()
    })
    .await;
    let mut stranger = TcpStream::connect(served.address).await.unwrap();
    let begun = "POST /v1/webhooks/x HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\
                 expect: 100-continue\r\n\r\n";
    stranger.write_all(begun.as_bytes()).await.unwrap();
    let mut answered = [0; 12];
    stranger.read_exact(&mut answered).await.unwrap();
    assert_eq!(&answered, b"HTTP/1.1 401");
    let token = served.caller.token(&[Scope::Ingest]);
    let delivery = format!(
        "POST /v1/ingest/okta.system HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         authorization: Bearer {token}\r\ncontent-length: 10\r\n\r\n{{\"id\":\"1\"}}"
    );
    let answer = until_cut_off(served.address, &delivery).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
