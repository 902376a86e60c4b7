//! `evidence`: export a bundle, verify one, show checkpoints, adopt a restored folder.

mod timestamp;
pub(super) mod verify;
mod witness;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use deedtrail_app::evidence::Selection;
use deedtrail_app::pipeline::REBUILDING;
use deedtrail_core::limits::NOTE_CHARACTERS_MAX;
use deedtrail_core::port::log::{EvidenceLog as _, Secrets};
use deedtrail_core::port::store::Store as _;
use deedtrail_evidence::bundle::{self, BundleRequest, Witnessed};
use deedtrail_evidence::disk::RealDisk;
use deedtrail_evidence::timestamp::Stamp;
use deedtrail_evidence::{Adoption, Grounds, Log};
use deedtrail_store::SqliteStore;
use serde_json::json;

use super::timeline::in_order;
use super::{Context, Ended};
use crate::args::EvidenceCommand;
use crate::config::Config;
use crate::instance::{STORE_FILE, ensure_installed, known_source, log_config};
use crate::output::{Console, counted};
use crate::socket;
use crate::system::{SystemClock, SystemEntropy};
use crate::witnesses;

/// Most characters of a subject that the default name of its bundle holds; with four bytes each
/// the name stays below the 255 bytes of a file's name.
const SUBJECT_CHARACTERS_MAX: usize = 60;

pub(super) fn run(context: &mut Context<'_>, command: &EvidenceCommand) -> anyhow::Result<Ended> {
    match command {
        EvidenceCommand::Export {
            subject,
            range,
            output,
            force,
            include_secrets,
        } => {
            let path = match output {
                Some(output) => context.path(output),
                None => context.path(file_name(subject)),
            };
            anyhow::ensure!(
                *force || !path.try_exists()?,
                "{} is there already; give another name with -o, or --force to overwrite it",
                path.display()
            );
            ensure_writable(&path)?;
            let secrets = if *include_secrets {
                Secrets::Included
            } else {
                Secrets::Withheld
            };
            let range = in_order(range)?;
            let selection =
                context
                    .app()
                    .select_evidence(&context.principal, subject, range, secrets)?;
            if let Some(file) = &selection.identity {
                context.say_who(subject, file)?;
            }
            export(context, (&selection, secrets), &path)
        }
        EvidenceCommand::Checkpoint => checkpoint(context),
        EvidenceCommand::Check => check(context),
        EvidenceCommand::Verify { file, trusted } => {
            verify::run((context.folder, file), trusted, context.console)
        }
        EvidenceCommand::Witness { ask } => witness::run(context, *ask),
        EvidenceCommand::Timestamp { ask } => timestamp::run(context, *ask),
        EvidenceCommand::Completeness { source } => completeness(context, source.as_deref()),
        EvidenceCommand::Verifier => verifier(context.console),
        EvidenceCommand::Adopt { .. } => {
            anyhow::bail!("stop the server first, then run this again")
        }
    }
}

/// `evidence-SUBJECT.zip`, the subject as far as a file's name can hold it.
fn file_name(subject: &str) -> String {
    let kept = |character: char| character.is_alphanumeric() || "-_.@".contains(character);
    let name: String = subject
        .chars()
        .take(SUBJECT_CHARACTERS_MAX)
        .map(|character| if kept(character) { character } else { '-' })
        .collect();
    format!("evidence-{name}.zip")
}

fn export(
    context: &mut Context<'_>,
    (selection, secrets): (&Selection, Secrets),
    path: &Path,
) -> anyhow::Result<Ended> {
    let events = selection
        .events
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()?;
    let mut sequences: Vec<_> = selection.events.iter().map(|event| event.log_seq).collect();
    sequences.dedup();
    sequences.extend(&selection.custody);
    let completeness = serde_json::to_vec_pretty(&selection.completeness)?;
    let request = BundleRequest {
        title: selection.title.clone(),
        created: context.app().ports.clock.now(),
        sequences,
        events,
        secrets,
        witnessed: witnessed(context, selection)?,
        completeness: Some(completeness),
        stamps: stamps(context, selection)?,
        names: selection.names.clone(),
        extra: BTreeMap::new(),
    };
    bundle::write(&context.instance.log, &request, &RealDisk, path)?;
    let events = request.events.len();
    if context.console.json {
        context.console.object(
            &json!({ "id": path.to_string_lossy(), "title": request.title, "events": events,
                "custody": selection.custody.len(),
                "custody_left_out": selection.completeness.custody_left_out }),
        )?;
    } else {
        context.console.line(format_args!(
            "{}: {}, {} with proofs",
            path.display(),
            request.title,
            counted(events, "event")
        ))?;
    }
    for left_out in &selection.completeness.custody_left_out {
        context
            .console
            .say(format_args!("in the log, not in the bundle: {left_out}"))?;
    }
    context.console.say(format_args!(
        "check it anywhere: deedtrail evidence verify --key '{}' '{}'",
        context.instance.log.verifier_key(),
        path.display()
    ))?;
    Ok(Ended::Done)
}

/// Proves that a file can be made there before anything is taken down: a hidden one beside it, which
/// goes again.
fn ensure_writable(path: &Path) -> anyhow::Result<()> {
    let mut suffix = [0_u8; 8];
    deedtrail_core::port::Entropy::fill(&SystemEntropy, &mut suffix);
    let probe = path.with_file_name(format!(".evidence-{}.new", hex::encode(suffix)));
    anyhow::ensure!(
        !path.is_dir(),
        "{} is a folder; name a file in it",
        path.display()
    );
    let made = File::create_new(&probe).and_then(|_| std::fs::remove_file(&probe));
    made.with_context(|| format!("{} cannot be written", path.display()))
}

/// Of each time stamp authority the earliest stamp that covers the events; asked where there is none.
fn stamps(context: &mut Context<'_>, selection: &Selection) -> anyhow::Result<Vec<Stamp>> {
    let instance = context.instance;
    let Some(client) = &instance.timestamps else {
        return Ok(Vec::new());
    };
    let newest = selection.events.iter().map(|event| event.log_seq).max();
    let newest = newest.map(|sequence| instance.log.batch_number(sequence));
    let stamps = client.covering(newest.transpose()?.map_or(0, |batch| batch + 1));
    if stamps.len() < client.authorities().len() {
        context.console.say(
            "not every time stamp authority stamped this: `deedtrail evidence timestamp` tells why",
        )?;
    }
    Ok(stamps)
}

/// What witnesses say of a checkpoint that covers everything selected; they are asked where that
/// is not known yet.
fn witnessed(
    context: &mut Context<'_>,
    selection: &Selection,
) -> anyhow::Result<Option<Witnessed>> {
    let instance = context.instance;
    let Some(client) = &instance.witnesses else {
        return Ok(None);
    };
    let events = selection.events.iter().map(|event| event.log_seq);
    let newest = events.chain(selection.custody.iter().copied()).max();
    let newest = newest.map(|sequence| instance.log.batch_number(sequence));
    let size = newest.transpose()?.map_or(0, |batch| batch + 1);
    let checkpoint = client.vouched(size);
    if checkpoint.is_none() {
        context.console.say(
            "no witness vouches for this bundle: `deedtrail evidence witness` tells why. Export \
             again once they do",
        )?;
    }
    Ok(Some(Witnessed {
        policy: client.policy_text(),
        checkpoint,
    }))
}

fn checkpoint(context: &mut Context<'_>) -> anyhow::Result<Ended> {
    let log = &context.instance.log;
    log.seal()?;
    let client = context.instance.witnesses.as_ref();
    let vouched = client.and_then(|client| client.vouched(0));
    if context.console.json {
        context.console.object(&json!({
            "id": log.origin(),
            "checkpoint": log.checkpoint(),
            "cosigned": vouched,
            "verifier_key": log.verifier_key(),
        }))?;
        return Ok(Ended::Done);
    }
    context.console.lines(&log.checkpoint())?;
    if let Some(vouched) = vouched {
        context
            .console
            .line("newest one that witnesses cosigned:")?;
        context.console.lines(&vouched)?;
    }
    context
        .console
        .line(format_args!("verifier key: {}", log.verifier_key()))?;
    Ok(Ended::Done)
}

/// What is known to be missing from the sources.
fn completeness(context: &mut Context<'_>, source: Option<&str>) -> anyhow::Result<Ended> {
    let of = source.map(|name| {
        let sources = context.app().sources(&context.principal)?;
        known_source(name, sources.into_iter().map(|report| report.name))
    });
    let of: BTreeSet<_> = of.transpose()?.into_iter().collect();
    let said = context.app().completeness(&context.principal, &of)?;
    for source in &said.sources {
        if context.console.json {
            let mut row = json!(source);
            row["id"] = json!(source.source);
            context.console.object(&row)?;
            continue;
        }
        let records = source.records;
        context
            .console
            .line(format_args!("{}: {records} records", source.source))?;
        for line in &source.says {
            context.console.line(format_args!("  {line}"))?;
        }
    }
    if said.sources.is_empty() {
        context.console.say("nothing came so far")?;
    }
    Ok(Ended::Done)
}

fn check(context: &mut Context<'_>) -> anyhow::Result<Ended> {
    let checked = context.instance.log.check_everything()?;
    let ended = match &checked.damage {
        None => Ended::Done,
        Some(_) => Ended::Found,
    };
    if context.console.json {
        context.console.object(&json!({
            "id": context.instance.log.origin(),
            "ok": checked.damage.is_none(),
            "at": checked.at,
            "entries": checked.entries,
            "batches": checked.batches,
            "signed_batches": checked.signed,
            "damage": checked.damage,
            "damaged_entries": checked.damaged,
        }))?;
        return Ok(ended);
    }
    let (entries, batches, signed) = (checked.entries, checked.batches, checked.signed);
    match checked.damage {
        None => context.console.line(format_args!(
            "OK: {entries} entries in {batches} batches read, compared with the checkpoint over {signed} batches"
        ))?,
        Some(damage) => {
            let place = segments_place(&context.instance.log);
            context.console.line(format_args!("DAMAGED: {damage}{place}"))?;
            let damaged = checked.damaged;
            context.console.say(format_args!(
                "{damaged} of {entries} entries are damaged; {batches} batches could be read"
            ))?;
        }
    }
    Ok(ended)
}

/// Where the segments of a damaged log lie, to go on a sentence.
pub(super) fn segments_place(log: &Log) -> String {
    log.newest_segment().map_or_else(String::new, |newest| {
        format!(" (the newest is {})", newest.display())
    })
}

/// Prints the verifier in Python.
pub(super) fn verifier(console: &mut Console) -> anyhow::Result<Ended> {
    console.lines(bundle::VERIFIER)?;
    Ok(Ended::Done)
}

/// Where more was derived than the log has, everything is derived anew at the next start: what comes in
/// from now on takes the places of what is gone.
fn derive_anew_beyond(config: &Config, end: u64) -> anyhow::Result<()> {
    let path = config.data.join(STORE_FILE);
    if path.try_exists()? {
        let store = SqliteStore::open(&path)?;
        if store.processed()? >= end {
            store.put_setting(REBUILDING, "an adoption")?;
        }
    }
    Ok(())
}

/// Takes over a copied or restored data folder under a new origin; `because` says why where nothing
/// in it does.
pub(super) fn adopt(
    config: &Config,
    because: Option<&str>,
    console: &mut Console,
) -> anyhow::Result<Ended> {
    ensure_installed(&config.data)?;
    anyhow::ensure!(
        socket::connect(&config.data).is_none(),
        "a server runs on {}: stop it first, then run this again",
        config.data.display()
    );
    let because = because.map(str::trim);
    anyhow::ensure!(
        because.is_none_or(|it| (1..=NOTE_CHARACTERS_MAX).contains(&it.chars().count())),
        "--because: say why, in at most {NOTE_CHARACTERS_MAX} characters"
    );
    let entropy = SystemEntropy;
    let mut suffix = [0_u8; 8];
    deedtrail_core::port::Entropy::fill(&entropy, &mut suffix);
    let suffix = hex::encode(suffix);
    let origin = format!("deedtrail.invalid/{suffix}");
    let around = (
        Arc::new(RealDisk) as _,
        Arc::new(SystemClock) as _,
        Arc::new(entropy) as _,
    );
    let places = log_config(config);
    let adoption = Adoption {
        origin,
        reason: because.unwrap_or("deedtrail evidence adopt").to_owned(),
        grounds: because.map_or(Grounds::Found, |_| Grounds::Said),
    };
    // Before the new origin lasts: cut short in between, this is done again, and nothing vouches under
    // the old key meanwhile. The log is locked until it is closed.
    let mut had_key = false;
    let log = Log::adopt(&places, around, &adoption, &mut || {
        had_key = witnesses::set_aside(config, &suffix)
            .map_err(|error| std::io::Error::other(format!("{error:#}")))?;
        Ok(())
    })?;
    console.line(format_args!("adopted: the log goes on as {}", log.origin()))?;
    console.say(format_args!(
        "its key by which bundles and checkpoints are checked from now on: {}",
        log.verifier_key()
    ))?;
    let end = log.end();
    log.close()?;
    derive_anew_beyond(config, end)?;
    // Also where it was put aside by a run that was cut short.
    if had_key || !config.witness.logs.is_empty() {
        console.say(
            "the key by which this installation witnesses other logs was put aside, since it may have \
             vouched for more than is remembered here: give their operators the new one, which \
             `deedtrail evidence witness` prints",
        )?;
    }
    if !config.witnesses.is_empty() {
        console.say(
            "the log has a new name: give the operators of its witnesses its new key, which \
             `deedtrail evidence checkpoint` prints",
        )?;
    }
    Ok(Ended::Done)
}
