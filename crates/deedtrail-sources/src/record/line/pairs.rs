//! `name=value` pairs with a separator between them. Values may be quoted.

use std::ops::Range;

use memchr::memmem;

use super::{Escapes, Field, Misfit, Name, trimmed};

/// How pairs are written.
#[derive(Clone, Debug)]
pub(crate) struct Pairs {
    /// Between two pairs, e.g. `, `; a space stands for any white space.
    pub(crate) separator: String,
    /// Between name and value, e.g. `=`.
    pub(crate) sign: String,
}

/// Longest name of a pair, bytes; what is longer is no name.
const NAME_BYTES_MAX: usize = 128;

impl Pairs {
    /// The pairs in `range`. What stands before the first is left out; a piece that is no pair
    /// belongs to the value before it.
    pub(super) fn fields<'f>(
        &self,
        line: &str,
        range: Range<usize>,
    ) -> Result<Vec<Field<'f>>, Misfit> {
        let none = Misfit::Other("no `name=value` stands in it");
        let text = line.get(..range.end).unwrap_or_default();
        let mut next = self
            .pair(text, range.start)
            .or_else(|| self.next_pair(text, range.start));
        if next.is_none() {
            return Err(none);
        }
        let mut fields = Vec::with_capacity(32);
        let mut quotes = Quotes::default();
        while let Some((name, start)) = next {
            let quoted = quotes.quoted(text, start);
            let quoted = quoted.filter(|inside| self.ends_a_value(text, inside.end + 1));
            next = self.next_pair(text, quoted.as_ref().map_or(start, |inside| inside.end + 1));
            let until = next.as_ref().map_or(text.len(), |(name, _)| name.start);
            let (value, escapes) = match quoted {
                Some(inside) => (inside, Escapes::Backslash),
                None => (self.plain(text, start..until), Escapes::None),
            };
            fields.push(Field {
                name: Name::Here(name, Escapes::None),
                value,
                escapes,
            });
        }
        Ok(fields)
    }

    /// Whether any white space separates two pairs.
    fn is_spaced(&self) -> bool {
        self.separator.trim_ascii().is_empty()
    }

    fn ends_a_value(&self, text: &str, at: usize) -> bool {
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        let first = rest.first();
        first.is_none_or(u8::is_ascii_whitespace) || rest.starts_with(self.separator.as_bytes())
    }

    /// A value that is not quoted, without the separator it ends with.
    fn plain(&self, text: &str, range: Range<usize>) -> Range<usize> {
        let is_last = range.end == text.len();
        let value = text.get(range.clone()).unwrap_or_default().trim_ascii_end();
        let separator = value.strip_suffix(self.separator.trim_ascii());
        let value = separator.filter(|_| !is_last).unwrap_or(value);
        trimmed(text, range.start..range.start + value.len())
    }

    /// Name and start of value of the first pair behind a separator, from `from` on.
    fn next_pair(&self, text: &str, from: usize) -> Option<(Range<usize>, usize)> {
        let rest = text.as_bytes().get(from..)?;
        if self.is_spaced() {
            let spaces = memchr::memchr3_iter(b' ', b'\t', b'\n', rest);
            return spaces
                .map(|at| from + at + 1)
                .find_map(|at| self.pair(text, at));
        }
        let mut found = memmem::find_iter(rest, self.separator.as_bytes());
        found.find_map(|at| self.pair(text, from + at + self.separator.len()))
    }

    /// Name and start of value of the pair that begins at `at`, if one does.
    fn pair(&self, text: &str, at: usize) -> Option<(Range<usize>, usize)> {
        let bytes = text.as_bytes();
        let skip = |at| {
            if self.is_spaced() {
                at
            } else {
                at + spaces(bytes, at)
            }
        };
        let start = skip(at);
        let part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.@/$[]".contains(byte);
        let name = bytes.get(start..)?.iter().take(NAME_BYTES_MAX + 1);
        let length = name.take_while(part).count();
        let sign = skip(start + length);
        let fits = (1..=NAME_BYTES_MAX).contains(&length)
            && bytes.get(sign..)?.starts_with(self.sign.as_bytes());
        fits.then(|| (start..start + length, skip(sign + self.sign.len())))
    }
}

fn spaces(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().take_while(|byte| **byte == b' ').count()
}

/// Quotes that never close are looked for once only.
#[derive(Default)]
struct Quotes {
    double_ends: bool,
    single_ends: bool,
}

impl Quotes {
    /// The inside of the quoted text that begins at `at`.
    fn quoted(&mut self, text: &str, at: usize) -> Option<Range<usize>> {
        let bytes = text.as_bytes();
        let quote = *bytes.get(at)?;
        let ended = match quote {
            b'"' => &mut self.double_ends,
            b'\'' => &mut self.single_ends,
            _ => return None,
        };
        if *ended {
            return None;
        }
        let mut from = at + 1;
        loop {
            let Some(found) = memchr::memchr2(quote, b'\\', bytes.get(from..).unwrap_or_default())
            else {
                *ended = true;
                return None;
            };
            match bytes[from + found] {
                b'\\' => from += found + 2,
                _ => return Some(at + 1..from + found),
            }
        }
    }
}
