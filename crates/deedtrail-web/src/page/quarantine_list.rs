//! Everything that waits in quarantine, over all sources; replaying and dismissing it.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::quarantine::Wanted;
use deedtrail_core::id::SourceName;
use deedtrail_core::limits::NOTE_CHARACTERS_MAX;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{Dismissal, QuarantineReason, Scope};
use deedtrail_core::time::Timestamp;
use serde::Deserialize;

use super::source::advice;
use super::source_view::Tab;
use super::{Chrome, Failure, Section, show};
use crate::api::Asked;
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{Moment, Shown, ago, grouped};

/// Records of one source that wait for one reason.
#[derive(Debug)]
struct WaitingRow {
    source: SourceName,
    code: Shown,
    records: String,
    newest: Sequence,
    ago: String,
    advice: &'static str,
}

/// Records of one source and reason that were dismissed, with the decision on the newest of them.
#[derive(Debug)]
struct DismissedRow {
    source: SourceName,
    code: Shown,
    records: String,
    newest: Sequence,
    decision: Option<DecisionView>,
}

/// Who dismissed a record, when and why.
#[derive(Debug)]
pub(super) struct DecisionView {
    pub(super) by: Shown,
    pub(super) at: Moment,
    pub(super) reason: Shown,
}

impl DecisionView {
    pub(super) fn new(dismissal: &Dismissal) -> Self {
        Self {
            by: Shown::new(&dismissal.by),
            at: Moment::new(dismissal.at),
            reason: Shown::new(&dismissal.reason),
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "quarantine_list.html")]
struct QuarantineListPage {
    chrome: Chrome,
    tab: Tab,
    headline: String,
    rows: Vec<WaitingRow>,
    dismissed: Vec<DismissedRow>,
    may_decide: bool,
    note_max: usize,
    /// What was just done, in words.
    done: Option<String>,
    delivered: bool,
}

/// The address that a decision leads back to says what it did.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DoneAsked {
    released: Option<u64>,
    waiting: Option<u64>,
    dismissed: Option<u64>,
    restored: Option<u64>,
}

impl DoneAsked {
    fn words(self) -> Option<String> {
        let records = |count: u64| match count {
            1 => "One record".to_owned(),
            count => format!("{} records", grouped(count)),
        };
        if let Some((released, waiting)) = self.released.zip(self.waiting) {
            let (released, waiting) = (grouped(released), grouped(waiting));
            return Some(format!(
                "Replayed: {released} understood now, {waiting} still wait."
            ));
        }
        if let Some(count) = self.dismissed {
            return Some(format!(
                "{} dismissed. The log keeps them; see below.",
                records(count)
            ));
        }
        let restored = self.restored?;
        Some(format!("{} put back: waiting again.", records(restored)))
    }
}

/// What the forms send.
#[derive(Debug, Deserialize)]
pub(super) struct ChosenForm {
    source: String,
    /// All reasons when empty.
    #[serde(default)]
    code: String,
    /// Only this record.
    #[serde(default)]
    sequence: Option<Sequence>,
    #[serde(default)]
    reason: String,
}

impl ChosenForm {
    fn wanted(&self) -> Result<Wanted, Problem> {
        let source = SourceName::new(&self.source);
        let source = source.map_err(|_| Problem::not_found("No source has this name."))?;
        Ok(Wanted {
            source: Some(source),
            code: Some(self.code.as_str().into()).filter(|_| !self.code.is_empty()),
            sequence: self.sequence,
            dismissed: false,
        })
    }
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Asked(asked): Asked<DoneAsked>,
) -> Result<Response, Failure> {
    let load = move |app: &App| load(app, &principal, asked);
    let page = shared.attempt(load).await?;
    Ok(show(&page))
}

fn load(app: &App, principal: &Principal, asked: DoneAsked) -> Result<QuarantineListPage, Problem> {
    let now = app.ports.clock.now();
    let waiting = app.quarantine_reasons(principal, &Wanted::default())?;
    let gone = Wanted {
        dismissed: true,
        ..Wanted::default()
    };
    let gone = app.quarantine_reasons(principal, &gone)?;
    let records = waiting.iter().map(|reason| reason.records).sum();
    let reports = app.sources(principal)?;
    Ok(QuarantineListPage {
        chrome: Chrome::load(app, principal, Section::Sources)?,
        tab: Tab::Quarantine,
        headline: match records {
            0 => "Nothing waits in quarantine".to_owned(),
            1 => "One record waits in quarantine".to_owned(),
            count => format!("{} records wait in quarantine", grouped(count)),
        },
        rows: waiting.iter().map(|reason| row(reason, now)).collect(),
        dismissed: gone
            .iter()
            .map(|reason| dismissed(app, principal, reason))
            .collect::<Result<_, _>>()?,
        may_decide: principal.require(Scope::Write).is_ok(),
        note_max: NOTE_CHARACTERS_MAX,
        done: asked.words(),
        delivered: reports.iter().any(|report| report.health.is_some()),
    })
}

fn row(reason: &QuarantineReason, now: Timestamp) -> WaitingRow {
    WaitingRow {
        source: reason.source.clone(),
        code: Shown::cut(&reason.code, 40),
        records: grouped(reason.records),
        newest: reason.newest,
        ago: ago(now.micros_since(reason.received)),
        advice: advice(&reason.code),
    }
}

fn dismissed(
    app: &App,
    principal: &Principal,
    reason: &QuarantineReason,
) -> Result<DismissedRow, Problem> {
    let newest = app.quarantined(principal, reason.newest)?;
    let decision = newest.and_then(|record| record.dismissal);
    Ok(DismissedRow {
        source: reason.source.clone(),
        code: Shown::cut(&reason.code, 40),
        records: grouped(reason.records),
        newest: reason.newest,
        decision: decision.as_ref().map(DecisionView::new),
    })
}

pub(super) async fn dismiss(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Form(form): Form<ChosenForm>,
) -> Result<Response, Failure> {
    let decide = move |app: &App| -> Result<_, Problem> {
        Ok(app.dismiss_quarantine(&principal, &form.wanted()?, &form.reason)?)
    };
    let records = shared.attempt(decide).await?;
    Ok(Redirect::to(&format!("/quarantine?dismissed={records}")).into_response())
}

pub(super) async fn restore(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Form(form): Form<ChosenForm>,
) -> Result<Response, Failure> {
    let decide = move |app: &App| -> Result<_, Problem> {
        Ok(app.restore_quarantine(&principal, &form.wanted()?)?)
    };
    let records = shared.attempt(decide).await?;
    Ok(Redirect::to(&format!("/quarantine?restored={records}")).into_response())
}

/// Reads what waits once more, with the mappings of now.
pub(super) async fn replay(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Form(form): Form<ChosenForm>,
) -> Result<Response, Failure> {
    let replay = move |app: &App| -> Result<_, Problem> {
        Ok(app.replay_wanted(&principal, &form.wanted()?)?)
    };
    let answer = shared.attempt(replay).await?;
    let (released, waiting) = (answer.released, answer.waiting);
    let address = format!("/quarantine?released={released}&waiting={waiting}");
    Ok(Redirect::to(&address).into_response())
}
