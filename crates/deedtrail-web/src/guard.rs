//! Nothing answers without a principal: who asks, and may they?

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deedtrail_app::App;
use deedtrail_app::access::{AccessError, Denied, Principal};

use crate::config::Transport;
use crate::endpoint::{Endpoint, Needs};
use crate::problem::Problem;
use crate::state::Shared;

/// The principal of a connection that the operating system has vouched for: the binary adds it to
/// requests of the Unix socket in the data folder.
#[derive(Clone, Debug)]
pub struct LocalPrincipal(pub Principal);

/// What a request brings along to say who it is.
enum Claim {
    Local(Principal),
    Token(String),
    Cookie(String),
    Nothing,
}

/// Finds the principal, checks the scope the endpoint needs, and hands the principal on.
pub(crate) async fn guard(
    State((shared, endpoint)): State<(Shared, &'static Endpoint)>,
    mut request: Request,
    next: Next,
) -> Response {
    let Needs::Scope(scope) = endpoint.needs else {
        return next.run(request).await;
    };
    let claim = claim(&request, shared.config.transport);
    let checked = match principal(&shared, claim).await {
        Ok(principal) => principal
            .require(scope)
            .map(|()| principal)
            .map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    match checked {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(problem) => endpoint.face.refusal(problem),
    }
}

async fn principal(shared: &Shared, claim: Claim) -> Result<Principal, Problem> {
    shared.attempt(move |app| authenticate(app, &claim)).await
}

fn authenticate(app: &App, claim: &Claim) -> Result<Principal, AccessError> {
    match claim {
        Claim::Local(principal) => Ok(principal.clone()),
        Claim::Token(token) => app.authenticate_token(token),
        Claim::Cookie(cookie) => app.authenticate_session(cookie),
        Claim::Nothing => Err(Denied::NotSignedIn.into()),
    }
}

fn claim(request: &Request, transport: Transport) -> Claim {
    if let Some(local) = request.extensions().get::<LocalPrincipal>() {
        return Claim::Local(local.0.clone());
    }
    let headers = request.headers();
    let authorization = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok());
    if let Some(token) = authorization.and_then(token) {
        return Claim::Token(token);
    }
    match session_cookie(headers, transport) {
        Some(cookie) => Claim::Cookie(cookie.to_owned()),
        None => Claim::Nothing,
    }
}

/// The token in an `Authorization` header: `Bearer` (RFC 6750); `Splunk` as the collector's clients
/// send it; `Basic` (RFC 7617) as its password; `ApiKey` as Elasticsearch's clients send it, alone
/// or in base64 after an id and a colon.
fn token(authorization: &str) -> Option<String> {
    let (scheme, value) = authorization.split_once(' ')?;
    let value = value.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "splunk" => Some(value.to_owned()),
        "basic" => after_colon(value),
        "apikey" => after_colon(value).or_else(|| Some(value.to_owned())),
        _ => None,
    }
}

fn after_colon(value: &str) -> Option<String> {
    let pair = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    pair.split_once(':').map(|(_, token)| token.to_owned())
}

/// Value of our session cookie, if the request has one.
pub(crate) fn session_cookie(headers: &HeaderMap, transport: Transport) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let cookies = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut pairs = cookies.filter_map(|cookie| cookie.trim().split_once('='));
    pairs
        .find(|(name, _)| *name == cookie_name(transport))
        .map(|(_, value)| value)
}

/// `__Host-` makes browsers insist on `Secure` and `Path=/`; plain HTTP on loopback cannot have it.
pub(crate) fn cookie_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Https => "__Host-deedtrail",
        Transport::LoopbackHttp => "deedtrail",
    }
}
