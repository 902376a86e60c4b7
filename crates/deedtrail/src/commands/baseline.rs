//! `baseline`: what an identity usually does, approved by somebody.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::behaviour::{Baseline, BaselineRecord};

use super::timeline::in_order;
use super::{Context, Ended};
use crate::args::{BaselineCommand, Range};
use crate::output::counted;

/// Lines of each table of `show`; `--json` has all.
const LINES_MAX: usize = 20;

pub(super) fn run(context: &mut Context<'_>, command: &BaselineCommand) -> anyhow::Result<Ended> {
    match command {
        BaselineCommand::Show { who, range } => show(context, who, range),
        BaselineCommand::Approve { who, range } => approve(context, who, range),
        BaselineCommand::List { who } => list(context, who),
        BaselineCommand::Diff { who, from, to } => diff(context, who, (*from, *to)),
    }
}

fn show(context: &mut Context<'_>, who: &str, range: &Range) -> anyhow::Result<Ended> {
    let file = context.app().find_identity(&context.principal, who)?;
    context.say_who(who, &file)?;
    let window = in_order(range)?;
    let app = context.app();
    let learned = app.learn_baseline(&context.principal, &file, window)?;
    if context.console.json {
        context.console.object(&learned)?;
        return Ok(Ended::Done);
    }
    if learned.cut {
        context
            .console
            .say("there were more events; the newest are looked at")?;
    }
    print(context, &learned.baseline)
}

fn print(context: &mut Context<'_>, baseline: &Baseline) -> anyhow::Result<Ended> {
    let console = &mut *context.console;
    let (median, busy) = baseline.events_per_day;
    console.line(format_args!(
        "{} to {}: {} events on {}, {median} on a median day, {busy} on a busy one",
        baseline.from,
        baseline.until,
        baseline.events,
        counted(baseline.active_days as usize, "day")
    ))?;
    let of = baseline.events.max(1);
    for (heading, lines) in [
        ("ACTION", &baseline.actions),
        ("NETWORK", &baseline.networks),
    ] {
        console.section(heading)?;
        console.table(&["EVENTS", "SHARE", heading], &most(lines, of))?;
    }
    console.section("HOUR (UTC)")?;
    let hours = baseline.hours.iter().enumerate();
    let hours: Vec<Vec<String>> = hours
        .filter(|(_, events)| **events > 0)
        .map(|(hour, events)| vec![format!("{hour:02}"), events.to_string()])
        .collect();
    console.table(&["HOUR", "EVENTS"], &hours)?;
    Ok(Ended::Done)
}

fn most(lines: &BTreeMap<Text, u64>, of: u64) -> Vec<Vec<String>> {
    let mut sorted: Vec<(&Text, u64)> = lines.iter().map(|(name, count)| (name, *count)).collect();
    sorted.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), (*name).clone()));
    let shown = sorted.into_iter().take(LINES_MAX);
    shown
        .map(|(name, count)| {
            let tenths = count * 1_000 / of;
            let share = format!("{}.{} %", tenths / 10, tenths % 10);
            vec![count.to_string(), share, name.to_string()]
        })
        .collect()
}

fn approve(context: &mut Context<'_>, who: &str, range: &Range) -> anyhow::Result<Ended> {
    let file = context.app().find_identity(&context.principal, who)?;
    context.say_who(who, &file)?;
    let window = in_order(range)?;
    let app = context.app();
    let record = app.approve_baseline(&context.principal, &file, window)?;
    context.instance.settle()?;
    let Some(record) = record else {
        let text =
            "it is in the log; `deedtrail baseline list` shows it when processing has caught up";
        context.console.say(text)?;
        return Ok(Ended::Done);
    };
    if context.console.json {
        context.console.object(&record)?;
        return Ok(Ended::Done);
    }
    context.console.line(format_args!(
        "baseline {} of {} is approved: {} events from {} to {}",
        record.version,
        file.identity.name,
        record.baseline.events,
        record.baseline.from,
        record.baseline.until
    ))?;
    if record.approved_for_owner() {
        let text = match record.owner.as_deref() {
            Some(owner) => format!("its owner is {owner}: tell them"),
            None => "nobody owns it: `deedtrail identity import` assigns an owner".to_owned(),
        };
        context.console.say(text)?;
    }
    Ok(Ended::Done)
}

fn list(context: &mut Context<'_>, who: &str) -> anyhow::Result<Ended> {
    let file = context.app().find_identity(&context.principal, who)?;
    context.say_who(who, &file)?;
    let all = context.app().baselines(&context.principal, &file)?;
    if context.console.json {
        for record in &all {
            context.console.object(record)?;
        }
        return Ok(Ended::Done);
    }
    let row = |it: &BaselineRecord| {
        vec![
            it.version.to_string(),
            it.approved.at.to_string(),
            it.approved.by.to_string(),
            it.baseline.events.to_string(),
            it.baseline.from.to_string(),
            it.baseline.until.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    let headings = ["VERSION", "APPROVED (UTC)", "BY", "EVENTS", "FROM", "UNTIL"];
    context.console.table(&headings, &rows)?;
    Ok(Ended::Done)
}

fn diff(
    context: &mut Context<'_>,
    who: &str,
    versions: (u32, Option<u32>),
) -> anyhow::Result<Ended> {
    let file = context.app().find_identity(&context.principal, who)?;
    context.say_who(who, &file)?;
    let app = context.app();
    let changes = app.baseline_diff(&context.principal, &file, versions)?;
    if context.console.json {
        for change in &changes {
            context.console.object(change)?;
        }
        return Ok(Ended::Done);
    }
    if changes.is_empty() {
        context.console.say("nothing that matters changed")?;
    }
    for change in &changes {
        context.console.line(change.sentence())?;
    }
    Ok(Ended::Done)
}
