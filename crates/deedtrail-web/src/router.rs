//! From the table of endpoints to a router.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use deedtrail_app::App;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;

use crate::config::{FORM_BYTES_MAX, WebConfig};
use crate::endpoint::{Endpoint, Face};
use crate::guard::guard;
use crate::header::{entity_tag, observe, secure};
use crate::pace::pace;
use crate::problem::Problem;
use crate::state::Shared;
use crate::{api, feed, page};

/// Every endpoint there is: pages first, then the API, then the protocols of shippers.
pub fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    let programs = api::endpoints().chain(feed::ENDPOINTS);
    page::ENDPOINTS.iter().chain(programs)
}

/// Builds the whole HTTP surface over `app`.
pub fn router(app: Arc<App>, config: WebConfig) -> Router {
    let shared = Shared::new(app, config);
    let mut router = Router::new();
    for endpoint in endpoints() {
        let checked = from_fn_with_state((shared.clone(), endpoint), guard);
        router = router.route(endpoint.path, (endpoint.route)().route_layer(checked));
    }
    router
        .fallback(nothing_there)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn_with_state(shared.clone(), pace))
        .layer(CsrfLayer::new().with_rejection_response(|_| from_elsewhere()))
        .layer(from_fn(entity_tag))
        .layer(CatchPanicLayer::custom(|_| {
            Problem::internal().into_response()
        }))
        .layer(from_fn_with_state(shared.clone(), observe))
        .layer(CompressionLayer::new())
        .layer(from_fn(secure))
        .with_state(shared)
}

async fn nothing_there(uri: Uri) -> Response {
    let detail = "Nothing is served at this address. The API is described in /v1/openapi.json.";
    refusal_at(&uri, Problem::not_found(detail))
}

/// As the endpoints around `uri` would refuse.
pub(crate) fn refusal_at(uri: &Uri, problem: Problem) -> Response {
    let face = match uri.path() {
        "/v1/traces" | "/v1/logs" => Face::Otlp,
        path if path.ends_with("/_bulk") => Face::Elastic,
        path if path.starts_with("/v1/") => Face::Api,
        path if path.starts_with("/services/") => Face::Splunk,
        path if path.starts_with("/elastic/") => Face::Elastic,
        path if path.starts_with("/opentelemetry.proto.") => Face::Grpc,
        _ => Face::Page,
    };
    face.refusal(problem)
}

/// The `Allow` header is the router's.
async fn wrong_method(method: Method, uri: Uri) -> Response {
    let detail =
        format!("{method} is not served at this address; the header `Allow` names what is.");
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let problem = Problem::new(status, "method", "Not this method", detail);
    refusal_at(&uri, problem)
}

fn from_elsewhere() -> Response {
    Problem::new(
        StatusCode::FORBIDDEN,
        "cross-site",
        "Sent by another site",
        "The browser says another site sent this request. Open the page here and repeat it.",
    )
    .into_response()
}
