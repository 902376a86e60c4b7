//! One feed with its quarantine.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_core::port::store::Quarantined;
use deedtrail_core::time::Timestamp;

use super::here::Here;
use super::sources::{HealthView, title};
use super::{Chrome, Failure, Section, show};
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{Moment, Shown, ago, grouped};

/// Quarantined records shown.
const QUARANTINE_MAX: usize = 200;

#[derive(Debug)]
struct QuarantineRow {
    sequence: String,
    received: Moment,
    ago: String,
    code: Shown,
    reason: Shown,
    bytes: String,
    advice: &'static str,
}

#[derive(Debug, Template)]
#[template(path = "source.html")]
struct SourcePage {
    chrome: Chrome,
    /// Address of this server.
    here: String,
    name: String,
    title: Shown,
    planes: Shown,
    mapping: Option<Shown>,
    silent: bool,
    quiet: String,
    health: Option<HealthView>,
    rows: Vec<QuarantineRow>,
    more: bool,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    here: Here,
) -> Result<Response, Failure> {
    let page = shared
        .attempt(move |app| load(app, &principal, &name, here))
        .await?;
    Ok(show(&page))
}

fn load(app: &App, principal: &Principal, name: &str, here: Here) -> Result<SourcePage, Problem> {
    let reports = app.sources(principal)?;
    let report = reports
        .into_iter()
        .find(|report| report.name.as_str() == name);
    let report = report.ok_or_else(|| {
        Problem::not_found("No source has this name; the page Sources lists them all.")
    })?;
    let now = app.ports.clock.now();
    let quarantined = app.quarantine(principal, Some(&report.name), QUARANTINE_MAX)?;
    let facts = report.facts.as_ref();
    Ok(SourcePage {
        chrome: Chrome::load(app, principal, Section::Sources)?,
        here: here.0,
        name: report.name.to_string(),
        title: title(&report),
        planes: Shown::new(&facts.map_or("plane unknown".to_owned(), |f| {
            f.planes.join(", ").replace('_', " ")
        })),
        mapping: facts.map(|facts| Shown::cut(&facts.mapping_version, 12)),
        silent: report.silent(),
        quiet: report.quiet_us.map(ago).unwrap_or_default(),
        health: report
            .health
            .as_ref()
            .map(|health| HealthView::new(health, now)),
        more: quarantined.len() >= QUARANTINE_MAX,
        rows: quarantined.iter().map(|record| row(record, now)).collect(),
    })
}

fn row(record: &Quarantined, now: Timestamp) -> QuarantineRow {
    QuarantineRow {
        sequence: grouped(record.sequence),
        received: Moment::new(record.received),
        ago: ago(now.micros_since(record.received)),
        code: Shown::cut(&record.code, 40),
        reason: Shown::new(&record.reason),
        bytes: grouped(record.bytes),
        advice: advice(&record.code),
    }
}

/// What to do about a reason.
fn advice(code: &str) -> &'static str {
    match code {
        "not_json" => "Make the shipper send one JSON object per line; look for cut lines.",
        "not_utf8" => "Make the shipper send UTF-8.",
        "too_deep" | "too_many_events" => "Split the record at the sender; it is over a limit.",
        "duplicate_key" => "Make the sender write each key once; two values cannot both be true.",
        "out_of_range" => "Compare the value with the vendor's format; adapt the mapping.",
        "wrong_source" => "The record is of another source; send it there.",
        "unknown_source" => "Add the source's mapping folder, then replay.",
        _ => "Fix the mapping, then replay.",
    }
}
