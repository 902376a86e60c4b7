//! Health of every feed.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::feed_health::{SourceReport, SourceState, Space};
use deedtrail_core::time::Timestamp;

use super::source_view::{HealthView, StateBadge, Tab, bytes, title};
use super::way_in::{self, WayIn};
use super::{Chrome, Failure, Section, show};
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{Shown, grouped};

/// Most missing facts named in a row.
const MISSING_NAMED_MAX: usize = 3;

#[derive(Debug)]
struct SourceRow {
    name: String,
    title: Shown,
    badge: StateBadge,
    health: HealthView,
    /// Share of every grade that occurs, and the facts that keep events from grade A.
    grades: String,
    lacks: Option<String>,
}

/// A source that is ready but has never delivered.
#[derive(Debug)]
struct ReadySource {
    name: String,
    title: Shown,
    planes: Shown,
}

/// What records and summaries take now, and kept for 30 and 400 days.
#[derive(Debug)]
struct SpaceView {
    raw: String,
    raw_kept: String,
    summaries: String,
    summaries_kept: String,
}

#[derive(Debug, Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    chrome: Chrome,
    tab: Tab,
    rows: Vec<SourceRow>,
    ways: Vec<WayIn>,
    ready: Vec<ReadySource>,
    silent: usize,
    space: SpaceView,
    /// Silence is told when it is rarer than one in so many.
    silence_one_in: String,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Result<Response, Failure> {
    let page = shared.attempt(move |app| load(app, &principal)).await?;
    Ok(show(&page))
}

fn load(app: &App, principal: &Principal) -> Result<SourcesPage, Problem> {
    let reports = app.sources(principal)?;
    let now = app.ports.clock.now();
    Ok(SourcesPage {
        chrome: Chrome::load(app, principal, Section::Sources)?,
        tab: Tab::Health,
        silent: reports
            .iter()
            .filter(|report| report.state == SourceState::Silent)
            .count(),
        silence_one_in: grouped(app.detection.source_silence_one_in.into()),
        space: space_view(&app.space(principal)?),
        ways: way_in::all(app, now),
        rows: rows(&reports, now),
        ready: reports
            .iter()
            .filter(|r| r.health.is_none())
            .map(ready)
            .collect(),
    })
}

fn space_view(space: &Space) -> SpaceView {
    SpaceView {
        raw: bytes(space.raw),
        raw_kept: bytes(space.raw_30_days),
        summaries: bytes(space.summaries),
        summaries_kept: bytes(space.summaries_400_days),
    }
}

/// What needs a look first, then by name.
fn rows(reports: &[SourceReport], now: Timestamp) -> Vec<SourceRow> {
    let urgency = |report: &&SourceReport| match report.state {
        SourceState::Silent => 0,
        SourceState::Degraded => 1,
        _ => 2,
    };
    let mut reports: Vec<&SourceReport> = reports.iter().collect();
    reports.sort_by_key(urgency);
    let rows = reports.into_iter().filter_map(|report| row(report, now));
    rows.collect()
}

fn row(report: &SourceReport, now: Timestamp) -> Option<SourceRow> {
    let health = HealthView::new(report.health.as_ref()?, now);
    let named = health.missing.iter().take(MISSING_NAMED_MAX);
    let named: Vec<String> = named
        .map(|(name, share)| format!("{name} {share}"))
        .collect();
    Some(SourceRow {
        name: report.name.to_string(),
        title: title(report),
        badge: report.state.into(),
        grades: grades(&health),
        lacks: (!named.is_empty()).then(|| named.join(", ")),
        health,
    })
}

/// `A 61.5 % · B 33.0 %`: the grades that occur.
fn grades(health: &HealthView) -> String {
    let occurring = health
        .grades
        .iter()
        .filter(|(_, share)| !matches!(share.as_str(), "0.0 %" | "–"));
    let words: Vec<String> = occurring
        .map(|(letter, share)| format!("{letter} {share}"))
        .collect();
    words.join(" · ")
}

fn ready(report: &SourceReport) -> ReadySource {
    let planes = report.facts.as_ref().map(|facts| facts.planes.join(", "));
    ReadySource {
        name: report.name.to_string(),
        title: title(report),
        planes: Shown::new(&planes.unwrap_or_default().replace('_', " ")),
    }
}
