//! The hash table everything counted lives in: (context, symbol) -> how often, and the day last seen.
//!
//! A context's own entry (symbol [`TOTAL`]) holds how much was seen in it and how many different
//! symbols. Both follow from its other entries, so tables merge by adding and are saved without.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kept::Keep;
use crate::limits::ENTRIES_MAX;

/// Symbol of a context's own entry.
const TOTAL: u32 = 0;
/// Entries seen within this many days do not vanish when counts are halved.
const RECENT_DAYS: u16 = 30;

/// 12 bytes; `count` 0 is a free slot. A context's own entry has its number of symbols in `day`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    context: u32,
    symbol: u32,
    count: u16,
    day: u16,
}

/// What was seen in a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) count: u16,
    pub(crate) distinct: u16,
}

/// Counts by context and symbol: open addressing, linear probing, at most 7/8 full.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    slots: Vec<Slot>,
    used: usize,
}

impl Keep for Counts {}

impl Counts {
    /// What was seen in `context`; `None` when nothing was.
    #[inline]
    pub(crate) fn total(&self, context: u32) -> Option<Total> {
        let slot = self.get(context, TOTAL)?;
        Some(Total {
            count: slot.count,
            distinct: slot.day,
        })
    }

    /// How often `symbol` was seen in `context`.
    #[inline]
    pub(crate) fn count(&self, context: u32, symbol: u32) -> u16 {
        self.get(context, symbol).map_or(0, |slot| slot.count)
    }

    /// Counts `symbol` (never 0) in `context` once more. A full context counts only what is new.
    #[inline]
    pub(crate) fn add(&mut self, context: u32, symbol: u32, day: u16) {
        debug_assert_ne!(symbol, TOTAL, "the entry of the context itself");
        self.make_room();
        let total = self.find(context, TOTAL);
        let full = self.slots[total].count == u16::MAX;
        let at = self.find(context, symbol);
        let new = self.slots[at].count == 0;
        let slot = &mut self.slots[at];
        if new {
            *slot = Slot {
                context,
                symbol,
                count: 1,
                day,
            };
            self.used += 1;
        } else {
            slot.count += u16::from(!full);
            slot.day = slot.day.max(day);
        }
        let total = self.find(context, TOTAL);
        let slot = &mut self.slots[total];
        if slot.count == 0 {
            self.used += 1;
            *slot = Slot {
                context,
                symbol: TOTAL,
                count: 0,
                day: 0,
            };
        }
        slot.count = slot.count.saturating_add(1);
        slot.day = slot.day.saturating_add(u16::from(new));
    }

    /// Takes back what [`Self::add`] counted.
    pub(crate) fn take_back(&mut self, taken: &[(u32, u32)]) {
        let mut edges = self.edges();
        for key in taken {
            if let Some((count, _)) = edges.get_mut(key) {
                *count = count.saturating_sub(1);
            }
        }
        *self = Self::of(edges);
    }

    /// The symbols seen in `context`, the most frequent first.
    pub(crate) fn symbols(&self, context: u32) -> Vec<(u32, u16)> {
        let here = |slot: &&Slot| slot.count > 0 && slot.context == context && slot.symbol != TOTAL;
        let mut found: Vec<_> = self.slots.iter().filter(here).collect();
        found.sort_unstable_by_key(|slot| (std::cmp::Reverse(slot.count), slot.symbol));
        found
            .into_iter()
            .map(|slot| (slot.symbol, slot.count))
            .collect()
    }

    /// Adds all of `other`; the result is that of learning both.
    pub(crate) fn merge(&mut self, other: &Self) {
        let mut edges = self.edges();
        for (key, (count, day)) in other.edges() {
            let mine = edges.entry(key).or_default();
            *mine = (mine.0.saturating_add(count), mine.1.max(day));
        }
        *self = Self::of(edges);
        if self.used > ENTRIES_MAX {
            self.shrink();
        }
    }

    /// Halves every count. What was seen once and not of late is gone.
    pub(crate) fn halve(&mut self, today: u16) {
        let mut edges = self.edges();
        for (count, day) in edges.values_mut() {
            let recent = today.saturating_sub(*day) < RECENT_DAYS;
            *count = *count / 2 + (*count % 2) * u16::from(recent);
        }
        *self = Self::of(edges);
    }

    pub(crate) fn entries(&self) -> usize {
        self.used
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    /// Everything but the contexts' own entries.
    fn edges(&self) -> BTreeMap<(u32, u32), (u16, u16)> {
        let edge = |slot: &&Slot| slot.count > 0 && slot.symbol != TOTAL;
        let entry = |slot: &Slot| ((slot.context, slot.symbol), (slot.count, slot.day));
        self.slots.iter().filter(edge).map(entry).collect()
    }

    fn of(edges: BTreeMap<(u32, u32), (u16, u16)>) -> Self {
        // With the contexts' own entries, at most twice as many.
        let mut contexts: Vec<u32> = edges.keys().map(|(context, _)| *context).collect();
        contexts.dedup();
        let entries = edges.len() + contexts.len();
        let mut table = Self {
            slots: vec![Slot::default(); entries * 4 / 3 + 16],
            used: 0,
        };
        let mut total = Slot::default();
        for ((context, symbol), (count, day)) in edges {
            if count == 0 || symbol == TOTAL {
                continue;
            }
            if total.context != context {
                table.put(total);
                total = Slot {
                    context,
                    ..Slot::default()
                };
            }
            total.count = total.count.saturating_add(count);
            total.day = total.day.saturating_add(1);
            table.put(Slot {
                context,
                symbol,
                count,
                day,
            });
        }
        table.put(total);
        table
    }

    /// Puts an entry where there is room for it.
    fn put(&mut self, slot: Slot) {
        if slot.count > 0 {
            let at = self.find(slot.context, slot.symbol);
            self.used += usize::from(self.slots[at].count == 0);
            self.slots[at] = slot;
        }
    }

    #[inline]
    fn get(&self, context: u32, symbol: u32) -> Option<Slot> {
        if self.slots.is_empty() {
            return None;
        }
        let slot = self.slots[self.find(context, symbol)];
        (slot.count > 0).then_some(slot)
    }

    /// The slot of that key, or the free one where it belongs. There is always a free one.
    #[inline]
    fn find(&self, context: u32, symbol: u32) -> usize {
        let mut at = home(context, symbol, self.slots.len());
        loop {
            let slot = &self.slots[at];
            if slot.count == 0 || (slot.context == context && slot.symbol == symbol) {
                return at;
            }
            at += 1;
            if at == self.slots.len() {
                at = 0;
            }
        }
    }

    /// Room for two more entries. What goes is decided by what is counted alone: not by the slots, which
    /// another way to the same counts leaves more or fewer of.
    #[inline]
    fn make_room(&mut self) {
        if self.used + 2 > ENTRIES_MAX {
            self.shrink();
        }
        if (self.used + 2) * 8 > self.slots.len() * 7 {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        let wider = (self.slots.len() * 3 / 2).clamp(16, ENTRIES_MAX * 8 / 7 + 32);
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); wider]);
        for slot in old.into_iter().filter(|slot| slot.count > 0) {
            let at = self.find(slot.context, slot.symbol);
            self.slots[at] = slot;
        }
    }

    /// Down to three quarters of the limit.
    #[cold]
    fn shrink(&mut self) {
        let mut edges: Vec<_> = self.edges().into_iter().collect();
        edges.sort_unstable_by_key(|(key, (count, day))| std::cmp::Reverse((*count, *day, *key)));
        // Contexts have entries of their own: at most one to each edge.
        let mut keep = ENTRIES_MAX * 3 / 4;
        loop {
            let kept = Self::of(edges.iter().take(keep).copied().collect());
            if kept.used <= ENTRIES_MAX * 3 / 4 {
                *self = kept;
                return;
            }
            keep = keep * 7 / 8;
        }
    }
}

/// A context as it is saved: its symbols, how often, and the day last seen.
type Saved = (u32, Vec<(u32, u16, u16)>);

/// Where a key's search begins.
#[inline]
fn home(context: u32, symbol: u32, slots: usize) -> usize {
    let key = (u64::from(context) << 32) | u64::from(symbol);
    let mixed = (key ^ (key >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    usize::try_from((mixed * slots as u64) >> 32).unwrap_or(0)
}

impl PartialEq for Counts {
    fn eq(&self, other: &Self) -> bool {
        self.edges() == other.edges()
    }
}

/// Saved by context, in order: equal contents give equal bytes.
impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut contexts: Vec<Saved> = Vec::new();
        for ((context, symbol), (count, day)) in self.edges() {
            match contexts.last_mut() {
                Some((last, edges)) if *last == context => edges.push((symbol, count, day)),
                _ => contexts.push((context, vec![(symbol, count, day)])),
            }
        }
        contexts.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let contexts = Vec::<Saved>::deserialize(deserializer)?;
        let flat = contexts.into_iter().flat_map(|(context, edges)| {
            let edge = move |(symbol, count, day)| ((context, symbol), (count, day));
            edges.into_iter().map(edge)
        });
        let mut table = Self::of(flat.collect());
        if table.used > ENTRIES_MAX {
            table.shrink();
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts far more than there is room for; goes through bytes at these places.
    fn filled(through_bytes: &[u32]) -> Counts {
        let mut counts = Counts::default();
        for at in 0..30_000_u32 {
            counts.add(at / 7, 1 + at % 1_000, u16::try_from(at / 500).unwrap());
            if through_bytes.contains(&at) {
                let bytes = postcard::to_allocvec(&counts).unwrap();
                counts = postcard::from_bytes(&bytes).unwrap();
            }
        }
        counts
    }

    #[test]
    fn what_goes_does_not_depend_on_how_the_counts_came_about() {
        let whole = filled(&[]);
        assert!(whole.entries() <= ENTRIES_MAX);
        for places in [
            &[9_000][..],
            &[13_000, 14_000, 14_335],
            &[12_000, 20_000, 29_999],
        ] {
            assert!(filled(places) == whole, "{places:?}");
        }
    }
}
