//! `charter`: list, show, propose, approve, retire, learn, check, diff.

use std::path::Path;

use anyhow::Context as _;
use deedtrail_app::charter::{Checked, Difference, OfFindings};
use deedtrail_app::unsettled::{Unsettled, not_looked_at_in_words};
use deedtrail_core::charter::{CharterRecord, CharterStatus};
use deedtrail_core::time::Timestamp;
use serde_json::json;

use super::{Context, Ended};
use crate::args::CharterCommand;

/// Findings named in a warning.
const FINDINGS_MAX: usize = 20;

pub(super) fn run(context: &mut Context<'_>, command: &CharterCommand) -> anyhow::Result<Ended> {
    match command {
        CharterCommand::List => list(context),
        CharterCommand::Show { name, number } => {
            let app = context.app();
            let record = app.charter_version(&context.principal, name, *number)?;
            if context.console.json {
                context.console.object(&record)?;
            } else {
                context.console.lines(&record.text)?;
            }
            Ok(Ended::Done)
        }
        CharterCommand::Propose { file } => propose(context, file),
        CharterCommand::Approve { name, number } => {
            let app = context.app();
            let record = app.approve_charter(&context.principal, name, *number)?;
            let owner = record.approved_for_owner().then(|| record.owner.clone());
            decided(context, &record)?;
            if let Some(owner) = owner {
                context
                    .console
                    .say(format_args!("its owner is {owner}: tell them"))?;
            }
            Ok(Ended::Done)
        }
        CharterCommand::Retire { name, number } => {
            let app = context.app();
            let record = app.retire_charter(&context.principal, name, *number)?;
            decided(context, &record)?;
            Ok(Ended::Done)
        }
        CharterCommand::Learn {
            who,
            from,
            include_findings,
        } => {
            let of_findings = if *include_findings {
                OfFindings::Include
            } else {
                OfFindings::LeaveOut
            };
            learn(context, who, *from, of_findings)
        }
        CharterCommand::Check { file, from } => check(context, file, *from),
        CharterCommand::Diff { name, from, to } => {
            let app = context.app();
            let differences = app.charter_diff(&context.principal, name, (*from, *to))?;
            diff(context, &differences)
        }
    }
}

fn list(context: &mut Context<'_>) -> anyhow::Result<Ended> {
    let charters = context.app().charters(&context.principal)?;
    if context.console.json {
        for charter in &charters {
            context.console.object(charter)?;
        }
        return Ok(Ended::Done);
    }
    if charters.is_empty() {
        context
            .console
            .say("no charter yet; `deedtrail charter learn IDENTITY` proposes one from history")?;
        return Ok(Ended::Done);
    }
    let row = |charter: &CharterRecord| {
        vec![
            charter.name.to_string(),
            charter.version.to_string(),
            status(charter.status).to_owned(),
            charter.owner.to_string(),
            charter.purpose.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = charters.iter().map(row).collect();
    let headings = ["CHARTER", "VERSION", "STATUS", "OWNER", "PURPOSE"];
    context.console.table(&headings, &rows)?;
    Ok(Ended::Done)
}

const fn status(status: CharterStatus) -> &'static str {
    match status {
        CharterStatus::Draft => "draft",
        CharterStatus::InForce => "in force",
        CharterStatus::Replaced => "replaced",
        CharterStatus::Retired => "retired",
    }
}

fn propose(context: &mut Context<'_>, file: &Path) -> anyhow::Result<Ended> {
    let text = read(context, file)?;
    let shown = file.display().to_string();
    let app = context.app();
    match app.propose_charter(&context.principal, &shown, &text)? {
        Some(record) => {
            decided(context, &record)?;
            if !context.console.json && record.status == CharterStatus::Draft {
                context.console.say(format_args!(
                    "it binds nobody yet: deedtrail charter approve {}",
                    record.name
                ))?;
            }
        }
        None => context
            .console
            .say("proposed; `deedtrail charter list` shows it in a moment")?,
    }
    Ok(Ended::Done)
}

fn decided(context: &mut Context<'_>, record: &CharterRecord) -> anyhow::Result<()> {
    if context.console.json {
        context.console.object(record)?;
    } else {
        let status = status(record.status);
        context.console.line(format_args!(
            "charter {}, version {}: {status}",
            record.name, record.version
        ))?;
    }
    Ok(())
}

fn learn(
    context: &mut Context<'_>,
    who: &str,
    from: Option<Timestamp>,
    of_findings: OfFindings,
) -> anyhow::Result<Ended> {
    let app = context.app();
    let learned = app.learn_charter(&context.principal, who, from, of_findings)?;
    let proposal = &learned.proposal;
    let what = match (of_findings, learned.left_out) {
        (OfFindings::LeaveOut, 0) => "findings rest on what was looked at".to_owned(),
        (OfFindings::LeaveOut, 1) => "left out: 1 event that findings rest on; \
            --include-findings learns from it too"
            .to_owned(),
        (OfFindings::LeaveOut, many) => format!(
            "left out: {many} events that findings rest on; --include-findings learns from them too"
        ),
        (OfFindings::Include, _) => "findings rest on what was learned".to_owned(),
    };
    let known = (&*learned.findings, learned.findings_not_looked_at);
    findings(context, &what, known)?;
    if context.console.json {
        context.console.object(&json!({
            "text": proposal.text,
            "events": proposal.events,
            "days": proposal.days,
            "left_out": learned.left_out,
            "findings": learned.findings,
            "findings_not_looked_at": learned.findings_not_looked_at,
        }))?;
    } else {
        context.console.lines(&proposal.text)?;
    }
    Ok(Ended::Done)
}

/// Warns that findings speak against taking what was done for what should be done; `older`: those that
/// were not looked at.
pub(super) fn findings(
    context: &mut Context<'_>,
    what: &str,
    (findings, older): (&[Unsettled], u64),
) -> anyhow::Result<()> {
    let console = &mut *context.console;
    if let Some(words) = not_looked_at_in_words(older) {
        console.say(format_args!("warning: {words}"))?;
    }
    if findings.is_empty() {
        return Ok(());
    }
    console.say(format_args!("warning: {what}:"))?;
    for finding in findings.iter().take(FINDINGS_MAX) {
        console.say(format_args!("  {}", finding.line()))?;
    }
    if findings.len() > FINDINGS_MAX {
        let more = findings.len() - FINDINGS_MAX;
        console.say(format_args!("  and {more} more: deedtrail finding list"))?;
    }
    Ok(())
}

fn check(context: &mut Context<'_>, file: &Path, from: Option<Timestamp>) -> anyhow::Result<Ended> {
    let text = read(context, file)?;
    let shown = file.display().to_string();
    let app = context.app();
    let checked = app.check_charter(&context.principal, &shown, &text, from)?;
    let found = !checked.report.rules.is_empty() || checked.identities == 0;
    if context.console.json {
        context.console.object(&json!({
            "identities": checked.identities,
            "events": checked.report.events,
            "covered": checked.report.covered,
            "share": checked.report.share(),
            "cut": checked.cut,
            "unknown": checked.unknown,
            "rules": checked.report.rules,
        }))?;
    } else {
        report(context, &checked)?;
    }
    Ok(if found { Ended::Found } else { Ended::Done })
}

fn report(context: &mut Context<'_>, checked: &Checked) -> anyhow::Result<()> {
    let report = &checked.report;
    if checked.identities == 0 {
        return bound_nobody(context, checked);
    }
    let bound = match checked.identities {
        1 => "1 identity".to_owned(),
        many => format!("{many} identities"),
    };
    let Some(share) = report.share() else {
        context.console.line(format_args!(
            "binds {bound}, which did nothing in that time: there was nothing to check"
        ))?;
        return Ok(());
    };
    context.console.line(format_args!(
        "binds {bound}; {} of {} events are within the charter ({:.1} %)",
        report.covered,
        report.events,
        share * 100.0
    ))?;
    for rule in &report.rules {
        context.console.line(format_args!(
            "line {}: {} departures, {} to {}: {}",
            rule.line, rule.count, rule.first, rule.last, rule.rule
        ))?;
        for example in &rule.examples {
            context.console.line(format_args!("  {example}"))?;
        }
    }
    if checked.cut {
        context
            .console
            .say("only the newest events were looked at; --from narrows the time")?;
    }
    Ok(())
}

/// Says that the charter binds nobody who is known, and who may have been meant.
fn bound_nobody(context: &mut Context<'_>, checked: &Checked) -> anyhow::Result<()> {
    let console = &mut *context.console;
    console.line("binds no known identity: nothing was checked")?;
    for unknown in &checked.unknown {
        let written = &unknown.written;
        if unknown.near.is_empty() {
            console.line(format_args!("  nobody is called {written}"))?;
        } else {
            let near = unknown.near.join(" or ");
            console.line(format_args!(
                "  nobody is called {written}; did you mean {near}?"
            ))?;
        }
    }
    if checked.unknown.is_empty() {
        console.line("  nobody known has what `group` asks for")?;
    }
    console.say("`deedtrail identity list` names who is known")?;
    Ok(())
}

fn diff(context: &mut Context<'_>, differences: &[Difference]) -> anyhow::Result<Ended> {
    if context.console.json {
        for difference in differences {
            context.console.object(difference)?;
        }
        return Ok(Ended::Done);
    }
    if differences.is_empty() {
        context.console.say("nothing that matters differs")?;
    }
    for difference in differences {
        let direction = difference.direction.name();
        context
            .console
            .line(format_args!("{direction}: {}", difference.sentence))?;
    }
    Ok(Ended::Done)
}

fn read(context: &Context<'_>, file: &Path) -> anyhow::Result<String> {
    let path = context.path(file);
    std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}
