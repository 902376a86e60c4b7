//! `quarantine`: records that were not understood, and why.

use deedtrail_core::port::store::Quarantined;
use serde_json::json;

use super::{Context, Ended};
use crate::args::QuarantineCommand;
use crate::instance::known_source;

pub(super) fn run(context: &mut Context<'_>, command: &QuarantineCommand) -> anyhow::Result<Ended> {
    let QuarantineCommand::List { source, limit } = command;
    let app = context.app();
    let delivered = app.sources(&context.principal)?.into_iter();
    let known = delivered.map(|report| report.name);
    let source = source
        .as_deref()
        .map(|name| known_source(name, known))
        .transpose()?;
    let waiting = app.quarantine(&context.principal, source.as_ref(), *limit)?;
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
    if waiting.len() == *limit {
        context
            .console
            .say(format_args!("the newest {limit}; --limit shows more"))?;
    }
    context
        .console
        .say("when their mapping is fixed: deedtrail replay")?;
    Ok(Ended::Done)
}
