//! `entitlement`: what identities may do, imported and beside what they did.

use std::io::Read as _;

use anyhow::Context as _;
use deedtrail_app::entitlement::{
    Deeds, EntitlementImportRequest, EntitlementRefusal, EntitlementReport, GrantChange,
    ImportKind, UsedInPart,
};
use deedtrail_core::Text;

use super::{Context, Ended};
use crate::args::EntitlementCommand;
use crate::output::{Console, counted};

/// Rows of each table of `show`; `--json` has all.
const ROWS_MAX: usize = 20;

pub(super) fn run(
    context: &mut Context<'_>,
    command: &EntitlementCommand,
) -> anyhow::Result<Ended> {
    match command {
        EntitlementCommand::Import {
            file,
            kind,
            account,
            dry_run,
        } => {
            let kind = ImportKind::from_name(kind).context("no such kind")?;
            import(context, file, kind, account.as_deref(), *dry_run)
        }
        EntitlementCommand::Show { who } => show(context, who),
    }
}

fn import(
    context: &mut Context<'_>,
    file: &str,
    kind: ImportKind,
    account: Option<&str>,
    dry_run: bool,
) -> anyhow::Result<Ended> {
    let mut bytes = Vec::new();
    if file == "-" {
        context.console.input.read_to_end(&mut bytes)?;
    } else {
        let path = context.path(file);
        bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    let request = EntitlementImportRequest {
        kind,
        account,
        file: &bytes,
        dry_run,
    };
    let report = context
        .app()
        .import_entitlements(&context.principal, request);
    let report = match report {
        Ok(report) => report,
        Err(EntitlementRefusal::Mistakes(mistakes)) => {
            for mistake in &mistakes {
                context.console.say(mistake)?;
            }
            anyhow::bail!(
                "{}; nothing was imported",
                counted(mistakes.len(), "mistake")
            );
        }
        Err(error) => return Err(error.into()),
    };
    context.instance.settle()?;
    print_report(context, &report)?;
    Ok(Ended::Done)
}

fn print_report(context: &mut Context<'_>, report: &EntitlementReport) -> anyhow::Result<()> {
    let console = &mut *context.console;
    if console.json {
        return Ok(console.object(report)?);
    }
    for note in &report.notes {
        console.say(format_args!("note: {note}"))?;
    }
    let diff = &report.diff;
    let marked = |mark: char, changes: &[GrantChange]| -> Vec<String> {
        let line = |change: &GrantChange| {
            let via = change.via.as_deref().unwrap_or_default();
            let (what, holders) = (&change.what, change.holders);
            let mut text = format!("{mark} {what} (held by {holders}, {via})");
            for field in &change.fields {
                let (before, after) = (&field.before, &field.after);
                text.extend(["\n    ", field.field, ": ", before, " -> ", after]);
            }
            text
        };
        changes.iter().map(line).collect()
    };
    let lines = [
        marked('+', &diff.added),
        marked('-', &diff.removed),
        marked('~', &diff.changed),
    ];
    for line in lines.iter().flatten() {
        console.line(line)?;
    }
    let will = report.applied.is_none();
    let (creates, updates) = if will {
        ("would create identity", "would update identity")
    } else {
        ("created identity", "updated identity")
    };
    for (what, named, total) in [
        (creates, &report.created, report.new_identities),
        (updates, &report.updated, report.updated_identities),
    ] {
        for name in named {
            console.line(format_args!("{what} {name}"))?;
        }
        let more = total.saturating_sub(named.len() as u64);
        if more > 0 {
            console.line(format_args!("{what}: and {more} more"))?;
        }
    }
    console.line(format_args!(
        "{} added, {} removed, {} changed, {} unchanged; \
         {} new identities, {} updated, {} groups; {}",
        diff.added_total,
        diff.removed_total,
        diff.changed_total,
        diff.unchanged_total,
        report.new_identities,
        report.updated_identities,
        report.groups,
        if report.applied.is_some() {
            "imported"
        } else {
            "nothing was imported"
        }
    ))?;
    Ok(())
}

fn show(context: &mut Context<'_>, who: &str) -> anyhow::Result<Ended> {
    let file = context.app().find_identity(&context.principal, who)?;
    context.say_who(who, &file)?;
    let told = context
        .app()
        .entitlement_use(&context.principal, &file, (None, None))?;
    let console = &mut *context.console;
    if console.json {
        console.object(&told)?;
        return Ok(Ended::Done);
    }
    if told.imports.is_empty() {
        console.say("nothing was imported yet; see `deedtrail entitlement import --help`")?;
    }
    if !told.complete {
        console.say("more kinds of things were done than are compared: the most frequent are")?;
    }
    if let Some(words) = told.not_watched_in_words() {
        console.say(words)?;
    }
    console.section(format_args!(
        "Used or tried without a right ({})",
        told.may_not.len()
    ))?;
    let rows = told.may_not.iter().take(ROWS_MAX);
    let rows: Vec<Vec<String>> = rows
        .map(|row| deed(&row.deeds, row.words().to_owned(), &row.by))
        .collect();
    console.table(&DEED_COLUMNS, &rows)?;
    more(console, told.may_not.len())?;
    console.section(format_args!("Used ({})", told.did.len()))?;
    let rows = told.did.iter().take(ROWS_MAX);
    let rows: Vec<Vec<String>> = rows
        .map(|row| deed(&row.deeds, row.basis.words().to_owned(), &row.by))
        .collect();
    console.table(&DEED_COLUMNS, &rows)?;
    more(console, told.did.len())?;
    console.section(format_args!(
        "Rights not used, or in part ({})",
        told.may.len()
    ))?;
    let rows = told.may.iter().take(ROWS_MAX).map(|row| {
        let since = row.granted.unwrap_or(row.first_imported);
        let unknown = Some(row.unknown.to_string()).filter(|why| !why.is_empty());
        let part = row.used_in_part.iter().map(UsedInPart::sentence);
        let named = row.unused.iter().map(Text::to_string).chain(part);
        vec![
            format!("  {}", named.collect::<Vec<_>>().join("; ")),
            format!("{} of {}", row.unused_total, row.permissions_total),
            row.via.as_deref().unwrap_or("-").to_owned(),
            since.to_string(),
            unknown.unwrap_or_else(|| row.use_in_words().to_owned()),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    console.table(&["  RIGHT", "UNUSED", "COMES BY", "SINCE", "USE"], &rows)?;
    more(console, told.may.len())?;
    Ok(Ended::Done)
}

/// Says how many rows of a list are not printed.
fn more(console: &mut Console, rows: usize) -> std::io::Result<()> {
    match rows.saturating_sub(ROWS_MAX) {
        0 => Ok(()),
        more => console.say(format_args!("  and {more} more; --json has all")),
    }
}

const DEED_COLUMNS: [&str; 6] = [
    "  OPERATION",
    "VERDICT",
    "BY",
    "POLICY",
    "EVENTS",
    "LAST (UTC)",
];

fn deed(deeds: &Deeds, verdict: String, by: &[Text]) -> Vec<String> {
    let policy = deeds.policy_decision.as_ref().map(|decision| {
        let said = if decision.allowed {
            "allowed"
        } else {
            "denied"
        };
        match &decision.policy_id {
            Some(id) => format!("{said} by {id}"),
            None => said.to_owned(),
        }
    });
    vec![
        format!("  {}", deeds.operation),
        verdict,
        by.join("; "),
        policy.unwrap_or_else(|| "-".to_owned()),
        deeds.events.to_string(),
        deeds.last.to_string(),
    ]
}
