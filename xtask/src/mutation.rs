//! Bundles with one bit changed: every bit of every bundle, and none may pass.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use deedtrail_core::Text;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::log::{
    EntryKind, EvidenceLog as _, NewEntry, Part, PartClass, Secrets, Sequence,
};
use deedtrail_core::time::Timestamp;
use deedtrail_evidence::bundle::{self, BundleRequest, Witnessed};
use deedtrail_evidence::disk::RealDisk;
use deedtrail_evidence::timestamp::{Authorities, Authority, Carrier, Client, Stamp};
use deedtrail_evidence::{Log, LogConfig, Upkeep};
use deedtrail_testkit::timestamp::TimestampAuthority;
use deedtrail_testkit::{FakeClock, SeededEntropy};
use fastrand::Rng;

use crate::process::{Tally, say};

/// Entries of the log that the bundles are cut from.
const ENTRIES: u64 = 400;
/// Most records of a bundle.
const RECORDS_MAX: u64 = 3;
/// Longest part of a record, bytes.
const PART_BYTES_MAX: usize = 200;

/// When everything is written.
const NOON: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
/// Of so many bundles one has a time stamp.
const STAMPED_ONE_IN: u64 = 4;

/// What was tried.
#[derive(Debug, Default)]
struct Figures {
    next: AtomicU64,
    bits: AtomicU64,
    accepted: AtomicU64,
    unsound: AtomicU64,
}

/// Changes every bit of `bundles` bundles, each cut from one log by chance.
pub(crate) fn run(bundles: u64, seed: u64) -> anyhow::Result<Tally> {
    let folder = tempfile::tempdir()?;
    let mut chance = Rng::with_seed(seed);
    let (log, stamps) = a_log(folder.path(), &mut chance)?;
    let figures = Figures::default();
    let threads = std::thread::available_parallelism()?;
    let began = Instant::now();
    let ended: anyhow::Result<()> = std::thread::scope(|scope| {
        let work = || work((&log, &stamps), (bundles, seed), &figures);
        let threads: Vec<_> = (0..threads.get()).map(|_| scope.spawn(work)).collect();
        let ended = threads.into_iter().map(|thread| {
            let ended = thread.join();
            ended.unwrap_or_else(|_| anyhow::bail!("a thread panicked"))
        });
        ended.collect()
    });
    ended?;
    let [bits, accepted, unsound] = [&figures.bits, &figures.accepted, &figures.unsound]
        .map(|figure| figure.load(Ordering::Relaxed));
    say(format_args!(
        "{bundles} bundles, {bits} changed bits, {accepted} accepted, {unsound} bundles refused \
         unchanged, {} s with seed {seed}",
        began.elapsed().as_secs()
    ));
    let failed = accepted + unsound;
    Ok(Tally {
        passed: bits - accepted,
        failed,
    })
}

fn work(
    (log, stamps): (&Log, &[Stamp]),
    (bundles, seed): (u64, u64),
    figures: &Figures,
) -> anyhow::Result<()> {
    loop {
        let number = figures.next.fetch_add(1, Ordering::Relaxed);
        if number >= bundles {
            return Ok(());
        }
        let mut chance = Rng::with_seed(seed.wrapping_add(number).wrapping_mul(0x9E37_79B9));
        let mut bytes = bundle::to_bytes(log, &request((log, stamps), &mut chance))?;
        if let Err(error) = bundle::verify_bytes(&bytes) {
            say(format_args!("bundle {number} is refused: {error}"));
            figures.unsound.fetch_add(1, Ordering::Relaxed);
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                if bundle::verify_bytes(&bytes).is_ok() {
                    say(format_args!(
                        "bundle {number}, byte {at}, bit {bit}: accepted"
                    ));
                    figures.accepted.fetch_add(1, Ordering::Relaxed);
                }
                bytes[at] ^= 1 << bit;
            }
        }
        figures
            .bits
            .fetch_add(8 * bytes.len() as u64, Ordering::Relaxed);
    }
}

/// Carries to an authority of this machine.
#[derive(Debug)]
struct Here(TimestampAuthority);

impl Carrier for Here {
    fn post(&self, _: &str, request: Vec<u8>) -> Result<Vec<u8>, String> {
        Ok(self.0.answer(&request))
    }
}

/// Those who stamp a log.
fn stamper(root: &Path, log: &Arc<Log>) -> anyhow::Result<Client> {
    let folder = root.join("authority");
    std::fs::create_dir(&folder)?;
    let openssl = TimestampAuthority::new(&folder);
    let authority = Authority {
        name: "openssl".to_owned(),
        url: String::new(),
        policy: None,
        trusted: Some(Authorities::from_pem(&std::fs::read(openssl.ca_file())?)?),
        carrier: Box::new(Here(openssl)),
    };
    let places = (Arc::new(RealDisk) as _, root.join("stamps"));
    let entropy = Arc::new(SeededEntropy::new(1));
    Ok(Client::new(
        Arc::clone(log),
        vec![authority],
        places,
        entropy,
    ))
}

/// A log, and two time stamps of it.
fn a_log(root: &Path, chance: &mut Rng) -> anyhow::Result<(Arc<Log>, Vec<Stamp>)> {
    let mut config = LogConfig::new(&root.join("data"), &root.join("checkpoints"));
    config.upkeep = Upkeep::Manual;
    config.origin = Some("mutation.example/log".to_owned());
    let log = Arc::new(Log::open(
        &config,
        Arc::new(RealDisk),
        Arc::new(FakeClock::at(NOON)),
        Arc::new(SeededEntropy::new(chance.u64(..))),
    )?);
    let stamper = stamper(root, &log)?;
    let mut stamps = Vec::new();
    let source = SourceName::new("mutation.example").context("the source's name")?;
    let mut written = 0;
    while written < ENTRIES {
        let count = chance.u64(1..=8);
        let entries = (0..count).map(|at| entry(&source, written + at, chance));
        log.append(entries.collect())?;
        written += count;
        if stamps.is_empty() && written >= ENTRIES / 2 {
            stamps.extend(stamper.covering(1));
        }
    }
    let newest = log.batch_number(log.end() - 1)? + 1;
    stamps.extend(stamper.covering(newest));
    log.seal()?;
    Ok((log, stamps))
}

fn entry(source: &SourceName, number: u64, chance: &mut Rng) -> NewEntry {
    let kinds = [EntryKind::Record, EntryKind::Quarantined, EntryKind::Audit];
    let classes = [
        PartClass::Plain,
        PartClass::Secret,
        PartClass::ToolArguments,
    ];
    let kind = kinds[chance.usize(0..kinds.len())];
    let parts = (0..chance.usize(1..=3)).map(|_| {
        let mut bytes = vec![0; chance.usize(0..=PART_BYTES_MAX)];
        chance.fill(&mut bytes);
        Part {
            class: classes[chance.usize(0..classes.len())],
            key_id: 0,
            bytes,
        }
    });
    NewEntry {
        kind,
        tenant: TenantId::default(),
        source: Some(source.clone()),
        received: NOON,
        idempotency_key: Some(Text::new(format!("key-{number}"))),
        note: Text::default(),
        parts: parts.collect(),
    }
}

fn request((log, stamps): (&Log, &[Stamp]), chance: &mut Rng) -> BundleRequest {
    let end = log.end();
    let count = chance.u64(1..=RECORDS_MAX);
    let sequences: Vec<Sequence> = (0..count).map(|_| chance.u64(0..end)).collect();
    let key = log.verifier_key();
    BundleRequest {
        title: format!("Case {}", chance.u32(..)),
        created: NOON,
        sequences,
        events: vec![format!("{{\"n\":{}}}", chance.u32(..))],
        secrets: [Secrets::Withheld, Secrets::Included][chance.usize(0..2)],
        witnessed: chance.bool().then(|| Witnessed {
            policy: format!("log {key}\nquorum none\n"),
            checkpoint: None,
        }),
        completeness: chance.bool().then(|| b"{\"sources\":[]}\n".to_vec()),
        stamps: match chance.u64(0..STAMPED_ONE_IN) {
            0 => vec![stamps[chance.usize(0..stamps.len())].clone()],
            _ => Vec::new(),
        },
        names: BTreeMap::new(),
        extra: BTreeMap::new(),
    }
}
