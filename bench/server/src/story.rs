//! The records to send: the story's, one story after the other, each with a seed of its own.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

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

/// Sources and records.
type Told = Rc<[(&'static str, Vec<u8>)]>;

/// Full batches of all sources, in the story's order, without an end: one story after the other.
pub struct Batches {
    registry: Registry,
    names: Companies,
    /// How many companies tell their stories in turn.
    companies: u64,
    /// Seed of the next story.
    seed: u64,
    /// The records of the one story that all tell, where they do.
    same: Option<Told>,
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
            seed: 1,
            same: None,
            open: BTreeMap::new(),
            full: VecDeque::new(),
        })
    }

    /// The first story's every so many-th record, told by all companies: many identities with few
    /// records.
    pub fn thinned(mut self, every: usize) -> Done<Self> {
        self.same = Some(self.story(1)?.into_iter().step_by(every.max(1)).collect());
        Ok(self)
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
        let told = match &self.same {
            // The same records again would be duplicates.
            Some(_) if self.seed > self.companies => {
                return Err("every company has told its records: name more companies".into());
            }
            Some(same) => Rc::clone(same),
            None => self.story(self.seed)?.into(),
        };
        for (source, record) in told.iter() {
            let batch = self.open.entry(source).or_default();
            batch.source = source;
            batch.records += 1;
            batch.body.extend(self.names.of(record, company));
            batch.body.push(b'\n');
            if batch.records == BATCH_RECORDS {
                self.full.push_back(std::mem::take(batch));
            }
        }
        self.seed += 1;
        Ok(())
    }

    /// Sources and records of a story, in its order.
    fn story(&self, seed: u64) -> Done<Vec<(&'static str, Vec<u8>)>> {
        let mut all = Vec::new();
        for delivery in Story::new(STORY_DAY, seed).deliveries() {
            let source = SourceName::new(delivery.source)?;
            let records = self
                .registry
                .frame(&source, Encoding::Identity, &delivery.body)?;
            let records = records.into_iter();
            all.extend(records.map(|record| (delivery.source, record.bytes.to_vec())));
        }
        Ok(all)
    }
}
