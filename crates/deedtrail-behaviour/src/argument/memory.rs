//! What earlier sessions of an identity, or of a group of peers, used and heard of.

use std::collections::BTreeSet;

use deedtrail_core::id::IdentityId;
use serde::{Deserialize, Serialize};

use super::ledger::Ledger;
use crate::kept::Keep;
use crate::limits::MEMBERS_MAX;
use crate::sequence::{Contexts, probability, uniform};
use crate::table::Counts;

/// Numbers are halved after this many days.
const HALVED_DAYS: u16 = 30;

/// Most entities kept of each sort.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) used: usize,
    pub(super) heard: usize,
}

/// Room of one identity: 16 bytes each.
pub(super) const OWN: Room = Room {
    used: 768,
    heard: 512,
};
/// Room of a group of peers.
pub(super) const PEERS: Room = Room {
    used: 16_384,
    heard: 32_768,
};

/// What earlier sessions showed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// Entities that were arguments.
    used: Ledger,
    /// References that requests and tools' outputs named, and the jobs that were asked for.
    heard: Ledger,
    /// Which origin values of an argument have.
    origins: Counts,
    /// Whose sessions these were.
    members: BTreeSet<IdentityId>,
    halved: u16,
}

/// What one session showed, ready to be learned.
#[derive(Debug)]
pub(super) struct Lessons<'a> {
    pub(super) identity: IdentityId,
    pub(super) day: u16,
    pub(super) used: &'a [u64],
    pub(super) heard: &'a [u64],
    /// Contexts and symbol of each value.
    pub(super) origins: &'a [(Contexts, u32)],
}

impl Keep for Memory {}

impl Memory {
    pub(super) fn used(&self, key: u64) -> bool {
        self.used.sessions(key) > 0
    }

    pub(super) fn heard(&self, key: u64) -> bool {
        self.heard.sessions(key) > 0
    }

    /// How many identities these sessions were of, one left out.
    pub(super) fn others(&self, identity: IdentityId) -> usize {
        self.members.len() - usize::from(self.members.contains(&identity))
    }

    /// Probability of that origin; `below` is what vouches where this memory knows too little.
    pub(super) fn probability(
        &self,
        contexts: &Contexts,
        symbol: u32,
        below: Option<&Self>,
    ) -> f64 {
        probability(&self.origins, contexts, symbol, || match below {
            Some(below) => below.probability(contexts, symbol, None),
            None => uniform(&self.origins),
        })
    }

    pub(super) fn learn(&mut self, lessons: &Lessons<'_>, room: Room) {
        if self.members.len() < MEMBERS_MAX {
            self.members.insert(lessons.identity);
        }
        self.used.add(lessons.used, lessons.day, room.used);
        self.heard.add(lessons.heard, lessons.day, room.heard);
        for (contexts, symbol) in lessons.origins {
            for context in contexts.hashes() {
                self.origins.add(*context, *symbol, lessons.day);
            }
        }
    }

    /// Halves every number: what is long ago counts less.
    pub(super) fn halve(&mut self, day: u16) {
        self.used.halve(day);
        self.heard.halve(day);
        self.origins.halve(day);
    }

    /// Halves every number when a month has passed.
    pub(super) fn age(&mut self, day: u16) {
        if day.saturating_sub(self.halved) >= HALVED_DAYS {
            self.halve(day);
            self.halved = day;
        }
    }

    /// Adds what an identity showed under another name.
    pub(super) fn merge(&mut self, other: &Self) {
        self.used.merge(&other.used, OWN.used);
        self.heard.merge(&other.heard, OWN.heard);
        self.origins.merge(&other.origins);
        self.members.extend(other.members.iter().copied());
        self.halved = self.halved.max(other.halved);
    }

    pub(super) fn bytes(&self) -> usize {
        self.used.bytes() + self.heard.bytes() + self.origins.bytes()
    }
}
