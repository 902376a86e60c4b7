//! What the objects of a log usually look like, so that most of their keys need no looking up.
//!
//! Records of one log have their keys in the same order, and mostly the same keys. Each thread
//! remembers which key came after which. What is guessed so is compared before it is used: a wrong
//! guess costs time, nothing else.

use deedtrail_core::Text;

use super::memo::Asker;
use super::shape::{KeyTable, Shape, Written, join};

/// Keys of one object that no path leads to, of which so many are remembered.
const STRANGERS_MAX: usize = 32;

/// Longer keys are not remembered, bytes.
const KEY_BYTES_MAX: usize = 64;

/// Mappings whose habits a thread remembers; then it starts again.
const MAPPINGS_MAX: usize = 64;

/// Habits of one thread, by mapping.
#[derive(Debug, Default)]
pub(super) struct Habits(Vec<(Asker, Vec<Habit>)>);

impl Habits {
    /// Those of a mapping, one for each of its shapes; to be given back.
    pub(super) fn take(&mut self, of: Asker, shapes: usize) -> Vec<Habit> {
        let place = self.0.iter_mut().find(|(asker, _)| *asker == of);
        let known = place.map(|(_, habits)| std::mem::take(habits));
        if known.is_none() {
            if self.0.len() == MAPPINGS_MAX {
                self.0.clear();
            }
            self.0.push((of, Vec::new()));
        }
        let given_back = known.filter(|habits| habits.len() == shapes);
        given_back.unwrap_or_else(|| (0..shapes).map(|_| Habit::default()).collect())
    }

    pub(super) fn give_back(&mut self, of: Asker, habits: Vec<Habit>) {
        if let Some((_, place)) = self.0.iter_mut().find(|(asker, _)| *asker == of) {
            *place = habits;
        }
    }

    pub(super) fn get(&self, of: Asker) -> &[Habit] {
        let known = self.0.iter().find(|(asker, _)| *asker == of);
        known.map_or(&[], |(_, habits)| habits)
    }
}

/// What the objects at one shape looked like.
///
/// Their keys are numbered: those of the shape as their slots, then the strangers.
#[derive(Debug, Default)]
pub(super) struct Habit {
    /// Number of the key that objects begin with, then of the one behind each key.
    next: Vec<u32>,
    names: KeyTable,
    strangers: Vec<Stranger>,
}

/// A key that no path leads to.
#[derive(Debug)]
pub(super) struct Stranger {
    pub(super) written: Written,
    /// Its path from the root.
    pub(super) path: Text,
}

impl Habit {
    /// The key that probably comes next: behind the key with number `last - 1`, or first.
    #[inline]
    pub(super) fn guess(&self, last: usize) -> u32 {
        self.next.get(last).copied().unwrap_or(u32::MAX)
    }

    /// The key that came next turned out to be this one.
    pub(super) fn learn(&mut self, last: usize, number: u32) {
        if self.next.len() <= last {
            self.next.resize(last + 1, u32::MAX);
        }
        self.next[last] = number;
    }

    /// A key that no path leads to, by its place among them.
    #[inline]
    pub(super) fn stranger(&self, place: u32) -> Option<&Stranger> {
        self.strangers.get(place as usize)
    }

    pub(super) fn name(&self, place: u32) -> &str {
        self.names.name(place)
    }

    /// The place of a key that no path leads to, if it is or can be remembered.
    pub(super) fn meet(&mut self, shape: &Shape, name: &str) -> Option<u32> {
        let known = self.names.find(name.as_bytes());
        if known.is_some() || name.len() > KEY_BYTES_MAX || self.strangers.len() == STRANGERS_MAX {
            return known;
        }
        self.strangers.push(Stranger {
            written: Written::new(name),
            path: join(&shape.path, name),
        });
        Some(self.names.insert(name))
    }
}
