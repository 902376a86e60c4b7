//! Rules: which are in force and since when, one of them, and trying one over history.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::rule_backtest::{BacktestError, Tried, TriedRange};
use deedtrail_app::rule_name::UnknownRule;
use deedtrail_app::rule_score::RuleScore;
use deedtrail_app::rule_set::InForce;
use deedtrail_core::port::store::Scope;
use serde::Deserialize;

use super::backtest_view::BacktestView;
use super::exceptions::ExceptionRow;
use super::{Chrome, Failure, Section, query_string, show};
use crate::api::{Asked, time};
use crate::config::FORM_BYTES_MAX;
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{Moment, Shown, grouped};

/// Mistakes named on the page; the others are counted.
const MISTAKES_MAX: usize = 20;
/// Characters of a digest that people compare.
const DIGEST_SHOWN: usize = 16;

#[derive(Debug)]
struct RuleRow {
    name: Shown,
    href: String,
    delivery: &'static str,
    matches: String,
    findings: String,
    open: String,
    held_back: String,
    last: Option<Moment>,
}

/// Since when rules are in force, by whom and with what digest.
#[derive(Debug)]
struct StandView {
    digest: String,
    since: Option<(Moment, Shown, u64)>,
    left_out: Vec<Shown>,
    left_out_more: usize,
}

#[derive(Debug, Template)]
#[template(path = "rules.html")]
struct RulesPage {
    chrome: Chrome,
    headline: String,
    stand: StandView,
    rows: Vec<RuleRow>,
    may_reload: bool,
    /// What a reload just did, in words.
    done: Option<&'static str>,
}

#[derive(Debug, Template)]
#[template(path = "rule.html")]
struct RulePage {
    chrome: Chrome,
    name: Shown,
    value: String,
    /// `None` for a charter, and for what is in force no longer.
    explained: Option<Shown>,
    exceptions: Vec<ExceptionRow>,
    from: String,
    to: String,
    result: Option<BacktestView>,
}

#[derive(Debug, Template)]
#[template(path = "rule_draft.html")]
struct DraftPage {
    chrome: Chrome,
    name: String,
    text: String,
    from: String,
    to: String,
    problem: Option<Shown>,
    result: Option<BacktestView>,
    bytes_max: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RulesAsked {
    /// `changed` or `same`, after a reload.
    reloaded: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct RuleAsked {
    name: String,
}

/// What the forms that try a rule send.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TryForm {
    name: String,
    text: String,
    from: String,
    to: String,
}

impl TryForm {
    fn range(&self) -> Result<TriedRange, Problem> {
        Ok(TriedRange {
            from: time("from", Some(&self.from))?,
            to: time("to", Some(&self.to))?,
        })
    }
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Asked(asked): Asked<RulesAsked>,
) -> Result<Response, Failure> {
    let load = move |app: &App| -> Result<_, Problem> {
        let in_force = app.in_force();
        let scores = app.rule_scores(&principal)?;
        Ok(RulesPage {
            chrome: Chrome::load(app, &principal, Section::Findings)?,
            headline: format!(
                "{} rules and {} unsafe sequences are in force",
                in_force.rules.findings().count(),
                in_force.sequences.forms().count()
            ),
            stand: StandView::new(&in_force),
            rows: scores.iter().map(RuleRow::new).collect(),
            may_reload: principal.require(Scope::Admin).is_ok() && app.own_rules.is_some(),
            done: match asked.reloaded.as_str() {
                "changed" => Some("Read again: other rules are in force from now on."),
                "same" => Some("Read again: the folders hold what is in force already."),
                _ => None,
            },
        })
    };
    let page = shared.attempt(load).await?;
    Ok(show(&page))
}

pub(super) async fn reload(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Result<Response, Failure> {
    let reloaded = shared
        .attempt(move |app: &App| app.reload_rules(&principal))
        .await?;
    let what = if reloaded.changed { "changed" } else { "same" };
    Ok(Redirect::to(&format!("/rules?reloaded={what}")).into_response())
}

pub(super) async fn one(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Asked(asked): Asked<RuleAsked>,
) -> Result<Response, Failure> {
    let load = move |app: &App| load(app, &principal, &asked.name);
    let page = shared.attempt(load).await?;
    Ok(show(&page))
}

/// Tries a rule in force.
pub(super) async fn try_one(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Form(form): Form<TryForm>,
) -> Result<Response, Failure> {
    let run = move |app: &App, goes_on: &dyn Fn() -> bool| -> Result<_, Problem> {
        let mut page = load(app, &principal, &form.name)?;
        let tried = Tried::Known(&form.name);
        let report = app.backtest_rule(&principal, tried, form.range()?, goes_on)?;
        page.result = Some(BacktestView::new(&report));
        (page.from, page.to) = (form.from, form.to);
        Ok(page)
    };
    let page = shared.attempt_while_awaited(run).await?;
    Ok(show(&page))
}

/// The page for a rule that is not in force yet.
pub(super) async fn draft(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Result<Response, Failure> {
    let load = move |app: &App| draft_page(app, &principal, TryForm::default());
    let page = shared.attempt(load).await?;
    Ok(show(&page))
}

/// Tries what was pasted; with a mistake the text comes back with it.
pub(super) async fn try_draft(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Form(form): Form<TryForm>,
) -> Result<Response, Failure> {
    let run = move |app: &App, goes_on: &dyn Fn() -> bool| -> Result<_, Problem> {
        // Browsers send line breaks as CR LF.
        let text = form.text.replace("\r\n", "\n");
        let (range, form) = (form.range()?, TryForm { text, ..form });
        let tried = Tried::Draft {
            name: Some(&form.name),
            text: &form.text,
        };
        let (result, problem) = match app.backtest_rule(&principal, tried, range, goes_on) {
            Ok(report) => (Some(BacktestView::new(&report)), None),
            Err(error @ (BacktestError::Mistakes(_) | BacktestError::Empty)) => {
                (None, Some(Shown::cut(&error.to_string(), 2_000)))
            }
            Err(error) => return Err(error.into()),
        };
        Ok(DraftPage {
            problem,
            result,
            ..draft_page(app, &principal, form)?
        })
    };
    let page = shared.attempt_while_awaited(run).await?;
    let mut response = show(&page);
    if page.problem.is_some() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

fn draft_page(app: &App, principal: &Principal, form: TryForm) -> Result<DraftPage, Problem> {
    Ok(DraftPage {
        chrome: Chrome::load(app, principal, Section::Findings)?,
        name: form.name,
        text: form.text,
        from: form.from,
        to: form.to,
        problem: None,
        result: None,
        bytes_max: FORM_BYTES_MAX,
    })
}

fn load(app: &App, principal: &Principal, name: &str) -> Result<RulePage, Problem> {
    let in_force = app.in_force();
    let filed = in_force.rules.find(name);
    let filed = filed.map_or_else(|| name.to_owned(), |rule| rule.name.to_string());
    let name = filed.as_str();
    let explained = match name.strip_prefix("sequence/") {
        Some(id) => in_force.sequences.text_of(id),
        None => in_force.rules.explain(name, &app.ports.mapper.sources()),
    };
    // What found something stays a page, also when it is a charter or in force no longer.
    let has_found = || -> Result<bool, Problem> {
        let scores = app.rule_scores(principal)?;
        Ok(scores.iter().any(|score| score.rule == name))
    };
    if explained.is_none() && !has_found()? {
        let unknown = UnknownRule::new(name, &in_force.rules, &in_force.sequences);
        let (name, near) = (crate::api::shortened(name), unknown.near());
        let end = if near.is_empty() { "." } else { "" };
        return Err(Problem::not_found(format!(
            "No rule is called `{name}`{near}{end} The list of rules names them all."
        )));
    }
    let now = app.ports.clock.now();
    let exceptions = app.exceptions_to(principal, &filed)?;
    Ok(RulePage {
        chrome: Chrome::load(app, principal, Section::Findings)?,
        name: Shown::new(&filed),
        value: filed,
        explained: explained.as_deref().map(Shown::long),
        exceptions: exceptions
            .iter()
            .map(|one| ExceptionRow::new(one, now))
            .collect(),
        from: String::new(),
        to: String::new(),
        result: None,
    })
}

impl RuleRow {
    fn new(score: &RuleScore) -> Self {
        Self {
            name: Shown::new(&score.rule),
            href: rule_address(&score.rule),
            delivery: match &score.delivery {
                Some(delivery) => delivery.words(),
                None => "no longer in force",
            },
            matches: grouped(score.matches),
            findings: grouped(score.findings),
            open: grouped(score.open),
            held_back: grouped(score.held_back),
            last: score.last.map(Moment::new),
        }
    }
}

/// Where the page of a rule is.
pub(super) fn rule_address(name: &str) -> String {
    format!("/rule{}", query_string(&[("name", name)]))
}

impl StandView {
    fn new(in_force: &InForce) -> Self {
        let left_out = in_force.rules_left_out.iter();
        let left_out: Vec<&String> = left_out.chain(&in_force.sequences_left_out).collect();
        Self {
            digest: in_force
                .digest
                .get(..DIGEST_SHOWN)
                .unwrap_or_default()
                .to_owned(),
            since: in_force
                .since
                .as_ref()
                .map(|since| (Moment::new(since.at), Shown::new(&since.by), since.sequence)),
            left_out_more: left_out.len().saturating_sub(MISTAKES_MAX),
            left_out: left_out
                .into_iter()
                .take(MISTAKES_MAX)
                .map(|line| Shown::cut(line, 400))
                .collect(),
        }
    }
}
