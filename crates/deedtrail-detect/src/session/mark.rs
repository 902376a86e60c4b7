//! What sessions leave behind for others to be joined by: a bounded index of hashes.

use std::collections::BTreeMap;

use deedtrail_core::id::SessionUid;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::{MARKS_MAX, MARKS_PER_KEY_MAX};

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

/// That a session had to do with what the key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) session: SessionUid,
    pub(super) at: Timestamp,
    pub(super) end: End,
}

/// Marks by key, in two generations: when the young one is full it replaces the old one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marks {
    young: BTreeMap<u64, Vec<Mark>>,
    old: BTreeMap<u64, Vec<Mark>>,
}

impl Marks {
    /// Leaves a mark and returns those of other sessions, newest first.
    pub(super) fn leave(&mut self, key: u64, mark: Mark) -> Vec<Mark> {
        if self.young.len() >= MARKS_MAX && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        let old = self.old.get(&key);
        let young = self.young.entry(key).or_default();
        let mut others: Vec<Mark> = Vec::new();
        for known in young.iter().rev().chain(old.into_iter().flatten().rev()) {
            if known.session != mark.session && others.len() < MARKS_PER_KEY_MAX {
                others.push(*known);
            }
        }
        let same = |known: &&mut Mark| known.session == mark.session && known.end == mark.end;
        if let Some(known) = young.iter_mut().find(same) {
            known.at = known.at.max(mark.at);
            return others;
        }
        if young.len() >= MARKS_PER_KEY_MAX {
            young.remove(0);
        }
        young.push(mark);
        others
    }
}
