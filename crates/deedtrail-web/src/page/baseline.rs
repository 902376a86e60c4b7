//! What an identity usually does, what changed since the newest approved baseline, and approving it.

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::behaviour::{BaselineError, BaselineText};
use deedtrail_core::Text;
use deedtrail_core::behaviour::BaselineRecord;
use deedtrail_core::port::store::Scope;

use serde::Deserialize;

use super::charters::SignedView;
use super::{Chrome, Failure, Section, show};
use crate::api::time;
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
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(who): Path<String>,
) -> Result<Response, Failure> {
    let page = shared
        .attempt(move |app| load(app, &principal, &who))
        .await?;
    Ok(show(&page))
}

pub(super) async fn approve(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(who): Path<String>,
    Form(window): Form<Window>,
) -> Result<Response, Failure> {
    let window = (
        time("from", window.from.as_deref())?,
        time("to", window.to.as_deref())?,
    );
    let approve = move |app: &App| {
        let file = app.find_identity(&principal.reading(), &who)?;
        app.approve_baseline(&principal, &file, window)?;
        Ok::<_, BaselineError>(file.identity.id)
    };
    let id = shared.attempt(approve).await?;
    Ok(Redirect::to(&format!("/identities/{id}/baseline")).into_response())
}

fn load(app: &App, principal: &Principal, who: &str) -> Result<BaselinePage, Problem> {
    let file = app.find_identity(principal, who)?;
    let overview = app.baseline_overview(principal, &file)?;
    let sentences = overview.changes.map(|changes| {
        let shown = changes.iter().take(CHANGES_MAX);
        shown
            .map(|change| Shown::cut(&change.sentence(), 200))
            .collect()
    });
    Ok(BaselinePage {
        chrome: Chrome::load(app, principal, Section::Identities)?,
        name: Shown::cut(&file.identity.name, 80),
        address: format!("/identities/{}", file.identity.id),
        usual: overview.usual.as_ref().map(usual),
        versions: overview.versions.iter().map(version_row).collect(),
        changes: sentences,
        may_decide: principal.require(Scope::Write).is_ok(),
    })
}

fn usual(learned: &BaselineText) -> Usual {
    let it = &learned.baseline;
    let (median, busy) = it.events_per_day;
    let cut = if learned.cut {
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
    let shown = sorted.into_iter().take(LINES_MAX);
    shown
        .map(|(name, count)| Line {
            name: Shown::cut(name, 100),
            events: grouped(*count),
            share: share(*count, of),
        })
        .collect()
}

fn version_row(record: &BaselineRecord) -> VersionRow {
    let owner = record.owner.as_deref().unwrap_or("nobody");
    VersionRow {
        version: record.version,
        signed: SignedView::new(&record.approved),
        for_owner: record.approved_for_owner().then(|| Shown::cut(owner, 60)),
        events: grouped(record.baseline.events),
        from: Moment::new(record.baseline.from),
        until: Moment::new(record.baseline.until),
    }
}
