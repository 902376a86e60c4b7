//! The records to send: the story's, one story after the other, each with a seed of its own.

use std::collections::BTreeMap;

use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Encoding, Mapper as _};
use deedtrail_sources::Registry;
use deedtrail_story::Story;

use crate::Done;

/// Records in one batch.
const BATCH_RECORDS: usize = 500;
/// UTC day number of the story's today.
const STORY_DAY: i64 = 20_600;

/// One request: NDJSON of one source.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) source: &'static str,
    pub(crate) records: usize,
    pub(crate) body: Vec<u8>,
}

/// Full batches of all sources, in the story's order, with at least `wanted` records.
pub(crate) fn batches(wanted: usize) -> Done<Vec<Batch>> {
    let registry = Registry::built_in()?;
    let mut full = Vec::new();
    let mut open: BTreeMap<&'static str, Batch> = BTreeMap::new();
    for seed in 1.. {
        for delivery in Story::new(STORY_DAY, seed).deliveries() {
            let source = SourceName::new(delivery.source)?;
            for record in registry.frame(&source, Encoding::Identity, &delivery.body)? {
                let batch = open.entry(delivery.source).or_default();
                batch.source = delivery.source;
                batch.records += 1;
                batch.body.extend_from_slice(&record.bytes);
                batch.body.push(b'\n');
                if batch.records == BATCH_RECORDS {
                    full.push(std::mem::take(batch));
                }
            }
            if full.len() * BATCH_RECORDS >= wanted {
                return Ok(full);
            }
        }
    }
    Ok(full)
}
