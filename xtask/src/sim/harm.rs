//! What happens to the files of a stopped log: bits flip, old backups and copies are started. All of
//! it on copies of the disk.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use deedtrail_core::port::log::{AppendError, EvidenceLog as _, Outcome};
use deedtrail_evidence::BATCH_HEADER_BYTES;
use deedtrail_evidence::disk::simulated::SimulatedDisk;
use deedtrail_evidence::segment::{self, FrameHeader};
use deedtrail_evidence::stepped::SteppedLog;
use sha2::{Digest as _, Sha256};

use super::Safeguard;
use super::model::{Broken, Held, ensure};
use super::world::World;

/// Path and content of every file.
pub(super) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Where the hash of the stored blocks lies in a batch header.
const STORED_HASH: Range<usize> = 88..120;

/// Something happens to a log that was stopped.
pub(super) fn befall(world: &mut World) -> Held {
    if !world.is_sound() {
        return Ok(());
    }
    let files = world.disk.snapshot();
    let held = match world.dice.u32(0..8) {
        0 => rolled_back(world, &files),
        1 => copied(world, &files),
        _ => flipped(world, &files).map(drop),
    };
    if world.earlier.is_empty() || world.dice.u32(0..3) == 0 {
        world.earlier = files;
    }
    held
}

fn is_in_store(path: &Path) -> bool {
    path.starts_with("/sim/store")
}

/// The data folder of an earlier time beside the store of now is refused.
fn rolled_back(world: &mut World, files: &Files) -> Held {
    let checkpoints = |files: &Files| -> Vec<Vec<u8>> {
        let notes = files.iter().filter(|(path, _)| is_in_store(path));
        let notes = notes.filter(|(path, _)| path.extension().is_some_and(|e| e == "checkpoint"));
        notes.map(|(_, note)| note.clone()).collect()
    };
    if world.earlier.is_empty() || checkpoints(&world.earlier) == checkpoints(files) {
        return Ok(());
    }
    let store = if world.missing == Some(Safeguard::CheckpointStore) {
        world.earlier.clone()
    } else {
        files.clone()
    };
    let mut restored: Files = world.earlier.clone();
    restored.retain(|path, _| !is_in_store(path));
    restored.extend(store.into_iter().filter(|(path, _)| is_in_store(path)));
    world.note("an old backup");
    let opened = world.open(&SimulatedDisk::with_files(&restored));
    ensure(opened.is_err(), || "an old backup was opened".to_owned())
}

/// A copy of the data folder beside its original is refused.
fn copied(world: &mut World, files: &Files) -> Held {
    let mut copy = files.clone();
    for (path, bytes) in files {
        if let Ok(rest) = path.strip_prefix("/sim/data") {
            copy.insert(Path::new("/sim/copy").join(rest), bytes.clone());
        }
    }
    world.note("a copied folder");
    let own = world.config.clone();
    world.config.folder = "/sim/copy/log".into();
    world.config.lock = "/sim/copy/LOCK".into();
    world.config.signing_key = "/sim/copy/keys/log-signing.key".into();
    let opened = world.open(&SimulatedDisk::with_files(&copy));
    world.config = own;
    ensure(opened.is_err(), || "a copied folder was opened".to_owned())
}

/// A bit flips in one file; true when the log tells of it.
pub(super) fn flipped(world: &mut World, files: &Files) -> Result<bool, Broken> {
    let paths: Vec<&PathBuf> = files
        .iter()
        .filter(|(_, bytes)| !bytes.is_empty())
        .map(|(path, _)| path)
        .collect();
    let mut path = paths[world.dice.usize(0..paths.len())];
    if world.dice.bool() {
        let segments: Vec<&&PathBuf> = paths.iter().filter(|path| is_segment(path)).collect();
        if !segments.is_empty() {
            path = segments[world.dice.usize(0..segments.len())];
        }
    }
    let mut files = files.clone();
    let Some(bytes) = files.get_mut(path) else {
        return Ok(false);
    };
    let used = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(1, |last| last + 1);
    // Mostly where something was written.
    let reach = if world.dice.u32(0..8) == 0 {
        bytes.len()
    } else {
        used
    };
    let bit = world.dice.usize(0..reach * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    if world.missing == Some(Safeguard::CheckSums) && is_segment(path) {
        seal_again(bytes);
    }
    if world.missing == Some(Safeguard::Watermark) {
        files.retain(|path, _| path.file_name().is_none_or(|name| name != "watermark"));
    }
    world.note(&format!("bit {bit} of {} flips", path.display()));
    let judged = judge(world, &files, path);
    judged.map_err(|Broken(why)| Broken(format!("bit {bit} of {} flipped: {why}", path.display())))
}

fn is_segment(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "segment")
}

/// Files without which a log cannot know who it is: one that is damaged may be refused.
fn is_identity(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name == "identity.json" || name == "log-signing.key" || is_in_store(path)
}

fn judge(world: &mut World, files: &Files, path: &Path) -> Result<bool, Broken> {
    let mut process = match world.open(&SimulatedDisk::with_files(files)) {
        Err(_) if is_identity(path) => return Ok(true),
        Err(error) => return Err(Broken(format!("the healthy rest is not served: {error}"))),
        Ok(process) => process,
    };
    let lost = world.model.readable(process.log())?;
    ensure(lost.is_empty() || is_segment(path), || {
        format!("{lost:?} cannot be read")
    })?;
    if !lost.is_empty() {
        ensure(process.log().damage().is_some(), || {
            "damage is not told".to_owned()
        })?;
    }
    if process.log().damage().is_none() {
        harmless(world, &mut process)?;
        Ok(false)
    } else {
        let entry = world
            .model
            .kept
            .iter()
            .take(1)
            .map(|kept| kept.entry.clone());
        let answer = process.submit(&entry.collect::<Vec<_>>());
        let is_refused = matches!(answer, Err(AppendError::ReadOnly { .. }));
        ensure(
            is_refused || lost.is_empty() || world.config.check_on_open_bytes == 1,
            || "a damaged log takes appends".to_owned(),
        )?;
        Ok(true)
    }
}

/// The log says that it is whole: then proofs hold, and retries are known.
fn harmless(world: &mut World, process: &mut SteppedLog) -> Held {
    let end = world.model.kept.len() as u64;
    if end == 0 {
        return Ok(());
    }
    let key = process.log().verifier_key();
    ensure(world.model.verifier_key() == Some(&key), || {
        format!("it signs as {key}")
    })?;
    Ok(true)?;
    for _ in 0..2 {
        let at = world.dice.u64(0..end);
        let proved = world.model.proved(process.log(), at)?;
        ensure(proved, || format!("entry {at} is not proved"))?;
    }
    let at = world.dice.usize(0..world.model.kept.len());
    let entry = world.model.kept[at].entry.clone();
    if entry.idempotency_key.is_none() {
        return Ok(());
    }
    let Ok(waiting) = process.submit(&[entry]) else {
        return Err(Broken("a healthy log takes no appends".to_owned()));
    };
    process.commit();
    match process.answer(waiting) {
        Some(Ok(answer)) => ensure(answer.outcomes == [Outcome::Duplicate(at as u64)], || {
            format!("a retry of {at} was answered {:?}", answer.outcomes)
        }),
        // A run of the index that cannot be read stops appends until the next start.
        Some(Err(AppendError::Failed { .. })) => Ok(()),
        other => Err(Broken(format!("a retry was answered {other:?}"))),
    }
}

/// Makes the check sums of a segment fit what its frames hold now: as if nobody compared them.
fn seal_again(bytes: &mut [u8]) {
    let frames = segment::scan(bytes).frames;
    for frame in frames.iter().filter(|frame| !frame.intact) {
        let from = usize::try_from(frame.offset).unwrap_or(usize::MAX);
        let body = from + segment::HEADER_BYTES
            ..from + segment::HEADER_BYTES + frame.header.body_bytes as usize;
        let Some(body) = bytes.get_mut(body) else {
            continue;
        };
        if body.len() > BATCH_HEADER_BYTES {
            let stored = Sha256::digest(&body[BATCH_HEADER_BYTES..]);
            body[STORED_HASH].copy_from_slice(&stored);
        }
        let sealed = segment::encode_frame(FrameHeader { ..frame.header }, body);
        bytes[from..from + sealed.len()].copy_from_slice(&sealed);
    }
}
