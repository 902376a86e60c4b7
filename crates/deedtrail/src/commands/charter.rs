//! `charter`: list, show, propose, approve, retire, learn, check, diff.

use std::path::Path;

use anyhow::Context as _;
use deedtrail_app::charter::{Checked, Difference};
use deedtrail_core::charter::{CharterRecord, CharterStatus};
use deedtrail_core::time::Timestamp;
use serde_json::json;

use super::{Context, Ended};
use crate::args::CharterCommand;

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
        CharterCommand::Learn { who, from } => learn(context, who, *from),
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

fn learn(context: &mut Context<'_>, who: &str, from: Option<Timestamp>) -> anyhow::Result<Ended> {
    let app = context.app();
    let proposal = app.learn_charter(&context.principal, who, from)?;
    if context.console.json {
        context.console.object(&json!({
            "text": proposal.text,
            "events": proposal.events,
            "days": proposal.days,
        }))?;
    } else {
        context.console.lines(&proposal.text)?;
    }
    Ok(Ended::Done)
}

fn check(context: &mut Context<'_>, file: &Path, from: Option<Timestamp>) -> anyhow::Result<Ended> {
    let text = read(context, file)?;
    let shown = file.display().to_string();
    let app = context.app();
    let checked = app.check_charter(&context.principal, &shown, &text, from)?;
    let found = !checked.report.rules.is_empty();
    if context.console.json {
        context.console.object(&json!({
            "identities": checked.identities,
            "events": checked.report.events,
            "covered": checked.report.covered,
            "cut": checked.cut,
            "rules": checked.report.rules,
        }))?;
    } else {
        report(context, &checked)?;
    }
    Ok(if found { Ended::Found } else { Ended::Done })
}

fn report(context: &mut Context<'_>, checked: &Checked) -> anyhow::Result<()> {
    let report = &checked.report;
    context.console.line(format_args!(
        "{} of {} events depart from nothing ({:.1} %); identities bound: {}",
        report.covered,
        report.events,
        report.share() * 100.0,
        checked.identities
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
