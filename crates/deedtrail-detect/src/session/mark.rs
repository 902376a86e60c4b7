//! What sessions leave behind for others to be joined by: a bounded index of hashes.

use deedtrail_behaviour::hashed::Hashed;
use deedtrail_core::id::SessionUid;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::{MARK_SPANS_MAX, MARKS_MAX, MARKS_PER_KEY_MAX};

/// Which end of a join a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum End {
    /// It led to the other: issued, published, or acted for itself.
    Gave,
    /// The other led to it: used, consumed, or acted on somebody's behalf.
    Took,
    /// Either: the earlier leads to the later.
    Either,
}

/// When a session had to do with something: spans in order, the pauses between them longer than
/// those that a join bridges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Times {
    spans: [(Timestamp, Timestamp); MARK_SPANS_MAX],
    /// How many of the spans there are.
    used: usize,
}

impl Times {
    /// One span.
    pub(super) fn of(from: Timestamp, to: Timestamp) -> Self {
        let mut times = Self::default();
        times.spans[0] = (from, to);
        times.used = 1;
        times
    }

    fn spans(&self) -> &[(Timestamp, Timestamp)] {
        // A damaged snapshot may say more than there are.
        self.spans.get(..self.used).unwrap_or(&self.spans)
    }

    /// The first and the last time.
    pub(super) fn ends(&self) -> (Timestamp, Timestamp) {
        let (first, last) = (self.spans().first(), self.spans().last());
        let from = first.map_or(Timestamp::default(), |span| span.0);
        (from, last.map_or(from, |span| span.1))
    }

    /// Takes one more time in; pauses of at most `bridged_us` microseconds are none. Of too many
    /// spans the oldest goes.
    fn note(&mut self, at: Timestamp, bridged_us: i64) {
        // Nearly always it goes on with the newest.
        if let Some((from, to)) = self.spans.get_mut(..self.used).and_then(<[_]>::last_mut)
            && *from <= at
            && at.micros_since(*to) <= bridged_us
        {
            *to = at.max(*to);
            return;
        }
        let mut spans = self.spans().to_vec();
        let place = spans.partition_point(|span| span.0 <= at);
        spans.insert(place, (at, at));
        let mut merged: Vec<(Timestamp, Timestamp)> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.0.micros_since(last.1) <= bridged_us => {
                    last.1 = last.1.max(span.1);
                }
                _ => merged.push(span),
            }
        }
        merged.drain(..merged.len().saturating_sub(MARK_SPANS_MAX));
        self.used = merged.len();
        for (kept, span) in self.spans.iter_mut().zip(merged) {
            *kept = span;
        }
    }

    /// Whether some time of `later` lies from `from_us` to `to_us` microseconds after one of these.
    pub(super) fn reach(&self, later: &Self, from_us: i64, to_us: i64) -> bool {
        self.spans().iter().any(|mine| {
            later.spans().iter().any(|theirs| {
                theirs.0.micros_since(mine.1) <= to_us && theirs.1.micros_since(mine.0) >= from_us
            })
        })
    }
}

/// That a session had to do with what the key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) session: SessionUid,
    pub(super) end: End,
    pub(super) times: Times,
}

/// Marks by key, in two generations: when the young one is full it replaces the old one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marks {
    young: Hashed<u64, Vec<Mark>>,
    /// Marks in the young generation.
    count: usize,
    old: Hashed<u64, Vec<Mark>>,
}

impl Marks {
    /// Leaves a mark; returns all that is known of the session at that key, and those marks that other
    /// sessions left there and `asked` says yes to, given its own: the newest to come first.
    pub(super) fn leave(
        &mut self,
        key: u64,
        (session, end): (SessionUid, End),
        at: Timestamp,
        bridged_us: i64,
        asked: impl Fn(&Mark, &Mark) -> bool,
    ) -> (Mark, Vec<Mark>) {
        if self.count >= MARKS_MAX {
            self.old = std::mem::take(&mut self.young);
            self.count = 0;
        }
        let old = self.old.get(&key).map(Vec::as_slice).unwrap_or_default();
        let young = self.young.get_or_insert_with(key, Vec::new);
        let own = |known: &Mark| known.session == session && known.end == end;
        let place = young.iter().rposition(own).unwrap_or_else(|| {
            if young.len() >= MARKS_PER_KEY_MAX {
                young.remove(0);
            } else {
                self.count += 1;
            }
            let times = old.iter().find(|known| own(known));
            young.push(Mark {
                session,
                end,
                times: times.map(|known| known.times).unwrap_or_default(),
            });
            young.len() - 1
        });
        let mine = &mut young[place];
        mine.times.note(at, bridged_us);
        let mine = *mine;
        let of_others = |known: &&Mark| known.session != session;
        let asked = |known: &&Mark| asked(&mine, known);
        // A generation holds one mark of a session and end; the same one may be in both.
        let again = |known: &Mark| {
            let mut young = young.iter();
            young.any(|young| young.session == known.session && young.end == known.end)
        };
        let count = young.iter().filter(of_others).count();
        let older = old.iter().rev().filter(of_others);
        let older = older.filter(|known| !again(known));
        let younger = young.iter().rev().filter(of_others);
        let others = younger.chain(older.take(MARKS_PER_KEY_MAX - count));
        let others = others.filter(asked).copied().collect();
        (mine, others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_micros(minute * Timestamp::MINUTE_US)
    }

    fn noted(minutes: &[i64]) -> Times {
        let mut times = Times::default();
        for at in minutes {
            times.note(minute(*at), Timestamp::HOUR_US);
        }
        times
    }

    #[test]
    fn times_are_the_same_in_whatever_order_they_come() {
        let forth = noted(&[0, 50, 100, 300, 310, 900]);
        let back = noted(&[900, 310, 300, 100, 50, 0]);
        assert_eq!(forth.spans(), back.spans());
        let spans = [(0, 100), (300, 310), (900, 900)];
        let spans = spans.map(|(from, to)| (minute(from), minute(to)));
        assert_eq!(forth.spans(), spans);
        assert_eq!(forth.ends(), (minute(0), minute(900)));
    }

    #[test]
    fn of_too_many_spans_the_oldest_goes() {
        let many: Vec<i64> = (0..)
            .map(|day| day * 1_440)
            .take(MARK_SPANS_MAX + 2)
            .collect();
        let times = noted(&many);
        assert_eq!(times.spans().len(), MARK_SPANS_MAX);
        assert_eq!(times.ends().0, minute(2 * 1_440));
    }

    #[test]
    fn a_pause_is_not_filled_by_what_lies_around_it() {
        let (mine, other) = (noted(&[0, 600]), noted(&[300]));
        let hour = Timestamp::HOUR_US;
        assert!(!mine.reach(&other, -hour, hour));
        assert!(mine.reach(&noted(&[659]), -hour, hour));
        assert!(!mine.reach(&noted(&[661]), -hour, hour));
        assert!(!mine.reach(&noted(&[595]), 0, hour), "before, not after");
    }

    #[test]
    fn what_the_old_generation_knows_goes_on_in_the_young_one() {
        let mut marks = Marks::default();
        let session = |name: u64| SessionUid::derive(&[&name.to_le_bytes()]);
        marks.leave(0, (session(0), End::Either), minute(0), 0, |_, _| true);
        for name in 1..=MARKS_MAX as u64 {
            marks.leave(name, (session(name), End::Either), minute(1), 0, |_, _| {
                true
            });
        }
        let (mine, others) = marks.leave(0, (session(0), End::Either), minute(9), 0, |_, _| true);
        assert_eq!(mine.times.ends(), (minute(0), minute(9)));
        assert_eq!(others, []);
        let (_, others) = marks.leave(0, (session(1), End::Either), minute(9), 0, |_, _| true);
        assert_eq!(others, [mine], "once, not from both generations");
    }
}
