//! The members of objects: which key each has, and that none is there twice.

use std::collections::BTreeSet;

use super::{Chain, Fault, Source, Stop, Walk};
use crate::record::shape::ShapeId;
use crate::record::tree::{Node, TextRef, Unused};

/// From here on, the unknown keys of one object are compared through a set.
const LINEAR_KEYS_MAX: usize = 24;

impl Walk<'_> {
    /// An object some of whose keys are read.
    pub(super) fn known_members(
        &mut self,
        source: &mut Source<'_>,
        at: ShapeId,
        depth: usize,
    ) -> Result<Node, Stop> {
        let shape = self.shapes.get(at);
        let slots = self.tree.nodes.len();
        self.tree
            .nodes
            .resize(slots + shape.child_count(), Node::Absent);
        let open = self.tree.open_keys.len();
        let mut seen = BTreeSet::new();
        let mut strangers = 0_u32;
        // Number of the key before + 1.
        let mut last = 0;
        let mut first = true;
        while source.cursor.more(std::mem::take(&mut first), b'}')? {
            let number = match self.next_key(source, at, last)? {
                Ok(number) => number,
                Err(key) => {
                    self.check_key(key, open, &mut seen)?;
                    if self.value(source, ShapeId::SKIP, depth)? != Node::Null {
                        self.tree.unmapped.push((at, Unused::Key(key)));
                    }
                    continue;
                }
            };
            last = number as usize + 1;
            let Some(key) = shape.key(number) else {
                let place = number - shape.count();
                if strangers & 1 << place != 0 {
                    let name = self.habits[at.0 as usize].name(place).to_owned();
                    return Err(self.duplicate(name));
                }
                strangers |= 1 << place;
                if self.value(source, ShapeId::SKIP, depth)? != Node::Null {
                    self.tree.unmapped.push((at, Unused::Stranger(place)));
                }
                continue;
            };
            let child = self.shapes.get(key.shape);
            let slot = slots + number as usize;
            if self.tree.nodes[slot] != Node::Absent {
                return Err(self.duplicate(child.path.to_string()));
            }
            let node = self.value(source, key.shape, depth)?;
            self.tree.nodes[slot] = node;
            if node != Node::Null {
                self.tree.wanted |= child.wanted_by;
            }
        }
        self.tree.open_keys.truncate(open);
        Ok(Node::Object { first: slots })
    }

    /// The number of the next key, or the key if it has none, behind the key before `last`.
    #[inline]
    fn next_key(
        &mut self,
        source: &mut Source<'_>,
        at: ShapeId,
        last: usize,
    ) -> Result<Result<u32, TextRef>, Stop> {
        let shape = self.shapes.get(at);
        let habit = &self.habits[at.0 as usize];
        let guess = habit.guess(last);
        let written = match shape.key(guess) {
            Some(key) => Some(&key.written),
            None => habit
                .stranger(guess.wrapping_sub(shape.count()))
                .map(|key| &key.written),
        };
        if written.is_some_and(|written| source.cursor.key_is(written)) {
            return Ok(Ok(guess));
        }
        self.looked_up(source, at, last)
    }

    /// The number of the next key, found by its text.
    #[inline(never)]
    fn looked_up(
        &mut self,
        source: &mut Source<'_>,
        at: ShapeId,
        last: usize,
    ) -> Result<Result<u32, TextRef>, Stop> {
        let span = source.cursor.key()?;
        let key = self.keep(source, span)?;
        let name = self.tree.text(self.record, key);
        let (shape, habit) = (self.shapes.get(at), &mut self.habits[at.0 as usize]);
        let number = match shape.child(name.as_bytes()) {
            Some((slot, _)) => slot,
            None => match habit.meet(shape, name) {
                Some(place) => shape.count() + place,
                None => return Ok(Err(key)),
            },
        };
        // An escaped key is another one when it is compared as written.
        if !span.is_escaped() {
            habit.learn(last, number);
        }
        Ok(Ok(number))
    }

    /// An object of which every key is kept (`WHOLE`) or none (`SKIP`).
    pub(super) fn all_members(
        &mut self,
        source: &mut Source<'_>,
        below: ShapeId,
        depth: usize,
    ) -> Result<Node, Stop> {
        let open = self.tree.open_keys.len();
        let mut seen = BTreeSet::new();
        let mut chain = Chain::default();
        let mut first = true;
        while source.cursor.more(std::mem::take(&mut first), b'}')? {
            let span = source.cursor.key()?;
            let key = self.keep(source, span)?;
            self.check_key(key, open, &mut seen)?;
            let node = self.value(source, below, depth)?;
            if below == ShapeId::WHOLE {
                chain.push(self.tree, key, node);
            }
        }
        self.tree.open_keys.truncate(open);
        Ok(Node::Members { first: chain.first })
    }

    /// Complains if `key` stood in this object before; `open` is where its keys begin.
    pub(super) fn check_key(
        &mut self,
        key: TextRef,
        open: usize,
        seen: &mut BTreeSet<String>,
    ) -> Result<(), Stop> {
        let text = self.tree.text(self.record, key);
        let keys = &self.tree.open_keys[open..];
        let repeated = if keys.len() < LINEAR_KEYS_MAX {
            let same = |other: &TextRef| self.tree.text(self.record, *other) == text;
            keys.iter()
                .any(|other| other.len() == key.len() && same(other))
        } else {
            if seen.is_empty() {
                let all = keys.iter().map(|key| self.tree.text(self.record, *key));
                seen.extend(all.map(str::to_owned));
            }
            !seen.insert(text.to_owned())
        };
        if repeated {
            return Err(self.duplicate(text.to_owned()));
        }
        self.tree.open_keys.push(key);
        Ok(())
    }

    fn duplicate(&mut self, key: String) -> Stop {
        self.fault = Some(Fault::DuplicateKey(key));
        Stop
    }
}
