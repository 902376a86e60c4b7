//! Cuts a delivery into records: NDJSON, arrays, concatenated and pretty-printed JSON, envelopes.
//!
//! Nothing is dropped: a piece that is not JSON comes out as a record, for quarantine. Records
//! borrow from the body unless it was compressed.

mod decompress;
mod envelope;
mod rows;
mod scan;

use std::borrow::Cow;

use deedtrail_core::limits::{RECORD_BYTES_MAX, REQUEST_BYTES_MAX};
use deedtrail_core::port::mapper::{Encoding, FrameError, Framed};

use crate::record::line::Csv;

pub(crate) use envelope::Envelope;
pub(crate) use rows::{first_rows, header};
use scan::{Span, elements, value_end};

/// UTF-8's, with which some editors and exports begin a file.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The keys of an object.
pub(crate) fn keys(object: &[u8]) -> impl Iterator<Item = &str> {
    let keys = scan::members(object).filter_map(|(key, _)| object.get(key));
    keys.filter_map(|key| std::str::from_utf8(key).ok())
}

/// What a source says about the deliveries of its log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Framing<'p> {
    /// Ways to records within an object.
    pub(crate) envelopes: &'p [Envelope],
    /// Its records are rows with a header line before them.
    pub(crate) csv: Option<&'p Csv>,
}

/// Cuts `body` into records.
pub(crate) fn frame<'a>(
    framing: Framing<'_>,
    encoding: Encoding,
    body: &'a [u8],
) -> Result<Vec<Framed<'a>>, FrameError> {
    match unpack(encoding, body)? {
        Cow::Borrowed(body) => pieces_of(framing, body),
        Cow::Owned(body) => {
            let framed = pieces_of(framing, &body)?.into_iter();
            let owned = framed.map(|Framed { line, bytes }| Framed {
                line,
                bytes: Cow::Owned(bytes.into_owned()),
            });
            Ok(owned.collect())
        }
    }
}

/// Cuts an unpacked body, as [`frame`] does.
pub(crate) fn pieces_of<'a>(
    framing: Framing<'_>,
    body: &'a [u8],
) -> Result<Vec<Framed<'a>>, FrameError> {
    let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    match framing.csv {
        Some(csv) if !matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) => {
            rows::rows(csv, text)
        }
        _ => pieces_of_json(framing.envelopes, body),
    }
}

fn pieces_of_json<'a>(
    envelopes: &[Envelope],
    body: &'a [u8],
) -> Result<Vec<Framed<'a>>, FrameError> {
    let spans = cut(envelopes, body);
    let too_large = spans.iter().find(|(_, span)| span.len() > RECORD_BYTES_MAX);
    if let Some((line, _)) = too_large {
        return Err(too_large_at(*line));
    }
    Ok(borrowed(spans, body).collect())
}

/// The values and lines of an unpacked body, however long: an envelope may be longer than any record.
pub(crate) fn values(body: &[u8]) -> impl Iterator<Item = Framed<'_>> {
    borrowed(cut(&[], body), body)
}

fn borrowed(spans: Vec<Numbered>, body: &[u8]) -> impl Iterator<Item = Framed<'_>> {
    spans.into_iter().map(|(line, span)| Framed {
        line,
        bytes: Cow::Borrowed(body.get(span).unwrap_or_default()),
    })
}

/// The decompressed body, not larger than a delivery may be.
pub(crate) fn unpack(encoding: Encoding, body: &[u8]) -> Result<Cow<'_, [u8]>, FrameError> {
    match decompress::decompress(encoding, body)? {
        Some(decompressed) => Ok(Cow::Owned(decompressed)),
        None if body.len() > REQUEST_BYTES_MAX => Err(too_large(body)),
        None => Ok(Cow::Borrowed(body)),
    }
}

/// Names the record that is too large, if it is one record.
fn too_large(body: &[u8]) -> FrameError {
    let mut line_start = 0;
    for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
        if line.len() > RECORD_BYTES_MAX {
            return too_large_at(index as u64 + 1);
        }
        line_start += line.len() + 1;
        if line_start > REQUEST_BYTES_MAX {
            break;
        }
    }
    FrameError::TooLarge {
        limit_bytes: REQUEST_BYTES_MAX,
    }
}

pub(crate) const fn too_large_at(line: u64) -> FrameError {
    FrameError::RecordTooLarge {
        line,
        limit_bytes: RECORD_BYTES_MAX,
    }
}

type Numbered = (u64, Span);

fn cut(envelopes: &[Envelope], body: &[u8]) -> Vec<Numbered> {
    let pieces = pieces(body);
    // One value alone is numbered by its elements; of several, each keeps its line.
    let alone = pieces.len() == 1;
    let mut records = Vec::with_capacity(pieces.len());
    for (line, piece) in pieces {
        let before = records.len();
        open(envelopes, body, piece, line, &mut records);
        if alone {
            for (index, record) in records[before..].iter_mut().enumerate() {
                record.0 = index as u64 + 1;
            }
        }
    }
    records
}

/// Top-level values with the line they begin in.
fn pieces(body: &[u8]) -> Vec<Numbered> {
    let mut pieces = Vec::new();
    let mut at = if body.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len()
    } else {
        0
    };
    let mut line = 1;
    while let Some(start) = skip_blank(body, at, &mut line) {
        let end = piece_end(body, start);
        pieces.push((line, start..trim_end(body, start, end)));
        line += newlines(body, start, end);
        at = end;
    }
    pieces
}

fn newlines(body: &[u8], start: usize, end: usize) -> u64 {
    memchr::memchr_iter(b'\n', body.get(start..end).unwrap_or_default()).count() as u64
}

fn skip_blank(body: &[u8], mut at: usize, line: &mut u64) -> Option<usize> {
    loop {
        match body.get(at)? {
            b'\n' => *line += 1,
            b' ' | b'\t' | b'\r' => {}
            _ => return Some(at),
        }
        at += 1;
    }
}

fn trim_end(body: &[u8], start: usize, mut end: usize) -> usize {
    while end > start && body[end - 1].is_ascii_whitespace() {
        end -= 1;
    }
    end
}

/// Where the value that begins at `start` ends; a line of something else ends with the line.
fn piece_end(body: &[u8], start: usize) -> usize {
    let line_end = memchr::memchr(b'\n', &body[start..]).map_or(body.len(), |at| start + at);
    if !matches!(body[start], b'{' | b'[') {
        return line_end;
    }
    if body[start] == b'[' && is_text(body, start, line_end) {
        return line_end;
    }
    // The usual line: `{ … }`, and another value or nothing after it.
    let last = trim_end(body, start, line_end);
    let next = skip_blank(body, line_end, &mut 0).map(|at| body[at]);
    if body[start] == b'{'
        && body[last - 1] == b'}'
        && last > start + 1
        && matches!(next, None | Some(b'{'))
    {
        let single = memchr::memmem::find(&body[start..last], b"}{").is_none()
            && memchr::memmem::find(&body[start..last], b"} {").is_none();
        if single {
            return line_end;
        }
    }
    value_end(body, start).unwrap_or(line_end)
}

/// Whether what begins with a bracket is a line of text such as `[2026-11-18 14:02:11] …`: no
/// value of JSON's that could be told by its first character, and more behind the bracket.
fn is_text(body: &[u8], start: usize, line_end: usize) -> bool {
    let line = &body[start + 1..line_end];
    let first = line.trim_ascii_start().first();
    if matches!(first, None | Some(b'{' | b'[' | b']' | b'"')) {
        return false;
    }
    let closed = memchr::memchr(b']', line).map(|at| line[at + 1..].trim_ascii());
    closed.is_some_and(|rest| {
        let open_text = memchr::memchr(b'"', &line[..line.len() - rest.len()]).is_some();
        !open_text && !rest.is_empty() && !rest.starts_with(b"]") && !rest.starts_with(b",")
    })
}

/// Opens arrays and envelopes; anything else is a record.
fn open(envelopes: &[Envelope], body: &[u8], piece: Span, line: u64, into: &mut Vec<Numbered>) {
    let bytes = body.get(piece.clone()).unwrap_or_default();
    if bytes.first() == Some(&b'[') {
        let Some(list) = elements(bytes) else {
            into.push((line, piece));
            return;
        };
        for element in list {
            let element = piece.start + element.start..piece.start + element.end;
            let nested = body.get(element.start) == Some(&b'[');
            if nested {
                into.push((line, element));
            } else {
                open(envelopes, body, element, line, into);
            }
        }
        return;
    }
    for envelope in envelopes {
        let quoted = format!("\"{}\"", envelope.first());
        if memchr::memmem::find(bytes, quoted.as_bytes()).is_none() {
            continue;
        }
        if let Some(records) = envelope.open(bytes) {
            let start = piece.start;
            let placed = records
                .into_iter()
                .map(|one| (line, start + one.start..start + one.end));
            into.extend(placed);
            return;
        }
    }
    into.push((line, piece));
}

#[cfg(test)]
mod tests;
