//! A record that waits in quarantine, and replaying all of a source.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_core::id::SourceName;
use deedtrail_core::limits::NOTE_CHARACTERS_MAX;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{Quarantined, Scope};

use super::quarantine_list::DecisionView;
use super::source::advice;
use super::{Chrome, Failure, Section, show};
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{Moment, Shown, grouped};

/// Longest record shown, characters.
const RECORD_CHARS_MAX: usize = 100_000;

#[derive(Debug, Template)]
#[template(path = "quarantine.html")]
struct QuarantinePage {
    chrome: Chrome,
    source: String,
    /// Whether a mapping has that name; else it is the way the record came by.
    is_source: bool,
    sequence: Sequence,
    received: Moment,
    code: Shown,
    reason: Shown,
    advice: &'static str,
    bytes: String,
    record: Shown,
    dismissal: Option<DecisionView>,
    may_decide: bool,
    note_max: usize,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path((source, sequence)): Path<(String, Sequence)>,
) -> Result<Response, Failure> {
    let page = shared
        .attempt(move |app| load(app, &principal, &source, sequence))
        .await?;
    Ok(show(&page))
}

fn load(
    app: &App,
    principal: &Principal,
    source: &str,
    sequence: Sequence,
) -> Result<QuarantinePage, Problem> {
    let waiting = of_source(app, principal, source, sequence)?;
    let bytes = app.quarantined_record(principal, sequence)?;
    let mut known = app.ports.mapper.sources().into_iter();
    Ok(QuarantinePage {
        chrome: Chrome::load(app, principal, Section::Sources)?,
        source: source.to_owned(),
        is_source: known.any(|facts| facts.name.as_str() == source),
        sequence,
        received: Moment::new(waiting.received),
        advice: advice(&waiting.code),
        code: Shown::cut(&waiting.code, 40),
        reason: Shown::new(&waiting.reason),
        bytes: grouped(waiting.bytes),
        record: Shown::cut(&String::from_utf8_lossy(&bytes), RECORD_CHARS_MAX),
        dismissal: waiting.dismissal.as_ref().map(DecisionView::new),
        may_decide: principal.require(Scope::Write).is_ok(),
        note_max: NOTE_CHARACTERS_MAX,
    })
}

/// The record, if it is in that source's quarantine.
fn of_source(
    app: &App,
    principal: &Principal,
    source: &str,
    sequence: Sequence,
) -> Result<Quarantined, Problem> {
    let found = app.quarantined(principal, sequence)?;
    let found = found.filter(|record| record.source.as_str() == source);
    found.ok_or_else(|| {
        let detail = "No record of this number is in this source's quarantine; it may have been \
                      understood since.";
        Problem::not_found(detail)
    })
}

/// Reads everything of a source that waits once more, with the mapping of now.
pub(super) async fn replay(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(source): Path<String>,
) -> Result<Response, Failure> {
    let replay = move |app: &App| -> Result<_, Problem> {
        let name = SourceName::new(&source);
        let name = name.map_err(|_| Problem::not_found("No source has this name."))?;
        Ok((app.replay_quarantine(&principal, Some(&name))?, name))
    };
    let (answer, source) = shared.attempt(replay).await?;
    let (released, waiting) = (answer.released, answer.waiting);
    let address = format!("/sources/{source}?released={released}&waiting={waiting}#quarantine");
    Ok(Redirect::to(&address).into_response())
}
