//! `/v1/sources`: which feeds there are, how they are doing, what waits in quarantine.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use deedtrail_app::access::Principal;
use deedtrail_app::feed_health::{Coverage, SourceReport, SourceState, Space};
use deedtrail_app::quarantine::Wanted;
use deedtrail_app::saas_readiness::{SaasReadiness, saas_readiness};
use deedtrail_core::Text;
use deedtrail_core::event::Plane;
use deedtrail_core::health::{Gap, MissingNumbers, SourceHealth};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::Quarantined;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Answer;
use super::ask::{self, Asked};
use super::ingest::known_source;
use crate::problem::Problem;
use crate::state::Shared;

#[derive(Debug, Serialize)]
pub(super) struct SourceList {
    sources: Vec<SourceAnswer>,
    space: Space,
}

#[derive(Debug, Serialize)]
struct SourceAnswer {
    name: SourceName,
    title: Option<String>,
    planes: Vec<String>,
    mapping_version: Option<String>,
    state: SourceState,
    /// `null` when nothing ever came.
    health: Option<Health>,
}

/// What is counted, with what follows from it.
#[derive(Debug, Serialize)]
struct Health {
    records: u64,
    events: u64,
    /// That wait in quarantine, and that were dismissed there.
    quarantined: u64,
    dismissed: u64,
    /// That were sent again and are not stored anew; noted once a minute.
    duplicates: u64,
    conflicts: u64,
    bytes: u64,
    first_received: Option<Timestamp>,
    last_received: Option<Timestamp>,
    last_event: Option<Timestamp>,
    grades: [u64; 4],
    other_actions: u64,
    missing: BTreeMap<Text, u64>,
    /// Of the last 24 hours, newest last.
    records_by_hour: Vec<u64>,
    /// Half of the events, and 95 of a hundred, come within so many seconds.
    lag_s: [Option<u64>; 2],
    /// Whether that is 97 days or longer.
    lag_long: [bool; 2],
    overdue_at: Option<Timestamp>,
    gaps: Vec<Gap>,
    /// Whether the source numbers its records, the numbers that never came, and how many they are.
    numbered: bool,
    missing_numbers: Vec<MissingNumbers>,
    missing_numbers_total: u64,
    /// Those that were too many to be waited for; some may have come.
    forgotten_numbers: u64,
    degraded: Vec<Text>,
}

impl Health {
    fn new(health: SourceHealth, now: Timestamp) -> Self {
        Self {
            records: health.records,
            events: health.events,
            quarantined: health.quarantined,
            dismissed: health.dismissed,
            duplicates: health.duplicates,
            conflicts: health.conflicts,
            bytes: health.bytes,
            first_received: health.first_received,
            last_received: health.last_received,
            last_event: health.last_event,
            grades: health.grades,
            other_actions: health.other_actions,
            records_by_hour: health.hours.at(now).to_vec(),
            lag_s: [50, 95].map(|percent| health.lag.within_s(percent)),
            lag_long: [50, 95].map(|percent| health.lag.is_long(percent)),
            missing: health.missing,
            overdue_at: health.watched.overdue_at,
            gaps: health.watched.gaps,
            numbered: health.watched.numbered,
            missing_numbers: health.watched.missing,
            missing_numbers_total: health.watched.missing_total,
            forgotten_numbers: health.watched.skipped_forgotten,
            degraded: health.watched.degraded,
        }
    }
}

/// Systems by plane.
#[derive(Debug, Serialize)]
pub(super) struct CoverageAnswer {
    /// Names of the planes, in the order of each system's list.
    planes: Vec<&'static str>,
    #[serde(flatten)]
    coverage: Coverage,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct QuarantineAsked {
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct QuarantineList {
    quarantined: Vec<Quarantined>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Answer<SourceList> {
    let now = shared.app.ports.clock.now();
    let read = move |app: &deedtrail_app::App| -> Result<_, Problem> {
        Ok((app.sources(&principal)?, app.space(&principal)?))
    };
    let (reports, space) = shared.attempt(read).await?;
    let sources = reports.into_iter().map(|report| answer(report, now));
    Ok(Json(SourceList {
        sources: sources.collect(),
        space,
    }))
}

pub(super) async fn coverage(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Answer<CoverageAnswer> {
    let covered = move |app: &deedtrail_app::App| app.coverage(&principal);
    Ok(Json(CoverageAnswer {
        planes: Plane::ALL.iter().map(|plane| plane.name()).collect(),
        coverage: shared.attempt(covered).await?,
    }))
}

/// What the logs of a service would tell.
pub(super) async fn readiness(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Answer<SaasReadiness> {
    let told = move |app: &deedtrail_app::App| -> Result<_, Problem> {
        Ok(saas_readiness(&name, &*app.ports.mapper))
    };
    Ok(Json(shared.attempt(told).await?))
}

/// A record that was quarantined, its secrets masked.
pub(super) async fn record(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path((name, sequence)): Path<(String, Sequence)>,
) -> Result<Response, Problem> {
    let read = move |app: &deedtrail_app::App| -> Result<_, Problem> {
        let source = delivered_or_known(app, &principal, &name)?;
        let found = app.quarantined(&principal, sequence)?;
        if found.is_none_or(|record| record.source != source) {
            let detail = "No record of this number is in this source's quarantine.";
            return Err(Problem::not_found(detail));
        }
        Ok(app.quarantined_record(&principal, sequence)?)
    };
    let record = shared.attempt(read).await?;
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((kind, record).into_response())
}

fn answer(report: SourceReport, now: Timestamp) -> SourceAnswer {
    let facts = report.facts;
    SourceAnswer {
        name: report.name,
        title: facts.as_ref().map(|facts| facts.title.clone()),
        mapping_version: facts.as_ref().map(|facts| facts.mapping_version.clone()),
        planes: facts.map(|facts| facts.planes).unwrap_or_default(),
        state: report.state,
        health: report.health.map(|health| Health::new(health, now)),
    }
}

pub(super) async fn quarantine(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    Asked(asked): Asked<QuarantineAsked>,
) -> Answer<QuarantineList> {
    let limit = ask::limit(asked.limit);
    let read = move |app: &deedtrail_app::App| -> Result<_, Problem> {
        let source = delivered_or_known(app, &principal, &name)?;
        Ok(app.quarantine(&principal, &Wanted::of(Some(&source)), limit)?)
    };
    let quarantined = shared.attempt(read).await?;
    Ok(Json(QuarantineList { quarantined }))
}

/// A source that is known or has delivered before its mapping went away.
fn delivered_or_known(
    app: &deedtrail_app::App,
    principal: &Principal,
    name: &str,
) -> Result<SourceName, Problem> {
    let reports = app.sources(principal)?;
    let delivered = reports
        .into_iter()
        .find(|report| report.name.as_str() == name);
    match delivered {
        Some(report) => Ok(report.name),
        None => known_source(name, &*app.ports.mapper),
    }
}
