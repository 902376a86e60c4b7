//! Walking over Thrift's compact protocol, in which Parquet writes its footer and page headers.
//!
//! Source: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

/// Deepest nesting of structures and lists that is walked over.
const DEPTH_MAX: u8 = 32;

/// Types of values, and what ends a structure in place of one.
const STOP: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
pub(super) const STRUCTURE: u8 = 12;

/// What is left of an encoded value. Every read gives nothing where the bytes end too early, or
/// are none of the protocol's.
#[derive(Clone, Debug)]
pub(super) struct Compact<'a> {
    pub(super) rest: &'a [u8],
}

/// A field of a structure, whose value comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) id: i64,
    pub(super) kind: u8,
}

impl Compact<'_> {
    /// Every field of a structure: `read` says whether it has read the value, which is walked over
    /// if not.
    pub(super) fn structure(
        &mut self,
        read: &mut dyn FnMut(&mut Self, Field) -> Option<bool>,
    ) -> Option<()> {
        let mut id = 0_i64;
        loop {
            let field = self.field(id)?;
            if field.kind == STOP {
                return Some(());
            }
            id = field.id;
            if !read(self, field)? {
                self.skip(field.kind, DEPTH_MAX)?;
            }
        }
    }

    fn field(&mut self, before: i64) -> Option<Field> {
        let head = self.byte()?;
        let kind = head & 0x0f;
        let id = match head >> 4 {
            _ if kind == STOP => before,
            0 => self.integer()?,
            more => before.checked_add(i64::from(more))?,
        };
        Some(Field { id, kind })
    }

    /// Number and type of the elements of a list, which come next.
    pub(super) fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.unsigned()?,
            few => u64::from(few),
        };
        // Every element has a byte at least.
        let fits = count <= self.rest.len() as u64;
        fits.then_some((count, head & 0x0f))
    }

    pub(super) fn integer(&mut self) -> Option<i64> {
        let folded = self.unsigned()?;
        Some((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn pass(&mut self, bytes: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(bytes).ok()?..)?;
        Some(())
    }

    fn skip(&mut self, kind: u8, depth: u8) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            TRUE | FALSE => Some(()),
            BYTE => self.pass(1),
            I16 | I32 | I64 => self.unsigned().map(drop),
            DOUBLE => self.pass(8),
            BINARY => {
                let bytes = self.unsigned()?;
                self.pass(bytes)
            }
            LIST | SET => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth))
            }
            MAP => {
                let count = self.unsigned()?;
                if count == 0 {
                    return Some(());
                }
                let kinds = self.byte()?;
                (0..count).try_for_each(|_| {
                    self.skip_element(kinds >> 4, depth)?;
                    self.skip_element(kinds & 0x0f, depth)
                })
            }
            STRUCTURE => {
                let mut id = 0;
                loop {
                    let field = self.field(id)?;
                    if field.kind == STOP {
                        return Some(());
                    }
                    id = field.id;
                    self.skip(field.kind, depth)?;
                }
            }
            _ => None,
        }
    }

    /// Truth has a byte of its own among elements, and none as a field.
    fn skip_element(&mut self, kind: u8, depth: u8) -> Option<()> {
        match kind {
            TRUE | FALSE => self.pass(1),
            kind => self.skip(kind, depth),
        }
    }
}
