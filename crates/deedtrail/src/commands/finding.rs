//! `finding`: list and show.

use deedtrail_core::finding::{Finding, Severity};
use deedtrail_core::id::FindingId;
use deedtrail_core::port::store::FindingFilter;

use super::{Context, Ended};
use crate::args::FindingCommand;
use crate::output::printable;

pub(super) fn run(context: &mut Context<'_>, command: &FindingCommand) -> anyhow::Result<Ended> {
    match command {
        FindingCommand::List {
            severity,
            kind,
            limit,
        } => {
            let severity_min = severity.as_deref().map(parse_severity).transpose()?;
            let filter = FindingFilter {
                severity_min,
                kind: kind.clone(),
                ..FindingFilter::default()
            };
            let findings = context.app().ports.store.findings(&filter, *limit)?;
            list(context, &findings)
        }
        FindingCommand::Show { id } => {
            let parsed: FindingId = id.parse()?;
            let finding = context.app().ports.store.finding(parsed)?;
            let finding = finding.ok_or_else(|| anyhow::anyhow!("no finding has the id {id}"))?;
            show(context, &finding)
        }
    }
}

fn parse_severity(name: &str) -> anyhow::Result<Severity> {
    Severity::from_name(name).ok_or_else(|| {
        anyhow::anyhow!("`{name}` is no severity; use info, low, medium, high or critical")
    })
}

fn list(context: &mut Context<'_>, findings: &[Finding]) -> anyhow::Result<Ended> {
    if context.console.json {
        for finding in findings {
            context.console.object(finding)?;
        }
        return Ok(Ended::Done);
    }
    let rows: Vec<Vec<String>> = findings
        .iter()
        .map(|finding| {
            vec![
                finding.id.to_string(),
                finding.draft.severity.name().to_owned(),
                finding.last_time.to_string(),
                finding.draft.kind.to_string(),
                finding.draft.title.clone(),
            ]
        })
        .collect();
    if rows.is_empty() {
        context
            .console
            .say("no findings: nothing processed so far departs from what is expected")?;
        return Ok(Ended::Done);
    }
    context.console.table(
        &["ID", "SEVERITY", "LAST EVENT (UTC)", "TYPE", "TITLE"],
        &rows,
    )?;
    Ok(Ended::Done)
}

fn show(context: &mut Context<'_>, finding: &Finding) -> anyhow::Result<Ended> {
    if context.console.json {
        context.console.object(finding)?;
        return Ok(Ended::Done);
    }
    let draft = &finding.draft;
    let console = &mut *context.console;
    console.line(printable(&draft.title))?;
    console.line(format_args!(
        "{} · {} · {:?} · fired {} times · rule {}",
        draft.severity.name(),
        draft.kind,
        finding.status,
        finding.repeats,
        draft.rule
    ))?;
    console.line("\nWhy")?;
    for (number, reason) in draft.reasons.iter().enumerate() {
        console.line(format_args!("  {}. {}", number + 1, printable(reason)))?;
    }
    for hypothesis in &draft.hypotheses {
        console.line(format_args!(
            "\nHypothesis {} ({:.2})",
            hypothesis.name, hypothesis.score
        ))?;
        for fact in &hypothesis.facts_for {
            console.line(format_args!("  + {}", printable(fact)))?;
        }
        for fact in &hypothesis.facts_against {
            console.line(format_args!("  - {}", printable(fact)))?;
        }
    }
    console.line("\nEvents")?;
    let rows: Vec<Vec<String>> = draft
        .events
        .iter()
        .map(|e| {
            vec![
                format!("  {}", e.time),
                format!("#{}", e.log_seq),
                e.fact.clone(),
            ]
        })
        .collect();
    console.table(&["  TIME (UTC)", "ENTRY", "FACT"], &rows)?;
    console.line(format_args!(
        "\nProof: deedtrail evidence export {}",
        finding.id
    ))?;
    Ok(Ended::Done)
}
