//! `quarantine`: records that were not understood, and why.

use anyhow::Context as _;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::Quarantined;
use serde_json::json;

use super::{Context, Ended};
use crate::args::QuarantineCommand;
use crate::instance::known_source;

pub(super) fn run(context: &mut Context<'_>, command: &QuarantineCommand) -> anyhow::Result<Ended> {
    match command {
        QuarantineCommand::List { source, limit } => list(context, source.as_deref(), *limit),
        QuarantineCommand::Show { entry } => show(context, entry),
    }
}

fn show(context: &mut Context<'_>, entry: &str) -> anyhow::Result<Ended> {
    let number = entry.strip_prefix('#').unwrap_or(entry);
    let sequence: Sequence = number
        .parse()
        .with_context(|| format!("`{entry}` is no number of `deedtrail quarantine list`"))?;
    let record = context
        .app()
        .quarantined_record(&context.principal, sequence)?;
    let record = String::from_utf8_lossy(&record);
    if context.console.json {
        let object = json!({ "id": sequence, "record": record });
        context.console.object(&object)?;
    } else {
        context.console.lines(&record)?;
    }
    Ok(Ended::Done)
}

fn list(context: &mut Context<'_>, source: Option<&str>, limit: usize) -> anyhow::Result<Ended> {
    let app = context.app();
    let delivered = app.sources(&context.principal)?.into_iter();
    let known = delivered.map(|report| report.name);
    let source = source.map(|name| known_source(name, known)).transpose()?;
    let waiting = app.quarantine(&context.principal, source.as_ref(), limit)?;
    if context.console.json {
        for record in &waiting {
            context.console.object(&json!({
                "id": record.sequence,
                "source": record.source,
                "received": record.received,
                "bytes": record.bytes,
                "code": record.code,
                "reason": record.reason,
            }))?;
        }
        return Ok(Ended::Done);
    }
    if waiting.is_empty() {
        context.console.say("nothing waits in quarantine")?;
        return Ok(Ended::Done);
    }
    let row = |record: &Quarantined| {
        vec![
            format!("#{}", record.sequence),
            record.received.to_string(),
            record.source.to_string(),
            record.bytes.to_string(),
            record.reason.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = waiting.iter().map(row).collect();
    let headings = ["ENTRY", "RECEIVED (UTC)", "SOURCE", "BYTES", "REASON"];
    context.console.table(&headings, &rows)?;
    if waiting.len() == limit {
        context
            .console
            .say(format_args!("the newest {limit}; --limit shows more"))?;
    }
    context
        .console
        .say("one as it came in: deedtrail quarantine show ENTRY; when the mapping is fixed: deedtrail replay")?;
    Ok(Ended::Done)
}
