//! `timeline`: one identity's events, newest first.

use deedtrail_core::event::Event;
use deedtrail_core::time::Timestamp;

use super::{Context, Ended};
use crate::args::{Range, Timeline};
use crate::output::counted;

pub(super) fn run(context: &mut Context<'_>, timeline: &Timeline) -> anyhow::Result<Ended> {
    let file = context
        .app()
        .open_identity(&context.principal, &timeline.who)?;
    context.say_who(&timeline.who, &file)?;
    let range = in_order(&timeline.range)?;
    let limit = timeline.limit;
    let asked = limit.saturating_add(1);
    let mut events = context
        .app()
        .timeline(&context.principal, &file, range, None, asked)?;
    let are_more = events.len() > limit;
    events.truncate(limit);
    if context.console.json {
        for event in &events {
            context.console.object(event)?;
        }
        return Ok(Ended::Done);
    }
    context.console.say(format_args!(
        "{} ({}), {}",
        file.identity.name,
        file.identity.kind.name(),
        if are_more {
            format!("the newest {limit}; --limit shows more")
        } else {
            counted(events.len(), "event")
        }
    ))?;
    let rows: Vec<Vec<String>> = events.iter().map(row).collect();
    let headings = [
        "TIME (UTC)",
        "SOURCE",
        "OPERATION",
        "ACTION",
        "OUTCOME",
        "FROM",
        "TARGET",
    ];
    context.console.table(&headings, &rows)?;
    Ok(Ended::Done)
}

fn row(event: &Event) -> Vec<String> {
    let mapped = &event.mapped;
    let target = mapped.target_name.as_ref().or(mapped.target_ref.as_ref());
    vec![
        event.time_effective.to_string(),
        event.source.to_string(),
        mapped.operation.to_string(),
        mapped.action.name().to_owned(),
        mapped.outcome.name().to_owned(),
        mapped.src_ip.as_deref().unwrap_or("-").to_owned(),
        target.map_or("-", |text| text.as_str()).to_owned(),
    ]
}

/// The range, if it is one.
pub(super) fn in_order(range: &Range) -> anyhow::Result<(Option<Timestamp>, Option<Timestamp>)> {
    if let (Some(from), Some(to)) = (range.from, range.to) {
        anyhow::ensure!(from <= to, "--from {from} is later than --to {to}");
    }
    Ok((range.from, range.to))
}
