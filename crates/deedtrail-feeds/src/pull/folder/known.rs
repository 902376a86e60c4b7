//! What is remembered of the files of a folder.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use deedtrail_core::id::SourceName;
use serde::{Deserialize, Serialize};

use crate::pull::lines::Lines;

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
    /// What everything was taken as.
    pub(super) source: Option<SourceName>,
    pub(super) files: Vec<Known>,
    /// Contents that were overwritten, oldest first: a copy of one goes on where it was left.
    pub(super) former: Vec<Lines>,
}
