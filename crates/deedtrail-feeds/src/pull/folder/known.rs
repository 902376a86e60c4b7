//! What is remembered of the files of a folder.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use serde::{Deserialize, Serialize};

/// Bytes of a mark at most.
const MARK_BYTES: u64 = 1 << 10;

/// What the system calls a file, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Inode {
    device: u64,
    inode: u64,
}

impl Inode {
    pub(super) fn of(facts: &Metadata) -> Self {
        Self {
            device: facts.dev(),
            inode: facts.ino(),
        }
    }
}

/// Size of a file and when it last changed, as the system says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extent {
    pub(super) bytes: u64,
    modified_s: i64,
    modified_ns: i64,
}

impl Extent {
    pub(super) fn of(facts: &Metadata) -> Self {
        Self {
            bytes: facts.len(),
            modified_s: facts.mtime(),
            modified_ns: facts.mtime_nsec(),
        }
    }
}

/// A piece of content by which a file is known again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) bytes: u64,
    hash: String,
}

impl Mark {
    pub(super) fn read(file: &File, from: u64, bytes: u64) -> io::Result<Self> {
        let length = usize::try_from(bytes.min(MARK_BYTES)).unwrap_or_default();
        let mut piece = vec![0; length];
        file.read_exact_at(&mut piece, from)?;
        Ok(Self::of(&piece))
    }

    fn of(piece: &[u8]) -> Self {
        let hash = blake3::hash(piece).to_hex();
        Self {
            bytes: piece.len() as u64,
            hash: hash.chars().take(32).collect(),
        }
    }
}

/// Lines taken of a file, from its beginning on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lines {
    /// Where those begin that were not taken.
    pub(super) offset: u64,
    /// First and last of the content that was taken.
    pub(super) head: Mark,
    pub(super) tail: Mark,
    /// Whether there were records without an id, whose keys depend on what was before them.
    pub(super) counted: bool,
}

impl Lines {
    /// Of what was taken of `file` up to `offset`.
    pub(super) fn until(file: &File, offset: u64, counted: bool) -> io::Result<Self> {
        let length = offset.min(MARK_BYTES);
        Ok(Self {
            offset,
            head: Mark::read(file, 0, length)?,
            tail: Mark::read(file, offset - length, length)?,
            counted,
        })
    }

    /// Whether this was taken of what is now in `file`.
    pub(super) fn are_of(&self, file: &File, bytes: u64) -> io::Result<bool> {
        if self.offset > bytes {
            return Ok(false);
        }
        let (offset, tail) = (self.offset, self.tail.bytes);
        Ok(Mark::read(file, 0, self.head.bytes)? == self.head
            && Mark::read(file, offset - tail, tail)? == self.tail)
    }
}

/// What was taken of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Taken {
    Lines(Lines),
    /// All of it, as it was then.
    Whole(Extent),
}

/// A file that something was taken of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) inode: Inode,
    /// Where it was first seen; elsewhere it was renamed, and nobody writes to it for long.
    pub(super) path: String,
    pub(super) taken: Taken,
    /// When it was last seen, µs.
    pub(super) seen: i64,
}

/// Everything remembered of a folder; this is stored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    pub(super) files: Vec<Known>,
    /// Contents that were overwritten, oldest first: a copy of one goes on where it was left.
    pub(super) former: Vec<Lines>,
}
