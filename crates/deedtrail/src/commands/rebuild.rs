//! `rebuild` and `replay`: derive again from the log.

use std::sync::Arc;

use anyhow::Context as _;
use deedtrail_app::pipeline::REBUILDING;
use deedtrail_archive::OpenError;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::Clock as _;
use deedtrail_core::port::log::EvidenceLog as _;
use deedtrail_core::port::store::Store as _;
use deedtrail_evidence::Log;
use deedtrail_store::SqliteStore;

use super::{Context, Ended};
use crate::args::{Rebuild, Replay};
use crate::config::Config;
use crate::event_key::{self, OtherKey};
use crate::instance::{STORE_FILE, archive_folder, open_log};
use crate::output::Console;
use crate::system::{SystemClock, SystemEntropy};

pub(super) fn run(context: &mut Context<'_>, wanted: Rebuild) -> anyhow::Result<Ended> {
    let store = &context.instance.store;
    let is_begun = !store.setting(REBUILDING)?.unwrap_or_default().is_empty();
    let log = &context.instance.log;
    let whole = read_back(log, wanted, context.console);
    let is_whole = whole.with_context(|| {
        if is_begun {
            "a rebuild that was begun earlier goes on, now or at the next start, without these entries"
        } else {
            "no rebuild was begun"
        }
    })?;
    let entries = log.end();
    context.console.say(format_args!(
        "deriving everything anew from {entries} log entries …"
    ))?;
    context.instance.worker.rebuild()?;
    if is_whole && context.app().processing.damaged() > 0 {
        // It joined one that had passed over what is whole by now.
        context.instance.worker.rebuild()?;
    }
    let figures = context.app().figures()?;
    context.console.line(format_args!(
        "rebuilt {} events from {} log entries",
        figures.archive.rows + figures.archive.hot_rows,
        figures.processed
    ))?;
    let damaged = context.app().processing.damaged();
    if damaged > 0 {
        context.console.say(format_args!(
            "{damaged} of them are damaged and left out: `deedtrail evidence check` says where. Once \
             their segments are restored, run `deedtrail rebuild` again"
        ))?;
        if !wanted.without_damaged {
            return Ok(Ended::Found);
        }
    }
    Ok(Ended::Done)
}

/// Reads all of the log back, so that what was derived of entries that are damaged by now is not given up
/// unasked. True when every entry is whole.
fn read_back(log: &Log, wanted: Rebuild, console: &mut Console) -> anyhow::Result<bool> {
    let entries = log.end();
    console.say(format_args!("reading {entries} log entries back first …"))?;
    let checked = log.check_everything()?;
    if let Some(beside) = checked.damage.as_ref().filter(|_| checked.damaged == 0) {
        console.say(format_args!("no entry is damaged, but {beside}"))?;
    }
    let damage = checked.damage.filter(|_| checked.damaged > 0);
    match damage {
        Some(damage) if !wanted.without_damaged => anyhow::bail!(
            "{damage}\nWhat was derived of entries that cannot be read would go with a rebuild. Restore \
             their segments from a backup first; without one, `deedtrail rebuild --without-damaged` gives \
             up what rests on them"
        ),
        damage => Ok(damage.is_none()),
    }
}

/// Takes out of the way what keeps a data folder from being opened, where a rebuild makes it anew; else
/// it is the error it was.
pub(super) fn make_openable(
    config: &Config,
    error: anyhow::Error,
    wanted: Rebuild,
    console: &mut Console,
) -> anyhow::Result<()> {
    if !error.is::<OpenError>() && !error.is::<OtherKey>() {
        return Err(error);
    }
    let log = open_log(
        config,
        &(Arc::new(SystemClock) as _),
        &(Arc::new(SystemEntropy) as _),
    )?;
    read_back(&log, wanted, console).context("no rebuild was begun")?;
    log.close()?;
    drop(log);
    if error.is::<OpenError>() {
        return set_archive_aside(config, &error, console);
    }
    let store = SqliteStore::open(&config.data.join(STORE_FILE))?;
    // Should this end half-way, the next start derives everything with the key that is there.
    store.put_setting(REBUILDING, &SystemClock.now().to_string())?;
    event_key::forget(&store)?;
    store.seal()?;
    Ok(console.say("there is another key of event ids: all events get other ids")?)
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
