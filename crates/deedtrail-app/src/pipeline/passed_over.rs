//! Entries that were passed over because they were damaged when they were derived. What rests on
//! them may be missing, also once they are whole again, until everything is derived anew: so they are
//! remembered.

use deedtrail_core::port::log::{EvidenceLog, ReadError, Sequence};
use deedtrail_core::port::store::{Store, StoreError};
use serde::Serialize;

use super::DamagedRange;
use crate::App;

/// Setting of the store: the ranges as JSON, in order.
const PASSED_OVER: &str = "passed_over";
/// Ranges that are told apart; further ones count as one with all between.
const RANGES_MAX: usize = 1_000;
/// Read at once to tell whether entries are whole, bytes.
const READ_BYTES: usize = 4 << 20;

/// Entries that were passed over, and how they are now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    #[serde(flatten)]
    pub range: DamagedRange,
    /// What is wrong with them still; `None` when they are whole.
    pub damage: Option<String>,
}

/// The ranges as the store has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<DamagedRange>);

impl Ranges {
    pub(super) fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let text = store.setting(PASSED_OVER)?.unwrap_or_default();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let parsed = serde_json::from_str(&text).unwrap_or_else(|error| {
            tracing::warn!(%error, "which entries were passed over as damaged is forgotten");
            Vec::new()
        });
        Ok(Self(parsed))
    }

    /// Remembers one more, before anything after it is stored.
    pub(super) fn note(
        &mut self,
        range: DamagedRange,
        store: &dyn Store,
    ) -> Result<(), StoreError> {
        let mut noted = self.0.clone();
        noted.push(range);
        self.replace(joined(noted), store)
    }

    /// Forgets entries that are derived now, from `from` on and before `through`: they had not been.
    pub(super) fn derived(
        &mut self,
        from: Sequence,
        through: Sequence,
        store: &dyn Store,
    ) -> Result<(), StoreError> {
        if self.0.is_empty() || from >= through {
            return Ok(());
        }
        self.replace(without(&self.0, from, through), store)
    }

    /// Everything is derived anew.
    pub(super) fn forget(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        self.replace(Vec::new(), store)
    }

    fn replace(&mut self, ranges: Vec<DamagedRange>, store: &dyn Store) -> Result<(), StoreError> {
        if ranges != self.0 {
            let text = serde_json::to_string(&ranges).unwrap_or_default();
            store.put_setting(PASSED_OVER, &text)?;
            self.0 = ranges;
        }
        Ok(())
    }
}

/// In order, without overlaps, no more than [`RANGES_MAX`].
fn joined(mut ranges: Vec<DamagedRange>) -> Vec<DamagedRange> {
    ranges.sort_by_key(|range| range.first);
    let mut all: Vec<DamagedRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        let is_full = all.len() >= RANGES_MAX;
        match all.last_mut() {
            Some(last) if is_full || range.first <= last.last.saturating_add(1) => {
                last.last = last.last.max(range.last);
            }
            _ => all.push(range),
        }
    }
    all
}

/// What of the ranges lies before `from`, or at `through` and after it.
fn without(ranges: &[DamagedRange], from: Sequence, through: Sequence) -> Vec<DamagedRange> {
    let parts = ranges.iter().flat_map(|range| {
        let before = (range.first < from).then(|| DamagedRange {
            first: range.first,
            last: range.last.min(from - 1),
        });
        let after = (range.last >= through).then(|| DamagedRange {
            first: range.first.max(through),
            last: range.last,
        });
        before.into_iter().chain(after)
    });
    parts.collect()
}

impl App {
    /// How many entries were damaged when they were derived.
    pub fn passed_over_entries(&self) -> Result<u64, StoreError> {
        let ranges = Ranges::load(self.ports.store.as_ref())?;
        Ok(ranges.0.iter().map(DamagedRange::entries).sum())
    }

    /// Entries that were damaged when they were derived, each with whether it is whole by now. Reads
    /// all of them.
    pub fn passed_over(&self) -> Result<Vec<PassedOver>, StoreError> {
        let ranges = Ranges::load(self.ports.store.as_ref())?;
        let log = self.ports.log.as_ref();
        let now = ranges.0.into_iter().map(|range| PassedOver {
            damage: damage_within(log, range),
            range,
        });
        Ok(now.collect())
    }
}

/// The first thing that is wrong with these entries.
fn damage_within(log: &dyn EvidenceLog, range: DamagedRange) -> Option<String> {
    let mut at = range.first;
    while at <= range.last {
        let last = match log.read(at, READ_BYTES) {
            Ok(entries) => entries.last().map(|entry| entry.sequence),
            Err(error) => return Some(error.to_string()),
        };
        let Some(last) = last else {
            return Some(ReadError::Missing(at).to_string());
        };
        at = last + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(pairs: &[(Sequence, Sequence)]) -> Vec<DamagedRange> {
        let ranges = pairs.iter();
        let ranges = ranges.map(|(first, last)| DamagedRange {
            first: *first,
            last: *last,
        });
        ranges.collect()
    }

    #[test]
    fn ranges_that_meet_are_one() {
        let check = |given: &[_], expected: &[_]| {
            assert_eq!(joined(ranges(given)), ranges(expected), "{given:?}");
        };
        check(&[], &[]);
        check(&[(5, 9), (1, 2)], &[(1, 2), (5, 9)]);
        check(&[(1, 4), (5, 9)], &[(1, 9)]);
        check(&[(1, 9), (2, 3)], &[(1, 9)]);
        let many: Vec<_> = (0..=RANGES_MAX as u64).map(|at| (at * 3, at * 3)).collect();
        let told = joined(ranges(&many));
        assert_eq!(told.len(), RANGES_MAX);
        assert_eq!(told.last().unwrap().last, many.last().unwrap().1);
    }

    #[test]
    fn what_is_derived_is_cut_out() {
        let check = |(from, through), expected: &[_]| {
            let left = without(&ranges(&[(2, 4), (8, 9)]), from, through);
            assert_eq!(left, ranges(expected), "{from}..{through}");
        };
        check((0, 10), &[]);
        check((0, 2), &[(2, 4), (8, 9)]);
        check((0, 3), &[(3, 4), (8, 9)]);
        check((3, 4), &[(2, 2), (4, 4), (8, 9)]);
        check((4, 9), &[(2, 3), (9, 9)]);
        check((5, 8), &[(2, 4), (8, 9)]);
    }
}
