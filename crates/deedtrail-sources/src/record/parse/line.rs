//! A line of text, read into the tree that a JSON object with its names would make.

use std::collections::BTreeSet;

use super::{Fault, Stop, Walk, decoded};
use crate::record::line::{CEF_HEADER, Escapes, Field, Form, Misfit, Name};
use crate::record::shape::{ShapeId, Shapes};
use crate::record::tree::{Node, TextRef, Tree, Unused, View};
use deedtrail_core::mapping::MapError;

/// Why a line cannot be read.
#[derive(Debug)]
pub(crate) enum LineError {
    Record(MapError),
    Misfit(Misfit),
}

/// Reads `record` by `form` into `tree`, keeping what `shapes` names.
pub(crate) fn parse_line<'a>(
    record: &'a [u8],
    form: &Form,
    shapes: &Shapes,
    tree: &'a mut Tree,
) -> Result<View<'a>, LineError> {
    tree.clear();
    let record = simdutf8::compat::from_utf8(record).map_err(|error| {
        LineError::Record(MapError::NotUtf8 {
            offset: error.valid_up_to(),
        })
    })?;
    let fields = form.fields(record).map_err(LineError::Misfit)?;
    let mut walk = Walk {
        habits: tree.habits.take(shapes.asker, shapes.count()),
        tree,
        shapes,
        record,
        fault: None,
    };
    let root = walk.fields(&fields);
    let Walk { habits, fault, .. } = walk;
    tree.habits.give_back(shapes.asker, habits);
    match root {
        Ok(root) => {
            tree.root = Some(root);
            Ok(View { tree, record })
        }
        Err(Stop) => Err(LineError::Record(super::explain(fault, record))),
    }
}

impl Walk<'_> {
    /// The object that a line's fields make.
    fn fields(&mut self, fields: &[Field<'_>]) -> Result<Node, Stop> {
        let root = self.slots(ShapeId::ROOT);
        let header = self.shapes.get(ShapeId::ROOT).child(CEF_HEADER.as_bytes());
        let inner = header.map(|(slot, shape)| {
            let first = self.slots(shape);
            self.tree.nodes[root + slot as usize] = Node::Object { first };
            (shape, first)
        });
        let mut seen = BTreeSet::new();
        for field in fields {
            let value = self.text(field.value.clone(), field.escapes);
            match &field.name {
                Name::Here(range, escapes) => {
                    let name = self.text(range.clone(), *escapes);
                    self.field(ShapeId::ROOT, root, name, value, &mut seen)?;
                }
                Name::Known(name) => {
                    let name = self.given(name);
                    self.field(ShapeId::ROOT, root, name, value, &mut seen)?;
                }
                Name::Header(name) => {
                    if let Some((shape, first)) = inner {
                        let name = self.given(name);
                        self.field(shape, first, name, value, &mut BTreeSet::new())?;
                    }
                }
            }
        }
        self.tree.open_keys.clear();
        Ok(Node::Object { first: root })
    }

    /// Room for the children a shape names.
    fn slots(&mut self, at: ShapeId) -> usize {
        let first = self.tree.nodes.len();
        let more = self.shapes.get(at).child_count();
        self.tree.nodes.resize(first + more, Node::Absent);
        first
    }

    /// One member of the object at `at`, whose slots begin at `first`.
    fn field(
        &mut self,
        at: ShapeId,
        first: usize,
        name: TextRef,
        value: TextRef,
        seen: &mut BTreeSet<String>,
    ) -> Result<(), Stop> {
        let text = self.tree.text(self.record, name);
        let Some((slot, below)) = self.shapes.get(at).child(text.as_bytes()) else {
            if at == ShapeId::ROOT {
                self.check_key(name, 0, seen)?;
            }
            if value.len() > 0 {
                self.tree.unmapped.push((at, Unused::Key(name)));
            }
            return Ok(());
        };
        let child = self.shapes.get(below);
        let slot = first + slot as usize;
        if self.tree.nodes[slot] != Node::Absent {
            self.fault = Some(Fault::DuplicateKey(child.path.to_string()));
            return Err(Stop);
        }
        let inner = child.goes_on().then(|| {
            let text = self.tree.text(self.record, value).to_owned();
            let is_json = text.trim_start().starts_with(['{', '[']);
            is_json.then(|| self.embedded(&text, value, below, 1))?
        });
        self.tree.nodes[slot] = inner.flatten().unwrap_or(Node::Text(value));
        self.tree.wanted |= child.wanted_by;
        Ok(())
    }

    /// Refers to a part of the line, decoding it if it holds escapes.
    fn text(&mut self, range: std::ops::Range<usize>, escapes: Escapes) -> TextRef {
        let text = self.record.get(range.clone()).unwrap_or_default();
        if !escapes.are_in(text) {
            return TextRef::new(
                super::small(range.start as u64),
                super::small(text.len() as u64),
                false,
            );
        }
        let start = self.tree.decoded.len();
        escapes.decode(text, &mut self.tree.decoded);
        decoded(start, self.tree.decoded.len())
    }

    /// Keeps a name that does not stand in the line.
    fn given(&mut self, name: &str) -> TextRef {
        let start = self.tree.decoded.len();
        self.tree.decoded.push_str(name);
        decoded(start, self.tree.decoded.len())
    }
}
