//! Exceptions to rules: the list, one with what it held back, making and ending them.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::exception::ExceptionDraft;
use deedtrail_app::rule_backtest::{ExceptionPreview, PREVIEW_SECONDS_MAX};
use deedtrail_core::exception::{ExceptionCondition, ExceptionStatus, RuleException};
use deedtrail_core::port::store::Scope;
use deedtrail_core::time::Timestamp;
use serde::Deserialize;

use super::rules::rule_address;
use super::{Chrome, Failure, Section, show};
use crate::api::{Asked, number, time};
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{Moment, Shown, grouped};

/// Exceptions on one page of the list.
const ROWS_MAX: usize = 100;

/// An exception in a list.
#[derive(Debug)]
pub(super) struct ExceptionRow {
    pub(super) number: u32,
    pub(super) status: &'static str,
    pub(super) rule: Shown,
    pub(super) rule_href: String,
    pub(super) covers: Shown,
    pub(super) owner: Shown,
    pub(super) reason: Shown,
    pub(super) until: Moment,
    pub(super) held_back: String,
    pub(super) last: Option<Moment>,
}

/// A match that was held back.
#[derive(Debug)]
struct HeldRow {
    at: Moment,
    who: Shown,
    href: String,
    title: Shown,
    event: String,
}

#[derive(Debug, Template)]
#[template(path = "exceptions.html")]
struct ExceptionsPage {
    chrome: Chrome,
    headline: String,
    rows: Vec<ExceptionRow>,
    /// Address of the next page.
    more: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "exception.html")]
struct ExceptionPage {
    chrome: Chrome,
    one: ExceptionRow,
    made_by: Shown,
    made: Moment,
    held: Vec<HeldRow>,
    /// Older ones are only counted.
    only_counted: bool,
    may_end: bool,
}

#[derive(Debug, Template)]
#[template(path = "exception_preview.html")]
struct PreviewPage {
    chrome: Chrome,
    rule: Shown,
    covers: Shown,
    /// Name and value of each field of the form, as it is sent again.
    fields: Vec<(String, String)>,
    owner: Shown,
    reason: Shown,
    expires: String,
    findings: String,
    would: String,
    complete: bool,
    seconds_max: i64,
    read: Option<(Moment, Moment)>,
    newest: Vec<(Moment, Shown)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListAsked {
    cursor: Option<u32>,
}

/// What a form says of an exception. Conditions come one by one, as boxes that are ticked.
#[derive(Clone, Debug, Default)]
struct Wanted {
    rule: String,
    conditions: Vec<ExceptionCondition>,
    owner: String,
    reason: String,
    expires: String,
}

impl Wanted {
    fn read(pairs: &[(String, String)]) -> Result<Self, Problem> {
        let mut wanted = Self::default();
        for (name, value) in pairs {
            let value = value.trim();
            match name.as_str() {
                "rule" => value.clone_into(&mut wanted.rule),
                "owner" => value.clone_into(&mut wanted.owner),
                "reason" => value.clone_into(&mut wanted.reason),
                "expires" => value.clone_into(&mut wanted.expires),
                "condition" if !value.is_empty() => {
                    let (field, pattern) = value.split_once('=').ok_or_else(|| {
                        Problem::invalid("write a condition as NAME=VALUE, as in actor=ci-*")
                    })?;
                    wanted.conditions.push(ExceptionCondition {
                        field: field.trim().into(),
                        pattern: pattern.trim().into(),
                    });
                }
                _ => {}
            }
        }
        Ok(wanted)
    }

    fn draft(&self) -> Result<ExceptionDraft<'_>, Problem> {
        let expires = time("expires", Some(&self.expires))?;
        Ok(ExceptionDraft {
            rule: &self.rule,
            conditions: self.conditions.clone(),
            owner: &self.owner,
            reason: &self.reason,
            expires: expires.ok_or_else(|| Problem::invalid("say until which day it holds"))?,
        })
    }

    /// The fields of a form that says the same.
    fn fields(&self) -> Vec<(String, String)> {
        let given = [
            ("rule", &self.rule),
            ("owner", &self.owner),
            ("reason", &self.reason),
            ("expires", &self.expires),
        ];
        let given = given.map(|(name, value)| (name.to_owned(), value.clone()));
        let conditions = self.conditions.iter();
        let conditions = conditions.map(|one| ("condition".to_owned(), one.to_string()));
        given.into_iter().chain(conditions).collect()
    }
}

impl ExceptionRow {
    pub(super) fn new(exception: &RuleException, now: Timestamp) -> Self {
        Self {
            number: exception.number,
            status: exception.status(now).words(),
            rule: Shown::new(&exception.rule),
            rule_href: rule_address(&exception.rule),
            covers: Shown::cut(&exception.covers(), 400),
            owner: Shown::new(&exception.owner),
            reason: Shown::cut(&exception.reason, 400),
            until: Moment::new(exception.expires),
            held_back: grouped(exception.effect.held_back),
            last: exception.effect.last.map(Moment::new),
        }
    }
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Asked(asked): Asked<ListAsked>,
) -> Result<Response, Failure> {
    let load = move |app: &App| -> Result<_, Problem> {
        let now = app.ports.clock.now();
        let all = app.rule_exceptions(&principal, None)?;
        let is_in_force = |it: &&RuleException| it.status(now) == ExceptionStatus::InForce;
        let in_force = all.iter().filter(is_in_force).count();
        let mut later = all
            .iter()
            .filter(|it| asked.cursor.is_none_or(|last| it.number < last));
        let rows: Vec<ExceptionRow> = later
            .by_ref()
            .take(ROWS_MAX)
            .map(|it| ExceptionRow::new(it, now))
            .collect();
        let last = rows.last().map(|row| row.number);
        Ok(ExceptionsPage {
            chrome: Chrome::load(app, &principal, Section::Findings)?,
            headline: match in_force {
                0 => "No exception to a rule is in force".to_owned(),
                1 => "One exception to a rule is in force".to_owned(),
                count => format!("{count} exceptions to rules are in force"),
            },
            more: last
                .filter(|_| later.next().is_some())
                .map(|last| format!("/exceptions?cursor={last}")),
            rows,
        })
    };
    let page = shared.attempt(load).await?;
    Ok(show(&page))
}

pub(super) async fn one(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(wanted): Path<String>,
) -> Result<Response, Failure> {
    let wanted = number(&wanted)?;
    let load = move |app: &App| -> Result<_, Problem> {
        let held = app.held_back(&principal, wanted)?;
        let (exception, now) = (&held.exception, app.ports.clock.now());
        let in_force = exception.status(now) == ExceptionStatus::InForce;
        Ok(ExceptionPage {
            chrome: Chrome::load(app, &principal, Section::Findings)?,
            one: ExceptionRow::new(exception, now),
            made_by: Shown::new(&exception.made.by),
            made: Moment::new(exception.made.at),
            only_counted: exception.effect.held_back > held.matches.len() as u64,
            may_end: in_force && principal.require(Scope::Write).is_ok(),
            held: held
                .matches
                .iter()
                .map(|one| HeldRow {
                    at: Moment::new(one.held.at),
                    who: Shown::cut(&one.identity, 60),
                    href: format!("/identities/{}", one.held.identity),
                    title: Shown::new(&one.held.title),
                    event: one.held.event.to_string(),
                })
                .collect(),
        })
    };
    let page = shared.attempt(load).await?;
    Ok(show(&page))
}

/// Measures what an exception would do, before it is made.
pub(super) async fn preview(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let wanted = Wanted::read(&pairs)?;
    let load = move |app: &App, goes_on: &dyn Fn() -> bool| -> Result<_, Problem> {
        let reader = principal.reading();
        let preview = app.preview_exception(&reader, &wanted.draft()?, goes_on)?;
        let chrome = Chrome::load(app, &reader, Section::Findings)?;
        Ok(preview_page(chrome, &wanted, &preview))
    };
    let page = shared.attempt_while_awaited(load).await?;
    Ok(show(&page))
}

fn preview_page(chrome: Chrome, wanted: &Wanted, preview: &ExceptionPreview) -> PreviewPage {
    let newest = preview.effect.newest.iter().take(10);
    PreviewPage {
        chrome,
        rule: Shown::new(&preview.effect.rule),
        covers: Shown::cut(&preview.effect.covers, 400),
        fields: wanted.fields(),
        owner: Shown::new(&wanted.owner),
        reason: Shown::cut(&wanted.reason, 400),
        expires: wanted.expires.clone(),
        findings: grouped(preview.findings),
        would: grouped(preview.effect.would_hold_back),
        complete: preview.complete,
        seconds_max: PREVIEW_SECONDS_MAX,
        read: preview
            .first
            .zip(preview.last)
            .map(|(first, last)| (Moment::new(first), Moment::new(last))),
        newest: newest
            .map(|held| (Moment::new(held.at), Shown::new(&held.title)))
            .collect(),
    }
}

pub(super) async fn make(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let wanted = Wanted::read(&pairs)?;
    let make = move |app: &App| -> Result<_, Problem> {
        Ok(app.except_rule(&principal, &wanted.draft()?)?)
    };
    let made = shared.attempt(make).await?;
    let address = made.map(|made| format!("/exceptions/{}", made.number));
    Ok(Redirect::to(address.as_deref().unwrap_or("/exceptions")).into_response())
}

pub(super) async fn end(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(wanted): Path<String>,
) -> Result<Response, Failure> {
    let wanted = number(&wanted)?;
    let end = move |app: &App| app.end_exception(&principal, wanted);
    shared.attempt(end).await?;
    Ok(Redirect::to(&format!("/exceptions/{wanted}")).into_response())
}
