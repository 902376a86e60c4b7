//! Insider risk: people by what departs from their usual work, without their names.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::insider_risk::{
    DAY_POINTS, DAYS_COUNTED_MAX, FINDINGS_MAX, KindOfDeparture, PersonRisk, RISK_DAYS, points,
};
use deedtrail_core::finding::Severity;
use deedtrail_core::limits::NOTE_CHARACTERS_MAX;
use deedtrail_core::port::store::Scope;
use serde::Deserialize;

use super::{Chrome, Failure, Section, show};
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{Badge, grouped};

/// What one kind of finding says, made of numbers only.
#[derive(Debug)]
struct DepartureRow {
    badge: Badge,
    sentence: String,
    points: u32,
}

#[derive(Debug)]
struct PersonRow {
    person: String,
    points: u32,
    /// Width of the bar, 0 to 100.
    percent: u32,
    last_day: String,
    departures: Vec<DepartureRow>,
}

#[derive(Debug, Template)]
#[template(path = "insider_risk.html")]
struct InsiderRiskPage {
    chrome: Chrome,
    headline: String,
    days: i64,
    people: Vec<PersonRow>,
    left_out: usize,
    cut: bool,
    /// Findings that are looked at.
    findings_max: String,
    points: String,
    day_points: u32,
    day_points_max: u32,
    may_decide: bool,
    reason_max: usize,
}

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(super) struct RevealForm {
    #[serde(default)]
    reason: String,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Result<Response, Failure> {
    let page = shared.attempt(move |app| load(app, &principal)).await?;
    Ok(show(&page))
}

/// Records why, and leads to the identity.
pub(super) async fn reveal(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(person): Path<String>,
    Form(form): Form<RevealForm>,
) -> Result<Response, Failure> {
    let reveal = move |app: &App| app.reveal_person(&principal, &person, &form.reason);
    let identity = shared.attempt(reveal).await?;
    Ok(Redirect::to(&format!("/identities/{}", identity.id)).into_response())
}

fn load(app: &App, principal: &Principal) -> Result<InsiderRiskPage, Problem> {
    let risk = app.insider_risk(principal)?;
    let most = risk.people.first().map_or(1, |first| first.points.max(1));
    let all = risk.people.len() + risk.left_out;
    Ok(InsiderRiskPage {
        chrome: Chrome::load(app, principal, Section::InsiderRisk)?,
        headline: match all {
            0 => "Nobody departs from their usual work".to_owned(),
            1 => "One person departs from their usual work".to_owned(),
            many => format!(
                "{} people depart from their usual work",
                grouped(many as u64)
            ),
        },
        days: RISK_DAYS,
        people: risk.people.iter().map(|it| row(it, most)).collect(),
        left_out: risk.left_out,
        cut: risk.cut,
        findings_max: grouped(FINDINGS_MAX as u64),
        points: table_of_points(),
        day_points: DAY_POINTS,
        day_points_max: DAY_POINTS * DAYS_COUNTED_MAX,
        may_decide: principal.require(Scope::Write).is_ok(),
        reason_max: NOTE_CHARACTERS_MAX,
    })
}

fn row(person: &PersonRisk, most: u32) -> PersonRow {
    PersonRow {
        person: person.person.to_string(),
        points: person.points,
        percent: person.points * 100 / most,
        last_day: person.last_day.to_string(),
        departures: person.kinds.iter().map(departure).collect(),
    }
}

fn departure(kind: &KindOfDeparture) -> DepartureRow {
    let ending = |count: u64| if count == 1 { "" } else { "s" };
    let (findings, days) = (kind.findings, kind.days as u64);
    DepartureRow {
        badge: Badge::new(kind.severity),
        sentence: format!(
            "{}: {} finding{} on {} day{}",
            kind.title,
            grouped(findings),
            ending(findings),
            grouped(days),
            ending(days)
        ),
        points: kind.points,
    }
}

/// `critical 40, high 25, …`
fn table_of_points() -> String {
    let severities = Severity::ALL.iter().rev();
    let each = severities.map(|severity| format!("{} {}", severity.name(), points(*severity)));
    each.collect::<Vec<_>>().join(", ")
}
