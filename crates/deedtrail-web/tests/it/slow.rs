//! Clients that keep a connection and never finish what they began.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, Bytes};
use deedtrail_app::App;
use deedtrail_app::signal::{Delivery, FetchError, KeySource, Parties, Stream};
use deedtrail_app::webhook::{Scheme, Webhook};
use deedtrail_core::id::SourceName;
use deedtrail_core::limits::{BODY_BYTES_PER_SECOND_MIN, BODY_PAUSE_MAX, BODY_RATE_GRACE};
use deedtrail_core::port::store::Scope;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::{WebConfig, serve_within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::caller::{Caller, with_headers};

const SECRET: &str = "0123456789abcdef";
/// `printf '{"id":"1"}' | openssl dgst -sha256 -hmac 0123456789abcdef`
const SIGNED: &str = "4883735ecc1a7c87abe469367b9a53985bc6659fdf34419bf61569c2a176a20e";
/// As above, with 300,000 spaces after it.
const SIGNED_LONG: &str = "90380506b6b35c72e3702934ef4f0217d86cee28d50700691e55e96b6c3083b9";

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
    serve(Caller::with(Sample::empty(), config, pushed_to)).await
}

/// Webhooks `a` and `b` of one secret, and a stream of signals that are pushed with another.
fn pushed_to(app: App) -> App {
    let webhook = || {
        let source = SourceName::new("github.audit").unwrap();
        Webhook::new(source, Scheme::Github, SECRET).unwrap()
    };
    let parties = Parties {
        issuer: "https://idp.example.com/".to_owned(),
        audience: "https://rp.example.com".to_owned(),
    };
    let delivery = Delivery::push(Some(SECRET));
    let stream = Stream::new(parties, delivery, Box::new(NoKeys));
    App {
        webhooks: BTreeMap::from([("a".to_owned(), webhook()), ("b".to_owned(), webhook())]),
        signals: BTreeMap::from([("idp".to_owned(), stream)]),
        ..app
    }
}

#[derive(Debug)]
struct NoKeys;

impl KeySource for NoKeys {
    fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        Err(FetchError("gone".to_owned()))
    }
}

async fn serve(caller: Caller) -> Served {
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
async fn a_request_that_may_be_read_as_two_is_refused_and_the_connection_ends() {
    let served = served().await;
    let token = served.caller.token(&[Scope::Ingest]);
    let post = format!(
        "POST /v1/ingest/okta.system HTTP/1.1\r\nauthorization: Bearer {token}\r\nhost: x\r\n"
    );
    let second = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    for (headers, body, status) in [
        (
            "host: y\r\ncontent-length: 0\r\nconnection: close\r\n",
            "",
            "400",
        ),
        ("content-length: 5\r\ncontent-length: 6\r\n", "12345", "400"),
        ("content-length: +5\r\n", "12345", "400"),
        ("transfer-encoding: xchunked\r\n", "0\r\n\r\n", "400"),
        ("transfer-encoding : chunked\r\n", "0\r\n\r\n", "400"),
        (
            "transfer-encoding: chunked, identity\r\n",
            "0\r\n\r\n",
            "400",
        ),
        ("transfer-encoding: chunked\r\n", "2\n{}\n0\n\n", "400"),
        // By RFC 9112, 6.3, the chunks count; nothing follows on that connection.
        (
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            "0\r\n\r\n",
            "200",
        ),
    ] {
        let sent = format!("{post}{headers}\r\n{body}{second}");
        let answer = until_cut_off(served.address, &sent).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{sent}\n{answer}"
        );
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{sent}\n{answer}");
    }
    let none = "GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n";
    let answer = until_cut_off(served.address, none).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
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
async fn strangers_are_answered_before_they_send_a_body() {
    let served = served_with(WebConfig::default()).await;
    for (path, headers, answer) in [
        ("webhooks/x", "x-hub-signature-256: sha256=00\r\n", "401"),
        ("webhooks/a", "", "401"),
        (
            "signals/x",
            "content-type: application/secevent+jwt\r\n",
            "400",
        ),
        (
            "signals/idp",
            "content-type: application/secevent+jwt\r\n",
            "400",
        ),
    ] {
        let mut stranger = TcpStream::connect(served.address).await.unwrap();
        let begun = format!(
            "POST /v1/{path} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n{headers}\
             expect: 100-continue\r\n\r\n"
        );
        stranger.write_all(begun.as_bytes()).await.unwrap();
        let mut answered = [0; 12];
        stranger.read_exact(&mut answered).await.unwrap();
        assert_eq!(
            String::from_utf8_lossy(&answered),
            format!("HTTP/1.1 {answer}"),
            "{path}"
        );
    }
}

/// Connections on which a delivery to a webhook began, signed as anybody may, and goes no further.
/// The server waits for each of these bodies when this returns.
async fn begun(served: &Served, webhook: &str, length: usize, count: usize) -> Vec<TcpStream> {
    let path = format!("webhooks/{webhook}");
    begun_with(
        served,
        &path,
        "x-hub-signature-256: sha256=00",
        length,
        count,
    )
    .await
}

async fn begun_with(
    served: &Served,
    path: &str,
    header: &str,
    length: usize,
    count: usize,
) -> Vec<TcpStream> {
    let head = format!(
        "POST /v1/{path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{header}\r\n\
         expect: 100-continue\r\n\r\n"
    );
    let mut connections = Vec::new();
    for _ in 0..count {
        let mut connection = TcpStream::connect(served.address).await.unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut goes_on = [0; 25];
        connection.read_exact(&mut goes_on).await.unwrap();
        assert_eq!(&goes_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        connections.push(connection);
    }
    connections
}

async fn deliver_padded(served: &Served, webhook: &str, padding: usize) -> String {
    let body = format!("{{\"id\":\"1\"}}{}", " ".repeat(padding));
    let signed = if padding == 0 { SIGNED } else { SIGNED_LONG };
    let delivery = format!(
        "POST /v1/webhooks/{webhook} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         x-hub-signature-256: sha256={signed}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    until_cut_off(served.address, &delivery).await
}

#[tokio::test]
async fn strangers_with_slow_bodies_keep_no_delivery_waiting() {
    let served = served_with(WebConfig::default()).await;
    let _small = begun(&served, "a", 1_000, 20).await;
    let answer = deliver_padded(&served, "a", 0).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let length = 25 << 20;
    let mut long = begun(&served, "a", length, 20).await;
    for connection in &mut long {
        connection.write_all(&vec![b' '; 100_000]).await.unwrap();
    }
    for padding in [0, 300_000] {
        let answer = deliver_padded(&served, "a", padding).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

/// A stranger who sends a body of this many bytes but the last one.
async fn nearly_sent(served: &Served, webhook: &str, length: usize) -> TcpStream {
    let mut connection = begun(served, webhook, length, 1).await.remove(0);
    connection.write_all(&vec![b' '; length - 1]).await.unwrap();
    connection
}

#[tokio::test]
async fn what_strangers_send_to_a_webhook_has_a_limit_of_its_own() {
    let served = served_with(WebConfig::default()).await;
    let length = 25 << 20;
    let mut sent = Vec::new();
    for _ in 0..8 {
        sent.push(nearly_sent(&served, "a", length).await);
    }
    let mut one_more = begun(&served, "a", length, 1).await.remove(0);
    let (mut answer, mut sending) = one_more.split();
    let more = vec![b' '; length];
    let (_, answer) = tokio::join!(sending.write_all(&more), async {
        let mut start = [0; 12];
        answer.read_exact(&mut start).await.unwrap();
        start
    });
    assert_eq!(&answer, b"HTTP/1.1 429");
    // Short ones are taken all the same, and long ones elsewhere.
    for (webhook, padding) in [("a", 0), ("b", 300_000)] {
        let answer = deliver_padded(&served, webhook, padding).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    drop(sent);
}

#[tokio::test(start_paused = true)]
async fn a_body_may_take_a_minute_at_most() {
    let caller = Caller::with(Sample::empty(), WebConfig::default(), pushed_to);
    let least = usize::try_from(BODY_BYTES_PER_SECOND_MIN).unwrap();
    let begun = Instant::now();
    let header = ("x-hub-signature-256", "sha256=00");
    let body = trickling(least + 4_096, 1_000);
    let answer = caller
        .send(with_headers("POST", "/v1/webhooks/a", &[header], body))
        .await;
    assert_eq!(answer.status, 408, "{}", answer.text());
    assert!(answer.text().contains("60 s"), "{}", answer.text());
    assert!(begun.elapsed() <= Duration::from_secs(61));
}

#[tokio::test]
async fn large_deliveries_have_fewer_places_than_small_ones() {
    let served = served_with(WebConfig {
        ingest_concurrent_max: 64,
        ..WebConfig::default()
    })
    .await;
    let token = served.caller.token(&[Scope::Ingest]);
    let bearer = format!("authorization: Bearer {token}");
    let _large = begun_with(&served, "ingest/okta.system", &bearer, 2 << 20, 16).await;
    let head = |length: usize| {
        format!(
            "POST /v1/ingest/okta.system HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{bearer}\r\n\
             content-length: {length}\r\n\r\n"
        )
    };
    let small = 1 << 20;
    let delivery = format!("{}{{}}{}", head(small), " ".repeat(small - 2));
    let answer = until_cut_off(served.address, &delivery).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = until_cut_off(served.address, &head(small + 1)).await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
}

/// Bytes that come one piece a second.
fn trickling(piece: usize, pieces: usize) -> Body {
    let pieces = (0..pieces).map(move |_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; piece])));
    let pieces = futures::stream::iter(pieces);
    Body::from_stream(futures::StreamExt::then(pieces, |piece| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        piece
    }))
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_is_answered_408_in_bounded_time() {
    let caller = Caller::with(Sample::empty(), WebConfig::default(), pushed_to);
    let token = caller.token(&[Scope::Ingest]);
    let bearer = format!("Bearer {token}");
    let ingest = ("/v1/ingest/okta.system", ("authorization", bearer.as_str()));
    let webhook = ("/v1/webhooks/a", ("x-hub-signature-256", "sha256=00"));
    let least = usize::try_from(BODY_BYTES_PER_SECOND_MIN).unwrap();
    for (path, header) in [ingest, webhook] {
        for piece in [1, least / 2] {
            let begun = Instant::now();
            let body = trickling(piece, 1_000);
            let answer = caller
                .send(with_headers("POST", path, &[header], body))
                .await;
            assert_eq!(answer.status, 408, "{path} {}", answer.text());
            assert!(begun.elapsed() <= 2 * BODY_RATE_GRACE + BODY_PAUSE_MAX);
        }
    }
    let (path, header) = ingest;
    let body = trickling(least + 1, 30);
    let answer = caller
        .send(with_headers("POST", path, &[header], body))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}
