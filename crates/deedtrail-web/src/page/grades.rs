//! How good the events of each source are as evidence.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::timeline::ReadingError;
use deedtrail_core::event::FACTS;
use deedtrail_core::health::SourceHealth;

use super::source_view::{StateBadge, Tab};
use super::{Chrome, Failure, Section, show};
use crate::state::Shared;
use crate::view::{Shown, grouped, share};

/// A share of missing facts that is marked, percent.
const MARKED_PERCENT: u64 = 10;

#[derive(Debug)]
struct Fact {
    share: String,
    any: bool,
    marked: bool,
}

#[derive(Debug)]
struct GradeRow {
    source: String,
    badge: StateBadge,
    events: String,
    grades: [String; 4],
    facts: Vec<Fact>,
    degraded: Vec<Shown>,
}

#[derive(Debug, Template)]
#[template(path = "grades.html")]
struct GradesPage {
    chrome: Chrome,
    tab: Tab,
    facts: Vec<String>,
    rows: Vec<GradeRow>,
    meanings: [(&'static str, &'static str, &'static str); 8],
}

/// What each fact is, and what to do where it is missing; in the order of [`FACTS`].
const MEANINGS: [(&str, &str, &str); FACTS.len()] = [
    (
        "actor",
        "who did it",
        "Map an id of the actor that survives renames; ask the vendor for a log level that names one.",
    ),
    (
        "time",
        "when it happened",
        "Map the vendor's own time, not the collector's; look at the zone.",
    ),
    (
        "action",
        "what was done",
        "Add the operation to the mapping's actions; deedtrail source test lists those without one.",
    ),
    (
        "target",
        "on what",
        "Map the id or name of what was acted on; some logs give it at a higher level only.",
    ),
    (
        "outcome",
        "how it ended",
        "Map what the vendor says of refusals and failures; where it says nothing it stays unknown.",
    ),
    (
        "source uid",
        "the vendor's id of the record",
        "Map it: it tells repeated deliveries from new records.",
    ),
    (
        "url",
        "which link was clicked",
        "Let the vendor's log keep the address.",
    ),
    (
        "verdict",
        "what was known of the link then",
        "Buy or switch on the level of the product that tells it.",
    ),
];

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Result<Response, Failure> {
    let page = shared.attempt(move |app| load(app, &principal)).await?;
    Ok(show(&page))
}

fn load(app: &App, principal: &Principal) -> Result<GradesPage, ReadingError> {
    let reports = app.sources(principal)?;
    let rows = reports.iter().filter_map(|report| {
        let health = report.health.as_ref()?;
        Some(row(health, report.state.into()))
    });
    Ok(GradesPage {
        chrome: Chrome::load(app, principal, Section::Sources)?,
        tab: Tab::Grades,
        facts: FACTS.map(|fact| fact.replace('_', " ")).to_vec(),
        rows: rows.collect(),
        meanings: MEANINGS,
    })
}

fn row(health: &SourceHealth, badge: StateBadge) -> GradeRow {
    let events = health.events;
    let facts = FACTS.map(|fact| {
        let missing = health.missing.get(fact).copied().unwrap_or(0);
        Fact {
            share: share(missing, events),
            any: missing > 0,
            marked: missing * 100 >= events * MARKED_PERCENT && missing > 0,
        }
    });
    GradeRow {
        source: health.source.to_string(),
        badge,
        events: grouped(events),
        grades: health
            .grades
            .map(|count| share(count, health.grades.iter().sum())),
        facts: facts.into(),
        degraded: health
            .watched
            .degraded
            .iter()
            .map(|it| Shown::new(it))
            .collect(),
    }
}
