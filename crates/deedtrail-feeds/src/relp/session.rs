//! One RELP session: answers follow the append, in the order of what they answer.

use std::net::SocketAddr;
use std::sync::Arc;

use deedtrail_app::intake::KeyMaker;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::{Frame, Framer};
use crate::door::{Answer, Batch, Door};
use crate::limits::{
    MESSAGE_BYTES_MAX, MESSAGE_TIME_MAX, SENT_AGAIN_TIME_MAX, SMALL_MESSAGE_BYTES,
};
use crate::pace::{Connection, Ended, Read, Reader};

/// What the server can do, as the answer to `open`.
const OFFERS: &str = "200 OK\nrelp_version=0\nrelp_software=deedtrail\ncommands=syslog";
/// Longest text of an answer, characters (librelp reads no more).
const TEXT_CHARS_MAX: usize = 80;
/// Tells the client that the server is about to close.
const SERVER_CLOSE: &[u8] = b"0 serverclose 0\n";

/// The peer said that it is done, and has seen every answer.
const CLOSED: &str = "closed";

/// Takes messages from a connection until it ends.
pub(crate) async fn serve(connection: Box<dyn Connection>, peer: SocketAddr, door: Door) {
    let listener = &door.principal.name;
    let keys = door.unheard.keys_of_session(&door.app, listener, peer.ip());
    let mut session = Session {
        reader: Reader::new(connection, door.stop.clone()),
        framer: Framer::default(),
        batch: Batch::default(),
        owed: Vec::new(),
        is_open: false,
        keys,
        begun: Instant::now(),
        large: None,
        peer,
        door,
    };
    let ended = session.run().await;
    let keys = (ended != CLOSED).then_some(&session.keys);
    let from = (&*session.door.principal.name, peer.ip());
    session.door.unheard.leave(from, session.begun, keys);
    session.reader.close().await;
    tracing::debug!(listener = %session.door.principal.name, %peer, ended, "a session ended");
}

struct Session {
    reader: Reader,
    framer: Framer,
    batch: Batch,
    /// Answers that are due after the append, in order.
    owed: Vec<(u32, Owed)>,
    is_open: bool,
    keys: KeyMaker,
    begun: Instant,
    /// Held while a large message is being received.
    large: Option<OwnedSemaphorePermit>,
    peer: SocketAddr,
    door: Door,
}

enum Owed {
    /// What becomes of the next message of the batch.
    Message,
    Text(String),
    Close,
}

impl Session {
    async fn run(&mut self) -> &'static str {
        loop {
            let ended = self.gather().await;
            let is_closing = matches!(self.owed.last(), Some((_, Owed::Close)));
            if !self.settle().await {
                return "its messages or their answers were not taken";
            }
            self.reader.resume();
            if self.framer.held_bytes() <= SMALL_MESSAGE_BYTES {
                self.large = None;
            }
            match ended {
                _ if is_closing => return CLOSED,
                None => {}
                Some(Ended::Closed) => return "its connection was closed",
                Some(Ended::CutOff(reason)) => return reason,
                Some(Ended::Idle | Ended::Stopped) => {
                    self.reader.answer(SERVER_CLOSE).await;
                    return "closed here";
                }
            }
        }
    }

    /// Reads until an answer is due and nothing more is there, or the batch is full.
    async fn gather(&mut self) -> Option<Ended> {
        let mut batch_ends = None;
        while !self.batch.is_full() && !matches!(self.owed.last(), Some((_, Owed::Close))) {
            match self.reader.read(batch_ends).await {
                Read::Bytes(bytes) => {
                    if let Err(reason) = self.take(bytes) {
                        self.door.deny(self.peer, reason);
                        return Some(Ended::CutOff(reason));
                    }
                }
                Read::Waited => return None,
                Read::Ended(ended) => return Some(ended),
            }
            if self.framer.held_bytes() > SMALL_MESSAGE_BYTES && !self.make_room().await {
                return Some(Ended::CutOff("too many large messages at a time"));
            }
            if batch_ends.is_none() && !self.owed.is_empty() {
                batch_ends = Some(Instant::now());
            }
        }
        None
    }

    fn take(&mut self, bytes: usize) -> Result<(), &'static str> {
        let mut frames = Vec::new();
        let taken = self.framer.push(self.reader.chunk(bytes), &mut frames);
        self.reader
            .note(self.framer.is_within(), !frames.is_empty());
        for frame in frames {
            self.take_frame(frame)?;
        }
        taken.map_err(|broken| broken.0)
    }

    fn take_frame(&mut self, frame: Frame) -> Result<(), &'static str> {
        let owed = match (frame.command.as_str(), frame.data) {
            ("open", _) if !self.is_open => {
                self.is_open = true;
                Owed::Text(OFFERS.to_owned())
            }
            _ if !self.is_open => return Err("`open` was expected first"),
            _ if matches!(self.owed.last(), Some((_, Owed::Close))) => return Ok(()),
            ("syslog", Ok(message)) => {
                self.batch.push(message);
                Owed::Message
            }
            ("close", _) => Owed::Close,
            (_, Err(bytes)) => {
                let reason = format!("over {MESSAGE_BYTES_MAX} bytes");
                self.door.refuse(self.peer, bytes as u64, &reason);
                Owed::Text(refusal(&reason))
            }
            _ => Owed::Text(refusal("the command is not supported")),
        };
        self.owed.push((frame.transaction, owed));
        Ok(())
    }

    /// Appends what was gathered, then answers; false when the session cannot go on.
    async fn settle(&mut self) -> bool {
        let batch = std::mem::take(&mut self.batch);
        if self.begun.elapsed() > SENT_AGAIN_TIME_MAX {
            self.keys.expect_new();
        }
        let answers = if batch.is_empty() {
            Vec::new()
        } else {
            let Ok(answers) = self.door.append(batch, &mut self.keys).await else {
                return false;
            };
            answers
        };
        let mut answers = answers.into_iter();
        let mut text = Vec::new();
        for (transaction, owed) in self.owed.drain(..) {
            let answer = match owed {
                Owed::Message => spoken(answers.next()),
                Owed::Text(text) => text,
                Owed::Close => String::new(),
            };
            let space = if answer.is_empty() { "" } else { " " };
            let length = answer.len();
            text.extend(format!("{transaction} rsp {length}{space}{answer}\n").into_bytes());
        }
        text.is_empty() || self.reader.answer(&text).await
    }

    /// Waits for one of the places for large messages.
    async fn make_room(&mut self) -> bool {
        if self.large.is_none() {
            let places = Arc::clone(&self.door.large);
            let place = timeout(MESSAGE_TIME_MAX, places.acquire_owned()).await;
            self.large = place.ok().and_then(Result::ok);
        }
        self.large.is_some()
    }
}

fn spoken(answer: Option<Answer>) -> String {
    match answer {
        Some(Ok(())) => "200 OK".to_owned(),
        Some(Err(reason)) => refusal(&reason),
        None => refusal("it was not taken"),
    }
}

/// Everything on one line: what comes after it would be data.
fn refusal(reason: &str) -> String {
    let text = format!("500 {reason}");
    let line = text
        .chars()
        .map(|c| if c.is_ascii_graphic() { c } else { ' ' });
    line.take(TEXT_CHARS_MAX).collect()
}
