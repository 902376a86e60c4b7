//! `finding`: list, show, explain, decide.

use deedtrail_app::findings::Conclusion;
use deedtrail_core::finding::{Briefing, Finding, FindingStatus, Severity};
use deedtrail_core::id::FindingId;
use deedtrail_core::port::store::FindingFilter;

use super::{Context, Ended};
use crate::args::FindingCommand;
use crate::output::{Console, counted};

pub(super) fn run(context: &mut Context<'_>, command: &FindingCommand) -> anyhow::Result<Ended> {
    match command {
        FindingCommand::List {
            severity,
            status,
            kind,
            limit,
        } => {
            let filter = FindingFilter {
                severity_min: severity.as_deref().and_then(Severity::from_name),
                status: status.as_deref().and_then(FindingStatus::from_name),
                kind: kind.clone(),
                ..FindingFilter::default()
            };
            list(context, &filter, *limit)
        }
        FindingCommand::Show { id } => {
            let id = context.app().finding_named(&context.principal, id)?;
            let file = context.app().finding_file(&context.principal, id)?;
            let briefing = context.app().briefing(file.finding);
            show(context.console, &briefing)
        }
        FindingCommand::Explain { id } => {
            let id = context.app().finding_named(&context.principal, id)?;
            explain(context, id)
        }
        FindingCommand::Decide {
            id,
            status,
            disposition,
            note,
        } => {
            let id = context.app().finding_named(&context.principal, id)?;
            let conclusion = Conclusion {
                status: FindingStatus::from_name(status).unwrap_or(FindingStatus::Closed),
                disposition: disposition.as_deref(),
                note: note.as_deref(),
            };
            let app = context.app();
            let decided = app.decide_finding(&context.principal, id, conclusion)?;
            if context.console.json {
                let briefing = context.app().briefing(decided);
                context.console.object(&briefing)?;
            } else {
                let title = &decided.draft.title;
                context
                    .console
                    .line(format_args!("{}: {title}", state(&decided)))?;
            }
            Ok(Ended::Done)
        }
    }
}

fn list(context: &mut Context<'_>, filter: &FindingFilter, limit: usize) -> anyhow::Result<Ended> {
    let findings = context.app().findings(&context.principal, filter, limit)?;
    if context.console.json {
        let shown = findings.len();
        for finding in findings {
            let briefing = context.app().briefing(finding);
            context.console.object(&briefing)?;
        }
        return cut(context, filter, limit, shown);
    }
    if findings.is_empty() {
        return nothing(context);
    }
    let row = |finding: &Finding| {
        vec![
            finding.id.to_string(),
            finding.draft.severity.name().to_owned(),
            state(finding),
            finding.last_time.to_string(),
            finding.draft.kind.to_string(),
            finding.draft.title.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = findings.iter().map(row).collect();
    let headings = [
        "ID",
        "SEVERITY",
        "STATE",
        "LAST EVENT (UTC)",
        "TYPE",
        "TITLE",
    ];
    context.console.table(&headings, &rows)?;
    cut(context, filter, limit, findings.len())
}

/// Says how many findings there are besides those that are shown.
fn cut(
    context: &mut Context<'_>,
    filter: &FindingFilter,
    limit: usize,
    shown: usize,
) -> anyhow::Result<Ended> {
    if shown == limit {
        let all = context.app().finding_count(&context.principal, filter)?;
        if all > limit as u64 {
            context.console.say(format_args!(
                "the newest {limit} of {all}; --limit shows more"
            ))?;
        }
    }
    Ok(Ended::Done)
}

/// Says why the list is empty: the all-clear needs records that were judged and no finding at all.
fn nothing(context: &mut Context<'_>) -> anyhow::Result<Ended> {
    let app = context.app();
    let all = app.findings(&context.principal, &FindingFilter::default(), 1)?;
    let reason = if !all.is_empty() {
        "no finding matches the filter; without it there are some"
    } else if app.ports.store.source_health()?.is_empty() {
        "no findings: no record has come in, so nothing was judged"
    } else {
        "no findings: nothing processed so far departs from what is expected"
    };
    context.console.say(reason)?;
    Ok(Ended::Done)
}

/// `closed: benign`, or `open`.
fn state(finding: &Finding) -> String {
    match &finding.disposition {
        Some(disposition) => format!("{}: {disposition}", finding.status.name()),
        None => finding.status.name().to_owned(),
    }
}

fn show(console: &mut Console, briefing: &Briefing) -> anyhow::Result<Ended> {
    if console.json {
        console.object(briefing)?;
        return Ok(Ended::Done);
    }
    let finding = &briefing.finding;
    let draft = &finding.draft;
    console.line(&draft.title)?;
    console.line(format_args!(
        "{} · {} · {} · fired {} · rule {}",
        draft.severity.name(),
        draft.kind,
        state(finding),
        counted(finding.repeats as usize, "time"),
        draft.rule
    ))?;
    if let (Some(note), Some(analyst)) = (&finding.note, &finding.analyst) {
        console.line(format_args!("note of {analyst}: {note}"))?;
    }
    why(console, briefing)?;
    console.section("Events")?;
    let events = draft.events.iter();
    let rows: Vec<Vec<String>> = events
        .map(|event| {
            vec![
                format!("  {}", event.time),
                format!("#{}", event.log_seq),
                event.fact.clone(),
            ]
        })
        .collect();
    console.table(&["  TIME (UTC)", "ENTRY", "FACT"], &rows)?;
    console.section(format_args!(
        "Proof: deedtrail evidence export {}",
        finding.id
    ))?;
    Ok(Ended::Done)
}

fn explain(context: &mut Context<'_>, id: FindingId) -> anyhow::Result<Ended> {
    let told = context.app().explain_finding(&context.principal, id)?;
    let console = &mut *context.console;
    if console.json {
        console.object(&told)?;
        return Ok(Ended::Done);
    }
    let draft = &told.finding.finding.draft;
    console.line(&draft.title)?;
    console.line(
        told.finding
            .meaning
            .as_deref()
            .unwrap_or("a type that is no longer known"),
    )?;
    console.section(format_args!("Raised by {}", told.raised_by))?;
    for (number, reason) in (1..).zip(told.observed()) {
        console.line(format_args!("  {number}. {reason}"))?;
    }
    console.line(format_args!("  confidence {:.2}", draft.confidence))?;
    if !told.judged_against.is_empty() {
        console.section("Judged against")?;
    }
    for sentence in &told.judged_against {
        console.line(format_args!("  {sentence}"))?;
    }
    for sentence in &told.exceptions {
        console.section(sentence)?;
    }
    let controls = told.finding.mapped_ref.join(", ");
    console.section(format_args!("Controls: {controls}"))?;
    if let Some(session) = &told.session {
        console.section(format_args!(
            "Session {} of {} in {}: {}, trust {}",
            session.uid,
            session.started,
            session.systems.join(", "),
            session.verdict.name(),
            session.trust
        ))?;
    }
    if let (Some(active), Some(danger)) = (told.active, told.danger) {
        console.section(format_args!(
            "The identity now: active {}, danger {}",
            active.name(),
            danger.name()
        ))?;
    }
    console.section("What an answer changes (`deedtrail finding decide`)")?;
    for sentence in &told.answers {
        console.line(format_args!("  {sentence}"))?;
    }
    Ok(Ended::Done)
}

fn why(console: &mut Console, briefing: &Briefing) -> anyhow::Result<()> {
    let draft = &briefing.finding.draft;
    if let Some(meaning) = &briefing.meaning {
        console.line(meaning)?;
    }
    console.section("Why")?;
    for (number, reason) in (1..).zip(&draft.reasons) {
        console.line(format_args!("  {number}. {reason}"))?;
    }
    for hypothesis in &draft.hypotheses {
        let (name, score) = (&hypothesis.name, hypothesis.score);
        console.section(format_args!("Hypothesis {name} ({score:.2})"))?;
        for fact in &hypothesis.facts_for {
            console.line(format_args!("  + {fact}"))?;
        }
        for fact in &hypothesis.facts_against {
            console.line(format_args!("  - {fact}"))?;
        }
    }
    console.section("What to do first")?;
    for (number, step) in (1..).zip(briefing.response) {
        console.line(format_args!("  {number}. {step}"))?;
    }
    let controls = briefing.mapped_ref.join(", ");
    console.section(format_args!("Controls: {controls}"))?;
    Ok(())
}
