//! Synthetic installations behind fakes: a told story, nothing at all, hostile text, and a lot.

mod builder;
mod hostile;
mod huge;
mod session;
mod story;

use std::sync::Arc;

use deedtrail_core::time::Timestamp;

use crate::{FakeArchive, FakeClock, FakeLog, FakeMapper, MemoryStore, SeededEntropy};

/// Every port of one installation.
#[derive(Clone, Debug)]
pub struct Sample {
    pub log: Arc<FakeLog>,
    pub mapper: Arc<FakeMapper>,
    pub archive: Arc<FakeArchive>,
    pub store: Arc<MemoryStore>,
    pub clock: Arc<FakeClock>,
    pub entropy: Arc<SeededEntropy>,
}

/// 2026-11-18T16:30:00Z: when every sample is looked at.
pub const NOW: Timestamp = Timestamp::from_micros(1_795_019_400_000_000);

impl Sample {
    /// Nothing has come in yet.
    pub fn empty() -> Self {
        Self {
            log: Arc::default(),
            mapper: Arc::default(),
            archive: Arc::default(),
            store: Arc::default(),
            clock: Arc::new(FakeClock::at(NOW)),
            entropy: Arc::new(SeededEntropy::new(7)),
        }
    }

    /// A helpdesk reset that ends in a planted credential, a dormant export job that wakes up, and
    /// an agent that reads secrets; with calm days around them.
    pub fn story() -> Self {
        story::tell()
    }

    /// Names, operations and records that try to break out of a page.
    pub fn hostile() -> Self {
        hostile::tell()
    }

    /// More of everything than a page shows.
    pub fn huge() -> Self {
        huge::tell()
    }
}
