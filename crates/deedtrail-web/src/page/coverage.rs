//! Which planes of which system are seen.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::feed_health::PlaneCoverage;
use deedtrail_app::timeline::ReadingError;
use deedtrail_core::event::Plane;

use super::source_view::Tab;
use super::{Chrome, Failure, Section, show};
use crate::state::Shared;
use crate::view::{Shown, grouped};

#[derive(Debug)]
struct Cell {
    badge: Option<(&'static str, &'static str)>,
    events: String,
    sources: Vec<String>,
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
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Result<Response, Failure> {
    let page = shared.attempt(move |app| load(app, &principal)).await?;
    Ok(show(&page))
}

fn load(app: &App, principal: &Principal) -> Result<CoveragePage, ReadingError> {
    let systems = app.coverage(principal)?;
    let cells = systems.iter().flat_map(|system| &system.planes);
    let missing = cells.filter(|cell| matches!(cell, PlaneCoverage::Missing { .. }));
    let planes = Plane::ALL.iter();
    Ok(CoveragePage {
        chrome: Chrome::load(app, principal, Section::Sources)?,
        tab: Tab::Coverage,
        planes: planes.map(|plane| plane.name().replace('_', " ")).collect(),
        missing: missing.count(),
        rows: systems
            .iter()
            .map(|system| SystemRow {
                system: Shown::new(&system.system),
                cells: system.planes.iter().map(cell).collect(),
            })
            .collect(),
    })
}

fn cell(plane: &PlaneCoverage) -> Cell {
    let names = |sources: &[_]| sources.iter().map(ToString::to_string).collect();
    match plane {
        PlaneCoverage::Seen {
            events,
            sources,
            silent,
        } => Cell {
            badge: Some(if *silent {
                ("high", "Silent")
            } else {
                ("ok", "Seen")
            }),
            events: grouped(*events),
            sources: names(sources),
        },
        PlaneCoverage::Missing { sources } => Cell {
            badge: Some(("crit", "Missing")),
            events: String::new(),
            sources: names(sources),
        },
        PlaneCoverage::Unknown => Cell {
            badge: None,
            events: String::new(),
            sources: Vec::new(),
        },
    }
}
