//! Is it alive, is it ready, and what did browsers report?

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use deedtrail_app::figures::Figures;
use deedtrail_core::port::store::StoreError;
use serde::Serialize;

use crate::problem::Problem;
use crate::state::Shared;

/// Start of a browser's report that goes to our log, bytes.
const REPORT_BYTES_MAX: usize = 2_000;

#[derive(Debug, Serialize)]
pub(super) struct Health {
    status: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Readiness {
    status: &'static str,
    log_end: u64,
    processed: u64,
    archived: u64,
}

pub(super) async fn alive() -> Json<Health> {
    Json(Health { status: "ok" })
}

pub(super) async fn ready(State(shared): State<Shared>) -> Result<Json<Readiness>, Problem> {
    let read = |app: &deedtrail_app::App| -> Result<Figures, StoreError> { app.figures() };
    let figures = shared
        .attempt(read)
        .await
        .map_err(|_| not_ready("the control plane does not answer"))?;
    if figures.damage.is_some() {
        return Err(not_ready("the evidence log is damaged"));
    }
    let waiting = figures.log_end.saturating_sub(figures.processed);
    if waiting > shared.config.ready_lag_max {
        return Err(not_ready(&format!(
            "{waiting} entries wait for the pipeline"
        )));
    }
    Ok(Json(Readiness {
        status: "ready",
        log_end: figures.log_end,
        processed: figures.processed,
        archived: figures.archived,
    }))
}

fn not_ready(reason: &str) -> Problem {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let detail = format!("Not ready: {reason}. `deedtrail doctor` says more.");
    Problem::new(status, "not-ready", "Not ready", detail).retry_after(5)
}

/// Takes a browser's report of a violated Content-Security-Policy.
pub(super) async fn violation(body: Bytes) -> StatusCode {
    let start = body.get(..REPORT_BYTES_MAX).unwrap_or(&body);
    let report = String::from_utf8_lossy(start);
    tracing::warn!(report = ?report, "a browser reports a violated Content-Security-Policy");
    StatusCode::NO_CONTENT
}
