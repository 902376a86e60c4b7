//! Whatever arrives at the addresses of shippers' protocols: it is taken or refused, and nothing is
//! kept that was refused. The first byte chooses the protocol, the second the encoding.
#![no_main]

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use deedtrail_app::access::Principal;
use deedtrail_app::webhook::{Scheme, Webhook};
use deedtrail_app::{App, Ports};
use deedtrail_core::id::SourceName;
use deedtrail_sources::Registry;
use deedtrail_testkit::FakeTables;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::{LocalPrincipal, WebConfig, router};
use libfuzzer_sys::fuzz_target;
use tower::ServiceExt as _;

const PLACES: [(&str, &str); 13] = [
    ("/services/collector/event", "application/json"),
    ("/services/collector/raw?sourcetype=okta.system", "text/plain"),
    ("/services/collector/ack?channel=c", "application/json"),
    ("/_bulk", "application/x-ndjson"),
    ("/logs-okta.system-default/_bulk", "application/x-ndjson"),
    ("/v1/traces", "application/x-protobuf"),
    ("/v1/traces", "application/json"),
    ("/v1/logs", "application/x-protobuf"),
    ("/v1/logs", "application/json"),
    (
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        "application/grpc",
    ),
    ("/v1/cloudevents", "application/cloudevents+json"),
    ("/v1/cloudevents", "text/plain"),
    ("/v1/webhooks/", "application/json"),
];
/// How a webhook is signed: its name, and the headers that get the signature's text.
const SCHEMES: [(&str, Scheme, &[&str]); 5] = [
    ("github", Scheme::Github, &["x-hub-signature-256"]),
    ("okta", Scheme::Okta, &["authorization"]),
    (
        "slack",
        Scheme::Slack,
        &["x-slack-signature", "x-slack-request-timestamp"],
    ),
    (
        "standard",
        Scheme::Standard,
        &["webhook-id", "webhook-timestamp", "webhook-signature"],
    ),
    (
        "zoom",
        Scheme::Zoom,
        &["x-zm-signature", "x-zm-request-timestamp"],
    ),
];
const ENCODINGS: [&str; 3] = ["identity", "gzip", "zstd"];

static REGISTRY: LazyLock<Arc<Registry>> =
    LazyLock::new(|| Arc::new(Registry::built_in().expect("the sources are sound")));

fn app() -> App {
    let sample = Sample::empty();
    let source = SourceName::new("okta.system").expect("a name");
    let webhooks = SCHEMES.iter().map(|(name, scheme, _)| {
        let webhook = Webhook::new(source.clone(), *scheme, "a secret nobody here guesses");
        ((*name).to_owned(), webhook.expect("a good secret"))
    });
    App {
        webhooks: webhooks.collect(),
        ..App::new(Ports {
            log: Arc::clone(&sample.log) as _,
            mapper: Arc::clone(&*REGISTRY) as _,
            tables: Arc::new(FakeTables),
            archive: Arc::clone(&sample.archive) as _,
            store: Arc::clone(&sample.store) as _,
            clock: Arc::clone(&sample.clock) as _,
            entropy: Arc::clone(&sample.entropy) as _,
        })
    }
}

fuzz_target!(|data: &[u8]| {
    let [place, how, rest @ ..] = data else {
        return;
    };
    let (path, kind) = PLACES[usize::from(*place) % PLACES.len()];
    let is_webhook = path == "/v1/webhooks/";
    let mut request = Request::post(path).header("content-type", kind);
    let mut body = rest;
    if is_webhook {
        let (name, _, headers) = SCHEMES[usize::from(*how) % SCHEMES.len()];
        request = Request::post(format!("{path}{name}"));
        // Lines of the input up to the first empty one are the headers' values.
        for header in headers {
            let end = body.iter().position(|byte| *byte == b'\n').unwrap_or(body.len());
            request = request.header(*header, &body[..end]);
            body = body.get(end + 1..).unwrap_or_default();
        }
    } else {
        let encoding = ENCODINGS[usize::from(*how) % ENCODINGS.len()];
        request = request.header("content-encoding", encoding);
    }
    if kind == "text/plain" && path == "/v1/cloudevents" {
        request = request.header("ce-id", "1").header("ce-source", "/s").header("ce-specversion", "1.0");
    }
    let Ok(mut request) = request.body(Body::from(body.to_vec())) else {
        return;
    };
    request.extensions_mut().insert(LocalPrincipal(Principal::local()));
    let app = Arc::new(app());
    let before = app.ports.log.end();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let response = runtime
        .expect("threads")
        .block_on(router(Arc::clone(&app), WebConfig::default()).oneshot(request))
        .expect("the router always answers");
    assert_ne!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let refused = !response.status().is_success() || response.headers().contains_key("grpc-status");
    if refused || is_webhook {
        assert_eq!(app.ports.log.end(), before, "what is refused is not kept");
    }
});
