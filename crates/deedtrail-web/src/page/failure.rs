//! Pages about what did not work: what it was, what to do.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::{filters, show};
use crate::problem::Problem;
use crate::view::Shown;

/// A problem as a page.
#[derive(Debug, Template)]
#[template(path = "failure.html")]
struct FailurePage {
    status: u16,
    title: &'static str,
    detail: Shown,
    /// Signing in would help.
    sign_in: bool,
}

pub(crate) fn page(problem: &Problem) -> Response {
    let mut response = show(&FailurePage {
        status: problem.status.as_u16(),
        title: problem.title,
        detail: Shown::new(&problem.detail),
        sign_in: problem.status == StatusCode::UNAUTHORIZED,
    });
    *response.status_mut() = problem.status;
    response
}
