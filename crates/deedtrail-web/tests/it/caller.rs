//! Calls the router the way a client would.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use deedtrail_app::access::Principal;
use deedtrail_app::{App, Ports};
use deedtrail_core::port::store::Scope;
use deedtrail_testkit::FakeTables;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::{LocalPrincipal, WebConfig, router};
use tower::ServiceExt as _;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// An installation behind a router.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) sample: Sample,
    pub(crate) app: Arc<App>,
    pub(crate) router: Router,
}

impl Caller {
    pub(crate) fn new(sample: Sample) -> Self {
        Self::with_config(sample, WebConfig::default())
    }

    pub(crate) fn with_config(sample: Sample, config: WebConfig) -> Self {
        Self::with(sample, config, |app| app)
    }

    /// With something of the application set.
    pub(crate) fn with(sample: Sample, config: WebConfig, set: impl FnOnce(App) -> App) -> Self {
        let app = Arc::new(set(App::new(Ports {
            log: Arc::clone(&sample.log) as _,
            mapper: Arc::clone(&sample.mapper) as _,
            tables: Arc::new(FakeTables),
            archive: Arc::clone(&sample.archive) as _,
            store: Arc::clone(&sample.store) as _,
            clock: Arc::clone(&sample.clock) as _,
            entropy: Arc::clone(&sample.entropy) as _,
        })));
        let router = router(Arc::clone(&app), config);
        Self {
            sample,
            app,
            router,
        }
    }

    /// A token with these scopes.
    pub(crate) fn token(&self, scopes: &[Scope]) -> String {
        let made = self
            .app
            .create_token(&Principal::local(), "test", scopes.to_vec(), None);
        made.unwrap().token
    }

    /// Sends a request exactly as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: axum::body::to_bytes(body, usize::MAX).await.unwrap(),
        }
    }

    /// Asks as the owner of the data folder.
    pub(crate) async fn get(&self, address: &str) -> Answer {
        self.send(local(Method::GET, address, Body::empty())).await
    }
}

/// A request of the owner of the data folder.
pub(crate) fn local(method: Method, address: &str, body: Body) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(address)
        .body(body)
        .unwrap();
    request
        .extensions_mut()
        .insert(LocalPrincipal(Principal::local()));
    request
}

/// A request of a stranger with these headers.
pub(crate) fn with_headers(
    method: &str,
    address: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(address);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}
