//! What an identity usually does, what changed since the newest approved baseline, and approving it.

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::behaviour::{BaselineError, OpenFindings};
use deedtrail_core::Text;
use deedtrail_core::behaviour::{Baseline, BaselineRecord};
use deedtrail_core::port::store::Scope;

use serde::Deserialize;

use super::charters::SignedView;
use super::unsettled_view::UnsettledList;
use super::{Chrome, Failure, Section, filters, show};
use crate::api::{Asked, time};
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{Moment, Shown, grouped, share};

/// Lines of each table; the API has all.
const LINES_MAX: usize = 40;
/// Changes shown, the gravest.
const CHANGES_MAX: usize = 40;

#[derive(Debug)]
struct Line {
    name: Shown,
    events: String,
    share: String,
}

#[derive(Debug)]
struct VersionRow {
    version: u32,
    signed: SignedView,
    /// The owner, when somebody else approved it.
    for_owner: Option<Shown>,
    events: String,
    from: Moment,
    until: Moment,
    withdrawn: Option<WithdrawnView>,
    may_withdraw: bool,
}

#[derive(Debug)]
struct WithdrawnView {
    signed: SignedView,
    reason: Shown,
}

#[derive(Debug)]
struct Usual {
    from: Moment,
    until: Moment,
    figures: String,
    actions: Vec<Line>,
    networks: Vec<Line>,
}

#[derive(Debug, Template)]
#[template(path = "baseline.html")]
struct BaselinePage {
    chrome: Chrome,
    name: Shown,
    address: String,
    /// The number of the approved baseline that is shown; `None`: what it does at present.
    number: Option<u32>,
    /// Those that speak against approving what is shown.
    findings: UnsettledList,
    /// `None`: it did nothing that could be summarised.
    usual: Option<Usual>,
    versions: Vec<VersionRow>,
    /// Since the newest version; `None` without one, or when nothing was done since.
    changes: Option<Vec<Shown>>,
    may_decide: bool,
}

/// The stretch of time that was shown.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Window {
    from: Option<String>,
    to: Option<String>,
    /// Given when it is approved although open findings rest on it.
    accept_open_findings: Option<String>,
}

/// Which baseline is shown.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NumberAsked {
    number: Option<u32>,
}

/// What the button sends that withdraws one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WithdrawForm {
    number: u32,
    reason: String,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(who): Path<String>,
    Asked(asked): Asked<NumberAsked>,
) -> Result<Response, Failure> {
    let page = shared
        .attempt(move |app| load(app, &principal, &who, asked.number))
        .await?;
    Ok(show(&page))
}

pub(super) async fn withdraw(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(who): Path<String>,
    Form(form): Form<WithdrawForm>,
) -> Result<Response, Failure> {
    let withdraw = move |app: &App| {
        let file = app.find_identity_called(&principal.reading(), &who)?;
        app.withdraw_baseline(&principal, &file, form.number, &form.reason)?;
        Ok::<_, BaselineError>(file.identity.id)
    };
    let id = shared.attempt(withdraw).await?;
    Ok(Redirect::to(&format!("/identities/{id}/baseline")).into_response())
}

pub(super) async fn approve(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(who): Path<String>,
    Form(window): Form<Window>,
) -> Result<Response, Failure> {
    let of_findings = match window.accept_open_findings {
        Some(_) => OpenFindings::Accept,
        None => OpenFindings::Refuse,
    };
    let window = (
        time("from", window.from.as_deref())?,
        time("to", window.to.as_deref())?,
    );
    let approve = move |app: &App| {
        let file = app.find_identity_called(&principal.reading(), &who)?;
        app.approve_baseline(&principal, &file, window, of_findings)?;
        Ok::<_, BaselineError>(file.identity.id)
    };
    let id = shared.attempt(approve).await?;
    Ok(Redirect::to(&format!("/identities/{id}/baseline")).into_response())
}

fn load(
    app: &App,
    principal: &Principal,
    who: &str,
    number: Option<u32>,
) -> Result<BaselinePage, Problem> {
    let file = app.find_identity(principal, who)?;
    let overview = app.baseline_overview(principal, &file)?;
    let (mut findings, mut shown) = (UnsettledList::default(), None);
    if let Some(number) = number {
        shown = Some(usual(
            &app.baseline(principal, &file, number)?.baseline,
            false,
        ));
    } else if let Some(learned) = &overview.usual {
        findings = UnsettledList::of(&learned.findings, learned.findings_not_looked_at);
        shown = Some(usual(&learned.baseline, learned.cut));
    }
    let sentences = overview.changes.map(|changes| {
        let shown = changes.iter().take(CHANGES_MAX);
        let more = changes.len().saturating_sub(CHANGES_MAX);
        let more = (more > 0).then(|| Shown::new(&format!("and {more} more")));
        shown
            .map(|change| Shown::cut(&change.sentence(), 200))
            .chain(more)
            .collect()
    });
    let may_decide = principal.require(Scope::Write).is_ok();
    Ok(BaselinePage {
        chrome: Chrome::load(app, principal, Section::Identities)?,
        name: Shown::cut(&file.identity.name, 80),
        address: format!("/identities/{}", file.identity.id),
        number,
        findings,
        usual: shown,
        versions: overview
            .versions
            .iter()
            .map(|record| version_row(record, may_decide))
            .collect(),
        changes: sentences,
        may_decide,
    })
}

fn usual(it: &Baseline, cut: bool) -> Usual {
    let (median, busy) = it.events_per_day;
    let cut = if cut {
        "; there were more events, the newest are looked at"
    } else {
        ""
    };
    Usual {
        from: Moment::new(it.from),
        until: Moment::new(it.until),
        figures: format!(
            "{} events on {} days; {} on a median day, {} on a busy one{cut}",
            grouped(it.events),
            it.active_days,
            grouped(median),
            grouped(busy)
        ),
        actions: lines(&it.actions, it.events),
        networks: lines(&it.networks, it.events),
    }
}

fn lines(counts: &BTreeMap<Text, u64>, of: u64) -> Vec<Line> {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), (*name).clone()));
    let others = sorted.split_off(sorted.len().min(LINES_MAX));
    let line = |name: &str, count| Line {
        name: Shown::cut(name, 100),
        events: grouped(count),
        share: share(count, of),
    };
    let shown = sorted.into_iter().map(|(name, count)| line(name, *count));
    let rest = (!others.is_empty()).then(|| {
        let events = others.iter().map(|(_, count)| **count).sum();
        line(&format!("{} others", others.len()), events)
    });
    shown.chain(rest).collect()
}

fn version_row(record: &BaselineRecord, may_decide: bool) -> VersionRow {
    let owner = record.owner.as_deref().unwrap_or("nobody");
    VersionRow {
        version: record.version,
        signed: SignedView::new(&record.approved),
        for_owner: record.approved_for_owner().then(|| Shown::cut(owner, 60)),
        events: grouped(record.baseline.events),
        from: Moment::new(record.baseline.from),
        until: Moment::new(record.baseline.until),
        withdrawn: record.withdrawn.as_ref().map(|it| WithdrawnView {
            signed: SignedView::new(&it.signed),
            reason: Shown::cut(&it.reason, 200),
        }),
        may_withdraw: may_decide && record.withdrawn.is_none(),
    }
}
