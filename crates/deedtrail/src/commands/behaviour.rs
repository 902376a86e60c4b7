//! `behaviour`: what is learned of identities, and how they stand.

use deedtrail_app::behaviour::{SourceReadiness, Standing, readiness_in_words};
use deedtrail_core::behaviour::Drift;

use super::{Context, Ended};
use crate::args::BehaviourCommand;
use crate::output::counted;

pub(super) fn run(context: &mut Context<'_>, command: &BehaviourCommand) -> anyhow::Result<Ended> {
    match command {
        BehaviourCommand::List { limit } => list(context, *limit),
        BehaviourCommand::Show { who } => show(context, who),
        BehaviourCommand::Sources => sources(context),
        BehaviourCommand::Budget => budget(context),
    }
}

fn list(context: &mut Context<'_>, limit: usize) -> anyhow::Result<Ended> {
    let standings = context.app().standings(&context.principal)?;
    let shown = standings.iter().take(limit);
    if context.console.json {
        for standing in shown {
            context.console.object(standing)?;
        }
        return Ok(Ended::Done);
    }
    let row = |it: &Standing| {
        let why = it.danger_reasons.first().map(|point| point.reason.clone());
        vec![
            it.identity.to_string(),
            it.name.to_string(),
            it.active.name().to_owned(),
            it.events.to_string(),
            it.unusual_sessions.to_string(),
            it.danger.name().to_owned(),
            it.danger_points.to_string(),
            why.unwrap_or_default(),
        ]
    };
    let rows: Vec<Vec<String>> = shown.map(row).collect();
    let headings = [
        "ID", "WHO", "ACTIVE", "EVENTS", "UNUSUAL", "DANGER", "POINTS", "WHY",
    ];
    context.console.table(&headings, &rows)?;
    if standings.len() > limit {
        context.console.say(format_args!(
            "the {limit} most dangerous of {}; --limit shows more",
            standings.len()
        ))?;
    }
    Ok(Ended::Done)
}

fn show(context: &mut Context<'_>, who: &str) -> anyhow::Result<Ended> {
    let file = context.app().find_identity(&context.principal, who)?;
    context.say_who(who, &file)?;
    let standing = context.app().standing(&context.principal, &file)?;
    let console = &mut *context.console;
    if console.json {
        console.object(&standing)?;
        return Ok(Ended::Done);
    }
    console.line(format_args!(
        "active: {} ({} events on {} of the last 28 days)",
        standing.active.name(),
        standing.events,
        counted(standing.active_days, "day"),
    ))?;
    if standing.unusual_sessions > 0 {
        console.line(format_args!(
            "unusual: {} of the last 28 days unlike what is learned, with nothing of weight in them: \
             deedtrail session list {} --departing",
            counted(usize::try_from(standing.unusual_sessions)?, "session"),
            standing.identity,
        ))?;
    }
    console.line(format_args!(
        "danger: {} ({} of 100 points)",
        standing.danger.name(),
        standing.danger_points
    ))?;
    for point in &standing.danger_reasons {
        console.line(format_args!(
            "  +{} {}: {}",
            point.points, point.row, point.reason
        ))?;
    }
    if let Some(known) = &standing.behaviour {
        console.line(format_args!("readiness: {}", readiness_in_words(known)))?;
        if let Some(drift) = &known.drift {
            console.line(drift_line(drift))?;
        }
    }
    match &standing.baseline {
        Some(it) => console.line(format_args!(
            "baseline: version {}, approved by {} at {}",
            it.version, it.approved.by, it.approved.at
        ))?,
        None => console.line("baseline: none approved; `deedtrail baseline approve` does")?,
    }
    Ok(Ended::Done)
}

fn drift_line(drift: &Drift) -> String {
    let word = if drift.departs() {
        "its work has been changing for weeks"
    } else {
        "none beyond chance"
    };
    format!(
        "drift: {word} (newest week {:.2} of 1, chance {:.2}, {:+.2} a week)",
        drift.score, drift.noise, drift.trend
    )
}

fn sources(context: &mut Context<'_>) -> anyhow::Result<Ended> {
    let all = context.app().source_readiness(&context.principal)?;
    if context.console.json {
        for source in &all {
            context.console.object(source)?;
        }
        return Ok(Ended::Done);
    }
    let row = |it: &SourceReadiness| {
        let lacks = it.lacks.iter().map(|lack| lack.name());
        let state = if it.behavioural() {
            "behavioural".to_owned()
        } else {
            format!(
                "not behavioural, lacks: {}",
                lacks.collect::<Vec<_>>().join(", ")
            )
        };
        vec![
            it.source.to_string(),
            it.events.to_string(),
            format!("{:.0} %", it.actor_share * 100.0),
            it.identities.to_string(),
            it.with_sequence.to_string(),
            it.with_threshold.to_string(),
            state,
        ]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    let headings = [
        "SOURCE",
        "EVENTS",
        "ACTOR",
        "IDENTITIES",
        "EXPECTED",
        "THRESHOLD",
        "STATE",
    ];
    context.console.table(&headings, &rows)?;
    let mut lacks: Vec<_> = all.iter().flat_map(|it| it.lacks.clone()).collect();
    lacks.sort_unstable();
    lacks.dedup();
    for lack in lacks {
        context
            .console
            .line(format_args!("{}: {}", lack.name(), lack.sentence()))?;
    }
    Ok(Ended::Done)
}

fn budget(context: &mut Context<'_>) -> anyhow::Result<Ended> {
    let forecast = context.app().forecast(&context.principal)?;
    let Some(forecast) = forecast else {
        context
            .console
            .say("no session could be judged so far; `deedtrail behaviour sources` says why")?;
        return Ok(Ended::Done);
    };
    let console = &mut *context.console;
    if console.json {
        console.object(&forecast)?;
        return Ok(Ended::Done);
    }
    console.line(format_args!(
        "{} over {}; in force: {:.0} a day (`behaviour_alerts_per_day` in the configuration)",
        counted(forecast.sessions as usize, "judged session"),
        counted(forecast.days as usize, "day"),
        forecast.in_force
    ))?;
    let rows: Vec<Vec<String>> = forecast
        .budgets
        .iter()
        .map(|it| {
            let a_day = f64::from(it.alerts) / f64::from(forecast.days.max(1));
            let (per_day, alerts) = (it.per_day.to_string(), it.alerts.to_string());
            vec![per_day, alerts, format!("{a_day:.1}")]
        })
        .collect();
    console.table(&["ALERTS A DAY", "SESSIONS LET THROUGH", "A DAY"], &rows)?;
    console.line(format_args!(
        "a session that is let through is a finding if something in it has weight; else it is told with \
         the session only: deedtrail session list --departing"
    ))?;
    Ok(Ended::Done)
}
