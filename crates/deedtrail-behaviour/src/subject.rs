//! What is kept of an identity and of a group of peers.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::event::ActorKind;
use deedtrail_core::id::IdentityId;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::drift::Drifting;
use crate::limits::{MEMBERS_MAX, PATTERNS_MAX, PROBATION_MAX, TOLD_MAX};
use crate::model::Model;

/// Counts are halved after this many days.
const HALVED_DAYS: u16 = 30;
/// Different days after which a pattern is no longer new.
const PROBATION_DAYS: u8 = 3;
/// A pattern on probation, or off it, is forgotten when it does not come for this many days.
const PATTERN_DAYS: u16 = 30;
/// Members of a group that were active within this many days.
const ACTIVE_DAYS: u16 = 7;
/// Share of active members that do the same new thing on one day when it is a deployment.
const DEPLOYMENT_SHARE: f64 = 0.2;
/// Members below which nothing is a deployment.
const DEPLOYMENT_MEMBERS_MIN: usize = 3;

/// One identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) kind: ActorKind,
    pub(crate) group: Text,
    pub(crate) model: Model,
    pub(crate) calibration: Calibration,
    pub(crate) probation: Probation,
    pub(crate) drift: Drifting,
    pub(crate) last: Timestamp,
    /// Patterns that alerted, and the day.
    told: Vec<(u64, u16)>,
    /// Day on which counts were last halved.
    halved: u16,
}

impl Known {
    pub(crate) fn new(kind: ActorKind, day: u16) -> Self {
        Self {
            kind,
            group: Text::default(),
            model: Model::default(),
            calibration: Calibration::default(),
            probation: Probation::default(),
            drift: Drifting::default(),
            last: Timestamp::default(),
            told: Vec::new(),
            halved: day,
        }
    }

    /// Halves what is due; whether it was.
    pub(crate) fn age(&mut self, day: u16) -> bool {
        let due = due(&mut self.halved, day);
        if due {
            self.model.halve(day);
        }
        due
    }

    /// Whether the pattern alerted before on that day.
    pub(crate) fn was_told(&self, pattern: u64, day: u16) -> bool {
        self.told.contains(&(pattern, day))
    }

    /// Remembers that the pattern alerted.
    pub(crate) fn tell(&mut self, pattern: u64, day: u16) {
        if !self.was_told(pattern, day) {
            self.told.retain(|(_, told)| day.saturating_sub(*told) <= 1);
            self.told.truncate(TOLD_MAX - 1);
            self.told.push((pattern, day));
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.model.merge(&other.model);
        self.calibration.merge(&other.calibration);
        self.drift.merge(&other.drift);
        self.last = self.last.max(other.last);
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.model.bytes()
            + self.calibration.bytes()
            + self.probation.patterns.capacity() * size_of::<Pattern>()
            + self.drift.bytes()
    }
}

fn due(halved: &mut u16, day: u16) -> bool {
    let due = day.saturating_sub(*halved) >= HALVED_DAYS;
    if due {
        *halved = day;
    }
    due
}

/// One pattern that was new when it came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Pattern {
    hash: u64,
    days: u8,
    last: u16,
    /// An analyst said that it is misuse: it never becomes usual by itself.
    barred: bool,
}

/// Patterns that are learned only once they came on several days.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Probation {
    patterns: Vec<Pattern>,
}

impl Probation {
    /// Notes that the pattern came on `day`; true when it has come on enough days.
    pub(crate) fn note(&mut self, hash: u64, day: u16) -> bool {
        let known = self
            .patterns
            .iter_mut()
            .find(|pattern| pattern.hash == hash);
        let Some(pattern) = known else {
            self.insert(hash, 1, day, false);
            return false;
        };
        if day.saturating_sub(pattern.last) > PATTERN_DAYS {
            pattern.days = 0;
        }
        if day > pattern.last || pattern.days == 0 {
            pattern.days = pattern.days.saturating_add(1);
        }
        pattern.last = pattern.last.max(day);
        pattern.days >= PROBATION_DAYS && !pattern.barred
    }

    /// What an analyst said: usual from now on, or never.
    pub(crate) fn decide(&mut self, hash: u64, day: u16, barred: bool) {
        self.patterns.retain(|pattern| pattern.hash != hash);
        self.insert(hash, if barred { 0 } else { PROBATION_DAYS }, day, barred);
    }

    /// As if it had never been decided.
    pub(crate) fn reopen(&mut self, hash: u64) {
        self.patterns.retain(|pattern| pattern.hash != hash);
    }

    fn insert(&mut self, hash: u64, days: u8, last: u16, barred: bool) {
        if self.patterns.len() >= PROBATION_MAX {
            let rank = |at: &usize| (self.patterns[*at].barred, self.patterns[*at].last);
            let oldest = (0..self.patterns.len()).min_by_key(rank).unwrap_or(0);
            self.patterns.remove(oldest);
        }
        self.patterns.push(Pattern {
            hash,
            days,
            last,
            barred,
        });
    }
}

/// Identities that do the same job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) model: Model,
    pub(crate) calibration: Calibration,
    /// Day each member was last active.
    members: BTreeMap<IdentityId, u16>,
    day: u16,
    /// Who did something new today.
    patterns: BTreeMap<u64, BTreeSet<IdentityId>>,
    halved: u16,
}

/// How many of a group did the same new thing on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Together {
    pub(crate) identities: usize,
    pub(crate) members: usize,
    /// This identity made it a deployment.
    pub(crate) first: bool,
}

impl Group {
    pub(crate) fn age(&mut self, day: u16) {
        if due(&mut self.halved, day) {
            self.model.halve(day);
        }
    }

    pub(crate) fn present(&mut self, identity: IdentityId, day: u16) {
        if self.members.len() < MEMBERS_MAX || self.members.contains_key(&identity) {
            let last = self.members.entry(identity).or_insert(day);
            *last = day.max(*last);
        }
    }

    pub(crate) fn members(&self) -> usize {
        self.members.len()
    }

    /// Notes that `identity` did something new; who else did, when that makes it a deployment.
    pub(crate) fn note(&mut self, hash: u64, identity: IdentityId, day: u16) -> Option<Together> {
        if day > self.day {
            self.day = day;
            self.patterns.clear();
            self.members
                .retain(|_, last| day.saturating_sub(*last) <= HALVED_DAYS);
        }
        if self.patterns.len() >= PATTERNS_MAX && !self.patterns.contains_key(&hash) {
            return None;
        }
        let active = |last: &&u16| day.saturating_sub(**last) <= ACTIVE_DAYS;
        let members = self.members.values().filter(active).count();
        let enough = |identities: usize| {
            identities >= DEPLOYMENT_MEMBERS_MIN
                && identities as f64 > DEPLOYMENT_SHARE * members as f64
        };
        let seen = self.patterns.entry(hash).or_default();
        let before = enough(seen.len());
        seen.insert(identity);
        let identities = seen.len();
        enough(identities).then_some(Together {
            identities,
            members,
            first: !before,
        })
    }
}
