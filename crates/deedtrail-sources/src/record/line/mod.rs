//! A record that is a line of text: where its names and values stand. Nothing is copied here.
//!
//! Every form is read in one pass, linear in the line.

mod cef;
mod csv;
mod escape;
mod pairs;
mod pattern;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub(crate) use cef::cef;
pub(crate) use csv::Csv;
pub(crate) use escape::Escapes;
pub(crate) use pairs::Pairs;
pub(crate) use pattern::{PAIRS_GROUP, Pattern};

/// Longest line that is read, bytes. Longer ones are quarantined as out of range.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 20;

/// Most names in one line. Lines with more are quarantined as out of range.
pub(crate) const FIELDS_MAX: usize = 4096;

/// How a line of text is read into names and values.
#[derive(Debug)]
pub(crate) enum Form {
    Cef,
    Pairs(Pairs),
    Csv(Csv),
    /// The first pattern that fits; its group [`PAIRS_GROUP`] is read on as pairs, if they are.
    Patterns(Vec<Pattern>, Option<Pairs>),
}

/// Why a text is no line of a form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// It is something else; says what was looked for.
    Other(&'static str),
    /// Larger than a limit, which is named.
    TooLarge(&'static str, usize),
}

/// A name in a line, or one the form gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name<'f> {
    Here(Range<usize>, Escapes),
    Known(&'f str),
    /// Member of the object [`CEF_HEADER`].
    Header(&'static str),
}

/// The object that the fields before a CEF extension make.
pub(crate) const CEF_HEADER: &str = "cef";

/// A name and where its value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field<'f> {
    pub(crate) name: Name<'f>,
    pub(crate) value: Range<usize>,
    pub(crate) escapes: Escapes,
}

impl Form {
    /// The fields of a line, in its order.
    pub(crate) fn fields(&self, line: &str) -> Result<Vec<Field<'_>>, Misfit> {
        if line.len() > LINE_BYTES_MAX {
            return Err(Misfit::TooLarge("bytes", LINE_BYTES_MAX));
        }
        let fields = match self {
            Self::Cef => cef(line),
            Self::Pairs(pairs) => pairs.fields(line, 0..line.len()),
            Self::Csv(csv) => csv.fields(line),
            Self::Patterns(patterns, pairs) => pattern::fields(patterns, pairs.as_ref(), line),
        }?;
        if fields.len() > FIELDS_MAX {
            return Err(Misfit::TooLarge("names", FIELDS_MAX));
        }
        Ok(fields)
    }
}

/// Whether a record is read as JSON by a source that reads lines of text, too.
pub(crate) fn is_json(record: &[u8]) -> bool {
    record.trim_ascii_start().first() == Some(&b'{')
}

/// `range` of `text` without the white space around it.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let inside = text.get(range.clone()).unwrap_or_default();
    let start = range.start + (inside.len() - inside.trim_ascii_start().len());
    let end = range.end - (inside.len() - inside.trim_ascii_end().len());
    start.min(end)..end
}
