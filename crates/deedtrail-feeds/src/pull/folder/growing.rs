//! One turn of a file of lines that may grow.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};

use deedtrail_app::intake::KeyMaker;
use deedtrail_core::id::SourceName;
use serde::de::IgnoredAny;

use crate::pull::limits::PARTS_PER_TURN;
use crate::pull::part::{End, read_part, skip_line};
use crate::pull::way::{Form, Records, Untaken, Way};

/// What is done with a line whose newline is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It waits for it.
    Waits,
    /// It is taken if it is a whole JSON object: nothing else can become of it.
    IfComplete,
    /// It is taken: nobody writes to the file any more.
    Taken,
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// There is more.
    More,
    /// Everything was taken but what waits for its newline.
    Done,
}

/// A file being read.
pub(super) struct Growing<'a> {
    pub(super) way: &'a Way,
    pub(super) source: Option<&'a SourceName>,
    pub(super) file: &'a File,
    /// What every part needs before its rows, where the source is a table.
    pub(super) header: Option<&'a [u8]>,
    pub(super) path: &'a str,
    /// Where the lines begin that were not taken.
    pub(super) offset: u64,
}

impl<'a> Growing<'a> {
    /// Takes lines from the offset on, which moves with them.
    pub(super) fn turn(&mut self, keys: &mut KeyMaker, rest: Rest) -> Result<Turn, Untaken> {
        let table = self.header;
        let mut reader = self.reader(self.offset)?;
        let mut body = Vec::new();
        for _ in 0..PARTS_PER_TURN {
            body.clear();
            let cut = read_part(&mut reader, &mut body, table.is_some())?;
            let lines = &body[..cut.whole];
            // A header line says nothing before there is a row.
            if self.offset == 0 && table.is_some_and(|header| is_alone(header, lines)) {
                return Ok(Turn::Done);
            }
            self.take(lines, keys)?;
            match cut.end {
                End::Full => {}
                End::Ended => {
                    let left = &body[cut.whole..];
                    if is_taken(left, rest) {
                        self.take(left, keys)?;
                    }
                    return Ok(Turn::Done);
                }
                End::TooLong => {
                    let line = skip_line(&mut body[cut.whole..].chain(&mut reader))?;
                    if !line.is_whole && rest != Rest::Taken {
                        return Ok(Turn::Done);
                    }
                    let place = format!("{} at byte {}", self.path, self.offset);
                    self.way.refuse_line(&place, &line);
                    self.offset += line.bytes;
                }
            }
        }
        Ok(Turn::More)
    }

    fn take(&mut self, body: &[u8], keys: &mut KeyMaker) -> Result<(), Untaken> {
        if body.is_empty() {
            return Ok(());
        }
        let place = format!("{} at byte {}", self.path, self.offset);
        let records = Records {
            source: self.source,
            // At the beginning it is among the lines.
            header: self.header.filter(|_| self.offset > 0).unwrap_or_default(),
            body,
            form: Form::Lines,
        };
        self.way.take(records, keys, &place)?;
        self.offset += body.len() as u64;
        Ok(())
    }

    fn reader(&self, from: u64) -> io::Result<impl BufRead + use<'a>> {
        let mut file = self.file;
        file.seek(SeekFrom::Start(from))?;
        Ok(BufReader::with_capacity(1 << 20, file))
    }
}

fn is_alone(header: &[u8], lines: &[u8]) -> bool {
    let text = lines.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(lines);
    !header.is_empty() && text.trim_ascii() == header.trim_ascii()
}

fn is_taken(left: &[u8], rest: Rest) -> bool {
    let is_whole = || left.starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(left).is_ok();
    match rest {
        _ if left.trim_ascii().is_empty() => false,
        Rest::Waits => false,
        Rest::IfComplete => is_whole(),
        Rest::Taken => true,
    }
}
