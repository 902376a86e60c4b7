//! Benchmark S2: durable appends against a raw write + fdatasync of the same bytes, on the same
//! disk in the same run (A B A B, medians of five).
//!
//! `cargo run --release -p deedtrail-evidence --example append_speed [FOLDER]`

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use deedtrail_core::Text;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _, NewEntry, Part, PartClass};
use deedtrail_core::port::{Clock, Entropy};
use deedtrail_core::time::Timestamp;
use deedtrail_evidence::disk::RealDisk;
use deedtrail_evidence::{Log, LogConfig};

const ROUNDS: usize = 5;
const EVENT_BYTES: usize = 1024;
const BATCH: usize = 500;
const CALLERS: usize = 4;
const BATCHES_PER_CALLER: usize = 60;
const SINGLE_CALLERS: usize = 64;
const SINGLES_PER_CALLER: usize = 800;

#[derive(Debug)]
struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000)
    }
}

#[derive(Debug)]
struct FixedEntropy;

impl Entropy for FixedEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0x5A);
    }
}

/// A record of 1 KiB that looks like an audit event: names repeat, ids do not.
fn event(number: usize) -> NewEntry {
    let mut state = number as u64;
    let mut id = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        format!("{:016x}", state ^ (state >> 29))
    };
    let mut text = format!(
        "{{\"eventVersion\":\"1.10\",\"eventTime\":\"2026-11-18T14:02:11Z\",\"eventSource\":\
         \"s3.amazonaws.com\",\"eventName\":\"GetObject\",\"awsRegion\":\"eu-central-1\",\
         \"sourceIPAddress\":\"10.20.{}.{}\",\"eventID\":\"{}{}\",\"requestID\":\"{}\",\
         \"userIdentity\":{{\"type\":\"AssumedRole\",\"principalId\":\"AROA{}:build-{}\",\
         \"accountId\":\"123456789012\"}},\"requestParameters\":{{\"bucketName\":\"archive\",\
         \"key\":\"{}/{}/{}\"}},\"resources\":[",
        number % 250,
        number / 250 % 250,
        id(),
        id(),
        id(),
        id(),
        number % 90,
        id(),
        id(),
        id()
    );
    while text.len() < EVENT_BYTES - 2 {
        text.push_str("\"arn:aws:s3:::archive/");
        text.push_str(&id());
        text.push_str("\",");
    }
    text.truncate(EVENT_BYTES - 2);
    text.push_str("]}");
    NewEntry {
        kind: EntryKind::Record,
        tenant: TenantId::default(),
        source: SourceName::new("aws.cloudtrail").ok(),
        received: Timestamp::from_micros(1_700_000_000_000_000),
        idempotency_key: Some(Text::new(format!("event-{number}"))),
        note: Text::default(),
        parts: vec![Part {
            class: PartClass::Plain,
            key_id: 0,
            bytes: text.into_bytes(),
        }],
    }
}

fn open(folder: &Path) -> io::Result<Log> {
    let config = LogConfig::new(&folder.join("data"), &folder.join("checkpoints"));
    Log::open(
        &config,
        Arc::new(RealDisk),
        Arc::new(FixedClock),
        Arc::new(FixedEntropy),
    )
    .map_err(io::Error::other)
}

/// Events per second of `callers` that each send their appends one after the other, and the
/// 99th percentile of the time to the answer.
fn append(log: &Log, callers: Vec<Vec<Vec<NewEntry>>>) -> (f64, Duration) {
    let events: usize = callers.iter().flatten().map(Vec::len).sum();
    let start = Instant::now();
    let mut waits: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = callers
            .into_iter()
            .map(|appends| {
                scope.spawn(move || {
                    let timed = appends.into_iter().map(|entries| {
                        let sent = Instant::now();
                        log.append(entries).map(|_| sent.elapsed())
                    });
                    timed.collect::<Result<Vec<_>, _>>()
                })
            })
            .collect();
        let joined = threads
            .into_iter()
            .filter_map(|thread| thread.join().ok()?.ok());
        joined.flatten().collect()
    });
    let seconds = start.elapsed().as_secs_f64();
    waits.sort();
    let p99 = waits
        .get(waits.len() * 99 / 100)
        .copied()
        .unwrap_or_default();
    (rate(events, seconds), p99)
}

/// Events per second of writing the same bytes, one batch per write and `fdatasync`.
fn raw(path: &Path, batches: &[Vec<u8>]) -> io::Result<f64> {
    let file = File::create(path)?;
    let bytes: usize = batches.iter().map(Vec::len).sum();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes as u64)?;
    file.sync_all()?;
    let start = Instant::now();
    let mut offset = 0;
    for batch in batches {
        file.write_all_at(batch, offset)?;
        file.sync_data()?;
        offset += batch.len() as u64;
    }
    let seconds = start.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate(bytes / EVENT_BYTES, seconds))
}

/// Counts here stay far below 2^32.
fn rate(count: usize, seconds: f64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Appends of `each` events for every caller, with numbers that were not used before.
fn appends(next: &mut usize, callers: usize, count: usize, each: usize) -> Vec<Vec<Vec<NewEntry>>> {
    let mut one = || {
        *next += each;
        (*next - each..*next).map(event).collect()
    };
    (0..callers)
        .map(|_| (0..count).map(|_| one()).collect())
        .collect()
}

fn main() -> io::Result<()> {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from("append-speed"), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let log = open(&folder)?;
    let mut next = usize::try_from(log.end()).map_err(io::Error::other)?;
    let (mut ours, mut waits, mut raws) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let batches = appends(&mut next, CALLERS, BATCHES_PER_CALLER, BATCH);
        let join = |batch: &Vec<NewEntry>| {
            batch
                .iter()
                .flat_map(|entry| entry.parts[0].bytes.iter().copied())
                .collect()
        };
        let bytes: Vec<Vec<u8>> = batches.iter().flatten().map(join).collect();
        let (rate, p99) = append(&log, batches);
        ours.push(rate);
        waits.push(p99.as_secs_f64() * 1000.0);
        raws.push(raw(&folder.join("raw"), &bytes)?);
    }
    let (mut singles, mut single_waits) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        let batches = appends(&mut next, SINGLE_CALLERS, SINGLES_PER_CALLER, 1);
        let (rate, p99) = append(&log, batches);
        singles.push(rate);
        single_waits.push(p99.as_secs_f64() * 1000.0);
    }
    let start = Instant::now();
    let (mut at, end) = (0, log.end());
    while at < end {
        at += log.read(at, 8 << 20).map_err(io::Error::other)?.len() as u64;
    }
    let read_rate = rate(
        usize::try_from(end).map_err(io::Error::other)?,
        start.elapsed().as_secs_f64(),
    );
    log.close().map_err(io::Error::other)?;
    let start = Instant::now();
    drop(open(&folder)?);
    let reopened = start.elapsed();
    let (ours, raws) = (median(ours), median(raws));
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "batches of {BATCH}, {CALLERS} callers: {ours:.0} events/s, p99 {:.1} ms",
        median(waits)
    )?;
    writeln!(
        out,
        "raw write + fdatasync:      {raws:.0} events/s, ratio {:.2}",
        ours / raws
    )?;
    writeln!(
        out,
        "single events, {SINGLE_CALLERS} callers: {:.0} events/s, p99 {:.1} ms",
        median(singles),
        median(single_waits)
    )?;
    writeln!(out, "sequential read: {read_rate:.0} events/s of {end}")?;
    writeln!(out, "reopened in {:.0} ms", reopened.as_secs_f64() * 1000.0)
}
