//! A clock, a generator, and short ways to make entries and logs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use deedtrail_core::Text;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::log::{
    EntryKind, EvidenceLog as _, NewEntry, Part, PartClass, StoredEntry,
};
use deedtrail_core::port::{Clock, Entropy};
use deedtrail_core::time::Timestamp;
use deedtrail_evidence::disk::{Disk, RealDisk};
use deedtrail_evidence::{Adoption, Grounds, Log, LogConfig, OpenError, Upkeep};

/// A clock that a test sets.
#[derive(Debug)]
pub(crate) struct TestClock(pub AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Repeatable numbers (`SplitMix64`); also the generator of the random tests.
#[derive(Debug)]
pub(crate) struct TestEntropy(AtomicU64);

impl TestEntropy {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&self, limit: u64) -> u64 {
        self.next() % limit
    }
}

impl Entropy for TestEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

pub(crate) fn clock() -> Arc<TestClock> {
    Arc::new(TestClock(AtomicI64::new(1_700_000_000_000_000)))
}

/// Small segments and an index that writes runs early, upkeep by hand.
pub(crate) fn config(root: &Path) -> LogConfig {
    let mut config = LogConfig::new(&root.join("data"), &root.join("checkpoints"));
    config.segment_bytes = 16 << 10;
    config.index_rows_in_memory = 16;
    config.upkeep = Upkeep::Manual;
    config.origin = Some("test.example/log".to_owned());
    config
}

pub(crate) fn open_on(config: &LogConfig, disk: Arc<dyn Disk>) -> Result<Log, OpenError> {
    Log::open(config, disk, clock(), Arc::new(TestEntropy::new(7)))
}

/// Takes a log over under a new origin: what is found out, or what `said` says.
pub(crate) fn adopt_on(
    (config, disk): (&LogConfig, Arc<dyn Disk>),
    origin: &str,
    said: Option<&str>,
) -> Result<Log, OpenError> {
    let adoption = Adoption {
        origin: origin.to_owned(),
        reason: said.unwrap_or("restored").to_owned(),
        grounds: said.map_or(Grounds::Found, |_| Grounds::Said),
    };
    let around = (disk, clock() as _, Arc::new(TestEntropy::new(1)) as _);
    Log::adopt(config, around, &adoption, &mut || Ok(()))
}

pub(crate) fn open(root: &Path) -> Log {
    open_on(&config(root), Arc::new(RealDisk)).unwrap()
}

pub(crate) fn entry(key: &str, content: &str) -> NewEntry {
    NewEntry {
        kind: EntryKind::Record,
        tenant: TenantId::default(),
        source: Some(SourceName::new("test.source").unwrap()),
        received: Timestamp::from_micros(1_700_000_000_000_001),
        idempotency_key: Some(Text::new(key)),
        note: Text::default(),
        parts: vec![Part {
            class: PartClass::Plain,
            key_id: 0,
            bytes: content.as_bytes().to_vec(),
        }],
    }
}

/// Every entry of the log, read in steps of `bytes_max`.
pub(crate) fn read_all(log: &Log, bytes_max: usize) -> Vec<StoredEntry> {
    let mut all: Vec<StoredEntry> = Vec::new();
    loop {
        let next = log.read(all.len() as u64, bytes_max).unwrap();
        if next.is_empty() {
            return all;
        }
        all.extend(next);
    }
}
