//! `baseline`: what an identity usually does, approved by somebody.

use std::collections::BTreeMap;

use deedtrail_app::behaviour::{BaselineError, OpenFindings};
use deedtrail_core::Text;
use deedtrail_core::behaviour::{Baseline, BaselineRecord, Withdrawal};

use super::charter::findings;
use super::timeline::in_order;
use super::{Context, Ended};
use crate::args::{BaselineCommand, Range};
use crate::output::counted;

/// Lines of each table of `show`; `--json` has all.
const LINES_MAX: usize = 20;

pub(super) fn run(context: &mut Context<'_>, command: &BaselineCommand) -> anyhow::Result<Ended> {
    match command {
        BaselineCommand::Show {
            who,
            number: Some(number),
            ..
        } => show_approved(context, who, *number),
        BaselineCommand::Show { who, range, .. } => show(context, who, range),
        BaselineCommand::Approve {
            who,
            range,
            accept_open_findings,
        } => {
            let of_findings = if *accept_open_findings {
                OpenFindings::Accept
            } else {
                OpenFindings::Refuse
            };
            approve(context, who, range, of_findings)
        }
        BaselineCommand::Withdraw {
            who,
            number,
            reason,
        } => withdraw(context, who, *number, reason),
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
    findings(
        context,
        "findings rest on what it did in that time",
        (&learned.findings, learned.findings_not_looked_at),
    )?;
    print(context, &learned.baseline)
}

fn show_approved(context: &mut Context<'_>, who: &str, number: u32) -> anyhow::Result<Ended> {
    let file = context.app().find_identity(&context.principal, who)?;
    context.say_who(who, &file)?;
    let app = context.app();
    let record = app.baseline(&context.principal, &file, number)?;
    if context.console.json {
        context.console.object(&record)?;
        return Ok(Ended::Done);
    }
    let console = &mut *context.console;
    console.line(format_args!(
        "baseline {} of {}, approved by {} at {}",
        record.version, file.identity.name, record.approved.by, record.approved.at
    ))?;
    if !record.accepted_findings.is_empty() {
        let accepted = record.accepted_findings.iter().map(ToString::to_string);
        console.line(format_args!(
            "approved although findings rested on it: {}",
            accepted.collect::<Vec<_>>().join(", ")
        ))?;
    }
    if let Some(withdrawn) = &record.withdrawn {
        console.line(format_args!(
            "withdrawn by {} at {}: {}",
            withdrawn.signed.by, withdrawn.signed.at, withdrawn.reason
        ))?;
    }
    print(context, &record.baseline)
}

fn withdraw(
    context: &mut Context<'_>,
    who: &str,
    number: u32,
    reason: &str,
) -> anyhow::Result<Ended> {
    let app = context.app();
    let file = app.find_identity_called(&context.principal, who)?;
    app.withdraw_baseline(&context.principal, &file, number, reason)?;
    context.instance.settle()?;
    let record = app.baseline(&context.principal, &file, number)?;
    if context.console.json {
        context.console.object(&record)?;
        return Ok(Ended::Done);
    }
    let text = if record.withdrawn.is_some() {
        format!("baseline {number} of {} is withdrawn", file.identity.name)
    } else {
        "it is in the log; `deedtrail baseline list` shows it when processing has caught up"
            .to_owned()
    };
    context.console.line(text)?;
    Ok(Ended::Done)
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
    let others = sorted.split_off(sorted.len().min(LINES_MAX));
    let row = |name: String, count: u64| {
        let tenths = count * 1_000 / of;
        let share = format!("{}.{} %", tenths / 10, tenths % 10);
        vec![count.to_string(), share, name]
    };
    let shown = sorted
        .into_iter()
        .map(|(name, count)| row(name.to_string(), count));
    let rest = (!others.is_empty()).then(|| {
        let events = others.iter().map(|(_, count)| count).sum();
        row(format!("{} others; --json has all", others.len()), events)
    });
    shown.chain(rest).collect()
}

fn approve(
    context: &mut Context<'_>,
    who: &str,
    range: &Range,
    of_findings: OpenFindings,
) -> anyhow::Result<Ended> {
    let app = context.app();
    let file = app.find_identity_called(&context.principal, who)?;
    let window = in_order(range)?;
    let approved = app.approve_baseline(&context.principal, &file, window, of_findings);
    let record = match approved {
        Err(BaselineError::OpenFindings {
            findings: open,
            not_looked_at,
            ..
        }) => {
            let what = "findings rest on what would be approved";
            findings(context, what, (&open, not_looked_at))?;
            anyhow::bail!(
                "nothing was approved: close the findings that are harmless, name another time with \
                 --from and --to, or approve all the same with --accept-open-findings"
            );
        }
        approved => approved?,
    };
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
    if !record.accepted_findings.is_empty() {
        let accepted = counted(record.accepted_findings.len(), "finding");
        context
            .console
            .say(format_args!("{accepted} rested on it and stay open"))?;
    }
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
            it.withdrawn.as_ref().map_or_else(String::new, |withdrawn| {
                let Withdrawal { signed, reason } = withdrawn;
                format!("withdrawn by {} at {}: {reason}", signed.by, signed.at)
            }),
        ]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    let headings = [
        "VERSION",
        "APPROVED (UTC)",
        "BY",
        "EVENTS",
        "FROM",
        "UNTIL",
        "STATE",
    ];
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
