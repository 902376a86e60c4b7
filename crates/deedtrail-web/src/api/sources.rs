//! `/v1/sources`: which feeds there are, how they are doing, what waits in quarantine.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use deedtrail_app::access::Principal;
use deedtrail_app::listing::SourceReport;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::store::{Quarantined, SourceHealth};
use serde::{Deserialize, Serialize};

use super::Answer;
use super::ask::{self, Asked};
use super::ingest::known_source;
use crate::problem::Problem;
use crate::state::Shared;

#[derive(Debug, Serialize)]
pub(super) struct SourceList {
    sources: Vec<SourceAnswer>,
}

#[derive(Debug, Serialize)]
struct SourceAnswer {
    name: SourceName,
    title: Option<String>,
    planes: Vec<String>,
    mapping_version: Option<String>,
    silent: bool,
    /// `null` when nothing ever came.
    health: Option<SourceHealth>,
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
    let reports = shared.attempt(move |app| app.sources(&principal)).await?;
    let sources = reports.into_iter().map(answer).collect();
    Ok(Json(SourceList { sources }))
}

fn answer(report: SourceReport) -> SourceAnswer {
    let silent = report.silent();
    let facts = report.facts;
    SourceAnswer {
        name: report.name,
        title: facts.as_ref().map(|facts| facts.title.clone()),
        mapping_version: facts.as_ref().map(|facts| facts.mapping_version.clone()),
        planes: facts.map(|facts| facts.planes).unwrap_or_default(),
        silent,
        health: report.health,
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
        Ok(app.quarantine(&principal, Some(&source), limit)?)
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
