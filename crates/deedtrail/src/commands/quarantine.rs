//! `quarantine`: records that were not understood, and why.

use anyhow::Context as _;
use deedtrail_app::quarantine::Wanted;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::Quarantined;
use serde_json::json;

use super::{Context, Ended};
use crate::args::{self, QuarantineCommand};
use crate::instance::known_source;

pub(super) fn run(context: &mut Context<'_>, command: &QuarantineCommand) -> anyhow::Result<Ended> {
    match command {
        QuarantineCommand::List {
            source,
            dismissed,
            limit,
        } => list(context, source.as_deref(), *dismissed, *limit),
        QuarantineCommand::Show { entry } => show(context, entry),
        QuarantineCommand::Dismiss { which, reason } => {
            let wanted = wanted(context, which)?;
            let app = context.app();
            let records = app.dismiss_quarantine(&context.principal, &wanted, reason)?;
            decided(
                context,
                records,
                "dismissed; `deedtrail quarantine restore` undoes it",
            )
        }
        QuarantineCommand::Restore { which } => {
            let wanted = wanted(context, which)?;
            let app = context.app();
            let records = app.restore_quarantine(&context.principal, &wanted)?;
            decided(context, records, "wait again")
        }
    }
}

fn wanted(context: &Context<'_>, which: &args::Quarantined) -> anyhow::Result<Wanted> {
    Ok(Wanted {
        source: known(context, which.source.as_deref())?,
        code: which.code.as_deref().map(Into::into),
        sequence: which.entry.as_deref().map(number).transpose()?,
        dismissed: false,
    })
}

fn decided(context: &mut Context<'_>, records: u64, what: &str) -> anyhow::Result<Ended> {
    if context.console.json {
        context.console.object(&json!({ "records": records }))?;
    } else {
        let noun = if records == 1 { "record" } else { "records" };
        context
            .console
            .say(format_args!("{records} {noun} {what}"))?;
    }
    Ok(Ended::Done)
}

/// A source that is known, or has delivered before its mapping went away.
fn known(context: &Context<'_>, source: Option<&str>) -> anyhow::Result<Option<SourceName>> {
    let delivered = context.app().sources(&context.principal)?.into_iter();
    let known = delivered.map(|report| report.name);
    source.map(|name| known_source(name, known)).transpose()
}

fn number(entry: &str) -> anyhow::Result<Sequence> {
    let number = entry.strip_prefix('#').unwrap_or(entry);
    number.parse().ok().with_context(|| {
        format!("`{entry}` is no number; the first column of `deedtrail quarantine list` has them")
    })
}

fn show(context: &mut Context<'_>, entry: &str) -> anyhow::Result<Ended> {
    let sequence = number(entry)?;
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

fn list(
    context: &mut Context<'_>,
    source: Option<&str>,
    dismissed: bool,
    limit: usize,
) -> anyhow::Result<Ended> {
    let wanted = Wanted {
        source: known(context, source)?,
        dismissed,
        ..Wanted::default()
    };
    let app = context.app();
    let waiting = app.quarantine(&context.principal, &wanted, limit)?;
    if context.console.json {
        for record in &waiting {
            context.console.object(&json!({
                "id": record.sequence,
                "source": record.source,
                "received": record.received,
                "bytes": record.bytes,
                "code": record.code,
                "reason": record.reason,
                "dismissal": record.dismissal,
            }))?;
        }
        return Ok(Ended::Done);
    }
    if waiting.is_empty() {
        let nothing = if dismissed {
            "nothing was dismissed"
        } else {
            "nothing waits in quarantine"
        };
        context.console.say(nothing)?;
        return Ok(Ended::Done);
    }
    let row = |record: &Quarantined| {
        vec![
            format!("#{}", record.sequence),
            record.received.to_string(),
            record.source.to_string(),
            record.bytes.to_string(),
            match &record.dismissal {
                None => record.reason.to_string(),
                Some(it) => format!("{}; dismissed by {}: {}", record.reason, it.by, it.reason),
            },
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
