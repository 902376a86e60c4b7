//! Is it alive, is it ready, and what did browsers report?

use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use deedtrail_app::figures::Figures;
use deedtrail_core::port::log::AppendError;
use deedtrail_core::port::store::StoreError;
use deedtrail_core::time::Timestamp;
use serde::Serialize;

use crate::problem::Problem;
use crate::state::Shared;

/// Start of a browser's report that goes to our log, bytes.
const REPORT_BYTES_MAX: usize = 2_000;
/// Reports that go to our log within a minute; further ones are answered 429. Anybody may send one.
const REPORTS_PER_MINUTE_MAX: u32 = 10;

/// Reports taken in the current minute.
#[derive(Debug, Default)]
pub(crate) struct ReportGate(Mutex<(i64, u32)>);

impl ReportGate {
    /// Whether one more report may be taken.
    fn admit(&self, now: Timestamp) -> bool {
        let minute = now.as_micros().div_euclid(Timestamp::MINUTE_US);
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.0 != minute {
            *taken = (minute, 0);
        }
        taken.1 = taken.1.saturating_add(1);
        taken.1 <= REPORTS_PER_MINUTE_MAX
    }
}

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
    /// Mistakes in rule files: records are taken all the same, so it stays ready.
    rules_left_out: usize,
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
    if let Some(refusal) = shared.app.ports.log.refusal() {
        return Err(not_ready(refused(&refusal)));
    }
    if let Some(reason) = figures.stopped {
        return Err(not_ready(&reason));
    }
    if figures.is_rebuilding {
        return Err(not_ready("identities and findings are being derived anew"));
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
        rules_left_out: shared.app.in_force().rules_left_out.len(),
    }))
}

/// Why the log takes no records, without naming folders: anybody may ask.
fn refused(refusal: &AppendError) -> &'static str {
    match refusal {
        AppendError::DiskFull { .. } => "the disk is full, the evidence log takes no records",
        AppendError::Failed { .. } => "the evidence log stopped taking records until a restart",
        _ => "the evidence log takes no records",
    }
}

fn not_ready(reason: &str) -> Problem {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let detail = format!("Not ready: {reason}. `deedtrail doctor` says more.");
    Problem::new(status, "not-ready", "Not ready", detail).retry_after(5)
}

/// Takes a browser's report of a violated Content-Security-Policy.
pub(super) async fn violation(
    State(shared): State<Shared>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    if !shared.reports.admit(shared.app.ports.clock.now()) {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let detail = "Enough reports have come in within this minute.";
        let problem = Problem::new(status, "busy", "Too many reports", detail);
        return Err(problem.retry_after(60));
    }
    let start = body.get(..REPORT_BYTES_MAX).unwrap_or(&body);
    let report = String::from_utf8_lossy(start);
    tracing::warn!(report = ?report, "a browser reports a violated Content-Security-Policy");
    Ok(StatusCode::NO_CONTENT)
}
