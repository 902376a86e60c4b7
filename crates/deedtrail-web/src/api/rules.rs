//! `/v1/rules`: which are in force, reading them again, trying them over history.

use axum::body::Bytes;
use axum::extract::State;
use axum::{Extension, Json};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::pipeline::Backtest;
use deedtrail_app::rule_backtest::{Tried, TriedRange};
use deedtrail_app::rule_set::{InForce, Since};
use deedtrail_core::Text;
use deedtrail_core::finding::Severity;
use deedtrail_core::port::store::Scope;
use serde::{Deserialize, Serialize};

use super::Answer;
use super::ask;
use crate::problem::Problem;
use crate::state::Shared;

#[derive(Debug, Serialize)]
pub(super) struct List {
    digest: String,
    /// Null where the log takes no entries.
    since: Option<Since>,
    /// Those whose matches are findings, by name.
    rules: Vec<Shown>,
    /// Ids of unsafe sequences.
    sequences: Vec<String>,
    left_out: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Shown {
    id: Text,
    severity: Severity,
    finding: Text,
    title: String,
    techniques: Vec<Text>,
}

#[derive(Debug, Serialize)]
pub(super) struct ReloadAnswer {
    changed: bool,
    #[serde(flatten)]
    list: List,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BacktestAsked {
    /// Name or id of a rule in force, a code detector, or `sequence/ID`; with `text` the name that
    /// the text is tried under.
    rule: Option<String>,
    /// A file of rules, to be tried alone.
    text: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

impl List {
    fn new(in_force: &InForce) -> Self {
        let rules = in_force.rules.findings().map(|rule| Shown {
            id: rule.name.clone(),
            severity: rule.severity,
            finding: rule.finding.clone(),
            title: rule.title.clone(),
            techniques: rule.techniques.clone(),
        });
        let left_out = in_force.rules_left_out.iter();
        Self {
            digest: in_force.digest.clone(),
            since: in_force.since.clone(),
            rules: rules.collect(),
            sequences: in_force
                .sequences
                .forms()
                .map(|form| form.id.clone())
                .collect(),
            left_out: left_out
                .chain(&in_force.sequences_left_out)
                .cloned()
                .collect(),
            warnings: in_force.warnings.clone(),
        }
    }
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Answer<List> {
    let read = move |app: &App| {
        principal.require(Scope::Read)?;
        Ok::<_, Problem>(List::new(&app.in_force()))
    };
    shared.attempt(read).await.map(Json)
}

pub(super) async fn reload(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Answer<ReloadAnswer> {
    let reload = move |app: &App| {
        let reloaded = app.reload_rules(&principal)?;
        Ok::<_, Problem>(ReloadAnswer {
            changed: reloaded.changed,
            list: List::new(&reloaded.in_force),
        })
    };
    shared.attempt(reload).await.map(Json)
}

pub(super) async fn backtest(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    body: Bytes,
) -> Answer<Backtest> {
    let example =
        "{\"rule\": \"code/dormant\", \"from\": \"2026-10-01\"} or {\"text\": \"title: …\"}";
    let asked: BacktestAsked = ask::said(&body, example)?;
    let (from, to) = ask::window(asked.from.as_deref(), asked.to.as_deref())?;
    let run = move |app: &App, goes_on: &dyn Fn() -> bool| {
        let tried = match (&asked.text, &asked.rule) {
            (Some(text), name) => Tried::Draft {
                name: name.as_deref(),
                text,
            },
            (None, Some(name)) => Tried::Known(name),
            (None, None) => {
                return Err(Problem::invalid(
                    "send `rule` or `text`: what is to be tried?",
                ));
            }
        };
        Ok(app.backtest_rule(&principal, tried, TriedRange { from, to }, goes_on)?)
    };
    shared.attempt_while_awaited(run).await.map(Json)
}
