//! A map for what is looked up with every event and has keys that are hashes themselves.
//!
//! A sorted map of 100,000 sessions is five nodes deep, and each of them is somewhere else in memory.
//! Here a look-up is one step, however much there is. What is written is sorted: equal contents give
//! equal bytes.

use std::collections::BTreeMap;
use std::hash::Hash;

use hashbrown::HashMap;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Values by key.
#[derive(Clone, Debug)]
pub struct Hashed<K, V>(HashMap<K, V>);

impl<K, V> Default for Hashed<K, V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Eq + Hash, V: PartialEq> PartialEq for Hashed<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K: Eq + Hash, V: Eq> Eq for Hashed<K, V> {}

impl<K: Eq + Hash, V> Hashed<K, V> {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains_key(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }

    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key)
    }

    pub fn get_or_insert_with(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        self.0.entry(key).or_insert_with(new)
    }

    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.0.remove(key)
    }

    /// All of it, in another order each time: sort what comes of it, or let it not depend on that.
    pub fn unordered(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter()
    }

    /// The same, to be changed.
    pub fn unordered_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.0.iter_mut()
    }
}

impl<K: Eq + Hash, V> FromIterator<(K, V)> for Hashed<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<K: Ord, V> Hashed<K, V> {
    /// All of it, sorted by key.
    pub fn sorted(&self) -> Vec<(&K, &V)> {
        let mut entries: Vec<(&K, &V)> = self.0.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries
    }
}

impl<K: Ord + Serialize, V: Serialize> Serialize for Hashed<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.sorted() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de, K: Ord + Hash + Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Hashed<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = BTreeMap::<K, V>::deserialize(deserializer)?;
        Ok(entries.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_written_and_read_as_a_sorted_map(entries: Vec<(u64, String)>) {
            let sorted: BTreeMap<u64, String> = entries.iter().cloned().collect();
            let hashed: Hashed<u64, String> = entries.into_iter().rev().collect();
            // Of a key that comes twice the first stays here, the last there.
            let hashed: Hashed<u64, String> =
                hashed.unordered().map(|(key, _)| (*key, sorted[key].clone())).collect();
            let bytes = postcard::to_allocvec(&sorted).unwrap();
            prop_assert_eq!(&postcard::to_allocvec(&hashed).unwrap(), &bytes);
            prop_assert_eq!(postcard::from_bytes::<Hashed<u64, String>>(&bytes).unwrap(), hashed);
        }
    }
}
