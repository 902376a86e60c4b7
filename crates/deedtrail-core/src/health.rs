//! How a source is doing, as counted from the log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::id::{SourceName, TenantId};
use crate::time::Timestamp;

/// Systems of one source whose planes are counted; events of further ones are only summed up.
pub const SYSTEMS_MAX: usize = 64;
/// Gaps of either kind of one source that are remembered; beyond it the oldest is forgotten.
pub const GAPS_MAX: usize = 16;

/// Health of one source of one tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceHealth {
    #[serde(default)]
    pub tenant: TenantId,
    pub source: SourceName,
    pub records: u64,
    pub events: u64,
    /// Records that wait in quarantine.
    pub quarantined: u64,
    /// Records in quarantine that somebody dismissed.
    #[serde(default)]
    pub dismissed: u64,
    /// Records that came again; they are not stored anew. Noted in the log once a minute.
    #[serde(default)]
    pub duplicates: u64,
    pub conflicts: u64,
    pub bytes: u64,
    #[serde(default)]
    pub first_received: Option<Timestamp>,
    pub last_received: Option<Timestamp>,
    /// Oldest vendor time.
    #[serde(default)]
    pub first_event: Option<Timestamp>,
    /// Newest vendor time.
    pub last_event: Option<Timestamp>,
    /// Events by evidence grade A, B, C, D.
    pub grades: [u64; 4],
    /// Events whose action is `other`.
    pub other_actions: u64,
    /// Events lacking a fact, by name of the fact.
    pub missing: BTreeMap<Text, u64>,
    /// Records of the last hours.
    #[serde(default)]
    pub hours: Hours,
    /// How late events come.
    #[serde(default)]
    pub lag: Lag,
    /// Events by system and plane.
    #[serde(default)]
    pub systems: BTreeMap<Text, BTreeMap<Text, Seen>>,
    /// Events of systems beyond [`SYSTEMS_MAX`].
    #[serde(default)]
    pub systems_over: u64,
    /// What its own history says of it.
    #[serde(default)]
    pub watched: Watched,
}

impl SourceHealth {
    /// Of a source that nothing came from yet.
    pub fn new(tenant: TenantId, source: SourceName) -> Self {
        Self {
            tenant,
            source,
            records: 0,
            events: 0,
            quarantined: 0,
            dismissed: 0,
            duplicates: 0,
            conflicts: 0,
            bytes: 0,
            first_received: None,
            last_received: None,
            first_event: None,
            last_event: None,
            grades: [0; 4],
            other_actions: 0,
            missing: BTreeMap::new(),
            hours: Hours::default(),
            lag: Lag::default(),
            systems: BTreeMap::new(),
            systems_over: 0,
            watched: Watched::default(),
        }
    }

    /// Counts an event on a plane of a system, received at `at`.
    pub fn count_plane(&mut self, system: &Text, plane: &'static str, at: Timestamp) {
        let known = self.systems.len();
        let planes = match self.systems.get_mut(system) {
            Some(planes) => planes,
            None if known < SYSTEMS_MAX => self.systems.entry(system.clone()).or_default(),
            None => {
                self.systems_over += 1;
                return;
            }
        };
        let seen = planes.entry(Text::new_static(plane)).or_default();
        seen.events += 1;
        seen.last = seen.last.max(Some(at));
    }
}

/// What came of one plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredSeen")]
pub struct Seen {
    pub events: u64,
    /// When the newest of them was received.
    pub last: Option<Timestamp>,
}

/// As it may be stored: counts of earlier versions have no time.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredSeen {
    Events(u64),
    Seen {
        events: u64,
        last: Option<Timestamp>,
    },
}

impl From<StoredSeen> for Seen {
    fn from(stored: StoredSeen) -> Self {
        match stored {
            StoredSeen::Events(events) => Self { events, last: None },
            StoredSeen::Seen { events, last } => Self { events, last },
        }
    }
}

/// What detection knows of a source from how it was before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Watched {
    /// Its silence is a finding: the server listened for longer than its own rhythm makes likely,
    /// and nothing came.
    pub silent: bool,
    /// From then on silence is a finding, if nothing comes before and the server listens; `None`
    /// while the rhythm is not known, or has no such moment within two weeks.
    pub overdue_at: Option<Timestamp>,
    /// Silences that were findings and ended, oldest first.
    pub gaps: Vec<Gap>,
    /// What events used to say and no longer do: `outcome of read`.
    pub degraded: Vec<Text>,
    /// Whether the source numbers its records.
    pub numbered: bool,
    /// Numbers that never came, oldest first.
    pub missing: Vec<MissingNumbers>,
    /// How many numbers never came, those that are forgotten in `missing` included: one of them that
    /// comes after all stays counted.
    pub missing_total: u64,
    /// How many more were skipped without being waited for, as too many others were: some may have
    /// come.
    pub skipped_forgotten: u64,
}

/// Numbers that a source gave to records of which none came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingNumbers {
    /// The stream in which the source counts.
    pub within: Text,
    pub first: u64,
    pub last: u64,
    /// When a later number was received.
    pub noticed: Timestamp,
}

impl MissingNumbers {
    /// How many they are.
    pub const fn count(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

/// A time in which nothing came although something should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The last record before.
    pub from: Timestamp,
    /// The first record after.
    pub to: Timestamp,
}

/// Records in each of the last hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// Number of the newest hour since 1970.
    newest: i64,
    /// Its count and those of the hours before, newest last.
    counts: [u64; Self::KEPT],
}

impl Hours {
    pub const KEPT: usize = 24;

    /// Counts a record.
    pub fn count(&mut self, at: Timestamp) {
        let hour = hour(at);
        if hour > self.newest {
            self.counts = self.until(hour);
            self.newest = hour;
        }
        let ago = usize::try_from(self.newest - hour).unwrap_or(usize::MAX);
        if let Some(place) = Self::KEPT.checked_sub(ago + 1) {
            self.counts[place] += 1;
        }
    }

    /// Records of each of the 24 hours that end with that of `now`, newest last.
    pub fn at(&self, now: Timestamp) -> [u64; Self::KEPT] {
        self.until(hour(now).max(self.newest))
    }

    fn until(&self, hour: i64) -> [u64; Self::KEPT] {
        let passed = usize::try_from(hour - self.newest).unwrap_or(usize::MAX);
        let mut counts = [0; Self::KEPT];
        if let Some(kept) = Self::KEPT.checked_sub(passed) {
            counts[..kept].copy_from_slice(&self.counts[passed..]);
        }
        counts
    }
}

const fn hour(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(Timestamp::HOUR_US)
}

/// Time from what happened to its record, over the newest few thousand events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    /// Events by the number of binary digits of their lag in seconds.
    counts: [u32; Self::CLASSES],
}

impl Lag {
    /// The last class is everything from [`Self::LONG_S`] on.
    const CLASSES: usize = 25;
    /// What takes this long, in seconds, or longer (97 days) is not told apart.
    pub const LONG_S: u64 = 1 << (Self::CLASSES - 2);
    /// Events after which all that came before count half.
    const HALVED_AFTER: u32 = 8_192;

    pub fn count(&mut self, lag_us: i64) {
        let seconds = u64::try_from(lag_us / Timestamp::SECOND_US).unwrap_or(0);
        let digits = (u64::BITS - seconds.leading_zeros()) as usize;
        self.counts[digits.min(Self::CLASSES - 1)] += 1;
        if self.counts.iter().sum::<u32>() >= Self::HALVED_AFTER {
            self.counts.iter_mut().for_each(|count| *count /= 2);
        }
    }

    /// So many of a hundred events come within this many seconds, rounded up to a power of two; `None`
    /// when that takes [`Self::LONG_S`] or longer, or before the first event.
    pub fn within_s(&self, percent: u32) -> Option<u64> {
        self.class_of(percent)
            .filter(|class| class + 1 < Self::CLASSES)
            .map(|class| 1 << class)
    }

    /// Whether it takes [`Self::LONG_S`] or longer until so many of a hundred events have come.
    pub fn is_long(&self, percent: u32) -> bool {
        self.class_of(percent)
            .is_some_and(|class| class + 1 == Self::CLASSES)
    }

    fn class_of(&self, percent: u32) -> Option<usize> {
        let all: u32 = self.counts.iter().sum();
        let mut sum = 0;
        self.counts.iter().position(|count| {
            sum += count;
            all > 0 && u64::from(sum) * 100 >= u64::from(all) * u64::from(percent)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_micros(hours * Timestamp::HOUR_US)
    }

    #[test]
    fn hours_move_on_and_late_ones_find_their_place() {
        let mut hours = Hours::default();
        for hour in [1_000, 1_000, 1_001, 1_000, 990, 900] {
            hours.count(at(hour));
        }
        let counts = hours.at(at(1_001));
        assert_eq!(counts[22..], [3, 1]);
        assert_eq!(counts[12], 1);
        assert_eq!(counts.iter().sum::<u64>(), 5, "too old to count");
        assert_eq!(hours.at(at(1_003))[20..], [3, 1, 0, 0]);
        assert_eq!(hours.at(at(5_000)), [0; 24]);
        assert_eq!(hours.at(at(0)), counts, "a clock that went back");
    }

    #[test]
    fn further_systems_are_summed_up_and_counts_of_before_are_read() {
        let source = SourceName::new("a.log").unwrap();
        let mut health = SourceHealth::new(TenantId::default(), source);
        for number in 0..SYSTEMS_MAX + 3 {
            health.count_plane(&number.to_string().into(), "data", at(1));
        }
        health.count_plane(&Text::new_static("0"), "data", at(3));
        health.count_plane(&Text::new_static("0"), "data", at(2));
        let seen = Seen {
            events: 3,
            last: Some(at(3)),
        };
        assert_eq!(health.systems["0"]["data"], seen);
        assert_eq!(
            (health.systems.len(), health.systems_over),
            (SYSTEMS_MAX, 3)
        );
        let stored = serde_json::json!(health);
        assert_eq!(
            serde_json::from_value::<SourceHealth>(stored.clone()).unwrap(),
            health
        );
        let mut before = stored;
        before["systems"] = serde_json::json!({"0": {"data": 7}});
        let read: SourceHealth = serde_json::from_value(before).unwrap();
        assert_eq!(
            read.systems["0"]["data"],
            Seen {
                events: 7,
                last: None
            }
        );
    }

    #[test]
    fn lag_is_told_by_power_of_two() {
        let mut lag = Lag::default();
        assert_eq!(lag.within_s(50), None);
        for _ in 0..95 {
            lag.count(3 * Timestamp::SECOND_US);
        }
        for _ in 0..5 {
            lag.count(Timestamp::HOUR_US);
        }
        lag.count(-1);
        assert_eq!(lag.within_s(50), Some(4));
        assert_eq!(lag.within_s(99), Some(4_096));
        assert!(!lag.is_long(100));
        lag.count(i64::MAX);
        assert_eq!((lag.within_s(100), lag.is_long(100)), (None, true));
        assert_eq!((lag.within_s(99), lag.is_long(99)), (Some(4_096), false));
    }
}
