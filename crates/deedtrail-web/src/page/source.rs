//! One feed with its quarantine.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::feed_health::{Cost, RETENTION_DAYS, SourceState};
use deedtrail_app::quarantine::Wanted;
use deedtrail_core::port::store::{QuarantineReason, Quarantined, Scope};
use deedtrail_core::time::Timestamp;
use serde::Deserialize;

use super::here::Here;
use super::source_view::{HealthView, StateBadge, bytes, title};
use super::{Chrome, Failure, Section, show};
use crate::api::Asked;
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{Moment, Shown, ago, grouped};

/// Quarantined records shown.
const QUARANTINE_MAX: usize = 200;

#[derive(Debug)]
struct QuarantineRow {
    sequence: u64,
    received: Moment,
    ago: String,
    code: Shown,
    reason: Shown,
    bytes: String,
}

/// Records that wait for the same reason.
#[derive(Debug)]
struct ReasonRow {
    code: Shown,
    records: String,
    newest: u64,
    ago: String,
    advice: &'static str,
}

#[derive(Debug)]
struct CostView {
    stored: String,
    records_per_day: String,
    /// Days, and the space they take.
    retentions: Vec<(String, String)>,
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
    badge: StateBadge,
    silent: bool,
    quiet: String,
    cost: Option<CostView>,
    reasons: Vec<ReasonRow>,
    may_replay: bool,
    /// What a replay just did.
    replayed: Option<Replayed>,
    health: Option<HealthView>,
    rows: Vec<QuarantineRow>,
    more: bool,
}

/// Counts of a replay.
#[derive(Clone, Copy, Debug)]
struct Replayed {
    released: u64,
    waiting: u64,
}

/// The address that a replay leads back to says what it did.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReplayAsked {
    released: Option<u64>,
    waiting: Option<u64>,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    here: Here,
    Asked(asked): Asked<ReplayAsked>,
) -> Result<Response, Failure> {
    let counts = asked.released.zip(asked.waiting);
    let replayed = counts.map(|(released, waiting)| Replayed { released, waiting });
    let page = shared
        .attempt(move |app| {
            let page = load(app, &principal, &name, here)?;
            Ok::<_, Problem>(SourcePage { replayed, ..page })
        })
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
    let wanted = Wanted::of(Some(&report.name));
    let quarantined = app.quarantine(principal, &wanted, QUARANTINE_MAX)?;
    let reasons = app.quarantine_reasons(principal, &wanted)?;
    let health = report.health.as_ref();
    let cost = health
        .map(|health| app.cost(principal, health))
        .transpose()?;
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
        badge: report.state.into(),
        silent: report.state == SourceState::Silent,
        cost: cost.as_ref().map(cost_view),
        reasons: reasons
            .iter()
            .map(|reason| reason_row(reason, now))
            .collect(),
        may_replay: principal.require(Scope::Write).is_ok(),
        replayed: None,
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
        sequence: record.sequence,
        received: Moment::new(record.received),
        ago: ago(now.micros_since(record.received)),
        code: Shown::cut(&record.code, 40),
        reason: Shown::new(&record.reason),
        bytes: grouped(record.bytes),
    }
}

fn reason_row(reason: &QuarantineReason, now: Timestamp) -> ReasonRow {
    ReasonRow {
        code: Shown::cut(&reason.code, 40),
        records: grouped(reason.records),
        newest: reason.newest,
        ago: ago(now.micros_since(reason.received)),
        advice: advice(&reason.code),
    }
}

fn cost_view(cost: &Cost) -> CostView {
    let retentions = RETENTION_DAYS.into_iter().map(|days| {
        let name = match days {
            365 => "1 year".to_owned(),
            days if days % 365 == 0 => format!("{} years", days / 365),
            days => format!("{days} days"),
        };
        (name, bytes(cost.stored_per_day.saturating_mul(days)))
    });
    CostView {
        stored: bytes(cost.stored),
        records_per_day: grouped(cost.records_per_day),
        retentions: retentions.collect(),
    }
}

/// What to do about a reason.
pub(super) fn advice(code: &str) -> &'static str {
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
