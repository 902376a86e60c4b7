//! What was taken of the objects below one prefix.

use std::collections::BTreeMap;
use std::time::Duration;

use deedtrail_core::time::Timestamp;
use object_store::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::Layout;
use crate::pull::limits::{RETRY_OBJECT, TAKEN_MAX};

/// One content under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// Hash of what the store calls the content.
    tag: u64,
    /// When the store got it, µs.
    pub(super) modified: i64,
}

impl Version {
    pub(super) fn of(object: &ObjectMeta) -> Self {
        let modified = object.last_modified.timestamp_micros();
        let mut hasher = blake3::Hasher::new();
        match &object.e_tag {
            Some(tag) => hasher.update(tag.as_bytes()),
            None => hasher.update(format!("{} {modified}", object.size).as_bytes()),
        };
        let mut tag = [0; 8];
        hasher.finalize_xof().fill(&mut tag);
        Self {
            tag: u64::from_be_bytes(tag),
            modified,
        }
    }
}

/// An object that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failing {
    pub(super) bytes: u64,
    version: Version,
    tries: u32,
    /// When it is tried again, µs.
    pub(super) retry: i64,
}

/// Objects below one prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Section {
    /// Everything up to this key was taken, and is not listed again.
    pub(super) after: Option<String>,
    /// Everything older was taken, µs: of objects whose keys say nothing about their age.
    floor: Option<i64>,
    taken: BTreeMap<String, Version>,
    pub(super) failing: BTreeMap<String, Failing>,
}

impl Section {
    /// Whether a listed object is to be fetched.
    pub(super) fn lacks(&self, key: &str, version: &Version) -> bool {
        if self.floor.is_some_and(|floor| version.modified < floor) {
            return false;
        }
        self.taken.get(key) != Some(version)
            && self.failing.get(key).map(|one| &one.version) != Some(version)
    }

    pub(super) fn succeed(&mut self, key: &str, version: Version) {
        self.failing.remove(key);
        self.taken.insert(key.to_owned(), version);
    }

    pub(super) fn fail(&mut self, key: &str, version: Version, bytes: u64, now: Timestamp) {
        let before = self.failing.get(key).filter(|one| one.version == version);
        let tries = before.map_or(1, |one| one.tries.saturating_add(1));
        let doubled = RETRY_OBJECT[0].saturating_mul(1 << tries.min(16).saturating_sub(1));
        let pause = doubled.min(RETRY_OBJECT[1]).as_micros();
        let failing = Failing {
            bytes,
            version,
            tries,
            retry: now
                .plus_micros(i64::try_from(pause).unwrap_or(i64::MAX))
                .as_micros(),
        };
        self.failing.insert(key.to_owned(), failing);
    }

    pub(super) fn version_of_failing(&self, key: &str) -> Option<Version> {
        self.failing.get(key).map(|one| one.version)
    }

    /// Forgets what will not be listed again: what came more than `look_back` before the newest.
    /// All that was listed has been taken or has failed; `is_all` says that it was all there is.
    pub(super) fn compact(&mut self, layout: Layout, look_back: Duration, is_all: bool) {
        let Some(newest) = self.taken.values().map(|one| one.modified).max() else {
            return;
        };
        let look_back = i64::try_from(look_back.as_micros()).unwrap_or(i64::MAX);
        let floor = newest.saturating_sub(look_back);
        if layout == Layout::Any {
            if is_all {
                self.floor = self.floor.max(Some(floor));
                self.taken.retain(|_, one| one.modified >= floor);
            }
            return;
        }
        let excess = self.taken.len().saturating_sub(TAKEN_MAX);
        if excess > 0 {
            tracing::warn!(
                excess,
                "too many objects arrive within `look_back_h`: those that arrive later than the newest {TAKEN_MAX} are missed"
            );
        }
        let mut number = 0;
        while let Some(first) = self.taken.first_entry() {
            if number >= excess && first.get().modified >= floor {
                break;
            }
            number += 1;
            self.after = Some(first.remove_entry().0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = Timestamp::HOUR_US;

    fn version(hour: i64) -> Version {
        Version {
            tag: 1,
            modified: hour * HOUR,
        }
    }

    fn section(objects: &[(&str, i64)]) -> Section {
        let mut section = Section::default();
        for (key, hour) in objects {
            section.succeed(key, version(*hour));
        }
        section
    }

    #[test]
    fn what_arrives_late_within_the_look_back_is_still_lacked() {
        let day = Duration::from_hours(24);
        let mut section = section(&[("a", 0), ("b", 1), ("c", 30), ("d", 3), ("e", 31)]);
        section.compact(Layout::Ordered, day, true);
        // `c` came late; what is before it in order is done with, what is behind it is listed again.
        assert_eq!(section.after.as_deref(), Some("b"));
        assert_eq!(section.taken.len(), 3);
        assert!(section.lacks("bb", &version(31)));
        assert!(!section.lacks("d", &version(3)));
        let changed = Version {
            tag: 2,
            ..version(3)
        };
        assert!(section.lacks("d", &changed));
    }

    #[test]
    fn of_keys_in_no_order_the_time_decides() {
        let day = Duration::from_hours(24);
        let mut section = section(&[("z", 0), ("a", 10), ("m", 40)]);
        section.compact(Layout::Any, day, false);
        assert_eq!(section.taken.len(), 3);
        section.compact(Layout::Any, day, true);
        assert_eq!((section.after.clone(), section.taken.len()), (None, 1));
        assert!(!section.lacks("z", &version(0)));
        assert!(section.lacks("b", &version(17)));
    }

    #[test]
    fn what_fails_is_tried_again_later_and_later() {
        let mut section = Section::default();
        let now = Timestamp::from_micros(0);
        let waits: Vec<i64> = (0..10)
            .map(|_| {
                section.fail("a", version(1), 5, now);
                section.failing["a"].retry / Timestamp::SECOND_US
            })
            .collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert!(!section.lacks("a", &version(1)));
        section.succeed("a", version(1));
        assert!(section.failing.is_empty() && !section.lacks("a", &version(1)));
    }
}
