//! The command line beside a running server: the server runs the command and streams its output.
//!
//! A socket in the data folder (mode 0600: whoever can open it owns the data). Frames in both
//! directions: kind (1 byte), length (4 bytes, big endian), payload. The client sends one request,
//! then standard input; the server answers with output, talk and the exit code.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::output::Console;

/// Name of the socket in the data folder.
pub(crate) const SOCKET_NAME: &str = "deedtrail.sock";
/// Largest frame accepted, bytes; a larger one ends the connection.
const FRAME_BYTES_MAX: u32 = 1 << 20;

const REQUEST: u8 = 0;
const INPUT: u8 = 1;
const OUTPUT: u8 = 3;
const TALK: u8 = 4;
const EXIT: u8 = 5;

/// A command to run as if it had been typed in `folder`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    /// File names need not be UTF-8.
    pub(crate) arguments: Vec<OsString>,
    pub(crate) folder: OsString,
    /// Whether a person watches standard error.
    pub(crate) terminal: bool,
    /// Whether standard output is a terminal.
    pub(crate) screen: bool,
}

fn send(stream: &mut impl Write, kind: u8, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    let mut frame = Vec::with_capacity(payload.len() + 5);
    frame.push(kind);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(payload);
    stream.write_all(&frame)
}

fn receive(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0_u8; 5];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::other("a frame is over its limit"));
    }
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload)?;
    Ok((head[0], payload))
}

/// Connects to the server of this data folder; `None` when none answers.
pub(crate) fn connect(data: &Path) -> Option<UnixStream> {
    UnixStream::connect(data.join(SOCKET_NAME)).ok()
}

/// Has the server run `request`; returns the command's exit code.
pub(crate) fn relay(
    mut stream: UnixStream,
    request: &Request,
    wants_input: bool,
) -> io::Result<u8> {
    send(&mut stream, REQUEST, &serde_json::to_vec(request)?)?;
    let mut uplink = stream.try_clone()?;
    std::thread::spawn(move || {
        if let Err(error) = send_input(&mut uplink, wants_input) {
            tracing::debug!(%error, "the server wanted no more input");
        }
    });
    let (mut out, mut err) = (io::stdout(), io::stderr());
    loop {
        let (kind, payload) = receive(&mut stream)?;
        match kind {
            OUTPUT => out.write_all(&payload)?,
            TALK => err.write_all(&payload)?,
            EXIT => {
                out.flush()?;
                return Ok(payload.first().copied().unwrap_or(1));
            }
            _ => return Err(io::Error::other("the server speaks another version")),
        }
    }
}

/// What the server of a data folder prints for a command that reads nothing, asked for as JSON; nothing where
/// none runs, or it fails, stops meanwhile or speaks another version.
pub(crate) fn ask(data: &Path, command: &[&str]) -> Option<String> {
    let arguments = ["deedtrail", "--json"].iter().chain(command);
    let request = Request {
        arguments: arguments.map(Into::into).collect(),
        folder: "/".into(),
        terminal: false,
        screen: false,
    };
    answer_of(connect(data)?, &request).ok()?
}

fn answer_of(mut stream: UnixStream, request: &Request) -> io::Result<Option<String>> {
    send(&mut stream, REQUEST, &serde_json::to_vec(request)?)?;
    send(&mut stream, INPUT, &[])?;
    let mut printed = Vec::new();
    loop {
        let (kind, payload) = receive(&mut stream)?;
        match kind {
            OUTPUT => printed.extend(payload),
            TALK => {}
            EXIT if payload.first() == Some(&0) => {
                return Ok(Some(String::from_utf8_lossy(&printed).into_owned()));
            }
            _ => return Ok(None),
        }
    }
}

fn send_input(stream: &mut UnixStream, wants_input: bool) -> io::Result<()> {
    if wants_input {
        let mut buffer = vec![0; 64 << 10];
        let mut input = io::stdin().lock();
        loop {
            let read = input.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            send(stream, INPUT, &buffer[..read])?;
        }
    }
    send(stream, INPUT, &[])
}

/// What the server runs for a request; returns the exit code.
pub(crate) type Handler = Arc<dyn Fn(&Request, &mut Console) -> u8 + Send + Sync>;

/// Listens for commands until the process ends. The socket file is made anew, mode 0600.
pub(crate) fn listen(data: &Path, handler: Handler) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = data.join(SOCKET_NAME);
    if let Err(error) = std::fs::remove_file(&path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    std::thread::Builder::new()
        .name("socket".into())
        .spawn(move || {
            for stream in listener.incoming().flatten() {
                let handler = Arc::clone(&handler);
                std::thread::spawn(move || {
                    if let Err(error) = answer(stream, &handler) {
                        tracing::debug!(%error, "a local command went away");
                    }
                });
            }
        })?;
    Ok(())
}

fn answer(mut stream: UnixStream, handler: &Handler) -> io::Result<()> {
    let (kind, payload) = receive(&mut stream)?;
    if kind != REQUEST {
        return Err(io::Error::other("expected a request"));
    }
    let request: Request = serde_json::from_slice(&payload)?;
    let downlink = Arc::new(Mutex::new(stream.try_clone()?));
    let (sender, receiver) = channel();
    std::thread::spawn(move || feed(stream, &sender));
    let mut console = Console {
        input: Box::new(FrameReader {
            receiver,
            rest: Vec::new(),
            done: false,
        }),
        out: Box::new(FrameWriter {
            stream: Arc::clone(&downlink),
            kind: OUTPUT,
        }),
        err: Box::new(FrameWriter {
            stream: Arc::clone(&downlink),
            kind: TALK,
        }),
        terminal: request.terminal,
        screen: request.screen,
        json: false,
    };
    let code = handler(&request, &mut console);
    console.out.flush()?;
    console.err.flush()?;
    let mut stream = downlink.lock().unwrap_or_else(PoisonError::into_inner);
    send(&mut *stream, EXIT, &[code])
}

fn feed(mut stream: UnixStream, sender: &Sender<Vec<u8>>) {
    while let Ok((INPUT, payload)) = receive(&mut stream) {
        let end = payload.is_empty();
        if sender.send(payload).is_err() || end {
            return;
        }
    }
}

struct FrameReader {
    receiver: Receiver<Vec<u8>>,
    rest: Vec<u8>,
    done: bool,
}

impl Read for FrameReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() && !self.done {
            self.rest = self.receiver.recv().unwrap_or_default();
            self.done = self.rest.is_empty();
        }
        let length = self.rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.rest[..length]);
        self.rest.drain(..length);
        Ok(length)
    }
}

struct FrameWriter {
    stream: Arc<Mutex<UnixStream>>,
    kind: u8,
}

impl Write for FrameWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = buffer.len().min(FRAME_BYTES_MAX as usize);
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        send(&mut *stream, self.kind, &buffer[..length])?;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
