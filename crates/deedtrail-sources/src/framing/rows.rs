//! Rows of a table. Each is a record that carries the header line, so that it is understood alone.

use std::borrow::Cow;

use deedtrail_core::limits::{RECORD_BYTES_MAX, REQUEST_BYTES_MAX};
use deedtrail_core::port::mapper::{FrameError, Framed};

use super::{BYTE_ORDER_MARK, newlines, too_large_at};
use crate::record::line::Csv;

/// So many rows are looked at for what a table is.
const FIRST_ROWS: usize = 16;

/// What a body is known by if it is a table: its header line with the names of the columns in place
/// of a row, and with each of its first rows.
pub(crate) fn first_rows(csv: &Csv, body: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let mut rows = csv.rows(text).take(1 + FIRST_ROWS);
    let header = rows.next();
    let header = header.and_then(|row| text.get(row)).unwrap_or_default();
    let rows = rows.filter_map(|row| text.get(row));
    let is_there = |row: &&[u8]| !row.is_empty();
    let rows = std::iter::once(header).chain(rows).filter(is_there);
    rows.map(move |row| [header, b"\n", row].concat())
}

/// The header line that every part of this table needs before its rows, empty when they need none.
pub(crate) fn header<'a>(csv: &Csv, body: &'a [u8]) -> Option<&'a [u8]> {
    let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    if matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return None;
    }
    let row = csv.rows(text).next().and_then(|row| text.get(row));
    let is_header = |row: &&[u8]| {
        let row = std::str::from_utf8(row).unwrap_or_default();
        csv.columns.is_empty() || csv.is_named_header(row)
    };
    Some(row.filter(is_header).unwrap_or_default())
}

/// The rows of `text`, each behind the header line; where the columns are named and `text` has no
/// such line, the rows as they stand. A header line that comes again is no row.
pub(super) fn rows<'a>(csv: &Csv, text: &'a [u8]) -> Result<Vec<Framed<'a>>, FrameError> {
    let mut rows = csv.rows(text).peekable();
    let first = rows.peek().and_then(|row| text.get(row.clone()));
    let header = first.filter(|row| {
        let row = std::str::from_utf8(row).unwrap_or_default();
        csv.columns.is_empty() || csv.is_named_header(row)
    });
    let mut records = Vec::new();
    let (mut line, mut counted, mut copied) = (1, 0, 0);
    for row in rows {
        line += newlines(text, counted, row.start);
        counted = row.start;
        let row = text.get(row).unwrap_or_default();
        let bytes = match header {
            Some(header) if row == header => continue,
            Some(header) => {
                copied += header.len();
                if copied > REQUEST_BYTES_MAX {
                    let limit_bytes = REQUEST_BYTES_MAX;
                    return Err(FrameError::TooLarge { limit_bytes });
                }
                Cow::Owned([header, b"\n", row].concat())
            }
            None => Cow::Borrowed(row),
        };
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(too_large_at(line));
        }
        records.push(Framed { line, bytes });
    }
    // A header line alone says that nothing happened, or is a row without one.
    match header {
        Some(header) if records.is_empty() => Ok(vec![Framed {
            line: 1,
            bytes: Cow::Borrowed(header),
        }]),
        _ => Ok(records),
    }
}
