//! Nothing answers without a principal: who asks, and may they?

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use deedtrail_app::App;
use deedtrail_app::access::{AccessError, Denied, Principal};

use crate::config::Transport;
use crate::endpoint::{Endpoint, Face, Needs};
use crate::page::failure;
use crate::problem::Problem;
use crate::state::Shared;

/// The principal of a connection that the operating system has vouched for: the binary adds it to
/// requests of the Unix socket in the data folder.
#[derive(Clone, Debug)]
pub struct LocalPrincipal(pub Principal);

/// What a request brings along to say who it is.
enum Claim {
    Local(Principal),
    Bearer(String),
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
    match (checked, endpoint.face) {
        (Ok(principal), _) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        (Err(problem), Face::Api) => problem.into_response(),
        (Err(problem), Face::Page) => failure::page(&problem),
    }
}

async fn principal(shared: &Shared, claim: Claim) -> Result<Principal, Problem> {
    shared.attempt(move |app| authenticate(app, &claim)).await
}

fn authenticate(app: &App, claim: &Claim) -> Result<Principal, AccessError> {
    match claim {
        Claim::Local(principal) => Ok(principal.clone()),
        Claim::Bearer(token) => app.authenticate_token(token),
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
    if let Some((scheme, token)) = authorization.and_then(|value| value.split_once(' '))
        && scheme.eq_ignore_ascii_case("bearer")
    {
        return Claim::Bearer(token.trim().to_owned());
    }
    match session_cookie(headers, transport) {
        Some(cookie) => Claim::Cookie(cookie.to_owned()),
        None => Claim::Nothing,
    }
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
