//! Distinct targets of one credential within a short window.

use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::BURST_TARGETS_MAX;

/// The targets of the newest window, and how large windows of earlier days were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Burst {
    /// (hash of target, last touched), sorted by hash.
    targets: Vec<(u64, Timestamp)>,
    newest: Timestamp,
    /// Most targets in a window on any earlier day, and today's.
    peak: u32,
    today: (i64, u32),
}

impl Burst {
    pub(super) fn note(&mut self, target: u64, at: Timestamp, window_us: i64) {
        if at < self.newest.plus_micros(-window_us) {
            return;
        }
        self.newest = self.newest.max(at);
        match self
            .targets
            .binary_search_by_key(&target, |(known, _)| *known)
        {
            Ok(place) => self.targets[place].1 = self.targets[place].1.max(at),
            Err(place) => {
                self.targets.insert(place, (target, at));
                self.make_room(window_us);
            }
        }
        self.note_day(at.utc_day());
    }

    fn make_room(&mut self, window_us: i64) {
        let horizon = self.newest.plus_micros(-window_us);
        let stale = self.targets.len().is_power_of_two() || self.targets.len() >= 64;
        if stale {
            self.targets.retain(|(_, touched)| *touched >= horizon);
        }
        if self.targets.len() > BURST_TARGETS_MAX {
            let oldest = self
                .targets
                .iter()
                .enumerate()
                .min_by_key(|(_, (key, at))| (*at, *key));
            if let Some((place, _)) = oldest {
                self.targets.remove(place);
            }
        }
    }

    fn note_day(&mut self, day: i64) {
        let (today, most) = self.today;
        if day > today {
            self.peak = self.peak.max(most);
            self.today = (day, 0);
        }
        if self.targets.len() > 1 {
            let count = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
            self.today.1 = self.today.1.max(count);
        }
    }

    /// Distinct targets within `window_us` up to the newest use, and the time of the first.
    pub fn window(&self, window_us: i64) -> (usize, Option<Timestamp>) {
        let horizon = self.newest.plus_micros(-window_us);
        let inside = self
            .targets
            .iter()
            .filter(|(_, touched)| *touched >= horizon);
        inside.fold((0, None), |(count, first), (_, touched)| {
            (
                count + 1,
                Some(first.map_or(*touched, |f: Timestamp| f.min(*touched))),
            )
        })
    }

    /// Upper bound of [`Burst::window`]'s count, without counting.
    pub fn count_at_most(&self) -> usize {
        self.targets.len()
    }

    /// Most targets held at once on any day before the newest.
    pub fn usual(&self) -> u32 {
        self.peak
    }
}
