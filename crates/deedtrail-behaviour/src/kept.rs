//! What is kept of many, of whom few act at a time: who has been quiet is packed until he acts again.
//!
//! Packing changes nothing but the room that a value takes. What is written does not depend on what
//! is packed: equal contents give equal bytes.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::ops::Deref;

use deedtrail_core::time::Timestamp;
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::{Error as _, SerializeMap as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hashed::Hashed;

/// Level of zstd: higher ones gain a twentieth and take three times as long.
const LEVEL: i32 = 1;
/// Largest value that is packed, bytes; a larger one stays awake.
const VALUE_BYTES_MAX: usize = 64 << 20;
/// Values that are unpacked while a map is read, spread over all of it: where one cannot be, because its
/// layout was another one, nothing of the map is used.
const TRIED: usize = 256;

/// A value that may be packed.
pub trait Keep: Serialize + DeserializeOwned {
    /// Time of the newest thing it knows of: who goes first where there is no room.
    fn newest(&self) -> Option<Timestamp> {
        None
    }

    /// Whether it changes only when its owner acts. What waits for time to pass stays awake.
    fn may_rest(&self) -> bool {
        true
    }
}

/// Values by key, some of them packed.
#[derive(Clone, Debug)]
pub struct Kept<K, V> {
    entries: Hashed<K, Entry<V>>,
}

/// One of both is there.
#[derive(Clone, Debug)]
struct Entry<V> {
    awake: Option<Box<V>>,
    at_rest: Option<Packed>,
    /// It was asked for since [`Kept::pack_quiet`].
    used: bool,
}

/// A value as bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Packed {
    newest: Option<Timestamp>,
    /// Length of the serialised value, bytes.
    length: u32,
    /// It, as a frame of zstd.
    #[serde(with = "octets")]
    frame: Box<[u8]>,
}

/// How a value is written.
#[derive(Serialize, Deserialize)]
enum Written<V> {
    AtRest(Packed),
    Awake(Box<V>),
}

/// A value to be read, unpacked for that where it is at rest.
#[derive(Debug)]
pub enum Seen<'a, V> {
    Awake(&'a V),
    Unpacked(Box<V>),
}

impl<V> Deref for Seen<'_, V> {
    type Target = V;

    fn deref(&self) -> &V {
        match self {
            Self::Awake(value) => value,
            Self::Unpacked(value) => value,
        }
    }
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        let entries = Hashed::default();
        Self { entries }
    }
}

impl<K: Ord + Hash + Copy, V: Keep> Kept<K, V> {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn contains_key(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    /// The value, which stays packed if it is.
    pub fn get(&self, key: &K) -> Option<Seen<'_, V>> {
        let entry = self.entries.get(key)?;
        match (&entry.awake, &entry.at_rest) {
            (Some(value), _) => Some(Seen::Awake(value)),
            (None, packed) => packed.as_ref()?.unpacked().map(Seen::Unpacked),
        }
    }

    /// Unpacks the value, if there is one: it is going to be asked for.
    pub fn wake(&mut self, key: &K) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        entry.wake();
        if entry.awake.is_none() {
            self.entries.remove(key);
        }
    }

    /// The value to be changed; from here on it is awake.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.wake(key);
        self.entries.get_mut(key)?.awake.as_deref_mut()
    }

    /// The value to be changed, made if there is none.
    pub fn get_or_insert_with(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        let entry = self.entries.get_or_insert_with(key, Entry::default);
        entry.wake();
        entry.awake.get_or_insert_with(|| Box::new(new()))
    }

    pub fn insert(&mut self, key: K, value: V) {
        self.entries.insert(key, Entry::of(Box::new(value)));
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        let mut entry = self.entries.remove(key)?;
        entry.wake();
        entry.awake.map(|value| *value)
    }

    /// Values that are awake (all that wait for time to pass, and some that do not) and are `asked` for,
    /// sorted by key.
    pub fn awake_mut(&mut self, asked: impl Fn(&V) -> bool) -> impl Iterator<Item = &mut V> {
        let awake = self.entries.unordered_mut();
        let awake = awake.filter_map(|(key, entry)| Some((*key, entry.awake.as_deref_mut()?)));
        let mut asked: Vec<_> = awake.filter(|(_, value)| asked(value)).collect();
        asked.sort_unstable_by_key(|(key, _)| *key);
        asked.into_iter().map(|(_, value)| value)
    }

    /// Keys, those with the oldest news first.
    pub fn quietest(&self) -> Vec<K> {
        let newest = |(key, entry): (&K, &Entry<V>)| (entry.newest(), *key);
        let mut all: Vec<_> = self.entries.unordered().map(newest).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, key)| key).collect()
    }

    /// Forgets the tenth with the oldest news when another key would be one too many.
    pub fn make_room(&mut self, key: &K, capacity: usize) {
        if self.len() < capacity || self.contains_key(key) {
            return;
        }
        for key in self.quietest().iter().take((capacity / 10).max(1)) {
            self.entries.remove(key);
        }
    }

    /// Packs what was not asked for since this was last called.
    pub fn pack_quiet(&mut self) {
        let mut packer = Packer::default();
        for (_, entry) in self.entries.unordered_mut() {
            if !std::mem::take(&mut entry.used) {
                entry.rest(&mut packer);
            }
        }
    }
}

impl<V> Default for Entry<V> {
    fn default() -> Self {
        Self {
            awake: None,
            at_rest: None,
            used: true,
        }
    }
}

impl<V: Keep> Entry<V> {
    fn of(value: Box<V>) -> Self {
        Self {
            awake: Some(value),
            ..Self::default()
        }
    }

    /// Nothing is damaged, since what is restored has a check sum, nor of another layout, since many are
    /// tried; else it would be as if its owner had been forgotten.
    fn wake(&mut self) {
        self.used = true;
        if let Some(packed) = self.at_rest.take() {
            self.awake = packed.unpacked();
        }
    }

    fn rest(&mut self, packer: &mut Packer) {
        if let Some(packed) = self.awake.as_deref().and_then(|value| packer.pack(value)) {
            (self.awake, self.at_rest) = (None, Some(packed));
        }
    }

    fn newest(&self) -> Option<Timestamp> {
        match (&self.awake, &self.at_rest) {
            (Some(value), _) => value.newest(),
            (None, packed) => packed.as_ref()?.newest,
        }
    }
}

impl Packed {
    fn unpacked<V: Keep>(&self) -> Option<Box<V>> {
        let length = usize::try_from(self.length).ok()?.min(VALUE_BYTES_MAX);
        let bytes = zstd::bulk::decompress(&self.frame, length).ok()?;
        let (value, rest) = postcard::take_from_bytes(&bytes).ok()?;
        rest.is_empty().then(|| Box::new(value))
    }
}

/// Packs one value after the other with the same working memory.
#[derive(Default)]
struct Packer {
    compressor: Option<zstd::bulk::Compressor<'static>>,
    bytes: Vec<u8>,
}

impl Packer {
    /// `None` where it has to stay awake.
    fn pack<V: Keep>(&mut self, value: &V) -> Option<Packed> {
        if !value.may_rest() {
            return None;
        }
        if self.compressor.is_none() {
            self.compressor = zstd::bulk::Compressor::new(LEVEL).ok();
        }
        self.bytes.clear();
        let bytes = postcard::to_extend(value, std::mem::take(&mut self.bytes)).ok()?;
        self.bytes = bytes;
        if self.bytes.len() > VALUE_BYTES_MAX {
            return None;
        }
        Some(Packed {
            newest: value.newest(),
            length: u32::try_from(self.bytes.len()).ok()?,
            frame: self.compressor.as_mut()?.compress(&self.bytes).ok()?.into(),
        })
    }
}

impl<K: Ord + Hash + Copy + Serialize, V: Keep> Serialize for Kept<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut packer = Packer::default();
        let mut map = serializer.serialize_map(Some(self.entries.len()))?;
        for (key, entry) in self.entries.sorted() {
            map.serialize_key(key)?;
            match (&entry.at_rest, &entry.awake) {
                (Some(packed), _) => map.serialize_value(&Writing::<V>::AtRest(packed))?,
                (None, Some(value)) => match packer.pack(value.as_ref()) {
                    Some(packed) => map.serialize_value(&Writing::<V>::AtRest(&packed))?,
                    None => map.serialize_value(&Writing::Awake(value))?,
                },
                (None, None) => return Err(S::Error::custom("a value that is nowhere")),
            }
        }
        map.end()
    }
}

/// [`Written`] by reference.
#[derive(Serialize)]
enum Writing<'a, V> {
    AtRest(&'a Packed),
    Awake(&'a V),
}

impl<'de, K: Ord + Hash + Copy + Deserialize<'de>, V: Keep> Deserialize<'de> for Kept<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = BTreeMap::<K, Written<V>>::deserialize(deserializer)?;
        let packed = written.values().filter_map(|one| match one {
            Written::AtRest(packed) => Some(packed),
            Written::Awake(_) => None,
        });
        for one in packed.step_by((written.len() / TRIED).max(1)) {
            if one.unpacked::<V>().is_none() {
                return Err(D::Error::custom("a packed value has another layout"));
            }
        }
        let entry = |(key, one)| match one {
            Written::Awake(value) => (key, Entry::of(value)),
            Written::AtRest(packed) => {
                let entry = Entry {
                    at_rest: Some(packed),
                    used: false,
                    ..Entry::default()
                };
                (key, entry)
            }
        };
        let entries = written.into_iter().map(entry).collect();
        Ok(Self { entries })
    }
}

impl<K: Ord + Hash + Copy, V: Keep + PartialEq> PartialEq for Kept<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.entries.unordered().all(|(key, _)| {
                let (one, other) = (self.get(key), other.get(key));
                one.as_deref() == other.as_deref()
            })
    }
}

/// Bytes, which serde would else take one by one.
mod octets {
    use std::fmt::{Formatter, Result as Written};

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    struct Octets;

    impl Visitor<'_> for Octets {
        type Value = Box<[u8]>;

        fn expecting(&self, to: &mut Formatter<'_>) -> Written {
            to.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            Ok(bytes.into())
        }
    }

    #[expect(
        clippy::borrowed_box,
        reason = "the field's type, as serde hands it over"
    )]
    pub(super) fn serialize<S: Serializer>(
        bytes: &Box<[u8]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Box<[u8]>, D::Error> {
        deserializer.deserialize_bytes(Octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits for time to pass while it is odd.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Number(u64);

    impl Keep for Number {
        fn newest(&self) -> Option<Timestamp> {
            i64::try_from(self.0).ok().map(Timestamp::from_micros)
        }

        fn may_rest(&self) -> bool {
            self.0.is_multiple_of(2)
        }
    }

    fn kept(numbers: &[u64]) -> Kept<u8, Number> {
        let mut kept = Kept::default();
        for (key, number) in (1..).zip(numbers) {
            kept.insert(key, Number(*number));
        }
        kept
    }

    fn packed(kept: &Kept<u8, Number>) -> usize {
        let entries = kept.entries.unordered();
        entries.filter(|(_, entry)| entry.at_rest.is_some()).count()
    }

    fn bytes(kept: &Kept<u8, Number>) -> Vec<u8> {
        postcard::to_allocvec(kept).unwrap()
    }

    #[test]
    fn who_was_quiet_for_a_whole_turn_is_packed_and_wakes_when_asked_for() {
        let mut kept = kept(&[2, 4]);
        kept.pack_quiet();
        assert_eq!(packed(&kept), 0, "both are new");
        kept.get_mut(&1).unwrap().0 = 6;
        kept.pack_quiet();
        assert_eq!(packed(&kept), 1);
        assert_eq!(*kept.get(&2).unwrap(), Number(4));
        assert_eq!(packed(&kept), 1, "reading wakes nobody");
        assert_eq!(kept.get_mut(&2), Some(&mut Number(4)));
        assert_eq!(kept.get_mut(&3), None);
        assert_eq!(kept.get_or_insert_with(2, || Number(0)), &mut Number(4));
        assert_eq!(packed(&kept), 0);
    }

    #[test]
    fn what_waits_for_time_stays_awake_over_a_restart_too() {
        let mut kept = kept(&[1, 2]);
        kept.pack_quiet();
        kept.pack_quiet();
        let mut restored: Kept<u8, Number> = postcard::from_bytes(&bytes(&kept)).unwrap();
        for kept in [&mut kept, &mut restored] {
            let awake: Vec<_> = kept.awake_mut(|_| true).map(|number| number.0).collect();
            assert_eq!(awake, [1]);
        }
        assert_eq!(restored, kept);
    }

    #[test]
    fn bytes_do_not_depend_on_what_is_packed() {
        let awake = kept(&[2, 4, 5]);
        let mut asleep = awake.clone();
        asleep.pack_quiet();
        asleep.pack_quiet();
        assert_eq!((packed(&awake), packed(&asleep)), (0, 2));
        assert_eq!(bytes(&awake), bytes(&asleep));
        assert_eq!(awake, asleep);
        asleep.get_mut(&1).unwrap().0 = 8;
        assert_ne!(awake, asleep);
    }

    #[test]
    fn who_was_quiet_for_longest_makes_room_packed_or_not() {
        let mut kept = kept(&[6, 2, 4]);
        kept.pack_quiet();
        kept.get_mut(&1).unwrap();
        kept.pack_quiet();
        assert_eq!(kept.quietest(), [2, 3, 1]);
        kept.make_room(&1, 3);
        assert_eq!(kept.len(), 3, "it is there");
        kept.make_room(&9, 3);
        assert_eq!(kept.quietest(), [3, 1]);
    }

    #[test]
    fn values_of_another_layout_are_refused() {
        let mut kept = Kept::<u8, Vec<String>>::default();
        kept.insert(1, vec!["of another kind".to_owned()]);
        let bytes = postcard::to_allocvec(&kept).unwrap();
        assert!(postcard::from_bytes::<Kept<u8, [u64; 9]>>(&bytes).is_err());
    }

    impl Keep for Vec<String> {}

    impl Keep for [u64; 9] {}
}
