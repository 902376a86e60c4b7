//! What is said about a delivery.

use std::collections::BTreeMap;

use deedtrail_core::id::SourceName;
use deedtrail_core::mapping::MapError;
use deedtrail_core::port::log::{Outcome, Receipt};
use serde::Serialize;

/// Most quarantine reasons listed in one answer; the rest are only counted.
pub const QUARANTINE_NOTES_MAX: usize = 100;

/// Why one record is in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuarantineNote {
    /// 1-based record number within the delivery.
    pub line: u64,
    pub code: &'static str,
    pub reason: String,
}

/// Answer to a delivery. `records = accepted + duplicates + conflicts + quarantined`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IngestAnswer {
    pub records: u64,
    pub accepted: u64,
    pub duplicates: u64,
    /// Of the duplicates, those that are still not understood: they wait in quarantine since they
    /// came first.
    pub waiting: u64,
    /// Accepted, but another content is known under the same vendor id.
    pub conflicts: u64,
    /// Stored, but not understood; kept for replay after the mapping is fixed.
    pub quarantined: u64,
    /// The records by the source they were taken as.
    pub sources: BTreeMap<SourceName, u64>,
    pub quarantine: Vec<QuarantineNote>,
    pub receipts: Vec<Receipt>,
}

impl IngestAnswer {
    pub(super) fn add(
        &mut self,
        source: &SourceName,
        outcome: Outcome,
        quarantine: Option<QuarantineNote>,
    ) {
        self.records += 1;
        match self.sources.get_mut(source) {
            Some(records) => *records += 1,
            None => drop(self.sources.insert(source.clone(), 1)),
        }
        match (outcome, quarantine) {
            (Outcome::Duplicate(_), note) => {
                self.duplicates += 1;
                self.waiting += u64::from(note.is_some());
            }
            (_, Some(note)) => {
                self.quarantined += 1;
                if self.quarantine.len() < QUARANTINE_NOTES_MAX {
                    self.quarantine.push(note);
                }
            }
            (Outcome::Accepted(_), None) => self.accepted += 1,
            (Outcome::IdConflict(_), None) => self.conflicts += 1,
        }
    }

    /// Adds another answer's counts, for a file sent in several deliveries.
    pub fn absorb(&mut self, other: Self) {
        self.records += other.records;
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.waiting += other.waiting;
        self.conflicts += other.conflicts;
        self.quarantined += other.quarantined;
        for (source, records) in other.sources {
            *self.sources.entry(source).or_default() += records;
        }
        let room = QUARANTINE_NOTES_MAX.saturating_sub(self.quarantine.len());
        self.quarantine
            .extend(other.quarantine.into_iter().take(room));
        self.receipts.extend(other.receipts);
    }
}

impl QuarantineNote {
    pub(super) fn new(line: u64, error: &MapError) -> Self {
        Self {
            line,
            code: error.code(),
            reason: error.to_string(),
        }
    }
}
