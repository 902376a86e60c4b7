//! `evidence`: export a bundle, verify one, show checkpoints, adopt a restored folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use deedtrail_app::evidence::Selection;
use deedtrail_core::port::log::{EvidenceLog as _, Secrets};
use deedtrail_evidence::Log;
use deedtrail_evidence::bundle::{self, BundleRequest};
use deedtrail_evidence::disk::RealDisk;
use serde_json::json;

use super::timeline::in_order;
use super::{Context, Ended};
use crate::args::EvidenceCommand;
use crate::config::Config;
use crate::instance::{ensure_installed, log_config};
use crate::output::{Console, counted};
use crate::system::{SystemClock, SystemEntropy};

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
            anyhow::ensure!(
                !selection.events.is_empty(),
                "{}: no events in range",
                selection.title
            );
            export(context, (&selection, secrets), &path)
        }
        EvidenceCommand::Checkpoint => {
            context.instance.log.seal()?;
            let log = &context.instance.log;
            if context.console.json {
                context.console.object(&serde_json::json!({
                    "id": log.origin(),
                    "checkpoint": log.checkpoint(),
                    "verifier_key": log.verifier_key(),
                }))?;
            } else {
                context.console.lines(&log.checkpoint())?;
                context
                    .console
                    .line(format_args!("verifier key: {}", log.verifier_key()))?;
            }
            Ok(Ended::Done)
        }
        EvidenceCommand::Check => check(context),
        EvidenceCommand::Verify { file, key } => {
            verify(&context.path(file), key.as_deref(), context.console)
        }
        EvidenceCommand::Verifier => verifier(context.console),
        EvidenceCommand::Adopt => anyhow::bail!("stop the server first, then run this again"),
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
    let request = BundleRequest {
        title: selection.title.clone(),
        created: context.app().ports.clock.now(),
        sequences,
        events,
        secrets,
        extra: BTreeMap::new(),
    };
    bundle::write(&context.instance.log, &request, &RealDisk, path)?;
    let events = request.events.len();
    if context.console.json {
        context.console.object(
            &json!({ "id": path.to_string_lossy(), "title": request.title, "events": events }),
        )?;
    } else {
        context.console.line(format_args!(
            "{}: {}, {} with proofs",
            path.display(),
            request.title,
            counted(events, "event")
        ))?;
    }
    context
        .console
        .say("check it anywhere: deedtrail evidence verify FILE")?;
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
        }))?;
        return Ok(ended);
    }
    let read = format!(
        "{} entries in {} batches read, compared with the checkpoint over {} batches",
        checked.entries, checked.batches, checked.signed
    );
    match checked.damage {
        None => context.console.line(format_args!("OK: {read}"))?,
        Some(damage) => {
            context.console.line(format_args!("DAMAGED: {damage}"))?;
            context.console.say(read)?;
        }
    }
    Ok(ended)
}

/// Prints the verifier in Python.
pub(super) fn verifier(console: &mut Console) -> anyhow::Result<Ended> {
    console.lines(bundle::VERIFIER)?;
    Ok(Ended::Done)
}

/// Verifies a bundle with nothing but the file, and the key it must be signed with if one is given.
pub(super) fn verify(
    file: &Path,
    key: Option<&str>,
    console: &mut Console,
) -> anyhow::Result<Ended> {
    match bundle::verify(file) {
        Ok(verified) if key.is_some_and(|key| key.trim() != verified.verifier_key) => {
            let signer = &verified.verifier_key;
            if console.json {
                console.object(&json!({
                    "id": verified.origin, "valid": false, "verifier_key": signer,
                }))?;
            } else {
                console.line(format_args!("NOT VALID: signed by another key, {signer}"))?;
            }
            Ok(Ended::Found)
        }
        Ok(verified) if console.json => {
            console.object(&json!({
                "id": verified.origin,
                "valid": true,
                "title": verified.title,
                "created": verified.created,
                "records": verified.sequences.len(),
                "events": verified.events,
                "withheld": verified.withheld,
                "verifier_key": verified.verifier_key,
            }))?;
            Ok(Ended::Done)
        }
        Ok(verified) => {
            console.line(format_args!("OK: {}", verified.title))?;
            console.line(format_args!(
                "{} records, {} events, made {}; in the log {} at size {}",
                verified.sequences.len(),
                verified.events,
                verified.created,
                verified.origin,
                verified.checkpoint.head.size
            ))?;
            if verified.withheld > 0 {
                console.line(format_args!(
                    "{} parts with secrets or tool arguments are withheld; their hashes hold",
                    verified.withheld
                ))?;
            }
            console.line(format_args!("signed by {}", verified.verifier_key))?;
            if key.is_none() {
                console.say(
                    "anybody could have signed this: compare the key with one you know \
                     (deedtrail evidence checkpoint), or give it with --key",
                )?;
            }
            Ok(Ended::Done)
        }
        Err(error) => {
            console.line(format_args!("NOT VALID: {error}"))?;
            Ok(Ended::Found)
        }
    }
}

/// Takes over a copied or restored data folder under a new origin.
pub(super) fn adopt(config: &Config, console: &mut Console) -> anyhow::Result<Ended> {
    ensure_installed(&config.data)?;
    let entropy = SystemEntropy;
    let mut suffix = [0_u8; 8];
    deedtrail_core::port::Entropy::fill(&entropy, &mut suffix);
    let origin = format!("deedtrail/{}", hex::encode(suffix));
    let around = (
        Arc::new(RealDisk) as _,
        Arc::new(SystemClock) as _,
        Arc::new(entropy) as _,
    );
    let log = Log::adopt(
        &log_config(config),
        around,
        &origin,
        "deedtrail evidence adopt",
    )?;
    console.line(format_args!("adopted: the log goes on as {}", log.origin()))?;
    log.close()?;
    Ok(Ended::Done)
}
