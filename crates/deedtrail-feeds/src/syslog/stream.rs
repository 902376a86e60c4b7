//! Syslog on a connection: no answers, so the sender is slowed down by not being read.

use std::net::SocketAddr;

use deedtrail_app::intake::KeyMaker;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::{Framer, Piece};
use crate::door::{Batch, Door};
use crate::limits::{BATCH_WAIT_MAX, MESSAGE_BYTES_MAX, MESSAGE_TIME_MAX, SMALL_MESSAGE_BYTES};
use crate::pace::{Connection, Ended, Read, Reader};
use crate::unheard::keys_of_stream;

/// Takes messages from a connection until it ends.
pub(crate) async fn serve(connection: Box<dyn Connection>, peer: SocketAddr, door: Door) {
    let mut stream = Stream {
        reader: Reader::new(connection, door.stop.clone()),
        framer: Framer::default(),
        batch: Batch::default(),
        keys: keys_of_stream(&door.app, &door.principal.name),
        large: None,
        peer,
        door,
    };
    let ended = stream.run().await;
    tracing::debug!(listener = %stream.door.principal.name, %peer, ended, "a connection ended");
}

struct Stream {
    reader: Reader,
    framer: Framer,
    batch: Batch,
    keys: KeyMaker,
    /// Held while a large message is being received.
    large: Option<OwnedSemaphorePermit>,
    peer: SocketAddr,
    door: Door,
}

impl Stream {
    async fn run(&mut self) -> &'static str {
        let mut is_parting = false;
        loop {
            let ended = self.gather().await;
            let batch = std::mem::take(&mut self.batch);
            let count = batch.messages.len();
            if count > 0 && self.door.append(batch, &mut self.keys).await.is_err() {
                let (listener, peer) = (&self.door.principal.name, self.peer);
                tracing::error!(%listener, %peer, count, "messages are lost: the log took none of them before the end");
                return "the log took nothing";
            }
            self.reader.resume();
            if self.framer.held_bytes() <= SMALL_MESSAGE_BYTES {
                self.large = None;
            }
            match ended {
                None => {}
                Some(Ended::Idle | Ended::Stopped) if !is_parting => {
                    is_parting = true;
                    self.reader.part().await;
                }
                Some(Ended::Closed) => return "closed",
                Some(Ended::CutOff(reason)) => return reason,
                Some(Ended::Idle | Ended::Stopped) => return "closed here",
            }
        }
    }

    /// Reads until there is something to append and nothing more comes, or the batch is full.
    async fn gather(&mut self) -> Option<Ended> {
        let mut batch_ends = None;
        while !self.batch.is_full() {
            match self.reader.read(batch_ends).await {
                Read::Bytes(bytes) => self.take(bytes),
                Read::Waited => return None,
                Read::Ended(ended) => {
                    self.end(ended);
                    return Some(ended);
                }
            }
            if self.framer.held_bytes() > SMALL_MESSAGE_BYTES && !self.make_room().await {
                return Some(Ended::CutOff("too many large messages at a time"));
            }
            if batch_ends.is_none() && !self.batch.is_empty() {
                batch_ends = Some(Instant::now() + BATCH_WAIT_MAX);
            }
        }
        None
    }

    fn take(&mut self, bytes: usize) {
        let mut pieces = Vec::new();
        self.framer.push(self.reader.chunk(bytes), &mut pieces);
        self.reader
            .note(self.framer.is_within(), !pieces.is_empty());
        for piece in pieces {
            self.take_piece(piece);
        }
    }

    fn take_piece(&mut self, piece: Piece) {
        match piece {
            Piece::Message(message) => self.batch.push(message),
            Piece::TooLong(bytes) => {
                let reason = format!("over {MESSAGE_BYTES_MAX} bytes");
                self.door.refuse(self.peer, bytes, &reason);
            }
            Piece::Incomplete(bytes) => self.door.refuse(self.peer, bytes, "it came in part"),
        }
    }

    /// What is left when nothing more comes: a last line without its end is a message only where
    /// the sender ended in order.
    fn end(&mut self, ended: Ended) {
        let left = match ended {
            Ended::Idle | Ended::Stopped => None,
            Ended::Closed | Ended::CutOff(_) => self.framer.end(),
        };
        match left {
            Some(Piece::Message(line)) if ended != Ended::Closed => {
                self.take_piece(Piece::Incomplete(line.len() as u64));
            }
            left => left.into_iter().for_each(|piece| self.take_piece(piece)),
        }
    }

    /// Waits for one of the places for large messages.
    async fn make_room(&mut self) -> bool {
        if self.large.is_none() {
            let places = std::sync::Arc::clone(&self.door.large);
            let place = timeout(MESSAGE_TIME_MAX, places.acquire_owned()).await;
            self.large = place.ok().and_then(Result::ok);
        }
        self.large.is_some()
    }
}
