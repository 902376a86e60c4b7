//! The records to send: the story's, one story after the other, each with a seed of its own.

use std::collections::{BTreeMap, VecDeque};

use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Encoding, Mapper as _};
use deedtrail_sources::Registry;
use deedtrail_story::Story;

use crate::Done;
use crate::company::Companies;

/// Records in one batch.
const BATCH_RECORDS: usize = 500;
/// UTC day number of the story's today.
const STORY_DAY: i64 = 20_600;

/// One request: NDJSON of one source.
#[derive(Default)]
pub struct Batch {
    pub source: &'static str,
    pub records: usize,
    pub body: Vec<u8>,
}

/// Full batches of all sources, in the story's order, without an end: one story after the other.
pub struct Batches {
    registry: Registry,
    names: Companies,
    /// How many companies tell their stories in turn.
    companies: u64,
    /// Every so many-th record of a story is told.
    every: usize,
    /// Seed of the next story.
    seed: u64,
    open: BTreeMap<&'static str, Batch>,
    full: VecDeque<Batch>,
}

impl Batches {
    /// Stories of this many companies, at least one.
    pub fn new(companies: u64) -> Done<Self> {
        Ok(Self {
            registry: Registry::built_in()?,
            names: Companies::new()?,
            companies: companies.max(1),
            every: 1,
            seed: 1,
            open: BTreeMap::new(),
            full: VecDeque::new(),
        })
    }

    /// Every so many-th record of each story only: many identities with few records.
    pub fn thinned(self, every: usize) -> Self {
        let every = every.max(1);
        Self { every, ..self }
    }

    /// The next batch.
    pub fn next(&mut self) -> Done<Batch> {
        loop {
            if let Some(batch) = self.full.pop_front() {
                return Ok(batch);
            }
            self.tell()?;
        }
    }

    /// With at least `wanted` records.
    pub fn take(&mut self, wanted: usize) -> Done<Vec<Batch>> {
        let count = wanted.div_ceil(BATCH_RECORDS);
        (0..count).map(|_| self.next()).collect()
    }

    /// Tells one more story.
    fn tell(&mut self) -> Done {
        let company = (self.seed - 1) % self.companies;
        let mut number = 0;
        for delivery in Story::new(STORY_DAY, self.seed).deliveries() {
            let source = SourceName::new(delivery.source)?;
            let records = self
                .registry
                .frame(&source, Encoding::Identity, &delivery.body)?;
            for record in records {
                number += 1;
                if number % self.every != 0 {
                    continue;
                }
                let batch = self.open.entry(delivery.source).or_default();
                batch.source = delivery.source;
                batch.records += 1;
                batch.body.extend(self.names.of(&record.bytes, company));
                batch.body.push(b'\n');
                if batch.records == BATCH_RECORDS {
                    self.full.push_back(std::mem::take(batch));
                }
            }
        }
        self.seed += 1;
        Ok(())
    }
}
