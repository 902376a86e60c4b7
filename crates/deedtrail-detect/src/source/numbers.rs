//! Streams in which a source numbers its records, and which numbers never came.
//!
//! A number that is skipped may be on its way: it counts as missing only after the log was open
//! for a while. Records of long ago fill holes, but open none, so that a history that is sent later
//! is no gap.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::health::MissingNumbers;
use deedtrail_core::mapping::RecordNumber;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Streams of one source that are followed; beyond it the one that was quiet for longest is
/// forgotten, with the numbers it waits for, which are counted.
pub(crate) const STREAMS_MAX: usize = 256;
/// Holes of one stream that are waited for; beyond it the oldest is missing when the hour ends. Beyond
/// twice as many it is forgotten at once: its numbers are counted, whether they come or not.
const HOLES_MAX: usize = 64;
/// Hours that have to end, with the log open, before a hole is a gap: one to two hours.
const GRACE_HOURS: u8 = 2;
/// A number at most so far below the highest is a late one. One further below that comes with a
/// later time begins the stream anew: the sender restarted.
const REORDERED_MAX: u64 = 1_000;
/// A number further ahead begins the stream anew; nothing is concluded from it.
const JUMP_MAX: u64 = 1_000_000;
/// What is so much older than the newest record of its stream is history, µs.
const HISTORY_US: i64 = Timestamp::HOUR_US;

/// The streams of one source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Numbers {
    streams: BTreeMap<Text, Stream>,
    /// Numbers that are not waited for any longer because there is no room for them.
    forgotten: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stream {
    lowest: u64,
    highest: u64,
    /// Time of the newest record.
    newest: Timestamp,
    /// Numbers that did not come yet, oldest first.
    holes: Vec<Hole>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Hole {
    first: u64,
    last: u64,
    noticed: Timestamp,
    /// Hours that ended since.
    hours: u8,
}

impl Numbers {
    /// Whether the source numbers its records.
    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// How many numbers were skipped of which nobody knows whether they came: too many others were.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Takes note of a record that says it happened at `time`, which counts up to when it was
    /// received: a clock that is ahead makes no history of what others send. What came now although
    /// it was given up is taken out of `missing`.
    pub(super) fn count(
        &mut self,
        record: &RecordNumber,
        time: Timestamp,
        received: Timestamp,
        missing: &mut Vec<MissingNumbers>,
    ) {
        let (number, time) = (record.number, time.min(received));
        if let Some(stream) = self.streams.get_mut(&record.within) {
            if !stream.fill(number) && !found(missing, record, time) {
                stream.advance(number, time, received);
            }
            stream.newest = stream.newest.max(time);
            let over = stream.holes.len().saturating_sub(2 * HOLES_MAX);
            let over: u64 = stream.holes.drain(..over).map(|hole| hole.count()).sum();
            self.forgotten = self.forgotten.saturating_add(over);
            return;
        }
        if self.streams.len() >= STREAMS_MAX {
            let quiet = self.streams.iter().min_by_key(|(_, stream)| stream.newest);
            let quiet = quiet.map(|(within, _)| within.clone());
            if let Some(stream) = quiet.and_then(|within| self.streams.remove(&within)) {
                let waited_for: u64 = stream.holes.iter().map(Hole::count).sum();
                self.forgotten = self.forgotten.saturating_add(waited_for);
            }
        }
        let stream = Stream {
            lowest: number,
            highest: number,
            newest: time,
            holes: Vec::new(),
        };
        self.streams.insert(record.within.clone(), stream);
    }

    /// Ends an hour in which the log was open; gives the numbers that are not waited for any longer.
    pub(super) fn end_hour(&mut self) -> Vec<MissingNumbers> {
        let mut missing = Vec::new();
        for (within, stream) in &mut self.streams {
            let over = stream.holes.len().saturating_sub(HOLES_MAX);
            let mut place = 0;
            stream.holes.retain_mut(|hole| {
                hole.hours += 1;
                place += 1;
                let waits = hole.hours < GRACE_HOURS && place > over;
                if !waits {
                    missing.push(MissingNumbers {
                        within: within.clone(),
                        first: hole.first,
                        last: hole.last,
                        noticed: hole.noticed,
                    });
                }
                waits
            });
        }
        missing
    }
}

impl Hole {
    fn count(&self) -> u64 {
        self.last - self.first + 1
    }
}

impl Stream {
    /// A number that was waited for; false if it was not.
    fn fill(&mut self, number: u64) -> bool {
        let of = |hole: &Hole| (hole.first..=hole.last).contains(&number);
        let Some(place) = self.holes.iter().position(of) else {
            return false;
        };
        let hole = self.holes.remove(place);
        for (first, last) in without(hole.first, hole.last, number).into_iter().rev() {
            self.holes.insert(
                place,
                Hole {
                    first,
                    last,
                    ..hole
                },
            );
        }
        true
    }

    fn advance(&mut self, number: u64, time: Timestamp, received: Timestamp) {
        let (is_history, is_later) = (
            time.plus_micros(HISTORY_US) < self.newest,
            time > self.newest,
        );
        let behind = self.highest.saturating_sub(number);
        if number > self.highest {
            if is_history {
                return;
            }
            if number - self.highest > JUMP_MAX {
                (self.lowest, self.highest) = (number, number);
                return;
            }
            if number - self.highest > 1 {
                self.holes.push(Hole {
                    first: self.highest + 1,
                    last: number - 1,
                    noticed: received,
                    hours: 0,
                });
            }
            self.highest = number;
        } else if is_later && (behind > REORDERED_MAX || (number <= 1 && self.lowest <= number)) {
            (self.lowest, self.highest) = (number, number);
        } else {
            self.lowest = self.lowest.min(number);
        }
    }
}

/// Takes a record out of what is missing; false if it was not missed. One that happened later has
/// the number of a sender that began anew.
fn found(missing: &mut Vec<MissingNumbers>, record: &RecordNumber, time: Timestamp) -> bool {
    let of = |gap: &MissingNumbers| {
        gap.within == record.within
            && (gap.first..=gap.last).contains(&record.number)
            && time <= gap.noticed.plus_micros(HISTORY_US)
    };
    let Some(place) = missing.iter().position(of) else {
        return false;
    };
    let gap = missing.remove(place);
    for (first, last) in without(gap.first, gap.last, record.number)
        .into_iter()
        .rev()
    {
        let rest = MissingNumbers {
            first,
            last,
            ..gap.clone()
        };
        missing.insert(place, rest);
    }
    true
}

/// What is left of a range, in order.
fn without(first: u64, last: u64, number: u64) -> Vec<(u64, u64)> {
    let before = (number > first).then(|| (first, number - 1));
    let after = (number < last).then(|| (number + 1, last));
    before.into_iter().chain(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sent {
        numbers: Numbers,
        missing: Vec<MissingNumbers>,
        second: i64,
    }

    impl Sent {
        fn new() -> Self {
            Self {
                numbers: Numbers::default(),
                missing: Vec::new(),
                second: 100_000,
            }
        }

        fn at(&mut self, number: u64, second: i64) {
            let record = RecordNumber {
                within: "a".into(),
                number,
            };
            let time = Timestamp::from_micros(second * Timestamp::SECOND_US);
            let Self {
                numbers, missing, ..
            } = self;
            numbers.count(&record, time, time, missing);
        }

        /// One a second.
        fn all(&mut self, numbers: impl IntoIterator<Item = u64>) {
            for number in numbers {
                self.second += 1;
                self.at(number, self.second);
            }
        }

        /// After so many hours: what is missing.
        fn after(&mut self, hours: usize) -> Vec<(u64, u64)> {
            for _ in 0..hours {
                self.missing.extend(self.numbers.end_hour());
            }
            self.missing
                .iter()
                .map(|gap| (gap.first, gap.last))
                .collect()
        }
    }

    #[test]
    fn what_never_came_is_missing_once_it_was_waited_for() {
        let mut sent = Sent::new();
        sent.all([5, 6, 10, 11, 13]);
        assert_eq!(sent.after(1), []);
        assert_eq!(sent.after(1), [(7, 9), (12, 12)]);
        assert_eq!(sent.after(9), [(7, 9), (12, 12)], "told once");
        sent.all([8]);
        assert_eq!(sent.after(2), [(7, 7), (9, 9), (12, 12)], "found after all");
    }

    #[test]
    fn late_and_out_of_order_is_not_missing() {
        let mut sent = Sent::new();
        sent.all([10, 9, 12, 11, 15]);
        sent.all([13, 14, 3, 2, 1, 16]);
        assert_eq!(sent.after(3), []);
        sent.all([20]);
        sent.after(1);
        sent.all([18, 17, 19]);
        assert_eq!(sent.after(3), []);
    }

    #[test]
    fn a_history_that_is_sent_later_opens_no_hole() {
        let mut sent = Sent::new();
        sent.all(5_000..5_010);
        for (second, number) in (1..).zip(1..4_000) {
            sent.at(number, second);
        }
        sent.all(5_010..5_020);
        assert_eq!(sent.after(3), []);
    }

    #[test]
    fn a_restart_begins_anew_and_what_was_missing_before_stays_so() {
        let mut sent = Sent::new();
        sent.all((1..50).chain(52..2_000));
        assert_eq!(sent.after(2), [(50, 51)]);
        sent.second += 10_000;
        sent.all(1..60);
        assert_eq!(sent.after(2), [(50, 51)]);
        sent.all([62]);
        assert_eq!(sent.after(2), [(50, 51), (60, 61)]);
        let mut jumped = Sent::new();
        jumped.all([1, 2, 3 + JUMP_MAX, 4 + JUMP_MAX, 6 + JUMP_MAX]);
        assert_eq!(jumped.after(2), [(5 + JUMP_MAX, 5 + JUMP_MAX)]);
    }

    #[test]
    fn a_sender_whose_clock_is_ahead_hides_no_gap() {
        let mut sent = Sent::new();
        let record = |number| RecordNumber {
            within: "a".into(),
            number,
        };
        let ahead = Timestamp::from_micros(4_000_000_000 * Timestamp::SECOND_US);
        let now = Timestamp::from_micros(sent.second * Timestamp::SECOND_US);
        sent.numbers
            .count(&record(1), ahead, now, &mut sent.missing);
        sent.numbers
            .count(&record(2), ahead, now, &mut sent.missing);
        sent.all([3, 6]);
        assert_eq!(sent.after(2), [(4, 5)]);
    }

    #[test]
    fn holes_that_are_too_many_are_counted() {
        let mut sent = Sent::new();
        sent.all([0, 100_000]);
        sent.all((2..100_000).step_by(2));
        assert!(sent.numbers.streams["a"].holes.len() <= 2 * HOLES_MAX);
        sent.all((100_002..200_001).step_by(2));
        assert!(sent.numbers.streams["a"].holes.len() <= 2 * HOLES_MAX);
        let missing = sent
            .after(2)
            .into_iter()
            .map(|(first, last)| last - first + 1);
        let missing: u64 = missing.sum();
        assert_eq!(missing + sent.numbers.forgotten(), 100_000);
        assert!(missing >= 2 * HOLES_MAX as u64, "{missing}");
        for stream in 0..STREAMS_MAX as u64 {
            for number in [1, 3] {
                let record = RecordNumber {
                    within: Text::new(stream.to_string()),
                    number,
                };
                let at = Timestamp::from_micros(i64::MAX);
                sent.numbers.count(&record, at, at, &mut sent.missing);
            }
        }
        let before = sent.numbers.forgotten();
        let record = RecordNumber {
            within: "last".into(),
            number: 1,
        };
        let at = Timestamp::from_micros(i64::MAX);
        sent.numbers.count(&record, at, at, &mut sent.missing);
        assert_eq!(sent.numbers.forgotten(), before + 1);
    }

    #[test]
    fn what_is_kept_has_a_limit() {
        let mut sent = Sent::new();
        sent.all((0..100_000).step_by(2));
        assert!(sent.numbers.streams["a"].holes.len() <= 2 * HOLES_MAX);
        for stream in 0..1_000 {
            let record = RecordNumber {
                within: Text::new(stream.to_string()),
                number: u64::MAX - stream,
            };
            let at = Timestamp::from_micros(i64::MAX);
            sent.numbers.count(&record, at, at, &mut sent.missing);
            sent.numbers.count(&record, at, at, &mut sent.missing);
        }
        assert_eq!(sent.numbers.streams.len(), STREAMS_MAX);
    }
}
