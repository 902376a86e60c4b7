//! Rows of comma-separated values (RFC 4180), each with the header line before it.

use std::ops::Range;

use super::{Escapes, Field, Misfit, Name, trimmed};

/// How rows are written.
#[derive(Clone, Debug)]
pub(crate) struct Csv {
    pub(crate) separator: u8,
    /// Names of the columns, for rows without a header line.
    pub(crate) columns: Vec<String>,
}

/// A value of a row.
struct Cell {
    inside: Range<usize>,
    escapes: Escapes,
}

impl Csv {
    /// The fields of a record: header line and row, or a row alone where the columns are named.
    pub(crate) fn fields(&self, record: &str) -> Result<Vec<Field<'_>>, Misfit> {
        let mut rows = self.rows(record.as_bytes());
        let (first, second) = (rows.next(), rows.next());
        if rows.next().is_some() {
            return Err(Misfit::Other("it is more than a header line and a row"));
        }
        let (names, row) = match (first, second) {
            (Some(header), Some(row)) => (self.header(record, header), row),
            (Some(row), None) if !self.columns.is_empty() => {
                let known = self.columns.iter().map(|name| Name::Known(name));
                (known.collect(), row)
            }
            _ => return Err(Misfit::Other("a row needs its header line before it")),
        };
        let cells = self.cells(record, row);
        if cells.len() > names.len() {
            return Err(Misfit::Other(
                "the row has more values than there are names",
            ));
        }
        let fields = names.into_iter().zip(cells).map(|(name, cell)| Field {
            name,
            value: cell.inside,
            escapes: cell.escapes,
        });
        Ok(fields.collect())
    }

    fn header(&self, record: &str, header: Range<usize>) -> Vec<Name<'static>> {
        let cells = self.cells(record, header).into_iter();
        cells
            .map(|cell| Name::Here(trimmed(record, cell.inside), cell.escapes))
            .collect()
    }

    /// Whether a row is a header line: it says nothing but names of columns, in any order.
    pub(crate) fn is_named_header(&self, row: &str) -> bool {
        let cells = self.cells(row, 0..row.len());
        let is_name = |cell: &Cell| {
            let text = row.get(trimmed(row, cell.inside.clone()));
            let same = |name: &String| text.is_some_and(|text| text.eq_ignore_ascii_case(name));
            self.columns.iter().any(same)
        };
        cells.iter().all(is_name)
    }

    /// Rows with anything in them, without their line ends.
    pub(crate) fn rows<'t>(&self, text: &'t [u8]) -> impl Iterator<Item = Range<usize>> + use<'t> {
        let separator = self.separator;
        let mut at = 0;
        std::iter::from_fn(move || {
            while at < text.len() {
                let start = at;
                let end = row_end(text, start, separator);
                at = end + 1;
                let row = text.get(start..end).unwrap_or_default();
                let row = row.strip_suffix(b"\r").unwrap_or(row);
                if !row.trim_ascii().is_empty() {
                    return Some(start..start + row.len());
                }
            }
            None
        })
    }

    fn cells(&self, text: &str, row: Range<usize>) -> Vec<Cell> {
        let bytes = text.as_bytes().get(..row.end).unwrap_or_default();
        let mut cells = Vec::with_capacity(32);
        let mut at = row.start;
        loop {
            let quoted = (bytes.get(at) == Some(&b'"'))
                .then(|| quote_end(bytes, at + 1))
                .flatten();
            let from = quoted.map_or(at, |end| end + 1);
            let rest = bytes.get(from..).unwrap_or_default();
            let end = memchr::memchr(self.separator, rest).map_or(bytes.len(), |to| from + to);
            // What follows a closing quote is no CSV: the value is then taken as it stands.
            let cell = match quoted {
                Some(quote) if quote + 1 == end => Cell {
                    inside: at + 1..quote,
                    escapes: Escapes::Doubled,
                },
                _ => Cell {
                    inside: at..end,
                    escapes: Escapes::None,
                },
            };
            cells.push(cell);
            if end == bytes.len() {
                return cells;
            }
            at = end + 1;
        }
    }
}

/// Where the row that begins at `start` ends: at a line end outside of quotes, or with the text.
fn row_end(text: &[u8], start: usize, separator: u8) -> usize {
    let mut at = start;
    loop {
        if text.get(at) == Some(&b'"') {
            // A quote that never closes is no quote.
            at = quote_end(text, at + 1).map_or(at, |end| end + 1);
        }
        let rest = text.get(at..).unwrap_or_default();
        match memchr::memchr2(separator, b'\n', rest) {
            None => return text.len(),
            Some(found) if text[at + found] == b'\n' => return at + found,
            Some(found) => at += found + 1,
        }
    }
}

/// The quote that closes the text from `at` on; two in a row are one of the text.
fn quote_end(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr(b'"', text.get(at..)?)?;
        if text.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}
