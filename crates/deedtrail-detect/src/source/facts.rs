//! What a source's events used to say, and whether they still do.

use serde::{Deserialize, Serialize};

/// Events after which a share is judged.
const BLOCK: u16 = 20;
/// So many blocks in a row have to be worse: events that lack a fact come in clumps.
const WORSE_BLOCKS: u16 = 3;
/// So many of a block must lack what was there before.
const BLOCK_LACKS_MIN: u16 = 16;
/// With so few lacking it, a block is well again.
const BLOCK_LACKS_WELL: u16 = 4;
/// Events before that make a history.
const HISTORY_MIN: u32 = 100;
/// One in so many may have lacked it before.
const LACKED_BEFORE_ONE_IN: u32 = 20;
/// Events remembered; beyond it, older ones count half.
const HISTORY_MAX: u32 = 2_000;
/// Blocks after which the new state of things is the usual one.
const ACCEPTED_AFTER: u16 = 50;

/// How often one fact was missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Share {
    events: u32,
    lacked: u32,
    block: u16,
    block_lacks: u16,
    /// Lacks of a block in which it may have begun; learned only if the next one is well.
    held: u16,
    /// Blocks in a row that were worse, and what they lack.
    bad_blocks: u16,
    bad_lacks: u16,
    /// Blocks since it is worse than before.
    worse_for: u16,
}

/// A share that just became worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Worse {
    pub(super) lacks: u16,
    pub(super) of: u16,
    /// Before: so many of so many.
    pub(super) lacked: u32,
    pub(super) events: u32,
}

impl Share {
    /// Counts one event; tells when it became worse with it.
    pub(super) fn count(&mut self, lacks: bool) -> Option<Worse> {
        self.block += 1;
        self.block_lacks += u16::from(lacks);
        if self.block < BLOCK {
            return None;
        }
        let block_lacks = std::mem::take(&mut self.block_lacks);
        self.block = 0;
        if self.is_worse() {
            self.worse_for += 1;
            if block_lacks <= BLOCK_LACKS_WELL {
                self.worse_for = 0;
            } else if self.worse_for > ACCEPTED_AFTER {
                *self = Self::default();
            }
            return None;
        }
        let told_before = self.events >= HISTORY_MIN
            && self.lacked.saturating_mul(LACKED_BEFORE_ONE_IN) <= self.events;
        if told_before && block_lacks >= BLOCK_LACKS_MIN {
            self.bad_blocks += 1;
            self.bad_lacks += block_lacks;
            if self.bad_blocks < WORSE_BLOCKS {
                return None;
            }
            self.worse_for = 1;
            (self.held, self.bad_blocks) = (0, 0);
            return Some(Worse {
                lacks: std::mem::take(&mut self.bad_lacks),
                of: BLOCK * WORSE_BLOCKS,
                lacked: self.lacked,
                events: self.events,
            });
        }
        let clump = BLOCK * std::mem::take(&mut self.bad_blocks);
        self.events += u32::from(clump);
        self.lacked += u32::from(std::mem::take(&mut self.bad_lacks));
        let held = std::mem::take(&mut self.held);
        if told_before && held == 0 && block_lacks > BLOCK_LACKS_WELL {
            self.held = block_lacks;
            return None;
        }
        self.events += u32::from(BLOCK) + if held > 0 { u32::from(BLOCK) } else { 0 };
        self.lacked += u32::from(block_lacks + held);
        if self.events > HISTORY_MAX {
            self.events /= 2;
            self.lacked /= 2;
        }
        None
    }

    pub(super) fn is_worse(&self) -> bool {
        self.worse_for > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(share: &mut Share, lacks: bool, events: u32) -> Vec<Worse> {
        (0..events).filter_map(|_| share.count(lacks)).collect()
    }

    #[test]
    fn what_stops_being_said_is_told_once_until_it_is_well() {
        let mut share = Share::default();
        assert_eq!(counted(&mut share, false, 200), []);
        let worse = counted(&mut share, true, 200);
        assert_eq!(worse.len(), 1);
        assert_eq!(
            (worse[0].lacks, worse[0].of, worse[0].events),
            (60, 60, 200)
        );
        assert!(share.is_worse());
        counted(&mut share, false, 20);
        assert!(!share.is_worse());
        assert_eq!(counted(&mut share, true, 60).len(), 1, "told anew");
    }

    #[test]
    fn a_clump_is_no_change() {
        let mut share = Share::default();
        counted(&mut share, false, 960);
        for _ in 0..5 {
            assert_eq!(counted(&mut share, true, 40), []);
            counted(&mut share, false, 960);
        }
        assert!(!share.is_worse());
    }

    #[test]
    fn it_may_begin_within_a_block() {
        let mut share = Share::default();
        assert_eq!(counted(&mut share, false, 210), []);
        let worse = counted(&mut share, true, 70);
        assert_eq!(worse.len(), 1);
        assert_eq!((worse[0].lacked, worse[0].events), (0, 200));
    }

    #[test]
    fn what_was_never_said_or_only_sometimes_is_not_missed() {
        let mut never = Share::default();
        assert_eq!(counted(&mut never, true, 1_000), []);
        let mut sometimes = Share::default();
        for event in 0..1_000 {
            assert_eq!(sometimes.count(event % 10 == 0), None);
        }
        assert_eq!(counted(&mut sometimes, true, 100), []);
        let mut new = Share::default();
        counted(&mut new, false, 80);
        assert_eq!(counted(&mut new, true, 100), [], "no history yet");
    }

    #[test]
    fn a_new_state_of_things_becomes_the_usual_one() {
        let mut share = Share::default();
        counted(&mut share, false, 2_500);
        assert_eq!(counted(&mut share, true, 20 * 60).len(), 1);
        assert!(!share.is_worse());
    }
}
