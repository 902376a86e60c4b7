//! The pruned tree a record is parsed into. Its buffers are reused from record to record.

use deedtrail_core::Text;

use super::cursor::small;
use super::habit::Habits;
use super::shape::{ShapeId, Shapes, join};

/// A piece of text: in the record itself, or decoded into the tree's side buffer.
///
/// One word (32 bits where it starts, 31 how long it is, one where it is): a struct of narrower
/// fields is copied wider than it was written, and each such copy waits for the writes. That was a
/// tenth of mapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TextRef(u64);

impl TextRef {
    const DECODED: u64 = 1 << 63;

    pub(super) const fn new(start: u32, len: u32, decoded: bool) -> Self {
        let origin = if decoded { Self::DECODED } else { 0 };
        Self(start as u64 | (len as u64) << 32 | origin)
    }

    pub(super) const fn start(self) -> u32 {
        small(self.0 & 0xFFFF_FFFF)
    }

    pub(super) const fn len(self) -> u32 {
        small((self.0 & !Self::DECODED) >> 32)
    }

    pub(super) const fn is_decoded(self) -> bool {
        self.0 & Self::DECODED != 0
    }
}

/// A value of the record: a tag and a word, so that it travels in two registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// Not in the record.
    Absent,
    Null,
    True,
    False,
    /// Text, or a number as it is written.
    Text(TextRef),
    /// Slots `first..` hold the children the shape names.
    Object {
        first: usize,
    },
    /// First link of the elements, 0 for none.
    List {
        first: usize,
    },
    /// An object kept whole: first link of its members, 0 for none.
    Members {
        first: usize,
    },
}

impl Node {
    /// Whether it says anything.
    pub(crate) const fn is_there(self) -> bool {
        !matches!(self, Self::Absent | Self::Null)
    }
}

/// One element of a list or member of a whole object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) key: TextRef,
    pub(super) node: Node,
    /// Next link + 1 within the list, 0 at its end.
    pub(super) next: usize,
}

/// Buffers of one parsed record.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) links: Vec<Link>,
    pub(super) decoded: String,
    /// Keys no path leads to, and the shape of their object.
    pub(super) unmapped: Vec<(ShapeId, Unused)>,
    /// Keys of the objects being walked that the shape does not name.
    pub(super) open_keys: Vec<TextRef>,
    pub(super) root: Option<Node>,
    /// What asks for a value that is there, one bit each.
    pub(super) wanted: u128,
    pub(super) habits: Habits,
}

/// A key no path leads to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unused {
    /// Place among those the habit of the object knows.
    Stranger(u32),
    Key(TextRef),
}

impl Tree {
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.links.clear();
        self.decoded.clear();
        self.unmapped.clear();
        self.open_keys.clear();
        self.root = None;
        self.wanted = 0;
    }

    /// Gives memory back after an unusually large record.
    pub(crate) fn shrink(&mut self) {
        const KEPT: usize = 1 << 16;
        self.nodes.shrink_to(KEPT);
        self.links.shrink_to(KEPT);
        self.decoded.shrink_to(KEPT);
        self.unmapped.shrink_to(KEPT);
        self.open_keys.shrink_to(KEPT);
    }

    #[inline]
    pub(super) fn text<'a>(&'a self, record: &'a str, text: TextRef) -> &'a str {
        let from = if text.is_decoded() {
            &self.decoded
        } else {
            record
        };
        let start = text.start() as usize;
        from.get(start..start + text.len() as usize).unwrap_or("")
    }
}

/// A parsed record with its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(super) tree: &'a Tree,
    pub(super) record: &'a str,
}

impl<'a> View<'a> {
    pub(crate) fn root(self) -> Node {
        self.tree.root.unwrap_or(Node::Absent)
    }

    /// The child in `slot`; lists are looked through for the first that has it.
    #[inline]
    pub(crate) fn child(self, node: Node, slot: u32) -> Node {
        match node {
            Node::Object { first } => {
                let at = first + slot as usize;
                self.tree.nodes.get(at).copied().unwrap_or(Node::Absent)
            }
            _ => Node::Absent,
        }
    }

    /// Elements of a list; anything else that is present counts as a list of one.
    pub(crate) fn elements(self, node: Node) -> Elements<'a> {
        let (next, single) = match node {
            Node::List { first } => (first, None),
            Node::Absent | Node::Null => (0, None),
            other => (0, Some(other)),
        };
        Elements {
            tree: self.tree,
            next,
            single,
        }
    }

    /// Members of an object that was kept whole.
    pub(crate) fn members(self, node: Node) -> impl Iterator<Item = (&'a str, Node)> {
        let mut next = match node {
            Node::Members { first } => first,
            _ => 0,
        };
        std::iter::from_fn(move || {
            let link = self.tree.links.get(next.checked_sub(1)?)?;
            next = link.next;
            Some((self.tree.text(self.record, link.key), link.node))
        })
    }

    /// The text of a text value, as it stands.
    pub(crate) fn raw_text(self, node: Node) -> Option<&'a str> {
        match node {
            Node::Text(text) => Some(self.tree.text(self.record, text)),
            _ => None,
        }
    }

    /// Whether anything that asks with one of these bits may get a value.
    #[inline]
    pub(crate) const fn wanted(self, bits: u128) -> bool {
        self.tree.wanted & bits != 0
    }

    /// A scalar as text. Blank text and `-` count as absent.
    #[inline]
    pub(crate) fn text(self, node: Node) -> Option<&'a str> {
        match node {
            Node::Text(text) => said(self.tree.text(self.record, text)),
            Node::True => Some("true"),
            Node::False => Some("false"),
            _ => None,
        }
    }

    /// Paths the mapping did not use, at most `limit`, without repeats.
    pub(crate) fn unmapped(self, shapes: &Shapes, limit: usize) -> Vec<Text> {
        let habits = self.tree.habits.get(shapes.asker);
        let stranger = |at: ShapeId, place| habits.get(at.0 as usize)?.stranger(place);
        let text = |key| self.tree.text(self.record, key);
        let same = |one, other| match (one, other) {
            (Unused::Stranger(one), Unused::Stranger(other)) => one == other,
            (Unused::Key(one), Unused::Key(other)) => text(one) == text(other),
            _ => false,
        };
        let all = &self.tree.unmapped;
        let mut paths: Vec<Text> = Vec::with_capacity(all.len().min(limit));
        for (index, &(at, key)) in all.iter().enumerate() {
            if paths.len() == limit {
                break;
            }
            // Only elements of lists have a shape in common.
            let before = || all[..index].iter();
            if !self.tree.links.is_empty() && before().any(|one| one.0 == at && same(one.1, key)) {
                continue;
            }
            paths.extend(match key {
                Unused::Stranger(place) => stranger(at, place).map(|key| key.path.clone()),
                Unused::Key(key) => Some(join(&shapes.get(at).path, text(key))),
            });
        }
        paths
    }
}

/// A text without the space around it, if it says anything.
#[inline]
fn said(text: &str) -> Option<&str> {
    let plain = |byte: &u8| (b'!'..=b'~').contains(byte);
    match text.as_bytes() {
        [first, .., last] if plain(first) && plain(last) => Some(text),
        _ => {
            let text = text.trim();
            (!text.is_empty() && text != "-").then_some(text)
        }
    }
}

/// Iterator over the elements of a list.
#[derive(Debug)]
pub(crate) struct Elements<'a> {
    tree: &'a Tree,
    next: usize,
    single: Option<Node>,
}

impl Iterator for Elements<'_> {
    type Item = Node;

    fn next(&mut self) -> Option<Node> {
        if let Some(single) = self.single.take() {
            return Some(single);
        }
        let link = self.tree.links.get(self.next.checked_sub(1)?)?;
        self.next = link.next;
        Some(link.node)
    }
}
