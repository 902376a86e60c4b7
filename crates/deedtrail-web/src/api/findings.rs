//! `/v1/findings`: what departs, why, and what an analyst decided.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use deedtrail_app::access::Principal;
use deedtrail_app::findings::Conclusion;
use deedtrail_app::timeline::ReadingError;
use deedtrail_core::finding::{Briefing, FindingStatus, Severity};
use deedtrail_core::port::store::FindingFilter;
use serde::{Deserialize, Serialize};

use super::Answer;
use super::ask::{self, Asked};
use crate::problem::Problem;
use crate::state::Shared;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FindingsAsked {
    severity: Option<String>,
    status: Option<String>,
    kind: Option<String>,
    identity: Option<String>,
    text: Option<String>,
    updated_since: Option<String>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct FindingList {
    findings: Vec<Briefing>,
}

/// An analyst's decision.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    status: FindingStatus,
    #[serde(default)]
    disposition: Option<String>,
    #[serde(default)]
    note: Option<String>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Asked(asked): Asked<FindingsAsked>,
) -> Answer<FindingList> {
    let limit = ask::limit(asked.limit);
    let mut filter = filter(&asked)?;
    let identity = asked.identity.filter(|who| !who.is_empty());
    let read = move |app: &deedtrail_app::App| -> Result<FindingList, ReadingError> {
        if let Some(who) = identity {
            filter.identity = Some(app.find_identity(&principal, &who)?.identity.id);
        }
        let findings = app.findings(&principal, &filter, limit)?;
        Ok(FindingList {
            findings: findings.into_iter().map(|it| app.briefing(it)).collect(),
        })
    };
    shared.attempt(read).await.map(Json)
}

fn filter(asked: &FindingsAsked) -> Result<FindingFilter, Problem> {
    let severity = asked.severity.as_deref();
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    Ok(FindingFilter {
        severity_min: ask::one_of("severity", severity, Severity::from_name, &severities())?,
        status: ask::one_of(
            "status",
            asked.status.as_deref(),
            FindingStatus::from_name,
            &statuses(),
        )?,
        kind: given(&asked.kind),
        text: given(&asked.text),
        updated_since: ask::time("updated_since", asked.updated_since.as_deref())?,
        ..FindingFilter::default()
    })
}

pub(super) fn severities() -> Vec<&'static str> {
    Severity::ALL
        .iter()
        .map(|severity| severity.name())
        .collect()
}

pub(super) fn statuses() -> Vec<&'static str> {
    FindingStatus::ALL.map(FindingStatus::name).to_vec()
}

pub(super) async fn one(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer<Briefing> {
    let id = ask::id(&id)?;
    let read = move |app: &deedtrail_app::App| {
        let file = app.finding_file(&principal, id)?;
        Ok::<_, ReadingError>(app.briefing(file.finding))
    };
    shared.attempt(read).await.map(Json)
}

pub(super) async fn decide(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer<Briefing> {
    let id = ask::id(&id)?;
    let decision: Decision = serde_json::from_slice(&body).map_err(|error| {
        Problem::invalid(format!(
            "{error}; send {{\"status\": \"closed\", \"disposition\": \"benign\"}}"
        ))
    })?;
    let decide = move |app: &deedtrail_app::App| {
        let conclusion = Conclusion {
            status: decision.status,
            disposition: decision.disposition.as_deref(),
            note: decision.note.as_deref(),
        };
        let decided = app.decide_finding(&principal, id, conclusion)?;
        Ok::<_, ReadingError>(app.briefing(decided))
    };
    shared.attempt(decide).await.map(Json)
}
