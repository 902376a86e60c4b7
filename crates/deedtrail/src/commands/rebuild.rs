//! `rebuild` and `replay`: derive again from the log.

use deedtrail_core::id::SourceName;

use super::{Context, Ended};
use crate::args::Replay;
use crate::config::Config;
use crate::instance::archive_folder;
use crate::output::Console;

pub(super) fn run(context: &mut Context<'_>) -> anyhow::Result<Ended> {
    let entries = context.app().ports.log.end();
    context.console.say(format_args!(
        "deriving everything anew from {entries} log entries …"
    ))?;
    context.instance.worker.rebuild()?;
    let figures = context.app().figures()?;
    context.console.line(format_args!(
        "rebuilt {} events from {} log entries",
        figures.archive.rows + figures.archive.hot_rows,
        figures.processed
    ))?;
    let damaged = context.app().processing.damaged();
    if damaged > 0 {
        context.console.say(format_args!(
            "{damaged} of them are damaged and left out: `deedtrail evidence check` says where"
        ))?;
        return Ok(Ended::Found);
    }
    Ok(Ended::Done)
}

/// Moves an archive that cannot be opened out of the way, so that another is made.
pub(super) fn set_archive_aside(
    config: &Config,
    error: &anyhow::Error,
    console: &mut Console,
) -> anyhow::Result<()> {
    let folder = archive_folder(config);
    let places = (1..).map(|number| folder.with_extension(format!("unreadable-{number}")));
    for aside in places {
        if aside.try_exists()? {
            continue;
        }
        std::fs::rename(&folder, &aside)?;
        console.say(format_args!(
            "{error}\nit is put aside as {}, which may be removed when the new one is there",
            aside.display()
        ))?;
        break;
    }
    Ok(())
}

pub(super) fn replay(context: &mut Context<'_>, replay: &Replay) -> anyhow::Result<Ended> {
    let source = replay.source.as_deref().map(SourceName::new).transpose()?;
    let answer = context
        .app()
        .replay_quarantine(&context.principal, source.as_ref())?;
    context.instance.settle()?;
    if context.console.json {
        context.console.object(&answer)?;
    } else {
        context.console.line(format_args!(
            "{} quarantined records tried: {} understood now, {} still waiting",
            answer.tried, answer.released, answer.waiting
        ))?;
    }
    Ok(Ended::Done)
}
