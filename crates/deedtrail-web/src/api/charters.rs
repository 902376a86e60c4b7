//! `/v1/charters`: declared use; proposing, approving, retiring, learning and checking it.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::charter::{Difference, OfFindings, RuleReport, Unknown};
use deedtrail_app::unsettled::Unsettled;
use deedtrail_core::Text;
use deedtrail_core::charter::CharterRecord;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Answer;
use super::ask::{self, Asked};
use crate::state::Shared;

#[derive(Debug, Serialize)]
pub(super) struct List {
    charters: Vec<CharterRecord>,
}

#[derive(Debug, Serialize)]
pub(super) struct Versions {
    /// The newest first.
    versions: Vec<CharterRecord>,
}

#[derive(Debug, Serialize)]
pub(super) struct Proposed {
    /// Null while the server is behind: it comes when it has caught up.
    charter: Option<CharterRecord>,
}

#[derive(Debug, Serialize)]
pub(super) struct Decided {
    charter: CharterRecord,
    /// Somebody other than its owner approved it: tell the owner.
    approved_for_owner: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Differences {
    differences: Vec<Difference>,
}

#[derive(Debug, Serialize)]
pub(super) struct Learned {
    text: String,
    events: usize,
    days: usize,
    /// Events that findings rest on, which were not learned.
    left_out: usize,
    /// The findings, the gravest first.
    findings: Vec<Unsettled>,
    /// Older findings that were not looked at.
    findings_not_looked_at: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Checked {
    identities: usize,
    events: u64,
    covered: u64,
    /// Share of the events that the charter covers, 0 to 1; null without events.
    share: Option<f64>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// Older events were not looked at.
    cut: bool,
    /// When it binds nobody who is known: whom it names, and who is called nearly so.
    unknown: Vec<Unknown>,
    rules: Vec<RuleReport>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DiffAsked {
    from: u32,
    to: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Chosen {
    version: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LearnAsked {
    identity: String,
    #[serde(default)]
    from: Option<Text>,
    #[serde(default)]
    include_findings: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckAsked {
    text: String,
    #[serde(default)]
    from: Option<Text>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Answer<List> {
    let charters = shared
        .attempt(move |app: &App| app.charters(&principal))
        .await?;
    Ok(Json(List { charters }))
}

pub(super) async fn one(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
) -> Answer<Versions> {
    let read = move |app: &App| app.charter(&principal, &name);
    let versions = shared.attempt(read).await?;
    Ok(Json(Versions { versions }))
}

pub(super) async fn diff(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    Asked(asked): Asked<DiffAsked>,
) -> Answer<Differences> {
    let read = move |app: &App| app.charter_diff(&principal, &name, (asked.from, asked.to));
    let differences = shared.attempt(read).await?;
    Ok(Json(Differences { differences }))
}

pub(super) async fn propose(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    body: Bytes,
) -> Answer<Proposed> {
    let draft: Draft = ask::said(&body, "{\"text\": \"charter: …\"}")?;
    let propose = move |app: &App| app.propose_charter(&principal, "text", &draft.text);
    let charter = shared.attempt(propose).await?;
    Ok(Json(Proposed { charter }))
}

pub(super) async fn approve(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<Decided> {
    let chosen: Chosen = ask::said(&body, "{\"version\": 1}")?;
    let approve = move |app: &App| app.approve_charter(&principal, &name, chosen.version);
    shared.attempt(approve).await.map(decided)
}

pub(super) async fn retire(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<Decided> {
    let chosen: Chosen = ask::said(&body, "{\"version\": 1}")?;
    let retire = move |app: &App| app.retire_charter(&principal, &name, chosen.version);
    shared.attempt(retire).await.map(decided)
}

fn decided(charter: CharterRecord) -> Json<Decided> {
    Json(Decided {
        approved_for_owner: charter.approved_for_owner(),
        charter,
    })
}

pub(super) async fn learn(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    body: Bytes,
) -> Answer<Learned> {
    let asked: LearnAsked = ask::said(&body, "{\"identity\": \"…\"}")?;
    let from = ask::time("from", asked.from.as_deref())?;
    let of_findings = if asked.include_findings {
        OfFindings::Include
    } else {
        OfFindings::LeaveOut
    };
    let learn = move |app: &App| app.learn_charter(&principal, &asked.identity, from, of_findings);
    let learned = shared.attempt(learn).await?;
    Ok(Json(Learned {
        text: learned.proposal.text,
        events: learned.proposal.events,
        days: learned.proposal.days,
        left_out: learned.left_out,
        findings: learned.findings,
        findings_not_looked_at: learned.findings_not_looked_at,
    }))
}

pub(super) async fn check(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    body: Bytes,
) -> Answer<Checked> {
    let asked: CheckAsked = ask::said(&body, "{\"text\": \"charter: …\"}")?;
    let from = ask::time("from", asked.from.as_deref())?;
    let check = move |app: &App| app.check_charter(&principal, "text", &asked.text, from);
    let checked = shared.attempt(check).await?;
    Ok(Json(Checked {
        identities: checked.identities,
        events: checked.report.events,
        covered: checked.report.covered,
        share: checked.report.share(),
        from: checked.span.map(|(from, _)| from),
        to: checked.span.map(|(_, to)| to),
        cut: checked.cut,
        unknown: checked.unknown,
        rules: checked.report.rules,
    }))
}
