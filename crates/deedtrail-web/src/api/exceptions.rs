//! `/v1/rule-exceptions`: exceptions to rules with what they held back.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::exception::ExceptionDraft;
use deedtrail_core::exception::{ExceptionCondition, ExceptionStatus, RuleException};
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
    let rule = asked.rule.filter(|rule| !rule.is_empty());
    let read = move |app: &App| {
        let now = app.ports.clock.now();
        let exceptions = app.rule_exceptions(&principal, rule.as_deref())?;
        let exceptions = exceptions.into_iter().map(|it| Shown::new(it, now));
        Ok::<_, Problem>(List {
            exceptions: exceptions.collect(),
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

pub(super) async fn end(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(number): Path<String>,
) -> Answer<Over> {
    let number: u32 = number.parse().map_err(|_| {
        let number = ask::shortened(&number);
        Problem::bad_request(format!("`{number}` is no number of an exception"))
    })?;
    let end = move |app: &App| {
        let ended = app.end_exception(&principal, number)?;
        let now = app.ports.clock.now();
        Ok::<_, Problem>(Over {
            exception: ended.map(|it| Shown::new(it, now)),
        })
    };
    shared.attempt(end).await.map(Json)
}
