//! `source readiness`: what the logs of a hosted service tell, before it is adopted.

use deedtrail_app::saas_readiness::{SaasReadiness, Verdict};

use super::Ended;
use crate::output::Console;

pub(super) fn run(told: &SaasReadiness, console: &mut Console) -> anyhow::Result<Ended> {
    if console.json {
        console.object(told)?;
        return Ok(ended(told));
    }
    console.line(told.headline())?;
    console.section(format_args!(
        "Logs that are understood ({})",
        told.feeds.len()
    ))?;
    let rows = told.feeds.iter().map(|feed| {
        vec![
            format!("  {}", feed.source),
            feed.planes.join(", "),
            listed(&feed.missing),
            feed.lacks.clone(),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    console.table(&["  SOURCE", "PLANES", "DOES NOT SAY", "LACKS"], &rows)?;
    console.section("Kinds of telemetry")?;
    let rows = told.kinds.iter().map(|kind| {
        let fullest = kind.feeds.first().map(|feed| feed.source.to_string());
        vec![
            format!("  {}", kind.kind),
            kind.feeds.len().to_string(),
            fullest.unwrap_or_else(|| "-".to_owned()),
            listed(&kind.missing),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let headings = ["  KIND", "LOGS", "SAYS MOST", "IT DOES NOT SAY"];
    console.table(&headings, &rows)?;
    console.section(format_args!("Conditions ({})", told.conditions.len()))?;
    for condition in &told.conditions {
        console.line(format_args!("  {condition}"))?;
    }
    Ok(ended(told))
}

fn listed(facts: &[&str]) -> String {
    match facts {
        [] => "-".to_owned(),
        facts => facts.join(", "),
    }
}

/// What is not known cannot be said to be ready.
fn ended(told: &SaasReadiness) -> Ended {
    match told.verdict {
        Verdict::Unknown => Ended::Found,
        Verdict::Adopt | Verdict::AdoptWithConditions => Ended::Done,
    }
}
