//! Records that are lines of text: CEF, rows behind a header line, `name=value` and `name: value`.
//!
//! How a source reads the line is not known here. A value goes on to the next name, so that a
//! secret with a space in it is marked whole.

use std::ops::Range;

use deedtrail_core::port::log::PartClass;

use crate::record::line::{Csv, Field, LINE_BYTES_MAX, Name, cef};

use super::mask::is_mask;
use super::name;
use super::range::Found;

/// Longest name beside a value, bytes.
const NAME_BYTES_MAX: usize = 64;

/// Characters that separate the values of a row.
const SEPARATORS: &[u8] = b",;\t|";

/// What stands before the credentials in an Authorization header.
const SCHEMES: [&[u8]; 2] = [b"Basic", b"Bearer"];

/// Marks the secrets of a line. Lines that are too long for a source to read are looked at as
/// `name=value` only.
pub(super) fn secrets(record: &[u8], found: &mut Found) {
    let text = std::str::from_utf8(record).ok();
    if let Some(line) = text.filter(|line| line.len() <= LINE_BYTES_MAX) {
        if let Ok(fields) = cef(line) {
            return of_fields(line, &fields, found);
        }
        if let Some(fields) = row(line) {
            of_fields(line, &fields, found);
        }
    }
    let mut resume = 0;
    for sign in memchr::memchr2_iter(b'=', b':', record) {
        if sign >= resume
            && let Some(value) = assigned(record, sign)
        {
            resume = value.end;
            add(record, value, found);
        }
    }
}

/// The fields of a row with its header line before it.
fn row(line: &str) -> Option<Vec<Field<'static>>> {
    let header = line
        .lines()
        .next()
        .filter(|header| header.len() < line.len())?;
    let separator = header.bytes().find(|byte| SEPARATORS.contains(byte))?;
    let csv = Csv {
        separator,
        columns: Vec::new(),
    };
    let fields = csv.fields(line).ok()?.into_iter();
    let named = fields.filter_map(|field| match field.name {
        Name::Here(name, escapes) => Some(Field {
            name: Name::Here(name, escapes),
            ..field
        }),
        _ => None,
    });
    Some(named.collect())
}

/// Marks values beside names that say so, and those a label says so of: `cs1Label=Password cs1=…`.
fn of_fields(line: &str, fields: &[Field<'_>], found: &mut Found) {
    let text = |range: &Range<usize>| line.get(range.clone()).unwrap_or_default();
    let name = |field: &Field<'_>| match &field.name {
        Name::Here(range, _) => text(range).to_owned(),
        Name::Known(_) | Name::Header(_) => String::new(),
    };
    let labels = fields.iter().filter_map(|field| {
        let labelled = name(field).strip_suffix("Label")?.to_owned();
        name::is_secret_parameter(text(&field.value).as_bytes()).then_some(labelled)
    });
    let labelled: Vec<String> = labels.collect();
    for field in fields {
        let name = name(field);
        if name::is_secret_parameter(name.as_bytes()) || labelled.contains(&name) {
            add(line.as_bytes(), field.value.clone(), found);
        }
    }
}

fn add(record: &[u8], value: Range<usize>, found: &mut Found) {
    let is_masked = record.get(value.clone()).is_none_or(is_mask);
    if !is_masked {
        found.add(value, PartClass::Secret);
    }
}

/// The value behind the sign at `sign`, if the name before it says that it is a secret.
fn assigned(record: &[u8], sign: usize) -> Option<Range<usize>> {
    let start = sign.saturating_sub(NAME_BYTES_MAX);
    let before = record[start..sign].trim_ascii_end();
    let part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let length = before.iter().rev().take_while(part).count();
    let name = &before[before.len() - length..];
    if length < 3 || !name::is_secret_parameter(name) {
        return None;
    }
    let rest = &record[sign + 1..];
    // `name=` may be followed by the next pair; `name = value` and `name: value` go on.
    let goes_on = record[sign] == b':' || record[sign - 1] == b' ';
    let spaces = rest.iter().take_while(|byte| goes_on && **byte == b' ');
    let space = spaces.count();
    let rest = &rest[space..];
    let is_scheme = |known: &&[u8]| {
        let (word, behind) = (rest.get(..known.len()), rest.get(known.len()));
        word.is_some_and(|word| word.eq_ignore_ascii_case(known)) && behind == Some(&b' ')
    };
    let (skipped, length) = match rest.first() {
        // The credentials behind a scheme are known by their form.
        _ if SCHEMES.iter().any(is_scheme) => return None,
        Some(quote @ (b'"' | b'\'')) => {
            let inside = &rest[1..];
            let end = memchr::memchr(*quote, inside);
            (1, end.unwrap_or(inside.len()))
        }
        _ => (0, plain(rest)),
    };
    let value = sign + 1 + space + skipped;
    Some(value..value + length)
}

/// Length of a value that is not quoted: to a separator, or to the space before the next name.
fn plain(rest: &[u8]) -> usize {
    let separates = |byte: u8| matches!(byte, b',' | b';' | b'&' | b'"' | b'\'' | b'\n' | b'\r');
    // The last space before where reading is.
    let mut space = None;
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            b' ' | b'\t' => space = Some(at),
            // A token may hold `=` itself; behind a space a word with it is a name.
            b'=' if space.is_some_and(|space| space + 1 < at) => {
                return rest[..space.unwrap_or(at)].trim_ascii_end().len();
            }
            _ if separates(*byte) => return rest[..at].trim_ascii_end().len(),
            _ => {}
        }
    }
    rest.trim_ascii_end().len()
}
