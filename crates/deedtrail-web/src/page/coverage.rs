//! Which planes of which system are seen.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::feed_health::{Coverage, PlaneCoverage};
use deedtrail_app::timeline::ReadingError;
use deedtrail_core::event::Plane;
use deedtrail_core::health::SYSTEMS_MAX;
use deedtrail_core::time::Timestamp;

use super::source_view::Tab;
use super::{Chrome, Failure, Section, show};
use crate::state::Shared;
use crate::view::{Moment, Shown, ago, grouped};

#[derive(Debug)]
struct Cell {
    badge: Option<(&'static str, &'static str)>,
    events: String,
    sources: Vec<String>,
    /// When the newest event was received.
    last: Option<(Moment, String)>,
}

#[derive(Debug)]
struct SystemRow {
    system: Shown,
    cells: Vec<Cell>,
}

#[derive(Debug, Template)]
#[template(path = "coverage.html")]
struct CoveragePage {
    chrome: Chrome,
    tab: Tab,
    planes: Vec<String>,
    rows: Vec<SystemRow>,
    missing: usize,
    left_out: Vec<(String, String)>,
    systems_max: usize,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Result<Response, Failure> {
    let page = shared.attempt(move |app| load(app, &principal)).await?;
    Ok(show(&page))
}

fn load(app: &App, principal: &Principal) -> Result<CoveragePage, ReadingError> {
    let Coverage { systems, left_out } = app.coverage(principal)?;
    let now = app.ports.clock.now();
    let cell = |plane: &PlaneCoverage| cell(plane, now);
    let cells = systems.iter().flat_map(|system| &system.planes);
    let missing = cells.filter(|cell| matches!(cell, PlaneCoverage::Missing { .. }));
    let planes = Plane::ALL.iter();
    Ok(CoveragePage {
        chrome: Chrome::load(app, principal, Section::Sources)?,
        tab: Tab::Coverage,
        planes: planes.map(|plane| plane.name().replace('_', " ")).collect(),
        missing: missing.count(),
        left_out: left_out
            .iter()
            .map(|one| (one.source.to_string(), grouped(one.events)))
            .collect(),
        systems_max: SYSTEMS_MAX,
        rows: systems
            .iter()
            .map(|system| SystemRow {
                system: Shown::new(&system.system),
                cells: system.planes.iter().map(cell).collect(),
            })
            .collect(),
    })
}

fn cell(plane: &PlaneCoverage, now: Timestamp) -> Cell {
    let names = |sources: &[_]| sources.iter().map(ToString::to_string).collect();
    match plane {
        PlaneCoverage::Seen {
            events,
            sources,
            last,
            silent,
        } => Cell {
            badge: Some(if *silent {
                ("high", "Silent")
            } else {
                ("ok", "Seen")
            }),
            events: grouped(*events),
            sources: names(sources),
            last: last.map(|at| (Moment::new(at), ago(now.micros_since(at)))),
        },
        PlaneCoverage::Missing { sources } => Cell {
            badge: Some(("crit", "Missing")),
            events: String::new(),
            sources: names(sources),
            last: None,
        },
        PlaneCoverage::Unknown => Cell {
            badge: None,
            events: String::new(),
            sources: Vec::new(),
            last: None,
        },
    }
}
