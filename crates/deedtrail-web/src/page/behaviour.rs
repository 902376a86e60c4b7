//! Behaviour: departures, how identities stand, what budgets let through, who drifts, and which
//! sources can be judged.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::behaviour::{Active, Danger, SourceReadiness, Standing};
use deedtrail_app::timeline::ReadingError;
use deedtrail_core::behaviour::{BudgetForecast, Forecast, IdentityBehaviour};
use deedtrail_core::finding::{FindingStatus, Severity};
use deedtrail_core::port::store::FindingFilter;

use super::findings::FindingRow;
use super::{Chrome, Failure, Section, filters, show};
use crate::state::Shared;
use crate::view::{Badge, Shown, grouped};

/// Open departures shown; the list of findings has all.
const DEPARTURES_MAX: usize = 8;
/// Dangerous identities and drifting ones shown.
const IDENTITIES_MAX: usize = 12;

#[derive(Debug)]
struct StandingRow {
    badge: Badge,
    points: u32,
    who: Shown,
    href: String,
    active: &'static str,
    events: String,
    why: Shown,
}

#[derive(Debug)]
struct DriftRow {
    who: Shown,
    href: String,
    score: String,
    trend: String,
    weeks: String,
    rising: Shown,
}

#[derive(Debug)]
struct BudgetRow {
    per_day: u32,
    alerts: String,
    a_day: String,
    in_force: bool,
}

#[derive(Debug)]
struct SourceRow {
    source: String,
    events: String,
    actors: String,
    identities: usize,
    expected: usize,
    threshold: usize,
    lacks: Vec<&'static str>,
}

#[derive(Debug, Template)]
#[template(path = "behaviour.html")]
struct BehaviourPage {
    chrome: Chrome,
    headline: String,
    departures: Vec<FindingRow>,
    /// How many identities are how active, by danger from the worst; `levels` names the columns.
    grid: Vec<(&'static str, Vec<usize>)>,
    levels: Vec<&'static str>,
    dangerous: Vec<StandingRow>,
    drifting: Vec<DriftRow>,
    budgets: Vec<BudgetRow>,
    judged: String,
    sources: Vec<SourceRow>,
    /// What each lack means, for those that occur.
    lacks: Vec<(&'static str, &'static str)>,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Result<Response, Failure> {
    let page = shared.attempt(move |app| load(app, &principal)).await?;
    Ok(show(&page))
}

fn load(app: &App, principal: &Principal) -> Result<BehaviourPage, ReadingError> {
    let filter = FindingFilter {
        kind: Some("behaviour_departure".to_owned()),
        status: Some(FindingStatus::Open),
        ..FindingFilter::default()
    };
    let departures = app.findings(principal, &filter, DEPARTURES_MAX)?;
    let standings = app.standings(principal)?;
    let drifting = app.drifting(principal, IDENTITIES_MAX)?;
    let forecast = app.forecast(principal)?;
    let sources = app.source_readiness(principal)?;
    let now = app.ports.clock.now();
    let ids = departures.iter().map(|finding| finding.draft.identity);
    let names = app.identity_names(principal, ids)?;
    let mut drifts = Vec::new();
    for known in &drifting {
        if let Some(identity) = app.ports.store.identity(known.identity)? {
            drifts.extend(drift_row(&identity.name, known));
        }
    }
    let ready = sources.iter().filter(|it| it.behavioural()).count();
    let mut lacks: Vec<_> = sources.iter().flat_map(|it| it.lacks.clone()).collect();
    lacks.sort_unstable();
    lacks.dedup();
    Ok(BehaviourPage {
        chrome: Chrome::load(app, principal, Section::Behaviour)?,
        headline: match sources.len() {
            0 => "Nothing has been learned yet".to_owned(),
            all => format!("{ready} of {all} sources tell enough to judge behaviour"),
        },
        departures: departures
            .iter()
            .map(|it| FindingRow::new(it, &names, now))
            .collect(),
        grid: grid(&standings),
        levels: Active::ALL.map(Active::name).to_vec(),
        dangerous: standings
            .iter()
            .filter(|it| it.danger_points > 0)
            .take(IDENTITIES_MAX)
            .map(standing_row)
            .collect(),
        drifting: drifts,
        judged: forecast.as_ref().map(judged).unwrap_or_default(),
        budgets: forecast.as_ref().map(budget_rows).unwrap_or_default(),
        sources: sources.iter().map(source_row).collect(),
        lacks: lacks
            .into_iter()
            .map(|lack| (lack.name(), lack.sentence()))
            .collect(),
    })
}

fn grid(standings: &[Standing]) -> Vec<(&'static str, Vec<usize>)> {
    let row = |danger: Danger| {
        let count = |active: Active| {
            let here = |it: &&Standing| it.danger == danger && it.active == active;
            standings.iter().filter(here).count()
        };
        (danger.name(), Active::ALL.map(count).to_vec())
    };
    Danger::ALL.into_iter().rev().map(row).collect()
}

/// The badge of a level of danger.
pub(super) fn badge(danger: Danger) -> Badge {
    Badge::new(match danger {
        Danger::Low => Severity::Low,
        Danger::Medium => Severity::Medium,
        Danger::High => Severity::High,
        Danger::Critical => Severity::Critical,
    })
}

fn standing_row(it: &Standing) -> StandingRow {
    let why = it.danger_reasons.first().map(|point| &*point.reason);
    StandingRow {
        badge: badge(it.danger),
        points: it.danger_points,
        who: Shown::cut(&it.name, 48),
        href: format!("/identities/{}", it.identity),
        active: it.active.name(),
        events: grouped(it.events),
        why: Shown::cut(why.unwrap_or_default(), 160),
    }
}

fn drift_row(name: &str, known: &IdentityBehaviour) -> Option<DriftRow> {
    let drift = known.drift.as_ref()?;
    let weeks = drift.weeks.iter().map(|it| format!("{:.2}", it.distance));
    let rising = drift.rising.iter().map(|rise| {
        let (before, now) = (rise.before * 100.0, rise.now * 100.0);
        format!("{} {before:.0} % → {now:.0} %", rise.action)
    });
    Some(DriftRow {
        who: Shown::cut(name, 48),
        href: format!("/identities/{}", known.identity),
        score: format!("{:.2}", drift.score),
        trend: format!("{:+.2}", drift.trend),
        weeks: weeks.collect::<Vec<_>>().join(" "),
        rising: Shown::cut(&rising.collect::<Vec<_>>().join("; "), 160),
    })
}

fn judged(forecast: &Forecast) -> String {
    format!(
        "{} sessions of {} days could be judged",
        grouped(u64::from(forecast.sessions)),
        forecast.days
    )
}

fn budget_rows(forecast: &Forecast) -> Vec<BudgetRow> {
    let row = |it: &BudgetForecast| BudgetRow {
        per_day: it.per_day,
        alerts: grouped(u64::from(it.alerts)),
        a_day: format!(
            "{:.1}",
            f64::from(it.alerts) / f64::from(forecast.days.max(1))
        ),
        in_force: (f64::from(it.per_day) - forecast.in_force).abs() < 0.5,
    };
    forecast.budgets.iter().map(row).collect()
}

fn source_row(it: &SourceReadiness) -> SourceRow {
    SourceRow {
        source: it.source.to_string(),
        events: grouped(it.events),
        actors: format!("{:.0} %", it.actor_share * 100.0),
        identities: it.identities,
        expected: it.with_sequence,
        threshold: it.with_threshold,
        lacks: it.lacks.iter().map(|lack| lack.name()).collect(),
    }
}
