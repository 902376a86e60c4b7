//! Health of every feed.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::listing::SourceReport;
use deedtrail_core::port::store::SourceHealth;
use deedtrail_core::time::Timestamp;

use super::{Chrome, Failure, Section, show};
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{Moment, Shown, ago, grouped, share};

/// Most missing facts named in a row.
const MISSING_NAMED_MAX: usize = 3;

/// Health of a source in words and figures.
#[derive(Debug)]
pub(super) struct HealthView {
    pub(super) last: Option<(Moment, String)>,
    pub(super) lag: String,
    pub(super) records: String,
    pub(super) events: String,
    pub(super) quarantined: String,
    pub(super) any_quarantined: bool,
    pub(super) conflicts: String,
    pub(super) bytes: String,
    /// Share of events by evidence grade, with the grade's letter.
    pub(super) grades: Vec<(&'static str, String)>,
    pub(super) other: String,
    pub(super) missing: Vec<(Shown, String)>,
}

#[derive(Debug)]
struct SourceRow {
    name: String,
    title: Shown,
    silent: bool,
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

#[derive(Debug, Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    chrome: Chrome,
    rows: Vec<SourceRow>,
    ready: Vec<ReadySource>,
    silent: usize,
}

impl HealthView {
    pub(super) fn new(health: &SourceHealth, now: Timestamp) -> Self {
        let graded: u64 = health.grades.iter().sum();
        let letters = ["A", "B", "C", "D"].into_iter();
        let missing = health.missing.iter();
        let mut missing: Vec<(&str, u64)> = missing.map(|(name, n)| (name.as_str(), *n)).collect();
        missing.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Self {
            last: health
                .last_received
                .map(|at| (Moment::new(at), ago(now.micros_since(at)))),
            lag: lag(health),
            records: grouped(health.records),
            events: grouped(health.events),
            quarantined: grouped(health.quarantined),
            any_quarantined: health.quarantined > 0,
            conflicts: grouped(health.conflicts),
            bytes: bytes(health.bytes),
            grades: letters
                .zip(health.grades.map(|count| share(count, graded)))
                .collect(),
            other: share(health.other_actions, health.events),
            missing: missing
                .into_iter()
                .map(|(name, count)| (Shown::new(name), share(count, health.events)))
                .collect(),
        }
    }
}

/// How far the newest event lies behind the newest record.
fn lag(health: &SourceHealth) -> String {
    match (health.last_received, health.last_event) {
        (Some(received), Some(event)) if received > event => {
            crate::view::span(received.micros_since(event))
        }
        (Some(_), Some(_)) => "none".to_owned(),
        _ => "–".to_owned(),
    }
}

/// Bytes in a unit people read.
fn bytes(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, name)) => format!("{}.{} {name}", bytes / size, bytes % size * 10 / size),
        None => format!("{bytes} B"),
    }
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
        silent: reports.iter().filter(|report| report.silent()).count(),
        rows: reports
            .iter()
            .filter_map(|report| row(report, now))
            .collect(),
        ready: reports
            .iter()
            .filter(|r| r.health.is_none())
            .map(ready)
            .collect(),
    })
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
        silent: report.silent(),
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

/// Title of a source; one without a mapping says so: a protocol whose records wait for one, or a
/// source that was taken away.
pub(super) fn title(report: &SourceReport) -> Shown {
    let title = report.facts.as_ref().map(|facts| facts.title.as_str());
    Shown::new(title.unwrap_or("no mapping of this name"))
}

fn ready(report: &SourceReport) -> ReadySource {
    let planes = report.facts.as_ref().map(|facts| facts.planes.join(", "));
    ReadySource {
        name: report.name.to_string(),
        title: title(report),
        planes: Shown::new(&planes.unwrap_or_default().replace('_', " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_words() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "17179869183.9 GiB");
    }
}
