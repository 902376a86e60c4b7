//! The shape of what a mapping reads: a trie over the paths of its file.
//!
//! Every path a mapping mentions is added once, when the mapping is compiled. While a record is
//! parsed, each key is looked up in the shape of the object it stands in; values land in slots
//! that the compiled paths address by number.

use deedtrail_core::Text;

use super::memo::Asker;

/// Index of a shape; [`ShapeId::SKIP`] stands for parts of a record no path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShapeId(pub(crate) u32);

impl ShapeId {
    /// The record itself.
    pub(crate) const ROOT: Self = Self(0);
    /// Not read by the mapping: checked, not kept.
    pub(crate) const SKIP: Self = Self(u32::MAX);
    /// Kept whole, whatever it is.
    pub(crate) const WHOLE: Self = Self(u32::MAX - 1);
}

/// What is read below one place of a record.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    /// Path from the root as people write it, e.g. `userIdentity.arn`, `target[].id`.
    pub(crate) path: Text,
    names: KeyTable,
    children: Vec<Child>,
    /// Shape of list elements, if a path selects among them.
    pub(crate) element: Option<ShapeId>,
    /// The value is kept whole (tool arguments).
    pub(crate) whole: bool,
    /// The list of which this is the shape of elements.
    list: Option<ShapeId>,
    /// What asks for a value here or below, one bit each.
    pub(super) wanted_by: u128,
}

/// A key of an object that paths go through.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) written: Written,
    pub(super) shape: ShapeId,
}

/// A key as records usually have it: from behind its opening quote to the colon.
#[derive(Debug)]
pub(super) struct Written {
    text: Box<str>,
    /// Its first bytes, and which bits of so many bytes they are.
    head: u128,
    mask: u128,
}

impl Written {
    pub(super) fn new(name: &str) -> Self {
        let text = format!("{name}\":");
        let byte = |index| text.as_bytes().get(index).copied();
        Self {
            head: u128::from_le_bytes(std::array::from_fn(|at| byte(at).unwrap_or(0))),
            mask: u128::from_le_bytes(std::array::from_fn(|at| byte(at).map_or(0, |_| u8::MAX))),
            text: text.into(),
        }
    }

    /// Its length in bytes, if `text` begins with it.
    #[inline]
    pub(super) fn begins(&self, text: &[u8]) -> Option<usize> {
        let len = self.text.len();
        let begins = match text.first_chunk() {
            Some(head) if (u128::from_le_bytes(*head) ^ self.head) & self.mask != 0 => false,
            Some(_) if len <= size_of_val(&self.head) => true,
            _ => text.starts_with(self.text.as_bytes()),
        };
        begins.then_some(len)
    }
}

impl Shape {
    pub(crate) fn child_count(&self) -> usize {
        self.children.len()
    }

    /// The same, as keys are numbered; never more than [`Shapes::CHILDREN_MAX`].
    #[inline]
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.children.len()).unwrap_or(u32::MAX)
    }

    /// Whether a path goes further than this place.
    pub(crate) fn goes_on(&self) -> bool {
        !self.children.is_empty() || self.element.is_some() || self.whole
    }

    /// Slot and shape of a key, if a path goes through it.
    #[inline]
    pub(crate) fn child(&self, key: &[u8]) -> Option<(u32, ShapeId)> {
        let slot = self.names.find(key)?;
        Some((slot, self.children[slot as usize].shape))
    }

    /// The key with a slot.
    #[inline]
    pub(super) fn key(&self, slot: u32) -> Option<&Child> {
        self.children.get(slot as usize)
    }
}

/// Names known when a mapping is compiled, found by one hash and one comparison.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyTable {
    names: Vec<Box<str>>,
    /// Open-addressed, a power of two long.
    table: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    ends: Ends,
    /// Index of the name + 1, 0 if free.
    number: u32,
}

impl KeyTable {
    /// Index of a name, in the order of insertion.
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> Option<u32> {
        let mask = self.table.len().wrapping_sub(1);
        let ends = Ends::of(name);
        let mut at = ends.hash();
        loop {
            let entry = self.table.get(at & mask)?;
            let index = entry.number.checked_sub(1)?;
            if entry.ends == ends
                && (ends.is_all() || self.names[index as usize].as_bytes() == name)
            {
                return Some(index);
            }
            at += 1;
        }
    }

    /// Index of a name, made if new.
    pub(crate) fn insert(&mut self, name: &str) -> u32 {
        if let Some(known) = self.find(name.as_bytes()) {
            return known;
        }
        self.names.push(name.into());
        if self.names.len() * 2 > self.table.len() {
            let size = (self.names.len() * 4).next_power_of_two();
            self.table = vec![Entry::default(); size];
            for index in 0..self.names.len() {
                self.place(index);
            }
        } else {
            self.place(self.names.len() - 1);
        }
        u32::try_from(self.names.len() - 1).unwrap_or(u32::MAX)
    }

    /// The name with an index, empty if there is none.
    pub(super) fn name(&self, index: u32) -> &str {
        self.names.get(index as usize).map_or("", AsRef::as_ref)
    }

    /// All names, in the order of insertion.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    fn place(&mut self, index: usize) {
        let mask = self.table.len() - 1;
        let ends = Ends::of(self.names[index].as_bytes());
        let mut at = ends.hash() & mask;
        while self.table[at].number != 0 {
            at = (at + 1) & mask;
        }
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        self.table[at] = Entry { ends, number };
    }
}

/// Length, first and last bytes of a text: all of it, if it is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    first: u64,
    last: u64,
    len: usize,
}

impl Ends {
    #[inline]
    pub(super) fn of(text: &[u8]) -> Self {
        let len = text.len();
        let long = text.first_chunk().zip(text.last_chunk());
        let short = || text.first_chunk().zip(text.last_chunk());
        let (first, last) = if let Some((first, last)) = long {
            (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
        } else if let Some((first, last)) = short() {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            (u64::from(first), u64::from(last))
        } else {
            let bytes = text.iter();
            (bytes.fold(0, |word, byte| word << 8 | u64::from(*byte)), 0)
        };
        Self { first, last, len }
    }

    /// Whether two texts with these ends are the same.
    const fn is_all(self) -> bool {
        self.len <= 16
    }

    /// A cheap hash; the keys in a table are the mapping's own.
    #[inline]
    pub(super) const fn hash(self) -> usize {
        let mixed = (self.first ^ self.last.rotate_left(29) ^ self.len as u64)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 40) as usize
    }
}

/// All shapes of one mapping; the first is the record's.
#[derive(Debug)]
pub(crate) struct Shapes {
    all: Vec<Shape>,
    pub(super) asker: Asker,
}

impl Default for Shapes {
    fn default() -> Self {
        Self {
            all: vec![Shape::default()],
            asker: Asker::default(),
        }
    }
}

impl Shapes {
    /// Most keys one object of a mapping may name.
    pub(crate) const CHILDREN_MAX: usize = 4096;

    pub(super) const fn count(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn get(&self, id: ShapeId) -> &Shape {
        &self.all[id.0 as usize]
    }

    /// The keys that slots lead through, from the record on.
    pub(crate) fn names(&self, slots: &[u32]) -> Vec<&str> {
        let mut at = self.get(ShapeId::ROOT);
        let mut names = Vec::with_capacity(slots.len());
        for slot in slots {
            names.push(at.names.name(*slot));
            if let Some(child) = at.key(*slot) {
                at = self.get(child.shape);
            }
        }
        names
    }

    /// The slot of `name` below `parent`, made if new. `None` when the object is full.
    pub(crate) fn add_child(&mut self, parent: ShapeId, name: &str) -> Option<(u32, ShapeId)> {
        if let Some(known) = self.get(parent).child(name.as_bytes()) {
            return Some(known);
        }
        let shape = &self.all[parent.0 as usize];
        if shape.children.len() >= Self::CHILDREN_MAX {
            return None;
        }
        let path = join(&shape.path, name);
        let id = self.add(path);
        let shape = &mut self.all[parent.0 as usize];
        let slot = shape.names.insert(name);
        shape.children.push(Child {
            written: Written::new(name),
            shape: id,
        });
        Some((slot, id))
    }

    /// The shape of the elements of the list at `parent`.
    pub(crate) fn add_element(&mut self, parent: ShapeId) -> ShapeId {
        if let Some(known) = self.get(parent).element {
            return known;
        }
        let path = format!("{}[]", self.get(parent).path);
        let id = self.add(path.into());
        self.all[parent.0 as usize].element = Some(id);
        self.all[id.0 as usize].list = Some(parent);
        id
    }

    /// A place that some paths take for a list of objects and others for an object.
    pub(crate) fn mixed(&self) -> Option<&Shape> {
        self.all.iter().find(|shape| {
            let element = shape.element.map(|id| self.get(id));
            let lists_objects = element.is_some_and(|element| element.child_count() > 0);
            lists_objects && shape.child_count() > 0 && !shape.whole
        })
    }

    pub(crate) fn keep_whole(&mut self, id: ShapeId) {
        self.all[id.0 as usize].whole = true;
    }

    /// Notes that something asks for the value at `id`; false if it may be there without a key.
    pub(crate) fn want(&mut self, mut id: ShapeId, bit: u128) -> bool {
        while let Some(list) = self.get(id).list {
            id = list;
        }
        self.all[id.0 as usize].wanted_by |= bit;
        id != ShapeId::ROOT
    }

    fn add(&mut self, path: Text) -> ShapeId {
        let id = ShapeId(u32::try_from(self.all.len()).unwrap_or(ShapeId::WHOLE.0 - 1));
        self.all.push(Shape {
            path,
            ..Shape::default()
        });
        id
    }
}

/// `parent.name`, with quotes around names that a path could not say otherwise.
pub(crate) fn join(parent: &str, name: &str) -> Text {
    let special = |byte: u8| matches!(byte, b'.' | b'[' | b']' | b'"' | b'@' | b'{' | b'}' | b'\'');
    let plain = !name.is_empty() && !name.bytes().any(special);
    match (parent.is_empty(), plain) {
        (true, true) => name.into(),
        (true, false) => format!("\"{name}\"").into(),
        (false, true) => {
            let mut path = String::with_capacity(parent.len() + 1 + name.len());
            path.push_str(parent);
            path.push('.');
            path.push_str(name);
            path.into()
        }
        (false, false) => format!("{parent}.\"{name}\"").into(),
    }
}
