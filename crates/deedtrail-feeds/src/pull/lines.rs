//! Lines taken of a file, and how the file is known again.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;

use deedtrail_app::App;
use deedtrail_app::intake::KeyMaker;
use deedtrail_core::id::SourceName;
use serde::{Deserialize, Serialize};

use super::part::{End, first_line, read_part, skip_line};
use super::way::{Form, Records, Untaken, recall};

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
        source: Option<&SourceName>,
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
        let mut is_first = true;
        loop {
            body.clear();
            let cut = read_part(&mut reader, &mut body, header.is_some())?;
            if cut.end == End::TooLong {
                skip_line(&mut reader)?;
                body.truncate(cut.whole);
            }
            if !body.is_empty() {
                let records = Records {
                    source,
                    // At the beginning it is among the lines.
                    header: header.filter(|_| !is_first).unwrap_or_default(),
                    body: &body,
                    form: Form::Lines,
                };
                recall(app, records, &mut keys);
            }
            is_first = false;
            if cut.end == End::Ended {
                return Ok(keys);
            }
        }
    }
}
