//! The part of a step that needs no state: entries read and records mapped, while the step before
//! is still being processed.

use std::collections::BTreeMap;

use deedtrail_core::mapping::{MapError, MappedRecord};
use deedtrail_core::port::log::{EntryKind, ReadError, Sequence, StoredEntry};

use super::STEP_TEXT_BYTES_MAX;
use super::handover::Handover;
use crate::Ports;

/// An entry with what its source's mapping makes of it.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) entry: StoredEntry,
    /// `None` for entries that are not records.
    pub(super) record: Option<Result<MappedRecord, MapError>>,
}

impl Mapped {
    fn text_bytes(&self) -> usize {
        let record = self.record.as_ref().and_then(|record| record.as_ref().ok());
        record.map_or(0, MappedRecord::text_bytes)
    }
}

/// What one step works on.
#[derive(Debug)]
pub(super) struct Ahead {
    /// The first sequence that was asked for.
    pub(super) from: Sequence,
    pub(super) entries: Result<Vec<Mapped>, ReadError>,
}

impl Ahead {
    /// Reads up to `bytes_max` from `from` on and maps what intake did not hand over, or
    /// less of it when its events hold more than [`STEP_TEXT_BYTES_MAX`].
    pub(super) fn read(
        ports: &Ports,
        handover: &Handover,
        from: Sequence,
        bytes_max: usize,
    ) -> Self {
        let entries = ports.log.read(from, bytes_max);
        let last = entries.as_ref().ok().and_then(|entries| entries.last());
        let mut known = last.map_or_else(BTreeMap::new, |last| handover.take(last.sequence + 1));
        let mut text_bytes = 0;
        let within = |mapped: &Mapped| {
            let fits = text_bytes < STEP_TEXT_BYTES_MAX;
            text_bytes += mapped.text_bytes();
            fits
        };
        let mapped = |entry: StoredEntry| Mapped {
            record: match known.remove(&entry.sequence) {
                Some(record) => Some(Ok(record)),
                None => map(ports, &entry),
            },
            entry,
        };
        let cut = |entries: Vec<StoredEntry>| {
            let mapped = entries.into_iter().map(mapped);
            mapped.take_while(within).collect()
        };
        Self {
            from,
            entries: entries.map(cut),
        }
    }

    /// Whether there is anything to process.
    pub(super) fn has_entries(&self) -> bool {
        self.entries
            .as_ref()
            .is_ok_and(|entries| !entries.is_empty())
    }
}

fn map(ports: &Ports, entry: &StoredEntry) -> Option<Result<MappedRecord, MapError>> {
    let source = entry.entry.source.as_ref()?;
    (entry.entry.kind == EntryKind::Record).then(|| ports.mapper.map(source, &entry.bytes()))
}
