//! Which bytes of a record are secrets, token values or tool arguments.
//!
//! A pure function of the bytes, for records of any form: names are looked at where something
//! looks like JSON (also JSON within JSON strings) or like `name=value`, token formats
//! everywhere, and the fields of what is no JSON. One pass for each, linear in the record. It marks rather too much than
//! too little: what is marked stays in the log and counts in detection, it is only left out of
//! exports and pages. A key written with escapes (`pass\u0077ord`) is not recognised.

mod line;
mod mask;
mod name;
mod parameter;
mod range;
mod scan;
#[cfg(test)]
mod tests;
mod token;
mod value;

use std::ops::Range;

use deedtrail_core::port::log::PartClass;

use range::Found;

/// Sorted, disjoint, non-empty ranges within `record`, at most `SENSITIVE_RANGES_MAX`. Beyond
/// that, those closest to each other are joined, with what lies between them.
pub fn sensitive(record: &[u8]) -> Vec<(Range<usize>, PartClass)> {
    let mut found = Found::default();
    scan::names(record, &mut found);
    token::formats(record, &mut found);
    if is_line(record) {
        line::secrets(record, &mut found);
    }
    found.into_ranges(record.len())
}

/// Whether a record is a line of text.
fn is_line(record: &[u8]) -> bool {
    let text = record.trim_ascii_start();
    let next = || text.get(1..).unwrap_or_default().trim_ascii_start().first();
    match text.first() {
        None | Some(b'{' | b'"') => false,
        Some(b'[') => !matches!(next(), Some(b'{' | b'[' | b'"' | b']')),
        Some(_) => true,
    }
}
