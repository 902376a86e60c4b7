//! What is kept of an identity and of a group of peers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use deedtrail_core::Text;
use deedtrail_core::behaviour::ACTIVE_DAYS_MAX;
use deedtrail_core::event::ActorKind;
use deedtrail_core::id::IdentityId;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::drift::Drifting;
use crate::kept::Keep;
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
    /// Newest days with events, and their number, oldest first.
    pub(crate) days: VecDeque<(u16, u32)>,
    /// Patterns that alerted, and the day.
    told: Vec<(u64, u16)>,
    /// Day on which counts were last halved.
    halved: u16,
}

impl Keep for Known {
    fn newest(&self) -> Option<Timestamp> {
        Some(self.last)
    }
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
            days: VecDeque::new(),
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

    /// Counts events on `day`; of more days than are kept the oldest goes.
    pub(crate) fn count(&mut self, day: u16, events: u32) {
        let place = self.days.partition_point(|(known, _)| *known < day);
        match self.days.get_mut(place).filter(|(known, _)| *known == day) {
            Some((_, counted)) => *counted = counted.saturating_add(events),
            None => self.days.insert(place, (day, events)),
        }
        if self.days.len() > ACTIVE_DAYS_MAX {
            self.days.pop_front();
        }
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
        for (day, events) in &other.days {
            self.count(*day, *events);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.model.bytes()
            + self.calibration.bytes()
            + self.probation.patterns.capacity() * size_of::<Pattern>()
            + self.days.capacity() * size_of::<(u16, u32)>()
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
    said: Said,
}

/// What an analyst said of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Said {
    Nothing,
    /// It is usual from now on.
    Usual,
    /// It never becomes usual by itself.
    Misuse,
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
            self.insert(hash, 1, day, Said::Nothing);
            return false;
        };
        if day.saturating_sub(pattern.last) > PATTERN_DAYS {
            pattern.days = 0;
        }
        if day > pattern.last || pattern.days == 0 {
            pattern.days = pattern.days.saturating_add(1);
        }
        pattern.last = pattern.last.max(day);
        match pattern.said {
            Said::Nothing => pattern.days >= PROBATION_DAYS,
            said => said == Said::Usual,
        }
    }

    /// Whether an analyst said that it is usual.
    pub(crate) fn approved(&self, hash: u64) -> bool {
        let known = self.patterns.iter().find(|pattern| pattern.hash == hash);
        known.is_some_and(|pattern| pattern.said == Said::Usual)
    }

    /// What an analyst said stays until something else is said.
    pub(crate) fn decide(&mut self, hash: u64, day: u16, said: Said) {
        self.reopen(hash);
        self.insert(hash, 0, day, said);
    }

    /// As if it had never been decided.
    pub(crate) fn reopen(&mut self, hash: u64) {
        self.patterns.retain(|pattern| pattern.hash != hash);
    }

    fn insert(&mut self, hash: u64, days: u8, last: u16, said: Said) {
        if self.patterns.len() >= PROBATION_MAX {
            let rank = |at: &usize| (self.patterns[*at].said, self.patterns[*at].last);
            let oldest = (0..self.patterns.len()).min_by_key(rank).unwrap_or(0);
            self.patterns.remove(oldest);
        }
        self.patterns.push(Pattern {
            hash,
            days,
            last,
            said,
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
        let members = self.active(day);
        let seen = self.patterns.entry(hash).or_default();
        let before = is_deployment(seen.len(), members);
        seen.insert(identity);
        let identities = seen.len();
        is_deployment(identities, members).then_some(Together {
            identities,
            members,
            first: !before,
        })
    }

    /// Whether the pattern already is a deployment on that day.
    pub(crate) fn deploys(&self, hash: u64, day: u16) -> bool {
        let seen = self.patterns.get(&hash).filter(|_| day == self.day);
        seen.is_some_and(|seen| is_deployment(seen.len(), self.active(day)))
    }

    fn active(&self, day: u16) -> usize {
        let active = |last: &&u16| day.saturating_sub(**last) <= ACTIVE_DAYS;
        self.members.values().filter(active).count()
    }
}

fn is_deployment(identities: usize, members: usize) -> bool {
    identities >= DEPLOYMENT_MEMBERS_MIN && identities as f64 > DEPLOYMENT_SHARE * members as f64
}
