//! Which keys were met in earlier sessions: in how many, and on which day last.

use serde::{Deserialize, Serialize};

/// Entries met within this many days do not vanish when numbers are halved.
const RECENT_DAYS: u16 = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    key: u64,
    sessions: u16,
    day: u16,
}

/// Sorted by key. Ledgers merge by adding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
}

impl Ledger {
    /// In how many sessions a key was met.
    pub(crate) fn sessions(&self, key: u64) -> u16 {
        let at = self.entries.binary_search_by_key(&key, |entry| entry.key);
        at.map_or(0, |at| self.entries[at].sessions)
    }

    /// Adds the keys of one session, sorted and distinct. Beyond `limit` entries a quarter goes:
    /// those met least often, then longest ago.
    pub(crate) fn add(&mut self, keys: &[u64], day: u16, limit: usize) {
        let mut new = Vec::new();
        for key in keys {
            match self.entries.binary_search_by_key(key, |entry| entry.key) {
                Ok(at) => {
                    let entry = &mut self.entries[at];
                    entry.sessions = entry.sessions.saturating_add(1);
                    entry.day = entry.day.max(day);
                }
                Err(_) => new.push(Entry {
                    key: *key,
                    sessions: 1,
                    day,
                }),
            }
        }
        if !new.is_empty() {
            self.join(new, limit);
        }
    }

    /// Adds all of another ledger.
    pub(crate) fn merge(&mut self, other: &Self, limit: usize) {
        self.join(other.entries.clone(), limit);
    }

    /// Halves every number. What was met once and not of late is gone.
    pub(crate) fn halve(&mut self, today: u16) {
        for entry in &mut self.entries {
            let recent = today.saturating_sub(entry.day) < RECENT_DAYS;
            entry.sessions = entry.sessions / 2 + (entry.sessions % 2) * u16::from(recent);
        }
        self.entries.retain(|entry| entry.sessions > 0);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }

    fn join(&mut self, more: Vec<Entry>, limit: usize) {
        self.entries.extend(more);
        // Two sorted runs: one merging pass.
        self.entries.sort_by_key(|entry| entry.key);
        self.entries.dedup_by(|later, first| {
            let same = later.key == first.key;
            if same {
                first.sessions = first.sessions.saturating_add(later.sessions);
                first.day = first.day.max(later.day);
            }
            same
        });
        if self.entries.len() > limit {
            let rank = |entry: &Entry| std::cmp::Reverse((entry.sessions, entry.day, entry.key));
            self.entries.sort_unstable_by_key(rank);
            self.entries.truncate(limit - limit / 4);
            self.entries.shrink_to_fit();
            self.entries.sort_unstable_by_key(|entry| entry.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_met_often_stays() {
        let mut ledger = Ledger::default();
        ledger.add(&[1, 2, 3], 10, 4);
        ledger.add(&[2, 9], 11, 4);
        assert_eq!(
            [1, 2, 3, 9, 4].map(|key| ledger.sessions(key)),
            [1, 2, 1, 1, 0]
        );
        ledger.add(&[7], 12, 4);
        assert_eq!(
            [1, 2, 3, 7, 9].map(|key| ledger.sessions(key)),
            [0, 2, 0, 1, 1]
        );
    }

    #[test]
    fn merging_is_learning_both() {
        let mut one = Ledger::default();
        one.add(&[1, 2], 3, 100);
        let mut other = Ledger::default();
        other.add(&[2, 5], 4, 100);
        let mut both = one.clone();
        both.add(&[2, 5], 4, 100);
        one.merge(&other, 100);
        assert_eq!(one, both);
    }

    #[test]
    fn what_came_once_long_ago_fades() {
        let mut ledger = Ledger::default();
        ledger.add(&[1, 2], 3, 100);
        ledger.add(&[2], 40, 100);
        ledger.halve(50);
        assert_eq!([1, 2].map(|key| ledger.sessions(key)), [0, 1]);
    }
}
