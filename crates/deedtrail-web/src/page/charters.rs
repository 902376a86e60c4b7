//! Charters: the list, and proposing one as text.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::charter::{CharterError, OfFindings};
use deedtrail_core::charter::{CharterRecord, CharterStatus, Signed};
use deedtrail_core::port::store::Scope;
use serde::Deserialize;

use super::unsettled_view::UnsettledList;
use super::{Chrome, Failure, Section, filters, show};
use crate::api::Asked;
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{Moment, Shown};

/// A charter in the list: its newest version, and the one in force.
#[derive(Debug)]
struct CharterRow {
    name: String,
    purpose: Shown,
    owner: Shown,
    status: Status,
    newest: u32,
    /// Version in force.
    in_force: Option<u32>,
}

/// A status as a badge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Status {
    pub(super) words: &'static str,
    pub(super) class: &'static str,
}

impl Status {
    pub(super) const fn of(status: CharterStatus) -> Self {
        let (words, class) = match status {
            CharterStatus::Draft => ("Draft", "med"),
            CharterStatus::InForce => ("In force", "low"),
            CharterStatus::Replaced => ("Replaced", "info"),
            CharterStatus::Retired => ("Retired", "info"),
        };
        Self { words, class }
    }
}

/// Who did something, and when.
#[derive(Debug)]
pub(super) struct SignedView {
    pub(super) by: Shown,
    pub(super) at: Moment,
}

impl SignedView {
    pub(super) fn new(signed: &Signed) -> Self {
        Self {
            by: Shown::new(&signed.by),
            at: Moment::new(signed.at),
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "charters.html")]
struct ChartersPage {
    chrome: Chrome,
    headline: String,
    rows: Vec<CharterRow>,
    may_decide: bool,
    /// Text in the editor, and what is wrong with it.
    text: String,
    problem: Option<Shown>,
    learned: Option<String>,
    /// Those that speak against what was learned.
    findings: UnsettledList,
    /// Their events that were not learned.
    left_out: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListAsked {
    /// Identity to learn a charter from.
    learn: String,
    /// Given when also the events are learned that open findings rest on.
    include_findings: Option<String>,
}

/// What the editor sends.
#[derive(Debug, Deserialize)]
pub(super) struct DraftForm {
    text: String,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Asked(asked): Asked<ListAsked>,
) -> Result<Response, Failure> {
    let load = move |app: &App| -> Result<_, Problem> {
        let mut page = load(app, &principal)?;
        if !asked.learn.trim().is_empty() {
            let of_findings = match asked.include_findings {
                Some(_) => OfFindings::Include,
                None => OfFindings::LeaveOut,
            };
            let who = asked.learn.trim();
            let learned = app.learn_charter(&principal, who, None, of_findings)?;
            let proposal = learned.proposal;
            page.findings = UnsettledList::of(&learned.findings, learned.findings_not_looked_at);
            page.left_out = learned.left_out;
            page.learned = Some(format!(
                "Proposed from {} events on {} days. Nothing is kept until you propose it.",
                proposal.events, proposal.days
            ));
            page.text = proposal.text;
        }
        Ok(page)
    };
    let page = shared.attempt(load).await?;
    Ok(show(&page))
}

/// Proposes what is in the editor; with a mistake the text comes back with it.
pub(super) async fn propose(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Form(form): Form<DraftForm>,
) -> Result<Response, Failure> {
    // Browsers send line breaks as CR LF.
    let text = form.text.replace("\r\n", "\n");
    let propose = move |app: &App| -> Result<_, Problem> {
        match app.propose_charter(&principal, "line", &text) {
            Ok(record) => Ok(Ok(record)),
            Err(CharterError::Text(problem)) => {
                let mut page = load(app, &principal)?;
                page.text = text;
                page.problem = Some(Shown::new(&problem.to_string()));
                Ok(Err(page))
            }
            Err(error) => Err(error.into()),
        }
    };
    match shared.attempt(propose).await? {
        Ok(record) => {
            let name = record.map(|record| record.name);
            let address = name.map_or_else(|| "/charters".to_owned(), |n| format!("/charters/{n}"));
            Ok(Redirect::to(&address).into_response())
        }
        Err(page) => {
            let mut response = show(&page);
            *response.status_mut() = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
    }
}

fn load(app: &App, principal: &Principal) -> Result<ChartersPage, Problem> {
    let rows = rows(&app.charters(principal)?);
    let in_force = rows.iter().filter(|row| row.in_force.is_some()).count();
    Ok(ChartersPage {
        chrome: Chrome::load(app, principal, Section::Charters)?,
        headline: match in_force {
            0 => "No charter is in force".to_owned(),
            1 => "One charter is in force".to_owned(),
            count => format!("{count} charters are in force"),
        },
        rows,
        may_decide: principal.require(Scope::Write).is_ok(),
        text: String::new(),
        problem: None,
        learned: None,
        findings: UnsettledList::default(),
        left_out: 0,
    })
}

/// One row a name; the newest version comes first.
fn rows(records: &[CharterRecord]) -> Vec<CharterRow> {
    let mut rows: Vec<CharterRow> = Vec::new();
    for record in records {
        let in_force = (record.status == CharterStatus::InForce).then_some(record.version);
        match rows
            .last_mut()
            .filter(|row| row.name == record.name.as_str())
        {
            Some(row) => row.in_force = row.in_force.or(in_force),
            None => rows.push(CharterRow {
                name: record.name.to_string(),
                purpose: Shown::new(&record.purpose),
                owner: Shown::new(&record.owner),
                status: Status::of(record.status),
                newest: record.version,
                in_force,
            }),
        }
    }
    rows
}
