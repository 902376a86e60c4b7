//! Headers and the request's span: request id, security headers, `ETag`, time limit.

use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tracing::Instrument as _;

use crate::problem::Problem;
use crate::router::refusal_at;
use crate::state::Shared;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Nothing inline, nothing from elsewhere, no frame, no plugin; violations are reported to us.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; \
     img-src 'self'; script-src 'self'; form-action 'self'; frame-ancestors 'none'; \
     base-uri 'none'; require-trusted-types-for 'script'; report-uri /csp-report";

const SECURITY_HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Adds the security headers, and `no-store` where nothing else was said about caching.
pub(crate) async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let no_store = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(no_store);
    response
}

/// Gives the request an id, a span and a time limit, and logs how it ended. The span names the
/// route, not the address: an address may hold a sign-in secret.
pub(crate) async fn observe(
    State(shared): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let id = request_id(&shared);
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(MatchedPath::as_str);
    let span = tracing::info_span!("request", id, %method, route = route.unwrap_or("none"));
    let started = Instant::now();
    let limit = shared.config.request_time_max;
    let run = tokio::time::timeout(limit, next.run(request)).instrument(span.clone());
    let mut response = match run.await {
        Ok(response) => response,
        Err(_) => refusal_at(&uri, overdue(limit.as_secs())),
    };
    let latency_ms = started.elapsed().as_millis();
    let status = response.status().as_u16();
    span.in_scope(|| tracing::debug!(status, latency_ms, "answered"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn request_id(shared: &Shared) -> String {
    let mut bytes = [0_u8; 8];
    shared.app.ports.entropy.fill(&mut bytes);
    hex::encode(bytes)
}

fn overdue(limit_s: u64) -> Problem {
    let detail = format!(
        "The answer took longer than {limit_s} s. Ask for less (a shorter time range, a lower \
         limit); a delivery may be sent again, what was stored is not stored twice."
    );
    let status = StatusCode::REQUEST_TIMEOUT;
    Problem::new(status, "overdue", "The answer took too long", detail)
}

/// Adds an `ETag` to answers of the API and answers 304 when the caller has the same one.
pub(crate) async fn entity_tag(request: Request, next: Next) -> Response {
    let wanted = request.method() == Method::GET && request.uri().path().starts_with("/v1/");
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    if !wanted || response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return Problem::internal().into_response();
    };
    let hash = blake3::hash(&bytes).to_hex();
    let tag = format!("\"{}\"", hash.get(..32).unwrap_or_default());
    let Ok(tag) = HeaderValue::from_str(&tag) else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    let revalidate = HeaderValue::from_static("private, no-cache");
    parts.headers.insert(header::CACHE_CONTROL, revalidate);
    let same = known.as_ref() == Some(&tag);
    parts.headers.insert(header::ETAG, tag);
    if same {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}
