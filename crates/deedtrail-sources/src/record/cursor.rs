//! JSON tokens of one text, from left to right (RFC 8259).

use super::shape::Written;

/// The text is not JSON from here on. What exactly is wrong is found out elsewhere, once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotJson;

/// Where a string's text stands, without its quotes; one word, as [`super::tree::TextRef`] is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(u64);

impl Span {
    const ESCAPED: u64 = 1 << 63;

    const fn new(start: usize, end: usize) -> Self {
        Self(start as u64 | (end as u64) << 32)
    }

    pub(super) const fn start(self) -> u32 {
        small(self.0 & 0xFFFF_FFFF)
    }

    pub(super) const fn end(self) -> u32 {
        small((self.0 & !Self::ESCAPED) >> 32)
    }

    /// Holds escapes, so that the text has to be decoded.
    pub(super) const fn is_escaped(self) -> bool {
        self.0 & Self::ESCAPED != 0
    }
}

/// A number's text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    pub(super) start: u32,
    pub(super) end: u32,
    /// A whole number in the one usual form, of at most [`PLAIN_DIGITS_MAX`] digits.
    pub(super) plain: bool,
}

/// Whole numbers of so many digits fit any integer of 64 bits.
const PLAIN_DIGITS_MAX: usize = 18;

/// A place in a text.
#[derive(Debug)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The text between two places, empty if they are none.
    pub(super) fn slice(&self, start: u32, end: u32) -> &'t str {
        let (start, end) = (start as usize, end as usize);
        self.text.get(start..end).unwrap_or_default()
    }

    /// The next byte that is not white space; 0 at the end.
    #[inline]
    pub(super) fn peek(&mut self) -> u8 {
        match self.text.as_bytes().get(self.at) {
            Some(byte) if *byte > b' ' => *byte,
            _ => self.peek_behind_space(),
        }
    }

    #[cold]
    fn peek_behind_space(&mut self) -> u8 {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let space = |byte: &&u8| matches!(byte, b' ' | b'\n' | b'\t' | b'\r');
        self.at += rest.iter().take_while(space).count();
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Goes behind the byte that [`Cursor::peek`] gave.
    #[inline]
    pub(super) const fn pass(&mut self) {
        self.at += 1;
    }

    /// Whether nothing but white space is left.
    pub(super) fn at_end(&mut self) -> bool {
        self.peek();
        self.at == self.text.len()
    }

    /// Goes to the next element of a list or member of an object, if there is one before `close`.
    #[inline]
    pub(super) fn more(&mut self, first: bool, close: u8) -> Result<bool, NotJson> {
        match self.peek() {
            byte if byte == close => {
                self.pass();
                Ok(false)
            }
            b',' if !first => {
                self.pass();
                Ok(true)
            }
            _ if first => Ok(true),
            _ => Err(NotJson),
        }
    }

    /// A member's key, and the colon behind it.
    pub(super) fn key(&mut self) -> Result<Span, NotJson> {
        if self.peek() != b'"' {
            return Err(NotJson);
        }
        let key = self.string()?;
        if self.peek() != b':' {
            return Err(NotJson);
        }
        self.pass();
        Ok(key)
    }

    /// Goes behind a member's key and its colon, if they stand there as `written`.
    #[inline]
    pub(super) fn key_is(&mut self, written: &Written) -> bool {
        if self.peek() != b'"' {
            return false;
        }
        let start = self.at + 1;
        let text = self.text.as_bytes().get(start..).unwrap_or_default();
        let len = written.begins(text);
        self.at = len.map_or(self.at, |len| start + len);
        len.is_some()
    }

    /// `null`, `true` or `false`.
    pub(super) fn literal(&mut self, word: &str) -> Result<(), NotJson> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(NotJson);
        }
        self.at += word.len();
        Ok(())
    }

    /// A string, from its opening quote on.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Span, NotJson> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let end = start + plain_bytes(bytes.get(start..).unwrap_or_default());
        if bytes.get(end) != Some(&b'"') {
            return self.escaped_string(start, end);
        }
        self.at = end + 1;
        Ok(Span::new(start, end))
    }

    /// The rest of a string that has an escape at `at`, unless it is none.
    #[cold]
    fn escaped_string(&mut self, start: usize, mut at: usize) -> Result<Span, NotJson> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(Span(Span::new(start, at).0 | Span::ESCAPED));
                }
                Some(b'\\') => {
                    self.at = at;
                    self.escape()?;
                    at = self.at + plain_bytes(bytes.get(self.at..).unwrap_or_default());
                }
                // A control character, or the end.
                _ => return Err(NotJson),
            }
        }
    }

    /// Appends the decoded text of a string that was read before.
    pub(super) fn decode(&self, span: Span, into: &mut String) -> Result<(), NotJson> {
        let mut inside = Cursor::new(self.slice(span.start(), span.end()));
        while inside.at < inside.text.len() {
            let start = inside.at;
            let rest = inside.text.as_bytes().get(start..).unwrap_or_default();
            inside.at += plain_bytes(rest);
            into.push_str(inside.slice(small(start as u64), small(inside.at as u64)));
            if inside.at < inside.text.len() {
                into.push(inside.escape()?);
            }
        }
        Ok(())
    }

    /// The character an escape stands for, from its backslash on.
    fn escape(&mut self) -> Result<char, NotJson> {
        let kind = self.text.as_bytes().get(self.at + 1).ok_or(NotJson)?;
        self.at += 2;
        Ok(match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(NotJson),
        })
    }

    /// Four hexadecimal digits, or two such escapes that are one character's surrogates.
    fn unicode(&mut self) -> Result<char, NotJson> {
        let first = self.four_digits()?;
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(first).ok_or(NotJson);
        }
        self.literal("\\u")?;
        let second = self.four_digits()?;
        if !(0xDC00..0xE000).contains(&second) {
            return Err(NotJson);
        }
        char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)).ok_or(NotJson)
    }

    fn four_digits(&mut self) -> Result<u32, NotJson> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        self.at += 4;
        digits.ok_or(NotJson)?.iter().try_fold(0, |sum, digit| {
            let value = char::from(*digit).to_digit(16).ok_or(NotJson)?;
            Ok(sum << 4 | value)
        })
    }

    /// What may be a number. Unless it is plain, its digits are not checked.
    pub(super) fn number(&mut self) -> Number {
        let bytes = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let unsigned = bytes.strip_prefix(b"-").unwrap_or(bytes);
        let sign = bytes.len() - unsigned.len();
        let digits = unsigned.iter().take_while(|b| b.is_ascii_digit()).count();
        let rest = unsigned.get(digits..).unwrap_or_default();
        let more = rest
            .iter()
            .take_while(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
            .count();
        let usual = unsigned.first() != Some(&b'0') || (digits == 1 && sign == 0);
        let start = self.at;
        self.at += sign + digits + more;
        Number {
            start: small(start as u64),
            end: small(self.at as u64),
            plain: more == 0 && usual && (1..=PLAIN_DIGITS_MAX).contains(&digits),
        }
    }
}

/// A place in a text as it is kept.
pub(super) const fn small(place: u64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "`parse` refuses records in which a place may be larger"
    )]
    let small = place as u32;
    small
}

/// How many bytes come before the first quote, backslash or control character.
#[inline(never)]
fn plain_bytes(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xFF;
    const HIGH: u64 = ONES << 7;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut before = 0;
    for word in words {
        // In each byte the high bit says whether it is one of them; the lowest such bit is exact.
        let word = u64::from_le_bytes(*word);
        let quote = (word ^ (ONES * 0x22)).wrapping_sub(ONES);
        let slash = (word ^ (ONES * 0x5C)).wrapping_sub(ONES);
        let control = word.wrapping_sub(ONES * 0x20);
        let found = (quote | slash | control) & !word & HIGH;
        if found != 0 {
            return before + (found.trailing_zeros() / 8) as usize;
        }
        before += 8;
    }
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1F);
    before + rest.iter().position(special).unwrap_or(rest.len())
}
