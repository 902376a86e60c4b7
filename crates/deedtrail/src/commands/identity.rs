//! `identity`: list, show, import.

use std::io::Read as _;

use anyhow::Context as _;
use deedtrail_app::charter::ToolsInForce;
use deedtrail_app::identity::{ImportMode, ImportRefusal, ImportReport};
use deedtrail_app::timeline::IdentityFile;
use deedtrail_core::identity::Identity;
use deedtrail_core::port::store::{FindingFilter, IdentityFilter};
use deedtrail_core::time::Timestamp;

use super::{Context, Ended};
use crate::args::IdentityCommand;
use crate::output::counted;

/// Declared tools printed.
const TOOLS_MAX: usize = 40;

pub(super) fn run(context: &mut Context<'_>, command: &IdentityCommand) -> anyhow::Result<Ended> {
    match command {
        IdentityCommand::List {
            kind,
            text,
            unowned,
        } => {
            let filter = IdentityFilter {
                kind: kind.clone(),
                text: text.clone(),
                unowned: *unowned,
                ..IdentityFilter::default()
            };
            list(context, &filter)
        }
        IdentityCommand::Show { who } => show(context, who),
        IdentityCommand::Import {
            file,
            dry_run,
            skip_bad,
        } => import(
            context,
            file,
            ImportMode {
                dry_run: *dry_run,
                skip_bad: *skip_bad,
            },
        ),
    }
}

fn at(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), |t| t.to_string())
}

fn list(context: &mut Context<'_>, filter: &IdentityFilter) -> anyhow::Result<Ended> {
    let identities = context.app().ports.store.identities(filter)?;
    if context.console.json {
        for identity in &identities {
            context.console.object(identity)?;
        }
        return Ok(Ended::Done);
    }
    if identities.is_empty() {
        context
            .console
            .say("no identities: nothing has been taken in, or the filter leaves none")?;
        return Ok(Ended::Done);
    }
    let row = |identity: &Identity| {
        vec![
            identity.id.to_string(),
            identity.kind.name().to_owned(),
            identity.name.to_string(),
            identity.declared.owner.as_deref().unwrap_or("-").to_owned(),
            at(identity.last_seen),
        ]
    };
    let rows: Vec<Vec<String>> = identities.iter().map(row).collect();
    context
        .console
        .table(&["ID", "KIND", "NAME", "OWNER", "LAST SEEN (UTC)"], &rows)?;
    Ok(Ended::Done)
}

fn show(context: &mut Context<'_>, who: &str) -> anyhow::Result<Ended> {
    let file = context.app().open_identity(&context.principal, who)?;
    context.say_who(who, &file)?;
    let app = context.app();
    let tools = app.tools_in_force(&context.principal, &file)?;
    if context.console.json {
        context.console.object(&serde_json::json!({
            "id": file.identity.id,
            "tools": tools,
            "identity": file.identity,
            "aliases": file.aliases,
            "credentials": file.credentials,
        }))?;
        return Ok(Ended::Done);
    }
    facts(context, &file, tools.as_ref())?;
    let filter = FindingFilter {
        identity: Some(file.identity.id),
        ..FindingFilter::default()
    };
    let findings = context.app().findings(&context.principal, &filter, 20)?;
    let count = findings.len();
    context
        .console
        .section(format_args!("Findings ({count})"))?;
    for finding in findings {
        let line = format!(
            "  {}  {:8}  {}",
            finding.id,
            finding.draft.severity.name(),
            finding.draft.title
        );
        context.console.line(line)?;
    }
    Ok(Ended::Done)
}

fn facts(
    context: &mut Context<'_>,
    file: &IdentityFile,
    tools: Option<&ToolsInForce>,
) -> anyhow::Result<()> {
    let identity = &file.identity;
    let declared = &identity.declared;
    let or_none = |text: &Option<deedtrail_core::Text>| {
        text.clone().unwrap_or_else(|| "nobody has said".into())
    };
    let console = &mut *context.console;
    console.line(format_args!("{} ({})", identity.name, identity.kind.name()))?;
    console.line(format_args!("  id       {}", identity.id))?;
    console.line(format_args!("  owner    {}", or_none(&declared.owner)))?;
    console.line(format_args!("  purpose  {}", or_none(&declared.purpose)))?;
    console.line(format_args!(
        "  seen     {} to {}",
        at(identity.first_seen),
        at(identity.last_seen)
    ))?;
    if let Some(tools) = tools {
        let names = tools.tools.iter().take(TOOLS_MAX);
        let names: Vec<&str> = names.map(deedtrail_core::Text::as_str).collect();
        console.line(format_args!(
            "  tools    {} (by {})",
            names.join(", "),
            tools.told_by
        ))?;
        if tools.tools.len() > TOOLS_MAX {
            let more = tools.tools.len() - TOOLS_MAX;
            console.line(format_args!("           and {more} more; --json has all"))?;
        }
    }
    console.section(format_args!("Aliases ({})", file.aliases.len()))?;
    let rows: Vec<Vec<String>> = file
        .aliases
        .iter()
        .map(|a| {
            vec![
                format!("  {}:{}", a.namespace, a.value),
                a.evidence.to_string(),
            ]
        })
        .collect();
    console.table(&["  ALIAS", "EVIDENCE"], &rows)?;
    console.section(format_args!("Credentials ({})", file.credentials.len()))?;
    let rows: Vec<Vec<String>> = file
        .credentials
        .iter()
        .map(|c| {
            vec![
                format!("  {}", c.kind.name()),
                c.reference.to_string(),
                at(c.created),
                at(c.last_used),
                c.uses.to_string(),
            ]
        })
        .collect();
    console.table(&["  KIND", "ID", "CREATED", "LAST USED", "USES"], &rows)?;
    Ok(())
}

fn import(context: &mut Context<'_>, file: &str, mode: ImportMode) -> anyhow::Result<Ended> {
    let mut bytes = Vec::new();
    if file == "-" {
        context.console.input.read_to_end(&mut bytes)?;
    } else {
        let path = context.path(file);
        bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    let report = match context
        .app()
        .import_identities(&context.principal, &bytes, mode)
    {
        Ok(report) => report,
        Err(ImportRefusal::BadLines(errors)) => {
            for error in &errors {
                context.console.say(error)?;
            }
            anyhow::bail!("{}; nothing was imported", counted(errors.len(), "mistake"));
        }
        Err(error) => return Err(error.into()),
    };
    context.instance.settle()?;
    print_report(context, &report)?;
    Ok(Ended::Done)
}

fn print_report(context: &mut Context<'_>, report: &ImportReport) -> anyhow::Result<()> {
    if context.console.json {
        context.console.object(report)?;
        return Ok(());
    }
    let console = &mut *context.console;
    for error in &report.skipped {
        console.say(format_args!("skipped: {error}"))?;
    }
    for change in report.diff.new.iter().chain(&report.diff.changed) {
        let mark = if change.identity.is_some() { '~' } else { '+' };
        console.line(format_args!("{mark} {}", change.name))?;
        for field in &change.fields {
            console.line(format_args!(
                "    {}: {} -> {}",
                field.field, field.before, field.after
            ))?;
        }
    }
    console.line(format_args!(
        "{} new, {} changed, {} unchanged; {}",
        report.diff.new.len(),
        report.diff.changed.len(),
        report.diff.unchanged,
        if report.applied.is_some() {
            "imported"
        } else {
            "nothing was imported"
        }
    ))?;
    Ok(())
}
