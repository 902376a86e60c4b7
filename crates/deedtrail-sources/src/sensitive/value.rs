//! Where a value of a JSON text ends, also when that text is a string of another one.

use std::ops::Range;

/// Most backslashes before a quote that are taken for levels of JSON within JSON.
pub(super) const ESCAPES_MAX: usize = 63;

/// A value, by the bytes within its quotes or brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(Range<usize>),
    Object(Range<usize>),
    Array(Range<usize>),
    /// Number, boolean, null, or no JSON.
    Other,
}

/// The value that begins at `at`, where quotes have `escapes` backslashes: none in a JSON text,
/// one in a JSON text that is a string of another, then three, seven …
pub(super) fn at(record: &[u8], at: usize, escapes: usize) -> Value {
    if let Some(start) = quote_at(record, at, escapes) {
        return Value::Text(start..text_end(record, start, escapes));
    }
    match record.get(at) {
        Some(b'{') => Value::Object(at + 1..close(record, at + 1, escapes)),
        Some(b'[') => Value::Array(at + 1..close(record, at + 1, escapes)),
        _ => Value::Other,
    }
}

/// One past the quote at `at`, if there is one of that level.
pub(super) fn quote_at(record: &[u8], at: usize, escapes: usize) -> Option<usize> {
    let quote = record.get(at..=at + escapes)?;
    let (last, before) = quote.split_last()?;
    (*last == b'"' && before.iter().all(|byte| *byte == b'\\')).then_some(at + escapes + 1)
}

/// One past the white space at `at`.
pub(super) fn skip_space(record: &[u8], at: usize) -> usize {
    let rest = record.get(at..).unwrap_or_default();
    let space = rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    at + space.count()
}

/// Backslashes right before `at`, not before `from`.
pub(super) fn escapes_before(record: &[u8], from: usize, at: usize) -> usize {
    let before = record[from..at].iter().rev();
    before.take_while(|byte| **byte == b'\\').count()
}

/// Where the text that starts at `start` ends: at its closing quote (its escapes not counted),
/// at one of a text around it, or with the record.
pub(super) fn text_end(record: &[u8], start: usize, escapes: usize) -> usize {
    let mut from = start;
    while let Some(found) = memchr::memchr(b'"', &record[from..]) {
        let quote = from + found;
        let run = escapes_before(record, from, quote);
        if run % (2 * escapes + 2) != 2 * escapes + 1 {
            return quote - run.min(escapes);
        }
        from = quote + 1;
    }
    record.len()
}

/// One past the closing quote of a text that ends at `end`.
pub(super) fn after_text(record: &[u8], end: usize, escapes: usize) -> usize {
    quote_at(record, end, escapes).unwrap_or(end)
}

/// Where the bracket closes whose inside starts at `start`; else the record's end.
fn close(record: &[u8], start: usize, escapes: usize) -> usize {
    let mut depth = 1_usize;
    let mut at = start;
    while let Some(byte) = record.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'"' => {
                // A quote of a text around this one ends everything.
                if escapes_before(record, start, at) < escapes {
                    return at;
                }
                let end = text_end(record, at + 1, escapes);
                at = after_text(record, end, escapes);
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            return at;
        }
        at += 1;
    }
    record.len()
}
