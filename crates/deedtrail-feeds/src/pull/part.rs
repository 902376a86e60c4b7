//! Cutting what is read into parts that are taken in one by one.

use std::io::{self, BufRead, Read as _};

use deedtrail_core::limits::RECORD_BYTES_MAX;

use super::limits::{PART_BYTES, TABLE_ROW_BYTES_MAX};

/// Whole lines read from an input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Length of the buffer up to the end of its last whole line.
    pub(crate) whole: usize,
    pub(crate) end: End,
}

/// Why a part ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It is long enough.
    Full,
    /// The input ends; a line without its newline may stand behind the whole ones.
    Ended,
    /// A line follows that is longer than any record. It was read in part.
    TooLong,
}

/// Appends lines to `body` until it is about [`PART_BYTES`] long. `is_table` says that a newline
/// between quotes is no line end.
pub(crate) fn read_part(
    reader: &mut (impl BufRead + ?Sized),
    body: &mut Vec<u8>,
    is_table: bool,
) -> io::Result<Cut> {
    let begun = body.len();
    let mut whole = begun;
    let mut in_quotes = false;
    loop {
        let room = (RECORD_BYTES_MAX + 1).saturating_sub(body.len() - whole);
        let from = body.len();
        let read = (&mut *reader).take(room as u64).read_until(b'\n', body)?;
        if read == 0 {
            let end = if room == 0 { End::TooLong } else { End::Ended };
            return Ok(Cut { whole, end });
        }
        let quotes = memchr::memchr_iter(b'"', &body[from..]).count();
        in_quotes ^= is_table && quotes % 2 == 1;
        let is_open = in_quotes && body.len() - whole <= TABLE_ROW_BYTES_MAX;
        if body.ends_with(b"\n") && !is_open {
            whole = body.len();
            in_quotes = false;
            if whole - begun >= PART_BYTES {
                let end = End::Full;
                return Ok(Cut { whole, end });
            }
        }
    }
}

/// A line that was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// With its newline.
    pub(crate) bytes: u64,
    pub(crate) hash: blake3::Hash,
    /// Whether the line ends, or the input before it.
    pub(crate) is_whole: bool,
}

/// Passes over a line.
pub(crate) fn skip_line(reader: &mut (impl BufRead + ?Sized)) -> io::Result<Skipped> {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = 0;
    let mut is_whole = false;
    while !is_whole {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        let newline = memchr::memchr(b'\n', chunk);
        let used = newline.map_or(chunk.len(), |at| at + 1);
        hasher.update(&chunk[..used]);
        reader.consume(used);
        bytes += used as u64;
        is_whole = newline.is_some();
    }
    Ok(Skipped {
        bytes,
        hash: hasher.finalize(),
        is_whole,
    })
}

/// Whether a text is no lines of records: an array over many lines, a pretty-printed document.
pub(crate) fn is_document(beginning: &[u8]) -> bool {
    let text = beginning.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(beginning);
    let text = text.trim_ascii_start();
    let end = memchr::memchr(b'\n', text);
    let line = text[..end.unwrap_or(text.len())].trim_ascii();
    match line.first() {
        Some(b'[') => {
            let inner = line[1..].trim_ascii_start().first();
            matches!(inner, None | Some(b'{' | b'[' | b'"' | b']'))
        }
        // A broken line among others is no beginning of a document.
        Some(b'{') => end.is_some_and(|end| {
            let next = text[end..].trim_ascii_start().first();
            !line.ends_with(b"}") && next != Some(&b'{')
        }),
        _ => false,
    }
}

/// The first line, as far as it is in `beginning`.
pub(crate) fn first_line(beginning: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\n', beginning);
    &beginning[..end.unwrap_or(beginning.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &[u8], is_table: bool) -> (usize, End) {
        let mut body = Vec::new();
        let cut = read_part(&mut &*text, &mut body, is_table).unwrap();
        (cut.whole, cut.end)
    }

    #[test]
    fn only_whole_lines_are_a_part() {
        assert_eq!(cut(b"", false), (0, End::Ended));
        assert_eq!(cut(b"a", false), (0, End::Ended));
        assert_eq!(cut(b"a\nb\nc", false), (4, End::Ended));
        let line = [&b"x".repeat(PART_BYTES / 2)[..], b"\n"].concat();
        assert_eq!(cut(&line.repeat(3), false), (line.len() * 2, End::Full));
    }

    #[test]
    fn a_line_longer_than_a_record_is_passed_over() {
        let long = b"x".repeat(RECORD_BYTES_MAX + 1);
        let text = [b"a\n", &long[..], b"\nb\n"].concat();
        assert_eq!(cut(&text, false), (2, End::TooLong));
        let mut rest = &text[2..];
        let skipped = skip_line(&mut rest).unwrap();
        let expected = Skipped {
            bytes: long.len() as u64 + 1,
            hash: blake3::hash(&text[2..long.len() + 3]),
            is_whole: true,
        };
        assert_eq!((skipped, rest), (expected, &b"b\n"[..]));
        assert!(!skip_line(&mut &long[..]).unwrap().is_whole);
    }

    #[test]
    fn a_row_ends_outside_of_quotes() {
        assert_eq!(cut(b"a,\"b\nc\"\nd,\"e\n", true), (8, End::Ended));
        assert_eq!(cut(b"a,\"b\nc\"\nd,\"e\n", false), (13, End::Ended));
        // A quote that is never closed is an ordinary character.
        let text = [b"a,\"b\n".to_vec(), b"c\n".repeat(TABLE_ROW_BYTES_MAX)].concat();
        assert_eq!(cut(&text, true), (text.len(), End::Ended));
    }

    #[test]
    fn documents_are_told_from_lines() {
        for document in [
            "[\n{",
            "[{\"a\":1},",
            "{\n \"a\"",
            "{\"Records\": [\n",
            "[]",
        ] {
            assert!(is_document(document.as_bytes()), "{document}");
        }
        for lines in [
            "",
            "{\"a\":1}\n{\"b\":2}\n",
            "{\"a\":",
            "{\"cut\":\n{\"a\":1}\n",
            "[2026-11-18 14:02:11] text\n",
            "a,b\n",
            "[error] text",
        ] {
            assert!(!is_document(lines.as_bytes()), "{lines}");
        }
    }
}
