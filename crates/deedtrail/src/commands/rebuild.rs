//! `rebuild` and `replay`: derive again from the log.

use deedtrail_app::pipeline::REBUILDING;
use deedtrail_archive::OpenError;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::Clock as _;
use deedtrail_core::port::store::Store as _;
use deedtrail_store::SqliteStore;

use super::{Context, Ended};
use crate::args::Replay;
use crate::config::Config;
use crate::event_key::{self, OtherKey};
use crate::instance::{STORE_FILE, archive_folder};
use crate::output::Console;
use crate::system::SystemClock;

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
            "{damaged} of them are damaged and left out: `deedtrail evidence check` says where. Restore \
             their segments from a backup, then run `deedtrail rebuild` again"
        ))?;
        return Ok(Ended::Found);
    }
    Ok(Ended::Done)
}

/// Takes out of the way what keeps a data folder from being opened, where a rebuild makes it anew; else
/// it is the error it was.
pub(super) fn make_openable(
    config: &Config,
    error: anyhow::Error,
    console: &mut Console,
) -> anyhow::Result<()> {
    if error.is::<OpenError>() {
        return set_archive_aside(config, &error, console);
    }
    if error.is::<OtherKey>() {
        let store = SqliteStore::open(&config.data.join(STORE_FILE))?;
        // Should this end half-way, the next start derives everything with the key that is there.
        store.put_setting(REBUILDING, &SystemClock.now().to_string())?;
        event_key::forget(&store)?;
        return Ok(console.say("there is another key of event ids: all events get other ids")?);
    }
    Err(error)
}

/// Moves an archive that cannot be opened out of the way, so that another is made.
fn set_archive_aside(
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
