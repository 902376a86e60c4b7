//! `/v1/behaviour`, `/v1/standings`, baselines: what is learned, who departs from what was approved.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::behaviour::{BaselineText, Change, OpenFindings, SourceReadiness, Standing};
use deedtrail_app::explanation::Explanation;
use deedtrail_app::timeline::ReadingError;
use deedtrail_core::Text;
use deedtrail_core::behaviour::{BaselineRecord, Forecast, IdentityBehaviour};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Answer;
use super::ask::{self, Asked};
use crate::problem::Problem;
use crate::state::Shared;

/// Identities listed that drift.
const DRIFTING_MAX: usize = 100;

#[derive(Debug, Serialize)]
pub(super) struct Overview {
    sources: Vec<Source>,
    drifting: Vec<IdentityBehaviour>,
    /// Null before there is a session to judge.
    forecast: Option<Forecast>,
}

#[derive(Debug, Serialize)]
struct Source {
    behavioural: bool,
    #[serde(flatten)]
    readiness: SourceReadiness,
}

#[derive(Debug, Serialize)]
pub(super) struct Standings {
    standings: Vec<Standing>,
}

#[derive(Debug, Serialize)]
pub(super) struct BaselineList {
    baselines: Vec<BaselineRecord>,
}

#[derive(Debug, Serialize)]
pub(super) struct Approved {
    /// Null while the server is behind: it comes when it has caught up.
    baseline: Option<BaselineRecord>,
    /// Somebody other than its owner approved it: tell the owner.
    approved_for_owner: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Changes {
    changes: Vec<Told>,
}

#[derive(Debug, Serialize)]
struct Told {
    sentence: String,
    #[serde(flatten)]
    change: Change,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Window {
    from: Option<Text>,
    to: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ApproveAsked {
    from: Option<Text>,
    to: Option<Text>,
    accept_open_findings: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WithdrawAsked {
    reason: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Withdrawn {
    /// Null while the server is behind: it is withdrawn when it has caught up.
    baseline: Option<BaselineRecord>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DiffAsked {
    from: u32,
    #[serde(default)]
    to: Option<u32>,
}

impl Window {
    fn times(&self) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
        Ok((
            ask::time("from", self.from.as_deref())?,
            ask::time("to", self.to.as_deref())?,
        ))
    }
}

pub(super) async fn overview(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Answer<Overview> {
    let read = move |app: &App| {
        let sources = app.source_readiness(&principal)?.into_iter();
        let sources = sources.map(|readiness| Source {
            behavioural: readiness.behavioural(),
            readiness,
        });
        Ok::<_, ReadingError>(Overview {
            sources: sources.collect(),
            drifting: app.drifting(&principal, DRIFTING_MAX)?,
            forecast: app.forecast(&principal)?,
        })
    };
    shared.attempt(read).await.map(Json)
}

pub(super) async fn standings(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Answer<Standings> {
    let standings = shared
        .attempt(move |app: &App| app.standings(&principal))
        .await?;
    Ok(Json(Standings { standings }))
}

pub(super) async fn standing(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(who): Path<String>,
) -> Answer<Standing> {
    let read = move |app: &App| {
        let file = app.find_identity(&principal, &who)?;
        app.standing(&principal, &file)
    };
    shared.attempt(read).await.map(Json)
}

pub(super) async fn explanation(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(finding): Path<String>,
) -> Answer<Explanation> {
    let id = ask::id(&finding)?;
    let read = move |app: &App| app.explain_finding(&principal, id);
    shared.attempt(read).await.map(Json)
}

pub(super) async fn baselines(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(who): Path<String>,
) -> Answer<BaselineList> {
    let read = move |app: &App| {
        let file = app.find_identity(&principal, &who)?;
        app.baselines(&principal, &file)
    };
    let baselines = shared.attempt(read).await?;
    Ok(Json(BaselineList { baselines }))
}

pub(super) async fn learn(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(who): Path<String>,
    Asked(asked): Asked<Window>,
) -> Answer<BaselineText> {
    let window = asked.times()?;
    let read = move |app: &App| {
        let file = app.find_identity(&principal, &who)?;
        app.learn_baseline(&principal, &file, window)
    };
    shared.attempt(read).await.map(Json)
}

pub(super) async fn approve(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(who): Path<String>,
    body: Bytes,
) -> Answer<Approved> {
    let asked: ApproveAsked = ask::said(&body, "{\"from\": \"2026-10-01\"} or {}")?;
    let of_findings = if asked.accept_open_findings {
        OpenFindings::Accept
    } else {
        OpenFindings::Refuse
    };
    let window = Window {
        from: asked.from,
        to: asked.to,
    };
    let window = window.times()?;
    let approve = move |app: &App| {
        let file = app.find_identity_called(&principal.reading(), &who)?;
        app.approve_baseline(&principal, &file, window, of_findings)
    };
    let baseline = shared.attempt(approve).await?;
    Ok(Json(Approved {
        approved_for_owner: baseline
            .as_ref()
            .is_some_and(BaselineRecord::approved_for_owner),
        baseline,
    }))
}

pub(super) async fn baseline(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path((who, version)): Path<(String, u32)>,
) -> Answer<BaselineRecord> {
    let read = move |app: &App| {
        let file = app.find_identity(&principal, &who)?;
        app.baseline(&principal, &file, version)
    };
    shared.attempt(read).await.map(Json)
}

pub(super) async fn withdraw(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path((who, version)): Path<(String, u32)>,
    body: Bytes,
) -> Answer<Withdrawn> {
    let asked: WithdrawAsked = ask::said(&body, "{\"reason\": \"…\"}")?;
    let withdraw = move |app: &App| {
        let file = app.find_identity_called(&principal.reading(), &who)?;
        app.withdraw_baseline(&principal, &file, version, &asked.reason)
    };
    let baseline = shared.attempt(withdraw).await?;
    Ok(Json(Withdrawn { baseline }))
}

pub(super) async fn diff(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(who): Path<String>,
    Asked(asked): Asked<DiffAsked>,
) -> Answer<Changes> {
    let read = move |app: &App| {
        let file = app.find_identity(&principal, &who)?;
        app.baseline_diff(&principal, &file, (asked.from, asked.to))
    };
    let changes = shared.attempt(read).await?.into_iter();
    let changes = changes.map(|change| Told {
        sentence: change.sentence(),
        change,
    });
    Ok(Json(Changes {
        changes: changes.collect(),
    }))
}
