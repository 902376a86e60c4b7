//! Frames of RELP: `TXNR SP COMMAND SP LENGTH [SP DATA] LF`.

use crate::limits::{MESSAGE_BYTES_MAX, SKIPPED_BYTES_MAX};

/// Most digits of a transaction number and of a length.
const NUMBER_DIGITS_MAX: usize = 9;
/// Longest name of a command, bytes.
const COMMAND_BYTES_MAX: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub transaction: u32,
    pub command: String,
    /// `Err` with its length where it is over [`MESSAGE_BYTES_MAX`]; it is passed over.
    pub data: Result<Vec<u8>, usize>,
}

/// The stream is no RELP: nothing after this can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no RELP frame: {0}")]
pub struct Broken(pub &'static str);

/// Cuts a stream into frames, however its bytes arrive.
#[derive(Debug, Default)]
pub struct Framer {
    state: State,
    frame: Header,
    data: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Transaction,
    Command,
    Length,
    Data,
    Skipped {
        left: usize,
    },
    End,
}

/// The header of the frame that has begun.
#[derive(Debug, Default)]
struct Header {
    transaction: Number,
    command: String,
    length: Number,
}

#[derive(Clone, Copy, Debug, Default)]
struct Number {
    value: u32,
    digits: usize,
}

impl Number {
    fn push(&mut self, digit: u8) -> Result<(), Broken> {
        self.digits += 1;
        if self.digits > NUMBER_DIGITS_MAX {
            return Err(Broken("a number of more than nine digits"));
        }
        self.value = self.value * 10 + u32::from(digit - b'0');
        Ok(())
    }
}

impl Framer {
    /// Whether a frame has begun and not ended.
    pub fn is_within(&self) -> bool {
        self.frame.transaction.digits > 0
    }

    /// Bytes held of the frame that has begun; at most [`MESSAGE_BYTES_MAX`].
    pub fn held_bytes(&self) -> usize {
        self.data.len()
    }

    /// Takes the next bytes of the stream. After an error the stream is of no use.
    pub fn push(&mut self, bytes: &[u8], frames: &mut Vec<Frame>) -> Result<(), Broken> {
        let mut rest = bytes;
        while let [byte, ..] = *rest {
            let used = match self.state {
                State::Transaction => self.transaction(byte)?,
                State::Command => self.command(byte)?,
                State::Length => self.length(byte)?,
                State::Data => self.take(rest),
                State::Skipped { left } => self.skip(left, rest),
                State::End => {
                    frames.push(self.end(byte)?);
                    1
                }
            };
            rest = &rest[used..];
        }
        Ok(())
    }

    fn transaction(&mut self, byte: u8) -> Result<usize, Broken> {
        match byte {
            b'0'..=b'9' => self.frame.transaction.push(byte)?,
            b' ' if self.is_within() => self.state = State::Command,
            _ => return Err(Broken("a transaction number was expected")),
        }
        Ok(1)
    }

    fn command(&mut self, byte: u8) -> Result<usize, Broken> {
        let command = &mut self.frame.command;
        match byte {
            b' ' if !command.is_empty() => self.state = State::Length,
            _ if byte.is_ascii_alphabetic() && command.len() < COMMAND_BYTES_MAX => {
                command.push(char::from(byte));
            }
            _ => return Err(Broken("a command was expected")),
        }
        Ok(1)
    }

    fn length(&mut self, byte: u8) -> Result<usize, Broken> {
        let length = &mut self.frame.length;
        if byte.is_ascii_digit() {
            length.push(byte)?;
            return Ok(1);
        }
        if length.digits == 0 {
            return Err(Broken("a length was expected"));
        }
        let bytes = length.value as usize;
        if bytes == 0 {
            self.state = State::End;
            return Ok(0);
        }
        if byte != b' ' {
            return Err(Broken("a space was expected before the data"));
        }
        if bytes > SKIPPED_BYTES_MAX {
            return Err(Broken("more data than may be passed over"));
        }
        self.state = if bytes > MESSAGE_BYTES_MAX {
            State::Skipped { left: bytes }
        } else {
            State::Data
        };
        Ok(1)
    }

    fn take(&mut self, rest: &[u8]) -> usize {
        let missing = self.frame.length.value as usize - self.data.len();
        let used = missing.min(rest.len());
        self.data.extend_from_slice(&rest[..used]);
        if used == missing {
            self.state = State::End;
        }
        used
    }

    fn skip(&mut self, left: usize, rest: &[u8]) -> usize {
        let used = left.min(rest.len());
        self.state = match left - used {
            0 => State::End,
            left => State::Skipped { left },
        };
        used
    }

    fn end(&mut self, byte: u8) -> Result<Frame, Broken> {
        if byte != b'\n' {
            return Err(Broken("a line feed was expected after the data"));
        }
        self.state = State::Transaction;
        let header = std::mem::take(&mut self.frame);
        let data = std::mem::take(&mut self.data);
        let length = header.length.value as usize;
        Ok(Frame {
            transaction: header.transaction.value,
            command: header.command,
            data: if length > MESSAGE_BYTES_MAX {
                Err(length)
            } else {
                Ok(data)
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(stream: &[u8]) -> Result<Vec<Frame>, Broken> {
        let mut frames = Vec::new();
        Framer::default().push(stream, &mut frames)?;
        Ok(frames)
    }

    fn frame(transaction: u32, command: &str, data: &[u8]) -> Frame {
        Frame {
            transaction,
            command: command.to_owned(),
            data: Ok(data.to_vec()),
        }
    }

    #[test]
    fn frames_are_cut_by_their_lengths() {
        let stream = b"1 open 14 relp_version=0\n2 syslog 5 <1>\n\xff\n999999999 close 0\n";
        let expected = [
            frame(1, "open", b"relp_version=0"),
            frame(2, "syslog", b"<1>\n\xff"),
            frame(999_999_999, "close", b""),
        ];
        assert_eq!(frames(stream).unwrap(), expected);
    }

    #[test]
    fn long_data_is_passed_over() {
        let long = MESSAGE_BYTES_MAX + 1;
        let stream = [
            format!("1 syslog {long} ").into_bytes(),
            vec![b'x'; long],
            b"\n2 syslog 1 y\n".to_vec(),
        ];
        let refused = Frame {
            data: Err(long),
            ..frame(1, "syslog", b"")
        };
        let expected = [refused, frame(2, "syslog", b"y")];
        assert_eq!(frames(&stream.concat()).unwrap(), expected);
    }

    #[test]
    fn what_is_no_frame_ends_the_stream() {
        for stream in [
            &b"GET / HTTP/1.1\r\n"[..],
            b" syslog 1 x\n",
            b"1234567890 syslog 1 x\n",
            b"1  1 x\n",
            b"1 sys-log 1 x\n",
            b"1 syslog  x\n",
            b"1 syslog 1\nx\n",
            b"1 syslog 1 xy\n",
            b"1 close 0 \n",
            b"1 syslog 999999999 x",
        ] {
            assert!(frames(stream).is_err(), "{}", stream.escape_ascii());
        }
        let name = [b"1 ".to_vec(), vec![b'a'; 33], b" 0\n".to_vec()].concat();
        assert!(frames(&name).is_err());
    }
}
