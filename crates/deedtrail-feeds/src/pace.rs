//! Reading from a connection within the limits of time.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until, timeout};

use crate::limits::{ANSWER_TIME_MAX, FAREWELL_TIME_MAX, IDLE_TIME_MAX, MESSAGE_TIME_MAX};
use crate::stop::Stop;

/// Most bytes taken from a connection at a time.
const CHUNK_BYTES: usize = 32 << 10;

/// A connection, encrypted or not.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

pub(crate) struct Reader {
    connection: Box<dyn Connection>,
    chunk: Box<[u8]>,
    stop: Stop,
    /// Since when a message is under way.
    begun: Option<Instant>,
    /// When reading ends after our side was closed.
    farewell: Option<Instant>,
}

/// What came of waiting for more.
#[derive(Debug)]
pub(crate) enum Read {
    /// This many bytes are in [`Reader::chunk`].
    Bytes(usize),
    /// Nothing more within the time that the batch may wait.
    Waited,
    Ended(Ended),
}

/// Why nothing more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The peer closed its side in order.
    Closed,
    /// The connection is gone, or is given up.
    CutOff(&'static str),
    /// Silence between messages.
    Idle,
    /// Shutdown was asked for.
    Stopped,
}

impl Reader {
    pub(crate) fn new(connection: Box<dyn Connection>, stop: Stop) -> Self {
        Self {
            connection,
            chunk: vec![0; CHUNK_BYTES].into(),
            stop,
            begun: None,
            farewell: None,
        }
    }

    pub(crate) fn chunk(&self, bytes: usize) -> &[u8] {
        &self.chunk[..bytes]
    }

    /// Says after each piece of the stream whether a message is under way, and whether it is
    /// another than before.
    pub(crate) fn note(&mut self, is_within: bool, is_another: bool) {
        if !is_within {
            self.begun = None;
        } else if is_another || self.begun.is_none() {
            self.begun = Some(Instant::now());
        }
    }

    /// Starts the time of a message under way anew: it was not the peer who kept it waiting.
    pub(crate) fn resume(&mut self) {
        self.begun = self.begun.map(|_| Instant::now());
    }

    /// Waits for more: until `batch_ends` where messages wait for their append, else as long as
    /// the peer may take.
    pub(crate) async fn read(&mut self, batch_ends: Option<Instant>) -> Read {
        let (limit, at_limit) = self.limit(batch_ends);
        let stop = self.stop.clone();
        let parting = self.farewell.is_some();
        tokio::select! {
            biased;
            read = self.connection.read(&mut self.chunk) => match read {
                Ok(0) => Read::Ended(Ended::Closed),
                Ok(bytes) => Read::Bytes(bytes),
                Err(_) => Read::Ended(Ended::CutOff("the connection broke")),
            },
            () = sleep_until(limit) => at_limit,
            () = stop.requested(), if !parting => Read::Ended(Ended::Stopped),
        }
    }

    fn limit(&self, batch_ends: Option<Instant>) -> (Instant, Read) {
        let (limit, at_limit) = match (batch_ends, self.begun) {
            (Some(batch_ends), _) => (batch_ends, Read::Waited),
            (None, Some(begun)) => {
                let slow = Ended::CutOff("a message took too long");
                (begun + MESSAGE_TIME_MAX, Read::Ended(slow))
            }
            (None, None) => (Instant::now() + IDLE_TIME_MAX, Read::Ended(Ended::Idle)),
        };
        match self.farewell {
            Some(farewell) if farewell <= limit => {
                (farewell, Read::Ended(Ended::CutOff("it was closed here")))
            }
            _ => (limit, at_limit),
        }
    }

    /// Closes our side; what is under way from the other is read for [`FAREWELL_TIME_MAX`].
    pub(crate) async fn part(&mut self) {
        self.farewell = Some(Instant::now() + FAREWELL_TIME_MAX);
        // A peer that is gone already needs no farewell.
        drop(timeout(FAREWELL_TIME_MAX, self.connection.shutdown()).await);
    }

    /// Sends an answer; false when the peer does not take it within [`ANSWER_TIME_MAX`].
    pub(crate) async fn answer(&mut self, bytes: &[u8]) -> bool {
        let written = async {
            self.connection.write_all(bytes).await?;
            self.connection.flush().await
        };
        matches!(timeout(ANSWER_TIME_MAX, written).await, Ok(Ok(())))
    }

    /// Closes our side after the last answer.
    pub(crate) async fn close(&mut self) {
        drop(timeout(Duration::from_secs(1), self.connection.shutdown()).await);
    }
}
