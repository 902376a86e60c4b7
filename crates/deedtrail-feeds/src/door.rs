//! The way of a listener's messages into the log.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::figures::ListenerCounters;
use deedtrail_app::intake::{IngestError, KeyMaker, Shipped, SyslogMessage};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::log::AppendError;
use tokio::sync::Semaphore;

use crate::limits::{BATCH_BYTES_MAX, BATCH_MESSAGES_MAX, LAST_APPEND_TIME_MAX, RETRY_PAUSE_MAX};
use crate::stop::Stop;
use crate::unheard::Unheard;

/// First pause before an append is tried again.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(20);

/// Where the messages of one listener go.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) app: Arc<App>,
    pub(crate) principal: Principal,
    /// Records wait as of it of which no source can be told.
    pub(crate) protocol: SourceName,
    /// Source of everything that comes, where the operator names one.
    pub(crate) source: Option<SourceName>,
    pub(crate) counters: Arc<ListenerCounters>,
    /// Appends under way, over all listeners.
    pub(crate) appends: Arc<Semaphore>,
    /// Large messages being received, over all listeners.
    pub(crate) large: Arc<Semaphore>,
    /// What senders may send again, over all listeners.
    pub(crate) unheard: Unheard,
    pub(crate) stop: Stop,
}

/// Messages that are appended together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) messages: Vec<Vec<u8>>,
    bytes: usize,
}

impl Batch {
    pub(crate) fn push(&mut self, message: Vec<u8>) {
        self.bytes += message.len();
        self.messages.push(message);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.messages.len() >= BATCH_MESSAGES_MAX || self.bytes >= BATCH_BYTES_MAX
    }
}

/// What became of one message: durable, or refused with a reason.
pub(crate) type Answer = Result<(), String>;

/// The listener ended before the log took the messages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Untaken;

impl Door {
    /// Appends, and returns after everything is durable: one answer for each message. Waits as long
    /// as the log takes nothing.
    pub(crate) async fn append(
        &self,
        batch: Batch,
        keys: &mut KeyMaker,
    ) -> Result<Vec<Answer>, Untaken> {
        let count = batch.messages.len();
        let messages: Arc<[Vec<u8>]> = batch.messages.into();
        let taken = self.append_range(&messages, 0..count, keys).await?;
        if let Some(error) = taken {
            tracing::warn!(listener = %self.principal.name, %error, "a batch is taken in one by one");
            let mut answers = Vec::with_capacity(count);
            for place in 0..count {
                let taken = self.append_range(&messages, place..place + 1, keys).await?;
                answers.push(taken.map_or(Ok(()), |error| Err(error.to_string())));
            }
            self.count(&messages, &answers);
            return Ok(answers);
        }
        let answers = vec![Ok(()); count];
        self.count(&messages, &answers);
        Ok(answers)
    }

    /// `Some` when the range cannot be taken as it is, however often it is tried.
    async fn append_range(
        &self,
        messages: &Arc<[Vec<u8>]>,
        range: std::ops::Range<usize>,
        keys: &mut KeyMaker,
    ) -> Result<Option<IngestError>, Untaken> {
        let given_up = async {
            self.stop.requested().await;
            tokio::time::sleep(LAST_APPEND_TIME_MAX).await;
        };
        let mut given_up = std::pin::pin!(given_up);
        let mut pause = RETRY_PAUSE_MIN;
        loop {
            // What a failed attempt has counted must not count for the next.
            let mut attempt_keys = keys.clone();
            let door = self.clone();
            let (all, range) = (Arc::clone(messages), range.clone());
            let turn = self.appends.acquire().await.map_err(|_| Untaken)?;
            let task = tokio::task::spawn_blocking(move || {
                let taken = door.ingest(&all[range], &mut attempt_keys);
                (taken, attempt_keys)
            });
            let (taken, after) = task.await.map_err(|error| {
                tracing::error!(%error, "an append ended without an answer");
                Untaken
            })?;
            drop(turn);
            match taken {
                Ok(()) => {
                    *keys = after;
                    return Ok(None);
                }
                Err(error) if !is_passing(&error) => return Ok(Some(error)),
                Err(error) => {
                    if pause < RETRY_PAUSE_MAX && pause * 2 >= RETRY_PAUSE_MAX {
                        tracing::warn!(
                            listener = %self.principal.name, %error,
                            "the log takes nothing; senders wait"
                        );
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = RETRY_PAUSE_MAX.min(pause * 2),
                () = &mut given_up => return Err(Untaken),
            }
        }
    }

    /// Blocks until the messages are durable.
    fn ingest(&self, messages: &[Vec<u8>], keys: &mut KeyMaker) -> Result<(), IngestError> {
        let shipped = messages.iter().zip(1..).map(|(message, line)| Shipped {
            line,
            labels: self.labels(message),
            id: None,
            bytes: Cow::Borrowed(message),
            around: None,
        });
        let shipped = shipped.collect();
        let (app, principal) = (&self.app, &self.principal);
        let taken = app.ingest_shipped_part(principal, &self.protocol, shipped, keys);
        taken.map(drop)
    }

    fn labels(&self, message: &[u8]) -> Vec<String> {
        let label = match &self.source {
            Some(source) => Some(source.to_string()),
            None => SyslogMessage::read(message)
                .and_then(|message| message.label)
                .map(str::to_owned),
        };
        label.into_iter().collect()
    }

    fn count(&self, messages: &[Vec<u8>], answers: &[Answer]) {
        for (message, answer) in messages.iter().zip(answers) {
            match answer {
                Ok(()) => {
                    self.counters.records.fetch_add(1, Relaxed);
                    let bytes = message.len() as u64;
                    self.counters.bytes.fetch_add(bytes, Relaxed);
                }
                Err(reason) => self.refuse("a batch", message.len() as u64, reason),
            }
        }
    }

    /// Counts a message that is refused, and says so: of many, the 1st, 2nd, 4th, 8th …
    pub(crate) fn refuse(&self, peer: impl std::fmt::Display, bytes: u64, reason: &str) {
        let number = self.counters.refused.fetch_add(1, Relaxed) + 1;
        self.app.counters.refused.fetch_add(1, Relaxed);
        if number.is_power_of_two() {
            let listener = &self.principal.name;
            tracing::warn!(%listener, %peer, bytes, number, "a message was refused: {reason}");
        }
    }

    /// Counts a connection or datagram that may not be, and says so, as often as [`Self::refuse`].
    pub(crate) fn deny(&self, peer: impl std::fmt::Display, reason: impl std::fmt::Display) {
        let number = self.counters.denied.fetch_add(1, Relaxed) + 1;
        if number.is_power_of_two() {
            let listener = &self.principal.name;
            tracing::warn!(%listener, %peer, number, "a sender was turned away: {reason}");
        }
    }
}

/// Whether the same messages may be taken later.
fn is_passing(error: &IngestError) -> bool {
    match error {
        IngestError::Append(AppendError::OverLimit { .. })
        | IngestError::Frame(_)
        | IngestError::Denied(_) => false,
        IngestError::Append(_) => true,
    }
}
