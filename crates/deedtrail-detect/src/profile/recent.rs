//! A bounded set of hashes with the day each was last seen.

use serde::{Deserialize, Serialize};

/// At most `capacity` keys; beyond it the one unseen for longest goes, and the set says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// (key, day last seen), sorted by key.
    entries: Vec<(u64, i32)>,
    /// A key was forgotten: absence no longer means "never".
    forgot: bool,
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

    pub fn day(&self, key: u64) -> Option<i64> {
        self.place(key).ok().map(|at| i64::from(self.entries[at].1))
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
            Ok(at) => self.entries[at].1 = self.entries[at].1.max(day),
            Err(at) => {
                self.entries.insert(at, (key, day));
                if self.entries.len() > capacity {
                    self.forget_oldest();
                }
            }
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.entries.iter().enumerate();
        if let Some((at, _)) = oldest.min_by_key(|(_, (key, day))| (*day, *key)) {
            self.entries.remove(at);
            self.forgot = true;
        }
    }

    fn place(&self, key: u64) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&key, |(known, _)| *known)
    }
}

/// Stable 64-bit hash of `parts` (FNV-1a over length-prefixed bytes): state outlives a build, so
/// the hash must not change with it.
pub fn key(parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut eat = |byte: u8| {
        hash ^= u64::from(byte);
        hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
    };
    for part in parts {
        part.bytes().for_each(&mut eat);
        eat(0xff);
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
    fn keys_depend_on_where_parts_end() {
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_eq!(key(&["a"]), key(&["a"]));
    }
}
