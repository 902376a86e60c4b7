//! The address of this server as the browser has it, for commands to copy.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Authority;

use crate::config::Transport;
use crate::state::Shared;

/// `http://127.0.0.1:8650`, without a slash at the end.
#[derive(Clone, Debug)]
pub(super) struct Here(pub(super) String);

impl FromRequestParts<Shared> for Here {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Infallible> {
        let named = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let authority = named.and_then(|host| host.parse::<Authority>().ok());
        let authority = authority.or_else(|| parts.uri.authority().cloned());
        let host = authority.as_ref().map_or("localhost", Authority::as_str);
        let scheme = match shared.config.transport {
            Transport::Https => "https",
            Transport::LoopbackHttp => "http",
        };
        Ok(Self(format!("{scheme}://{host}")))
    }
}
