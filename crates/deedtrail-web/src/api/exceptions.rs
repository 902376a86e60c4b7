//! `/v1/rule-exceptions`: exceptions to rules with what they held back.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::exception::{ExceptionDraft, HeldBackBy};
use deedtrail_core::Text;
use deedtrail_core::exception::{ExceptionCondition, ExceptionStatus, HeldBack, RuleException};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Answer;
use super::ask::{self, Asked};
use crate::problem::Problem;
use crate::state::Shared;

#[derive(Debug, Serialize)]
pub(super) struct List {
    /// The newest first.
    exceptions: Vec<Shown>,
    next_cursor: Option<u32>,
}

#[derive(Debug, Serialize)]
pub(super) struct HeldMatches {
    number: u32,
    rule: Text,
    /// All of them; only the newest are told.
    held_back: u64,
    /// The newest first.
    matches: Vec<HeldShown>,
}

#[derive(Debug, Serialize)]
struct HeldShown {
    identity_name: String,
    #[serde(flatten)]
    held: HeldBack,
}

/// An exception with its status now.
#[derive(Debug, Serialize)]
struct Shown {
    status: ExceptionStatus,
    #[serde(flatten)]
    exception: RuleException,
}

#[derive(Debug, Serialize)]
pub(super) struct Made {
    /// Null while the server is behind: it is listed when it has caught up.
    exception: Option<Shown>,
}

#[derive(Debug, Serialize)]
pub(super) struct Over {
    /// Null while the server is behind: it is listed as ended when it has caught up.
    exception: Option<Shown>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListAsked {
    rule: Option<String>,
    cursor: Option<u32>,
    limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    rule: String,
    #[serde(default)]
    conditions: Vec<ExceptionCondition>,
    owner: String,
    reason: String,
    expires: String,
}

impl Shown {
    fn new(exception: RuleException, now: Timestamp) -> Self {
        Self {
            status: exception.status(now),
            exception,
        }
    }
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Asked(asked): Asked<ListAsked>,
) -> Answer<List> {
    let rule = asked.rule.clone().filter(|rule| !rule.is_empty());
    let read = move |app: &App| {
        let now = app.ports.clock.now();
        let exceptions = app.rule_exceptions(&principal, rule.as_deref())?;
        let is_later = |it: &RuleException| asked.cursor.is_none_or(|last| it.number < last);
        let mut exceptions = exceptions.into_iter().filter(is_later);
        let shown: Vec<Shown> = exceptions
            .by_ref()
            .take(ask::limit(asked.limit))
            .map(|it| Shown::new(it, now))
            .collect();
        let last = shown.last().map(|it| it.exception.number);
        Ok::<_, Problem>(List {
            next_cursor: last.filter(|_| exceptions.next().is_some()),
            exceptions: shown,
        })
    };
    shared.attempt(read).await.map(Json)
}

pub(super) async fn make(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    body: Bytes,
) -> Answer<Made> {
    let example = "{\"rule\": \"…\", \"conditions\": [{\"field\": \"actor\", \"pattern\": \"ci-*\"}], \
        \"owner\": \"…\", \"reason\": \"…\", \"expires\": \"2026-12-31\"}";
    let draft: Draft = ask::said(&body, example)?;
    let expires = ask::time("expires", Some(&draft.expires))?;
    let expires = expires.ok_or_else(|| Problem::invalid("`expires` is empty; send a day"))?;
    let make = move |app: &App| {
        let wanted = ExceptionDraft {
            rule: &draft.rule,
            conditions: draft.conditions,
            owner: &draft.owner,
            reason: &draft.reason,
            expires,
        };
        let made = app.except_rule(&principal, &wanted)?;
        let now = app.ports.clock.now();
        Ok::<_, Problem>(Made {
            exception: made.map(|it| Shown::new(it, now)),
        })
    };
    shared.attempt(make).await.map(Json)
}

/// The number in an address.
pub(crate) fn number(text: &str) -> Result<u32, Problem> {
    text.parse().map_err(|_| {
        let text = ask::shortened(text);
        Problem::bad_request(format!("`{text}` is no number of an exception"))
    })
}

pub(super) async fn held(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(wanted): Path<String>,
) -> Answer<HeldMatches> {
    let wanted = number(&wanted)?;
    let read = move |app: &App| {
        let HeldBackBy { exception, matches } = app.held_back(&principal, wanted)?;
        let matches = matches.into_iter().map(|one| HeldShown {
            identity_name: one.identity,
            held: one.held,
        });
        Ok::<_, Problem>(HeldMatches {
            number: exception.number,
            rule: exception.rule,
            held_back: exception.effect.held_back,
            matches: matches.collect(),
        })
    };
    shared.attempt(read).await.map(Json)
}

pub(super) async fn end(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(wanted): Path<String>,
) -> Answer<Over> {
    let number = number(&wanted)?;
    let end = move |app: &App| {
        let ended = app.end_exception(&principal, number)?;
        let now = app.ports.clock.now();
        Ok::<_, Problem>(Over {
            exception: ended.map(|it| Shown::new(it, now)),
        })
    };
    shared.attempt(end).await.map(Json)
}
