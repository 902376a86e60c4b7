//! Damage, counted: every bit of a log, random bits of all its files, and every cut through a tail.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use deedtrail_core::port::log::{EvidenceLog as _, NewEntry, StoredEntry};
use deedtrail_evidence::disk::simulated::{SimulatedDisk, Syncing};
use deedtrail_evidence::segment;
use deedtrail_evidence::stepped::SteppedLog;
use deedtrail_evidence::{Log, LogConfig, Upkeep};

use crate::process::{Tally, say};

use super::doubles::{JumpingClock, Numbers};
use super::harm::{self, Files};
use super::model::{Broken, Held, ensure};
use super::world::World;

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount {
    /// Bytes of closed segments of which every bit is flipped.
    pub(crate) bytes: usize,
    /// Random bits of all files, each followed by a start.
    pub(crate) flips: u64,
    /// Cuts through the last 64 KiB of the newest segment, evenly spread.
    pub(crate) cuts: usize,
}

/// Flips on the files of one log before another one is written.
const FLIPS_A_LOG: u64 = 500;
/// Bytes of the tail that is cut.
const TAIL_BYTES: usize = 64 << 10;

pub(crate) fn run(amount: Amount) -> Tally {
    let mut tally = Tally::default();
    tally.add(told("bits", amount.bytes as u64 * 8, || {
        every_bit(amount.bytes)
    }));
    tally.add(told("flips", amount.flips, || random_flips(amount.flips)));
    tally.add(told("cuts", amount.cuts as u64, || every_cut(amount.cuts)));
    tally
}

/// Says what came of a part, and how long it took.
fn told(what: &str, count: u64, part: impl FnOnce() -> Result<u64, Broken>) -> Tally {
    let begun = Instant::now();
    let outcome = part();
    let seconds = begun.elapsed().as_secs_f64();
    match &outcome {
        Ok(noticed) => say(format_args!(
            "damage: {what}: {count}, {noticed} told, the others harmless; {seconds:.0} s"
        )),
        Err(Broken(why)) => say(format_args!("damage: {what}: {why}; {seconds:.0} s")),
    }
    Tally::one(outcome.is_ok())
}

/// Work for all processors: `job` gets 0, 1, 2 … until `count`.
fn spread(count: u64, job: impl Fn(u64) -> Held + Sync) -> Held {
    let next = AtomicU64::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut held = Ok(());
    std::thread::scope(|scope| {
        let run = || loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return Ok(());
            }
            if let Err(broken) = job(at) {
                next.store(count, Ordering::Relaxed);
                return Err(broken);
            }
        };
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(run)).collect();
        for thread in threads {
            let ended = thread
                .join()
                .unwrap_or_else(|_| Err(Broken("a thread panicked".to_owned())));
            if held.is_ok() {
                held = ended;
            }
        }
    });
    held
}

/// A log of its own for damage.
struct Sample {
    disk: SimulatedDisk,
    process: SteppedLog,
    dice: fastrand::Rng,
    sent: u64,
}

fn config(segment_bytes: u64) -> LogConfig {
    let mut config = LogConfig::new(Path::new("/sim/data"), Path::new("/sim/store"));
    config.upkeep = Upkeep::Manual;
    config.segment_bytes = segment_bytes;
    config
}

fn open(disk: &SimulatedDisk, segment_bytes: u64) -> Result<SteppedLog, Broken> {
    let (clock, entropy) = (JumpingClock::new(1), Numbers::new(1));
    let opened = SteppedLog::open(
        &config(segment_bytes),
        Arc::new(disk.clone()),
        Arc::new(clock),
        Arc::new(entropy),
    );
    opened.map_err(|error| Broken(format!("cannot open: {error}")))
}

impl Sample {
    fn new(segment_bytes: u64) -> Result<Self, Broken> {
        let disk = SimulatedDisk::new(Syncing::Honest);
        let process = open(&disk, segment_bytes)?;
        Ok(Self {
            disk,
            process,
            dice: fastrand::Rng::with_seed(1),
            sent: 0,
        })
    }

    /// One commit of a few records.
    fn append(&mut self) -> Held {
        let entries: Vec<NewEntry> = (0..self.dice.u64(1..4))
            .map(|_| {
                self.sent += 1;
                let mut bytes = vec![0; self.dice.usize(1..800)];
                self.dice.fill(&mut bytes);
                super::clients::record(self.sent, bytes)
            })
            .collect();
        let waiting = self
            .process
            .submit(&entries)
            .map_err(|error| Broken(error.to_string()))?;
        self.process.commit();
        match self.process.answer(waiting) {
            Some(Ok(_)) => Ok(()),
            other => Err(Broken(format!("an append was answered {other:?}"))),
        }
    }

    fn upkeep(&self) -> Held {
        let kept = self.process.log().upkeep();
        kept.map_err(|error| Broken(error.to_string()))
    }
}

fn segments(files: &Files) -> Vec<PathBuf> {
    let is_segment = |path: &&PathBuf| path.extension().is_some_and(|e| e == "segment");
    files.keys().filter(is_segment).cloned().collect()
}

/// Flips every bit of closed segments, one at a time: each is noticed when the segment is scanned.
fn every_bit(bytes: usize) -> Result<u64, Broken> {
    let mut sample = Sample::new(8 << 10)?;
    let closed = |files: &Files| -> Vec<Vec<u8>> {
        let mut paths = segments(files);
        paths.pop();
        paths.iter().map(|path| files[path].clone()).collect()
    };
    while closed(&sample.disk.snapshot())
        .iter()
        .map(Vec::len)
        .sum::<usize>()
        < bytes
    {
        for _ in 0..20 {
            sample.append()?;
        }
    }
    let all = closed(&sample.disk.snapshot());
    let left = AtomicU64::new(bytes as u64);
    spread(all.len() as u64, |number| {
        let mut flipped = all[usize::try_from(number).unwrap_or(0)].clone();
        let here = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            Some(left.saturating_sub(flipped.len() as u64))
        });
        let here = usize::try_from(here.unwrap_or(0))
            .unwrap_or(0)
            .min(flipped.len());
        let good = segment::scan(&flipped);
        for bit in 0..here * 8 {
            flipped[bit / 8] ^= 1 << (bit % 8);
            ensure(segment::scan(&flipped) != good, || {
                format!("bit {bit} of segment {number} is not noticed")
            })?;
            flipped[bit / 8] ^= 1 << (bit % 8);
        }
        Ok(())
    })?;
    Ok(bytes as u64 * 8)
}

/// Flips random bits of all files of many logs, one at a time, starts them, reads and proves.
fn random_flips(flips: u64) -> Result<u64, Broken> {
    let logs = flips.div_ceil(FLIPS_A_LOG);
    let told = AtomicU64::new(0);
    spread(logs, |number| {
        let mut world = World::new(1_000_000 + number, None);
        world.is_calm = true;
        world.start()?;
        for _ in 0..12 {
            world.round()?;
        }
        world.stop()?;
        let files = world.disk.snapshot();
        for _ in 0..FLIPS_A_LOG.min(flips - number * FLIPS_A_LOG) {
            let noticed = harm::flipped(&mut world, &files)?;
            told.fetch_add(u64::from(noticed), Ordering::Relaxed);
        }
        Ok(())
    })?;
    Ok(told.into_inner())
}

/// A killed process's files with a long tail that no checkpoint covers.
struct Tail {
    /// Watermark as it stood at the kill, and as it stood at the last checkpoint.
    files: Files,
    old_mark: Vec<u8>,
    segment: PathBuf,
    entries: Vec<StoredEntry>,
    /// End of each frame and the sequence after it.
    frames: Vec<(usize, u64)>,
    marked: u64,
}

const TAIL_SEGMENT_BYTES: u64 = 256 << 10;
const WATERMARK: &str = "/sim/data/log/watermark";

fn tail() -> Result<Tail, Broken> {
    let mut sample = Sample::new(TAIL_SEGMENT_BYTES)?;
    sample.append()?;
    sample.append()?;
    sample.upkeep()?;
    let marked = sample.process.log().end();
    let old_mark = sample.disk.snapshot()[Path::new(WATERMARK)].clone();
    loop {
        sample.append()?;
        let files = sample.disk.snapshot();
        let segment = segments(&files).remove(0);
        let scan = segment::scan(&files[&segment]);
        if scan.end < TAIL_BYTES as u64 + (8 << 10) {
            continue;
        }
        let end = |frame: &segment::FrameAt| frame.offset + frame.header.frame_bytes();
        let frames = scan.frames.iter().map(|frame| {
            let end = usize::try_from(end(frame)).unwrap_or(usize::MAX);
            (end, frame.header.end_sequence())
        });
        return Ok(Tail {
            frames: frames.collect(),
            entries: all(sample.process.log())?,
            files,
            old_mark,
            segment,
            marked,
        });
    }
}

fn all(log: &Log) -> Result<Vec<StoredEntry>, Broken> {
    let mut entries: Vec<StoredEntry> = Vec::new();
    loop {
        let next = log.read(entries.len() as u64, 1 << 20);
        let next = next.map_err(|error| Broken(error.to_string()))?;
        if next.is_empty() {
            return Ok(entries);
        }
        entries.extend(next);
    }
}

/// Cuts the tail at every byte: above the watermark it is cut off, below it that is damage.
fn every_cut(cuts: usize) -> Result<u64, Broken> {
    let tail = tail()?;
    let end = tail.frames.last().map_or(0, |(end, _)| *end);
    let range: Range<usize> = end - TAIL_BYTES..end;
    let told = AtomicU64::new(0);
    spread(cuts as u64, |number| {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let cut = range.start + number * TAIL_BYTES / cuts;
        let noticed = cut_at(&tail, cut);
        let noticed = noticed.map_err(|Broken(why)| Broken(format!("cut at {cut}: {why}")))?;
        told.fetch_add(u64::from(noticed), Ordering::Relaxed);
        Ok(())
    })?;
    Ok(told.into_inner())
}

/// True when the log told of damage where the watermark covers what was cut.
fn cut_at(tail: &Tail, cut: usize) -> Result<bool, Broken> {
    let mut files = tail.files.clone();
    let Some(bytes) = files.get_mut(&tail.segment) else {
        return Err(Broken("no segment".to_owned()));
    };
    let is_changed = bytes[cut..].iter().any(|byte| *byte != 0);
    bytes[cut..].fill(0);
    // A frame may end in zeroes: then nothing of it is missing.
    let content = |end: usize| {
        tail.files[&tail.segment][..end]
            .iter()
            .rposition(|b| *b != 0)
            .map_or(0, |last| last + 1)
    };
    let whole = tail
        .frames
        .iter()
        .take_while(|(end, _)| *end <= cut || content(*end) <= cut);
    let kept = whole.last().map_or(0, |(_, sequence)| *sequence);

    // All of it was acknowledged, and the watermark says so.
    let process = open(&SimulatedDisk::with_files(&files), TAIL_SEGMENT_BYTES)?;
    let is_told = process.log().damage().is_some();
    ensure(is_told == is_changed, || {
        format!("damage is told: {is_told}, there is some: {is_changed}")
    })?;
    ensure(process.log().end() == tail.entries.len() as u64, || {
        "acknowledged entries are forgotten".to_owned()
    })?;
    drop(process);

    // The watermark says that none of the tail was.
    files.insert(WATERMARK.into(), tail.old_mark.clone());
    let process = open(&SimulatedDisk::with_files(&files), TAIL_SEGMENT_BYTES)?;
    let log = process.log();
    ensure(log.damage().is_none(), || format!("{:?}", log.damage()))?;
    let kept = kept.max(tail.marked);
    let right = all(log)? == tail.entries[..usize::try_from(kept).unwrap_or(0)];
    ensure(right && log.end() == kept, || {
        format!("ends at {}, expected {kept}", log.end())
    })?;
    Ok(is_told)
}
