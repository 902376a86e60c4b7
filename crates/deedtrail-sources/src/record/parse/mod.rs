//! One pass over a record's bytes: parse, check, keep what the shape asks for.
//!
//! Every object is checked for duplicate keys and every level for depth, also in the parts no
//! path leads to. Text that holds JSON is read through where a path goes further into it.

mod line;
mod members;

use deedtrail_core::limits::RECORD_DEPTH_MAX;
use deedtrail_core::mapping::MapError;

use super::cursor::{Cursor, NotJson, Number, Span, small};
use super::habit::Habit;
use super::shape::{Shape, ShapeId, Shapes};
use super::tree::{Link, Node, TextRef, Tree, View};

pub(crate) use line::{LineError, parse_line};

/// What is wrong with a record beyond its syntax.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    TooDeep,
    DuplicateKey(String),
}

/// Parsing ends here: the text is not JSON, or [`Walk::fault`] says what it is.
struct Stop;

impl From<NotJson> for Stop {
    fn from(_: NotJson) -> Self {
        Self
    }
}

/// Longest record whose places fit a [`TextRef`], bytes; far above what intake takes.
const RECORD_PLACES_MAX: usize = 1 << 28;

/// Parses `record` into `tree`, keeping what `shapes` names.
pub(crate) fn parse<'a>(
    record: &'a [u8],
    shapes: &Shapes,
    tree: &'a mut Tree,
) -> Result<View<'a>, MapError> {
    tree.clear();
    let record = simdutf8::compat::from_utf8(record).map_err(|error| MapError::NotUtf8 {
        offset: error.valid_up_to(),
    })?;
    if record.len() > RECORD_PLACES_MAX {
        return Err(MapError::OutOfRange {
            field: "record".into(),
            detail: format!("longer than {RECORD_PLACES_MAX} bytes"),
        });
    }
    let mut walk = Walk {
        habits: tree.habits.take(shapes.asker, shapes.count()),
        tree,
        shapes,
        record,
        fault: None,
    };
    let mut source = Source {
        cursor: Cursor::new(record),
        start: 0,
        decoded: false,
    };
    let root = walk.whole(&mut source, ShapeId::ROOT, 0);
    let Walk { habits, fault, .. } = walk;
    tree.habits.give_back(shapes.asker, habits);
    match root {
        Ok(root) => {
            tree.root = Some(root);
            Ok(View { tree, record })
        }
        Err(Stop) => Err(explain(fault, record)),
    }
}

/// Says what is wrong, as a general parser does where it is the syntax.
fn explain(fault: Option<Fault>, record: &str) -> MapError {
    match fault {
        Some(Fault::TooDeep) => {
            return MapError::TooDeep {
                limit: RECORD_DEPTH_MAX,
            };
        }
        Some(Fault::DuplicateKey(key)) => return MapError::DuplicateKey { key },
        None => {}
    }
    let Err(error) = sonic_rs::from_str::<serde_json::Value>(record) else {
        let detail = "not JSON".to_owned();
        return MapError::NotJson { offset: 0, detail };
    };
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

/// A text being read: the record, or JSON within it.
struct Source<'t> {
    cursor: Cursor<'t>,
    /// Where it begins in the record, or in the tree's decoded text.
    start: u32,
    decoded: bool,
}

/// What one record is read with.
struct Walk<'w> {
    tree: &'w mut Tree,
    shapes: &'w Shapes,
    habits: Vec<Habit>,
    record: &'w str,
    fault: Option<Fault>,
}

impl<'w> Walk<'w> {
    /// One value and nothing after it.
    fn whole(&mut self, source: &mut Source<'_>, at: ShapeId, depth: usize) -> Result<Node, Stop> {
        let node = self.value(source, at, depth)?;
        if source.cursor.at_end() {
            Ok(node)
        } else {
            Err(Stop)
        }
    }

    #[inline]
    fn value(&mut self, source: &mut Source<'_>, at: ShapeId, depth: usize) -> Result<Node, Stop> {
        match source.cursor.peek() {
            b'"' => {
                let span = source.cursor.string()?;
                if span.is_escaped() || self.known(at).is_some_and(Shape::goes_on) {
                    return self.string(source, span, at, depth);
                }
                Ok(Node::Text(source.reference(span.start(), span.end())))
            }
            b'n' => {
                source.cursor.literal("null")?;
                Ok(Node::Null)
            }
            first => self.other(source, first, at, depth),
        }
    }

    /// A value that begins with `first` and is neither text nor null.
    #[inline(never)]
    fn other(
        &mut self,
        source: &mut Source<'_>,
        first: u8,
        at: ShapeId,
        depth: usize,
    ) -> Result<Node, Stop> {
        let word = |cursor: &mut Cursor<'_>, word, node| {
            cursor.literal(word)?;
            Ok(node)
        };
        match first {
            b'{' => {
                source.cursor.pass();
                self.enter(depth)?;
                self.object(source, at, depth + 1)
            }
            b'[' => {
                source.cursor.pass();
                self.enter(depth)?;
                self.list(source, at, depth + 1)
            }
            b't' => word(&mut source.cursor, "true", Node::True),
            b'f' => word(&mut source.cursor, "false", Node::False),
            _ => {
                let number = source.cursor.number();
                self.number(source, number)
            }
        }
    }

    fn enter(&mut self, depth: usize) -> Result<(), Stop> {
        if depth < RECORD_DEPTH_MAX {
            return Ok(());
        }
        self.fault = Some(Fault::TooDeep);
        Err(Stop)
    }

    fn known(&self, at: ShapeId) -> Option<&'w Shape> {
        match at {
            ShapeId::SKIP | ShapeId::WHOLE => None,
            id => Some(self.shapes.get(id)),
        }
    }

    /// Refers to a text, decoding it if it holds escapes.
    fn keep(&mut self, source: &Source<'_>, span: Span) -> Result<TextRef, Stop> {
        if !span.is_escaped() {
            return Ok(source.reference(span.start(), span.end()));
        }
        let start = self.tree.decoded.len();
        source.cursor.decode(span, &mut self.tree.decoded)?;
        Ok(decoded(start, self.tree.decoded.len()))
    }

    /// A text; where a path goes on into it, JSON in it is read through.
    fn string(
        &mut self,
        source: &Source<'_>,
        span: Span,
        at: ShapeId,
        depth: usize,
    ) -> Result<Node, Stop> {
        if at == ShapeId::SKIP {
            return Ok(Node::Text(TextRef::default()));
        }
        let kept = self.keep(source, span)?;
        let goes_on = self.known(at).is_some_and(Shape::goes_on);
        let looks_like_json = |text: &str| text.trim_start().starts_with(['{', '[']);
        if goes_on && looks_like_json(self.tree.text(self.record, kept)) {
            let owned;
            let text = if span.is_escaped() {
                owned = self.tree.text(self.record, kept).to_owned();
                &owned
            } else {
                source.cursor.slice(span.start(), span.end())
            };
            if let Some(node) = self.embedded(text, kept, at, depth) {
                return Ok(node);
            }
        }
        Ok(Node::Text(kept))
    }

    fn embedded(&mut self, text: &str, kept: TextRef, at: ShapeId, depth: usize) -> Option<Node> {
        let (keys, unmapped) = (self.tree.open_keys.len(), self.tree.unmapped.len());
        let mut source = Source {
            cursor: Cursor::new(text),
            start: kept.start(),
            decoded: kept.is_decoded(),
        };
        let node = self.whole(&mut source, at, depth).ok();
        if node.is_none() {
            self.fault = None;
            self.tree.open_keys.truncate(keys);
            self.tree.unmapped.truncate(unmapped);
        }
        node
    }

    /// A number as its text: as written if that is its one form, else as its value is written.
    fn number(&mut self, source: &Source<'_>, number: Number) -> Result<Node, Stop> {
        let Number { start, end, plain } = number;
        if plain {
            return Ok(Node::Text(source.reference(start, end)));
        }
        let value = sonic_rs::from_str::<serde_json::Value>(source.cursor.slice(start, end));
        let value = value.map_err(|_| Stop)?;
        let whole = value.as_i64().map(|number| number.to_string());
        let large = || value.as_u64().map(|number| number.to_string());
        let float = || value.as_f64().map(|number| number.to_string());
        let text = whole.or_else(large).or_else(float).ok_or(Stop)?;
        let start = self.tree.decoded.len();
        self.tree.decoded.push_str(&text);
        Ok(Node::Text(decoded(start, self.tree.decoded.len())))
    }

    fn list(&mut self, source: &mut Source<'_>, at: ShapeId, depth: usize) -> Result<Node, Stop> {
        let known = self.known(at);
        let whole = at == ShapeId::WHOLE || known.is_some_and(|shape| shape.whole);
        let element = known.and_then(|shape| shape.element);
        let mut first = true;
        if let Some(element) = element.or(whole.then_some(ShapeId::WHOLE)) {
            let mut chain = Chain::default();
            while source.cursor.more(std::mem::take(&mut first), b']')? {
                let node = self.value(source, element, depth)?;
                chain.push(self.tree, TextRef::default(), node);
            }
            return Ok(Node::List { first: chain.first });
        }
        // A path that does not expect a list reads its first element that says something.
        let mut found = Node::Null;
        let mut below = at;
        while source.cursor.more(std::mem::take(&mut first), b']')? {
            let node = self.value(source, below, depth)?;
            if below != ShapeId::SKIP && node != Node::Null {
                found = node;
                below = ShapeId::SKIP;
            }
        }
        Ok(if at == ShapeId::SKIP {
            Node::True
        } else {
            found
        })
    }

    fn object(&mut self, source: &mut Source<'_>, at: ShapeId, depth: usize) -> Result<Node, Stop> {
        let Some(shape) = self.known(at) else {
            return self.all_members(source, at, depth);
        };
        match shape.element {
            _ if shape.child_count() > 0 => self.known_members(source, at, depth),
            // An object where a list was expected: a list of one.
            Some(element) if !shape.whole => match self.shapes.get(element) {
                inner if inner.child_count() > 0 => self.known_members(source, element, depth),
                inner if inner.whole => self.all_members(source, ShapeId::WHOLE, depth),
                _ => self.all_members(source, ShapeId::SKIP, depth),
            },
            _ if shape.whole => self.all_members(source, ShapeId::WHOLE, depth),
            _ => self.all_members(source, ShapeId::SKIP, depth),
        }
    }
}

impl Source<'_> {
    #[inline]
    const fn reference(&self, start: u32, end: u32) -> TextRef {
        TextRef::new(self.start + start, end - start, self.decoded)
    }
}

/// Refers to a part of the tree's decoded text.
const fn decoded(start: usize, end: usize) -> TextRef {
    TextRef::new(small(start as u64), small((end - start) as u64), true)
}

/// A list of links under construction.
#[derive(Default)]
struct Chain {
    first: usize,
    last: usize,
}

impl Chain {
    fn push(&mut self, tree: &mut Tree, key: TextRef, node: Node) {
        tree.links.push(Link { key, node, next: 0 });
        let link = tree.links.len();
        match tree.links.get_mut(self.last.wrapping_sub(1)) {
            Some(last) if self.last > 0 => last.next = link,
            _ => self.first = link,
        }
        self.last = link;
    }
}
