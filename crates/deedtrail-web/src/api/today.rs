//! `/v1/today`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::{Extension, Json};
use deedtrail_app::access::Principal;
use deedtrail_app::today::{BENCHMARK, Benchmark, NonHumanShare, SHARE_DAYS, Unattributed};
use deedtrail_core::finding::Severity;
use deedtrail_core::time::Timestamp;
use serde::Serialize;

use super::Answer;
use crate::state::Shared;

#[derive(Debug, Serialize)]
pub(super) struct TodayAnswer {
    now: Timestamp,
    /// Open findings by severity.
    open: BTreeMap<&'static str, u64>,
    identities: u64,
    unowned: u64,
    #[serde(flatten)]
    unattributed: Unattributed,
    benchmark: Benchmark,
    local: Local,
}

/// What the benchmark is of, counted here.
#[derive(Debug, Serialize)]
struct Local {
    days: i64,
    #[serde(flatten)]
    share: NonHumanShare,
    percent: Option<u64>,
}

pub(super) async fn figures(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Answer<TodayAnswer> {
    let today = shared.attempt(move |app| app.today(&principal, 0)).await?;
    let names = Severity::ALL.iter().map(|severity| severity.name());
    Ok(Json(TodayAnswer {
        now: today.now,
        open: names.zip(today.open_by_severity).collect(),
        identities: today.identities,
        unowned: today.unowned,
        unattributed: today.unattributed,
        benchmark: BENCHMARK,
        local: Local {
            days: SHARE_DAYS,
            share: today.non_human,
            percent: today.non_human.percent(),
        },
    }))
}
