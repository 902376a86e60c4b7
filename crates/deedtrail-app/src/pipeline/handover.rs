//! What intake has mapped already, for the pipeline: a record that comes in is mapped once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use deedtrail_core::mapping::MappedRecord;
use deedtrail_core::port::log::Sequence;

/// Text in the records that wait, bytes; what comes in beyond it is mapped again from the log.
const WAITING_TEXT_BYTES_MAX: usize = 64 << 20;

/// Mapped records on their way from intake to the pipeline of the same process. The log stays the
/// only truth: what is missing here is mapped from it, with the same mapping and result.
#[derive(Debug, Default)]
pub struct Handover {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    records: BTreeMap<Sequence, MappedRecord>,
    text_bytes: usize,
    /// Records below this were read from the log.
    read_through: Sequence,
}

impl Handover {
    /// Offers durable records; those that came too late or do not fit are dropped.
    pub(crate) fn offer(&self, records: impl Iterator<Item = (Sequence, MappedRecord)>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for (sequence, record) in records {
            if waiting.text_bytes >= WAITING_TEXT_BYTES_MAX {
                return;
            }
            if sequence >= waiting.read_through {
                waiting.text_bytes += record.text_bytes();
                waiting.records.insert(sequence, record);
            }
        }
    }

    /// Takes the records below `end`, which have been read from the log.
    pub(super) fn take(&self, end: Sequence) -> BTreeMap<Sequence, MappedRecord> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let later = waiting.records.split_off(&end);
        let taken = std::mem::replace(&mut waiting.records, later);
        let text_bytes = taken.values().map(MappedRecord::text_bytes).sum();
        waiting.text_bytes = waiting.text_bytes.saturating_sub(text_bytes);
        waiting.read_through = waiting.read_through.max(end);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text_bytes: usize) -> MappedRecord {
        let event = deedtrail_core::event::MappedEvent {
            user_agent: Some("x".repeat(text_bytes).into()),
            ..Default::default()
        };
        MappedRecord {
            events: vec![event],
            ..MappedRecord::default()
        }
    }

    fn sequences(taken: BTreeMap<Sequence, MappedRecord>) -> Vec<Sequence> {
        taken.into_keys().collect()
    }

    #[test]
    fn records_are_taken_once_and_late_ones_are_dropped() {
        let handover = Handover::default();
        handover.offer([(3, record(1)), (5, record(1)), (9, record(1))].into_iter());
        assert_eq!(sequences(handover.take(6)), [3, 5]);
        handover.offer([(4, record(1)), (6, record(1))].into_iter());
        assert_eq!(sequences(handover.take(20)), [6, 9]);
        assert_eq!(sequences(handover.take(20)), [0; 0]);
    }

    #[test]
    fn what_waits_has_a_limit_and_room_comes_back() {
        let handover = Handover::default();
        let large = || record(WAITING_TEXT_BYTES_MAX);
        handover.offer([(1, large()), (2, record(1))].into_iter());
        assert_eq!(sequences(handover.take(3)), [1]);
        handover.offer([(3, large())].into_iter());
        assert_eq!(sequences(handover.take(4)), [3]);
    }
}
