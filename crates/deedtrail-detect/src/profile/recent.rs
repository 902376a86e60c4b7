//! A bounded set of hashes with the days each was first and last seen.

use serde::{Deserialize, Serialize};

/// At most `capacity` keys; beyond it the one unseen for longest goes, and the set says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// Sorted by key.
    entries: Vec<Entry>,
    /// A key was forgotten: absence no longer means "never".
    forgot: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    key: u64,
    first_day: i32,
    last_day: i32,
}

impl Recent {
    pub fn contains(&self, key: u64) -> bool {
        self.place(key).is_ok()
    }

    /// Whether `key` was never seen; `None` when the set has forgotten keys and cannot tell.
    pub fn is_new(&self, key: u64) -> Option<bool> {
        match (self.contains(key), self.forgot) {
            (true, _) => Some(false),
            (false, false) => Some(true),
            (false, true) => None,
        }
    }

    /// The day `key` was last seen.
    pub fn day(&self, key: u64) -> Option<i64> {
        self.place(key)
            .ok()
            .map(|at| i64::from(self.entries[at].last_day))
    }

    /// Whether `key` was seen on a day before `day`; on the very first day, whether it was seen at
    /// all. What is new today stays new all day, so that a first sign-in does not vouch for what
    /// follows it. `None` when nothing was ever seen, or it may have been forgotten.
    pub fn seen_before(&self, key: u64, day: i64) -> Option<bool> {
        let earlier = |entry: &Entry| i64::from(entry.first_day) < day;
        match self.place(key) {
            Ok(at) => Some(earlier(&self.entries[at]) || !self.entries.iter().any(earlier)),
            Err(_) if self.entries.is_empty() || self.forgot => None,
            Err(_) => Some(false),
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Remembers `key` for `day`; an earlier day never replaces a later one.
    pub fn insert(&mut self, key: u64, day: i64, capacity: usize) {
        let day = i32::try_from(day).unwrap_or(i32::MAX);
        match self.place(key) {
            Ok(at) => {
                let entry = &mut self.entries[at];
                entry.first_day = entry.first_day.min(day);
                entry.last_day = entry.last_day.max(day);
            }
            Err(at) => {
                self.entries.insert(
                    at,
                    Entry {
                        key,
                        first_day: day,
                        last_day: day,
                    },
                );
                if self.entries.len() > capacity {
                    self.forget_oldest();
                }
            }
        }
    }

    /// Adds what another holds.
    pub(super) fn absorb(&mut self, other: &Self, capacity: usize) {
        self.forgot |= other.forgot;
        for entry in &other.entries {
            self.insert(entry.key, entry.last_day.into(), capacity);
            if self.contains(entry.key) {
                self.insert(entry.key, entry.first_day.into(), capacity);
            }
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.entries.iter().enumerate();
        if let Some((at, _)) = oldest.min_by_key(|(_, entry)| (entry.last_day, entry.key)) {
            self.entries.remove(at);
            self.forgot = true;
        }
    }

    fn place(&self, key: u64) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&key, |entry| entry.key)
    }
}

/// Stable 64-bit hash of `parts`: state outlives a build, so the hash must not change with it.
///
/// Eight bytes at a time (multiply, fold), each part closed by its length. Nobody is kept from
/// making two names collide; the worst that does is hide that one of them is new.
pub fn key(parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |word: u64| {
        let product = u128::from(hash ^ word) * 0x9e37_79b9_7f4a_7c15_u128;
        let [low, high] = [product & u128::from(u64::MAX), product >> 64];
        // Both halves fit: `low` is masked, `high` is what 64 bits times 64 bits leave.
        hash = u64::try_from(low ^ high)
            .unwrap_or_default()
            .wrapping_add(0x632b_e59b_d9b4_e019);
    };
    for part in parts {
        let mut words = part.as_bytes().chunks_exact(8);
        for word in words.by_ref() {
            mix(word
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
        }
        mix(words
            .remainder()
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
        mix(part.len() as u64);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_one_unseen_for_longest_and_says_so() {
        let mut set = Recent::default();
        set.insert(1, 10, 2);
        set.insert(2, 11, 2);
        set.insert(1, 12, 2);
        assert_eq!(set.is_new(3), Some(true));
        set.insert(3, 12, 2);
        assert!(set.contains(1) && set.contains(3) && !set.contains(2));
        assert_eq!(set.is_new(2), None);
        assert_eq!(set.is_new(1), Some(false));
    }

    #[test]
    fn new_today_stays_new_all_day() {
        let mut set = Recent::default();
        assert_eq!(set.seen_before(1, 10), None);
        set.insert(1, 10, 8);
        assert_eq!(
            set.seen_before(1, 10),
            Some(true),
            "the first day is all there is"
        );
        assert_eq!(set.seen_before(2, 10), Some(false));
        set.insert(2, 11, 8);
        assert_eq!(set.seen_before(2, 11), Some(false));
        assert_eq!(set.seen_before(2, 12), Some(true));
        assert_eq!(set.seen_before(1, 11), Some(true));
    }

    #[test]
    fn keys_depend_on_where_parts_end() {
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_eq!(key(&["a"]), key(&["a"]));
    }
}
