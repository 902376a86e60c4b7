//! Lines taken of a file, and how the file is known again.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;

use deedtrail_app::App;
use deedtrail_app::intake::{Delivery, IngestError, KeyMaker};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::Encoding;
use serde::{Deserialize, Serialize};

use super::part::{End, first_line, read_part, skip_line};
use super::way::Untaken;

/// Bytes of a mark at most.
const MARK_BYTES: u64 = 1 << 10;

/// A piece of content by which a file is known again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) bytes: u64,
    hash: String,
}

impl Mark {
    pub(crate) fn read(file: &File, from: u64, bytes: u64) -> io::Result<Self> {
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
pub(crate) struct Lines {
    /// Where those begin that were not taken.
    pub(crate) offset: u64,
    /// First and last of the content that was taken.
    pub(crate) head: Mark,
    pub(crate) tail: Mark,
    /// Whether there were records without an id, whose keys depend on what was before them.
    pub(crate) counted: bool,
}

impl Lines {
    /// Of what was taken of `file` up to `offset`.
    pub(crate) fn until(file: &File, offset: u64, counted: bool) -> io::Result<Self> {
        let length = offset.min(MARK_BYTES);
        Ok(Self {
            offset,
            head: Mark::read(file, 0, length)?,
            tail: Mark::read(file, offset - length, length)?,
            counted,
        })
    }

    /// Whether this was taken of what is now in `file`.
    pub(crate) fn are_of(&self, file: &File, bytes: u64) -> io::Result<bool> {
        if self.offset > bytes {
            return Ok(false);
        }
        let (offset, tail) = (self.offset, self.tail.bytes);
        Ok(Mark::read(file, 0, self.head.bytes)? == self.head
            && Mark::read(file, offset - tail, tail)? == self.tail)
    }

    /// Memory of the keys of these lines. `head` are the first bytes of `file`.
    pub(crate) fn recall(
        &self,
        app: &App,
        source: &SourceName,
        file: &File,
        head: &[u8],
    ) -> Result<KeyMaker, Untaken> {
        let mut keys = KeyMaker::of_file(first_line(head));
        if !self.counted {
            return Ok(keys);
        }
        let header = app.ports.mapper.header(source, head);
        let mut reader = file;
        reader.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(1 << 20, reader).take(self.offset);
        let mut body = Vec::new();
        loop {
            let before = body.len();
            let cut = read_part(&mut reader, &mut body, header.is_some())?;
            if cut.end == End::TooLong {
                skip_line(&mut reader)?;
                body.truncate(cut.whole);
            }
            if body.len() > before {
                let delivery = Delivery {
                    source,
                    encoding: Encoding::Identity,
                    body: &body,
                };
                let recalled = app.recall_part(delivery, &mut keys);
                recalled.map_err(IngestError::from)?;
            }
            if cut.end == End::Ended {
                return Ok(keys);
            }
            // The rows of every further part stand behind the header line.
            body.clear();
            if let Some(header) = header.filter(|header| !header.is_empty()) {
                body.extend_from_slice(header);
                body.push(b'\n');
            }
        }
    }
}
