//! Signing in by a one-time link, and signing out.
//!
//! Opening the link only shows a button: mail scanners and link previews fetch links, they must not
//! use one up. The button posts, and only that redeems.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use deedtrail_app::access::{AccessError, SESSION_ABSOLUTE_US};

use crate::config::Transport;
use crate::guard::{cookie_name, session_cookie};
use crate::page::failure;
use crate::page::show;
use crate::page::sign_in::SignInPage;
use crate::problem::Problem;
use crate::state::Shared;

/// Longest sign-in secret that is looked up, characters.
const SECRET_CHARACTERS_MAX: usize = 128;

pub(crate) async fn ask(Path(secret): Path<String>) -> Response {
    show(&SignInPage::new(&secret))
}

pub(crate) async fn redeem(State(shared): State<Shared>, Path(secret): Path<String>) -> Response {
    match cookie_for(&shared, secret).await {
        Ok(cookie) => signed_in(shared.config.transport, &cookie),
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED => failure::page(&used_up()),
        Err(problem) => failure::page(&problem),
    }
}

async fn cookie_for(shared: &Shared, secret: String) -> Result<String, Problem> {
    if secret.chars().count() > SECRET_CHARACTERS_MAX {
        return Err(used_up());
    }
    let redeem = move |app: &deedtrail_app::App| -> Result<String, AccessError> {
        app.redeem_sign_in_link(&secret)
    };
    shared.attempt(redeem).await
}

fn used_up() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "link-used-up",
        "This sign-in link no longer works",
        "It was used already, a newer one was made, or it is older than 24 hours. \
         `deedtrail sign-in NAME` prints a new one.",
    )
}

pub(crate) async fn sign_out(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let transport = shared.config.transport;
    if let Some(cookie) = session_cookie(&headers, transport).map(str::to_owned)
        && let Err(problem) = shared.attempt(move |app| app.sign_out(&cookie)).await
    {
        return failure::page(&problem);
    }
    with_cookie(Redirect::to("/").into_response(), transport, "", 0)
}

fn signed_in(transport: Transport, cookie: &str) -> Response {
    let age_s = SESSION_ABSOLUTE_US / 1_000_000;
    with_cookie(Redirect::to("/").into_response(), transport, cookie, age_s)
}

fn with_cookie(mut response: Response, transport: Transport, value: &str, age_s: i64) -> Response {
    let secure = match transport {
        Transport::Https => "; Secure",
        Transport::LoopbackHttp => "",
    };
    let name = cookie_name(transport);
    let cookie =
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age_s}{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
