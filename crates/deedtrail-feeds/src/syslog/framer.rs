//! Messages on a stream (RFC 6587): counted (`LENGTH SP MESSAGE`) or a line each, told apart for
//! every message by its first byte.

use crate::limits::{COUNT_DIGITS_MAX, MESSAGE_BYTES_MAX};

/// What a stream is cut into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Message(Vec<u8>),
    /// A message over [`MESSAGE_BYTES_MAX`], of this many bytes; it is passed over.
    TooLong(u64),
    /// The stream ended within a counted message, of which this many bytes had come.
    Incomplete(u64),
}

/// Cuts a stream into messages, however its bytes arrive.
#[derive(Debug, Default)]
pub struct Framer {
    state: State,
    /// The message, line or count that has begun.
    held: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Between,
    /// Digits of a count, or of a line that begins with digits.
    Count,
    Counted {
        left: usize,
    },
    Line,
    SkippedCounted {
        left: usize,
    },
    SkippedLine {
        bytes: u64,
    },
}

impl Framer {
    /// Whether a message has begun and not ended.
    pub fn is_within(&self) -> bool {
        self.state != State::Between
    }

    /// Bytes held of the message that has begun; at most [`MESSAGE_BYTES_MAX`].
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = match self.state {
                State::Between => self.begin(rest),
                State::Count => self.count(rest, pieces),
                State::Counted { left } => self.counted(left, rest, pieces),
                State::Line => self.line(rest, pieces),
                State::SkippedCounted { left } => self.skip_counted(left, rest),
                State::SkippedLine { bytes } => self.skip_line(bytes, rest, pieces),
            };
            rest = &rest[used..];
        }
    }

    /// Ends the stream: a last line may lack its end.
    pub fn end(&mut self) -> Option<Piece> {
        let held = std::mem::take(&mut self.held);
        match std::mem::take(&mut self.state) {
            State::Between | State::SkippedCounted { .. } => None,
            State::Count | State::Line => as_line(held),
            State::Counted { .. } => Some(Piece::Incomplete(held.len() as u64)),
            State::SkippedLine { bytes } => Some(Piece::TooLong(bytes)),
        }
    }

    // Each of these takes some of `rest`, which is not empty, and says how many bytes; 0 only
    // together with another state.

    fn begin(&mut self, rest: &[u8]) -> usize {
        match rest[0] {
            b'\n' | b'\r' => 1,
            b'1'..=b'9' => {
                self.state = State::Count;
                0
            }
            _ => {
                self.state = State::Line;
                0
            }
        }
    }

    fn count(&mut self, rest: &[u8], pieces: &mut Vec<Piece>) -> usize {
        if rest[0].is_ascii_digit() && self.held.len() < COUNT_DIGITS_MAX {
            self.held.push(rest[0]);
            return 1;
        }
        if rest[0] != b' ' {
            self.state = State::Line;
            return 0;
        }
        let digits = self.held.drain(..);
        let left = digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
        self.state = if left > MESSAGE_BYTES_MAX {
            pieces.push(Piece::TooLong(left as u64));
            State::SkippedCounted { left }
        } else {
            State::Counted { left }
        };
        1
    }

    fn counted(&mut self, left: usize, rest: &[u8], pieces: &mut Vec<Piece>) -> usize {
        let used = left.min(rest.len());
        self.held.extend_from_slice(&rest[..used]);
        if used == left {
            pieces.push(Piece::Message(std::mem::take(&mut self.held)));
            self.state = State::Between;
        } else {
            self.state = State::Counted { left: left - used };
        }
        used
    }

    fn line(&mut self, rest: &[u8], pieces: &mut Vec<Piece>) -> usize {
        let end = memchr::memchr(b'\n', rest);
        let used = end.unwrap_or(rest.len());
        if self.held.len() + used > MESSAGE_BYTES_MAX {
            let bytes = self.held.len() as u64;
            self.held = Vec::new();
            self.state = State::SkippedLine { bytes };
            return 0;
        }
        self.held.extend_from_slice(&rest[..used]);
        if end.is_none() {
            return used;
        }
        pieces.extend(as_line(std::mem::take(&mut self.held)));
        self.state = State::Between;
        used + 1
    }

    fn skip_counted(&mut self, left: usize, rest: &[u8]) -> usize {
        let used = left.min(rest.len());
        self.state = match left - used {
            0 => State::Between,
            left => State::SkippedCounted { left },
        };
        used
    }

    fn skip_line(&mut self, bytes: u64, rest: &[u8], pieces: &mut Vec<Piece>) -> usize {
        let end = memchr::memchr(b'\n', rest);
        let bytes = bytes + end.unwrap_or(rest.len()) as u64;
        if end.is_some() {
            pieces.push(Piece::TooLong(bytes));
            self.state = State::Between;
        } else {
            self.state = State::SkippedLine { bytes };
        }
        end.map_or(rest.len(), |end| end + 1)
    }
}

/// A line as a message, without the carriage return before its end; an empty one is none.
fn as_line(mut line: Vec<u8>) -> Option<Piece> {
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    (!line.is_empty()).then_some(Piece::Message(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(stream: &[u8]) -> Vec<Piece> {
        let (mut framer, mut pieces) = (Framer::default(), Vec::new());
        framer.push(stream, &mut pieces);
        pieces.extend(framer.end());
        pieces
    }

    fn check(stream: &[u8], expected: &[&[u8]]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|message| Piece::Message(message.to_vec()))
            .collect();
        assert_eq!(pieces(stream), expected, "{}", stream.escape_ascii());
    }

    #[test]
    fn both_framings_are_told_apart_for_every_message() {
        check(
            b"5 <1>ab<2>line\n4 <3>\n\n<4>x\r\n<5>end",
            &[b"<1>ab", b"<2>line", b"<3>\n", b"<4>x", b"<5>end"],
        );
        check(b"3 a\0\xff\n\n2 {}", &[b"a\0\xff", b"{}"]);
    }

    #[test]
    fn digits_that_are_no_count_begin_a_line() {
        for line in [
            &b"2026-11-01 x"[..],
            b"0 <13>x",
            b"1000000000000 <13>x",
            b"12345678",
            b"7:x",
        ] {
            check(&[line, b"\n<1>next\n"].concat(), &[line, b"<1>next"]);
        }
    }

    #[test]
    fn what_is_over_the_limit_is_passed_over() {
        let long = vec![b'x'; MESSAGE_BYTES_MAX + 1];
        let after = Piece::Message(b"<1>next".to_vec());
        let refused = Piece::TooLong(long.len() as u64);
        let line = [&long[..], b"\n<1>next\n"].concat();
        assert_eq!(pieces(&line), [refused.clone(), after.clone()]);
        let counted = [long.len().to_string().as_bytes(), b" ", &long, b"7 <1>next"].concat();
        assert_eq!(pieces(&counted), [refused.clone(), after]);
        assert_eq!(pieces(&long), [refused]);
        assert_eq!(pieces(&long[1..]), [Piece::Message(long[1..].to_vec())]);
    }

    #[test]
    fn the_end_within_a_message_is_told() {
        assert_eq!(pieces(b"9 <1>abc"), [Piece::Incomplete(6)]);
        assert_eq!(pieces(b"99"), [Piece::Message(b"99".to_vec())]);
        assert_eq!(pieces(b"99999999 x"), [Piece::TooLong(99_999_999)]);
    }
}
