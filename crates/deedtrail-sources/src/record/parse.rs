//! One pass over a record's bytes: parse, check, keep what the shape asks for.
//!
//! Every object is checked for duplicate keys and every level for depth, also in the parts no
//! path leads to. Text that holds JSON is read through where a path goes further into it.

use std::collections::BTreeSet;
use std::fmt;

use deedtrail_core::limits::RECORD_DEPTH_MAX;
use deedtrail_core::mapping::MapError;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::shape::{Shape, ShapeId, Shapes};
use super::tree::{Link, Node, TextRef, Tree, View};

/// What is wrong with a record beyond its syntax.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    TooDeep,
    DuplicateKey(String),
}

/// From here on, the unknown keys of one object are compared through a set.
const LINEAR_KEYS_MAX: usize = 24;

/// Parses `record` into `tree`, keeping what `shapes` names.
pub(crate) fn parse<'a>(
    record: &'a [u8],
    shapes: &Shapes,
    tree: &'a mut Tree,
) -> Result<View<'a>, MapError> {
    tree.clear();
    let record = std::str::from_utf8(record).map_err(|error| MapError::NotUtf8 {
        offset: error.valid_up_to(),
    })?;
    let mut source = sonic_rs::Deserializer::from_str(record);
    let walk = Walk {
        tree,
        shapes,
        record,
        shape: ShapeId::ROOT,
        depth: 0,
    };
    let root = walk
        .deserialize(&mut source)
        .and_then(|root| source.end().map(|()| root));
    match root {
        Ok(root) => {
            tree.root = Some(root);
            Ok(View { tree, record })
        }
        Err(error) => Err(explain(tree.fault.take(), &error)),
    }
}

fn explain(fault: Option<Fault>, error: &sonic_rs::Error) -> MapError {
    match fault {
        Some(Fault::TooDeep) => MapError::TooDeep {
            limit: RECORD_DEPTH_MAX,
        },
        Some(Fault::DuplicateKey(key)) => MapError::DuplicateKey { key },
        None => {
            let whole = error.to_string();
            let detail = whole.lines().next().unwrap_or("not JSON").trim().to_owned();
            if detail.contains("must be finite") || detail.contains("bigger than the maximum") {
                return MapError::OutOfRange {
                    field: "number".into(),
                    detail,
                };
            }
            MapError::NotJson {
                offset: error.offset(),
                detail,
            }
        }
    }
}

/// Visits one value.
struct Walk<'w, 'r> {
    tree: &'w mut Tree,
    shapes: &'w Shapes,
    record: &'r str,
    shape: ShapeId,
    depth: usize,
}

/// What a key turned out to be.
enum Key {
    Known(u32, ShapeId),
    Other(TextRef),
}

impl Walk<'_, '_> {
    fn shape(&self) -> Option<&Shape> {
        match self.shape {
            ShapeId::SKIP | ShapeId::WHOLE => None,
            id => Some(self.shapes.get(id)),
        }
    }

    fn below(&mut self, shape: ShapeId) -> Walk<'_, '_> {
        Walk {
            tree: self.tree,
            shapes: self.shapes,
            record: self.record,
            shape,
            depth: self.depth,
        }
    }

    /// Refers to `text`, copying it only if it is not part of the record.
    fn keep(&mut self, text: &str) -> TextRef {
        let base = self.record.as_ptr() as usize;
        let at = text.as_ptr() as usize;
        if at >= base && at + text.len() <= base + self.record.len() {
            return reference(at - base, text.len(), false);
        }
        let start = self.tree.decoded.len();
        self.tree.decoded.push_str(text);
        reference(start, text.len(), true)
    }

    fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > RECORD_DEPTH_MAX {
            self.tree.fault = Some(Fault::TooDeep);
            return Err(E::custom("too deep"));
        }
        Ok(())
    }

    /// A text value; where a path goes on into it, JSON in it is read through.
    fn text(mut self, text: &str) -> Node {
        let goes_on = self
            .shape()
            .is_some_and(|shape| shape.child_count() > 0 || shape.element.is_some() || shape.whole);
        let looks_like_json = goes_on && text.trim_start().starts_with(['{', '[']);
        if looks_like_json && let Some(node) = self.embedded(text) {
            return node;
        }
        match self.shape {
            ShapeId::SKIP => Node::Text(reference(0, 0, false)),
            _ => Node::Text(self.keep(text)),
        }
    }

    fn embedded(&mut self, text: &str) -> Option<Node> {
        let mut source = sonic_rs::Deserializer::from_str(text);
        let (shape, keys, unmapped) = (
            self.shape,
            self.tree.open_keys.len(),
            self.tree.unmapped.len(),
        );
        let parsed = self.below(shape).deserialize(&mut source);
        let whole = parsed.and_then(|node| source.end().map(|()| node));
        if whole.is_err() {
            self.tree.fault = None;
            self.tree.open_keys.truncate(keys);
            self.tree.unmapped.truncate(unmapped);
        }
        whole.ok()
    }

    /// Complains if `key` stood in this object before; `open` is where its keys begin.
    fn check_key<E: serde::de::Error>(
        &mut self,
        key: TextRef,
        open: usize,
        seen: &mut BTreeSet<String>,
    ) -> Result<(), E> {
        let text = self.tree.text(self.record, key);
        let keys = &self.tree.open_keys[open..];
        let repeated = if keys.len() < LINEAR_KEYS_MAX {
            keys.iter()
                .any(|other| other.len == key.len && self.tree.text(self.record, *other) == text)
        } else {
            if seen.is_empty() {
                seen.extend(
                    keys.iter()
                        .map(|k| self.tree.text(self.record, *k).to_owned()),
                );
            }
            !seen.insert(text.to_owned())
        };
        if repeated {
            return Err(self.duplicate(text.to_owned()));
        }
        self.tree.open_keys.push(key);
        Ok(())
    }

    fn duplicate<E: serde::de::Error>(&mut self, key: String) -> E {
        self.tree.fault = Some(Fault::DuplicateKey(key));
        E::custom("duplicate key")
    }

    /// An object some of whose keys are read.
    fn known_members<'de, A: MapAccess<'de>>(&mut self, mut map: A) -> Result<Node, A::Error> {
        let children = self.shapes.get(self.shape).child_count();
        let first = self.tree.nodes.len();
        self.tree.nodes.resize(first + children, Node::Absent);
        let open = self.tree.open_keys.len();
        let mut seen = BTreeSet::new();
        let shape = self.shape;
        while let Some(key) = map.next_key_seed(KeySeed(self.below(shape)))? {
            match key {
                Key::Known(slot, child) => {
                    let at = first + slot as usize;
                    if self.tree.nodes[at] != Node::Absent {
                        let name = self.shapes.get(child).path.to_string();
                        return Err(self.duplicate(name));
                    }
                    let node = map.next_value_seed(self.below(child))?;
                    self.tree.nodes[at] = if node == Node::Absent {
                        Node::Null
                    } else {
                        node
                    };
                }
                Key::Other(key) => {
                    self.check_key(key, open, &mut seen)?;
                    let node = map.next_value_seed(self.below(ShapeId::SKIP))?;
                    if node != Node::Null {
                        self.tree.unmapped.push((shape, key));
                    }
                }
            }
        }
        self.tree.open_keys.truncate(open);
        Ok(Node::Object {
            first: small(first),
        })
    }

    /// An object of which every key is kept (`WHOLE`) or none (`SKIP`).
    fn all_members<'de, A: MapAccess<'de>>(&mut self, mut map: A) -> Result<Node, A::Error> {
        let open = self.tree.open_keys.len();
        let mut seen = BTreeSet::new();
        let mut chain = Chain::default();
        let below = self.shape_below();
        while let Some(key) = map.next_key_seed(KeySeed(self.below(below)))? {
            let Key::Other(key) = key else { continue };
            self.check_key(key, open, &mut seen)?;
            let node = map.next_value_seed(self.below(below))?;
            if below == ShapeId::WHOLE {
                chain.push(self.tree, key, node);
            }
        }
        self.tree.open_keys.truncate(open);
        Ok(Node::Members { first: chain.first })
    }

    fn shape_below(&self) -> ShapeId {
        match self.shape() {
            Some(shape) if shape.whole => ShapeId::WHOLE,
            Some(_) => ShapeId::SKIP,
            None => self.shape,
        }
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn reference(start: usize, len: usize, decoded: bool) -> TextRef {
    TextRef {
        start: small(start),
        len: small(len),
        decoded,
    }
}

/// A list of links under construction.
#[derive(Default)]
struct Chain {
    first: u32,
    last: u32,
}

impl Chain {
    fn push(&mut self, tree: &mut Tree, key: TextRef, node: Node) {
        tree.links.push(Link { key, node, next: 0 });
        let link = small(tree.links.len());
        match tree.links.get_mut((self.last as usize).wrapping_sub(1)) {
            Some(last) if self.last > 0 => last.next = link,
            _ => self.first = link,
        }
        self.last = link;
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> Result<Node, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Signed(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Unsigned(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(self.text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Node, A::Error> {
        self.enter()?;
        let element = self.shape().and_then(|shape| shape.element);
        let whole = self.shape == ShapeId::WHOLE || self.shape().is_some_and(|shape| shape.whole);
        if let Some(element) = element.or(whole.then_some(ShapeId::WHOLE)) {
            let mut chain = Chain::default();
            while let Some(node) = list.next_element_seed(self.below(element))? {
                chain.push(self.tree, reference(0, 0, false), node);
            }
            return Ok(Node::List { first: chain.first });
        }
        // A path that does not expect a list reads its first element that says something.
        let mut found = Node::Null;
        let mut shape = self.shape;
        while let Some(node) = list.next_element_seed(self.below(shape))? {
            if shape != ShapeId::SKIP && !matches!(node, Node::Null) {
                found = node;
                shape = ShapeId::SKIP;
            }
        }
        Ok(if self.shape == ShapeId::SKIP {
            Node::Bool(true)
        } else {
            found
        })
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<Node, A::Error> {
        self.enter()?;
        let Some(shape) = self.shape() else {
            return self.all_members(map);
        };
        match shape.element {
            _ if shape.child_count() > 0 => self.known_members(map),
            Some(element) if !shape.whole => self.below(element).single(map),
            _ => self.all_members(map),
        }
    }
}

impl Walk<'_, '_> {
    /// An object where a list was expected: a list of one.
    fn single<'de, A: MapAccess<'de>>(mut self, map: A) -> Result<Node, A::Error> {
        match self.shape() {
            Some(shape) if shape.child_count() > 0 => self.known_members(map),
            _ => self.all_members(map),
        }
    }
}

/// Reads a key and looks it up.
struct KeySeed<'w, 'r>(Walk<'w, 'r>);

impl<'de> DeserializeSeed<'de> for KeySeed<'_, '_> {
    type Value = Key;

    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> Result<Key, D::Error> {
        source.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_, '_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(mut self, key: &str) -> Result<Key, E> {
        if let Some((slot, child)) = self.0.shape().and_then(|shape| shape.child(key)) {
            return Ok(Key::Known(slot, child));
        }
        Ok(Key::Other(self.0.keep(key)))
    }
}
