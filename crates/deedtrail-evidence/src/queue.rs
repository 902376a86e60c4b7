//! Appends on their way to the writer: encoded by their callers, bounded, answered once durable.

use std::collections::VecDeque;
use std::ops::Range;

use deedtrail_core::limits::{BATCH_RECORDS_MAX, REQUEST_BYTES_MAX};
use deedtrail_core::port::log::{AppendError, NewEntry, Outcome, Sequence};

use crate::batch::{BlockWriter, Compressors};
use crate::limits::{COMMIT_BYTES, QUEUE_APPENDS_MAX, QUEUE_BYTES_MAX};
use crate::locked;
use crate::merkle::Hash;
use crate::record;
use crate::sync::mpsc::SyncSender;
use crate::sync::{Condvar, Mutex, PoisonError};

/// Appends of at least this many bytes are compressed by their caller, smaller ones together by
/// the writer.
const OWN_BLOCKS_BYTES: usize = 32 << 10;

/// Bytes of heads reserved for each part; a longer head makes the buffer grow.
const PART_BYTES_GUESS: usize = 128;

/// What callers are told when the writer's thread ended before it answered them.
pub(crate) const WRITER_GONE: &str = "the log's writer ended unexpectedly";

/// One entry of a prepared append.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub record: Range<usize>,
    pub leaf: Hash,
    /// Key and content print; `None` without an idempotency key.
    pub prints: Option<(u128, u128)>,
    pub received_us: i64,
}

/// An append, encoded and hashed.
#[derive(Debug)]
pub(crate) struct Append {
    pub records: Vec<u8>,
    pub entries: Vec<Prepared>,
    /// The records as blocks, when they were worth blocks of their own.
    pub blocks: Option<Vec<u8>>,
}

impl Append {
    pub(crate) fn prepare(
        entries: &[NewEntry],
        compressors: &Compressors,
    ) -> Result<Self, AppendError> {
        if entries.len() > BATCH_RECORDS_MAX {
            let reason = format!("an append has at most {BATCH_RECORDS_MAX} entries");
            return Err(AppendError::OverLimit {
                index: BATCH_RECORDS_MAX,
                reason,
            });
        }
        let bytes = entries
            .iter()
            .flat_map(|entry| &entry.parts)
            .map(|part| part.bytes.len() + PART_BYTES_GUESS)
            .sum::<usize>();
        let mut append = Self {
            records: Vec::with_capacity(bytes.min(REQUEST_BYTES_MAX)),
            entries: Vec::with_capacity(entries.len()),
            blocks: None,
        };
        for (index, entry) in entries.iter().enumerate() {
            let start = append.records.len();
            let encoded = record::encode(entry, &mut append.records)
                .map_err(|reason| AppendError::OverLimit { index, reason })?;
            if append.records.len() > REQUEST_BYTES_MAX {
                let reason = format!("an append has at most {REQUEST_BYTES_MAX} bytes");
                return Err(AppendError::OverLimit { index, reason });
            }
            let key = entry.idempotency_key.as_deref();
            let key = key.map(|key| record::key_print(&entry.tenant, entry.source.as_ref(), key));
            append.entries.push(Prepared {
                record: start..append.records.len(),
                leaf: encoded.leaf,
                prints: key.map(|key| (key, encoded.content)),
                received_us: entry.received.as_micros(),
            });
        }
        if append.records.len() >= OWN_BLOCKS_BYTES {
            let mut blocks = BlockWriter::default();
            for entry in &append.entries {
                blocks.push(&append.records[entry.record.clone()], compressors);
            }
            blocks.flush(compressors);
            append.blocks = Some(blocks.out);
        }
        Ok(append)
    }
}

/// What the writer answers once a commit is durable.
#[derive(Debug)]
pub(crate) struct Committed {
    pub outcomes: Vec<Outcome>,
    /// What the receipt is about; `None` when nothing of the append was written.
    pub written: Option<Written>,
}

/// The part of a batch that belongs to one append.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub batch: u64,
    pub root: Hash,
    pub first_sequence: Sequence,
    pub count: u64,
}

/// Why a commit was refused; shared by all its appends.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    DiskFull { folder: String },
    ReadOnly { reason: String },
    Failed { reason: String },
}

impl Refusal {
    pub(crate) fn to_error(&self) -> AppendError {
        match self.clone() {
            Self::DiskFull { folder } => AppendError::DiskFull { folder },
            Self::ReadOnly { reason } => AppendError::ReadOnly { reason },
            Self::Failed { reason } => AppendError::Failed { reason },
        }
    }
}

/// An append and who waits for it.
#[derive(Debug)]
pub(crate) struct Request {
    pub append: Append,
    pub reply: SyncSender<Result<Committed, Refusal>>,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: VecDeque<Request>,
    bytes: usize,
    /// Holds for every append from now on.
    refusal: Option<Refusal>,
    /// What the newest commit was refused with; the next one may succeed.
    setback: Option<Refusal>,
    is_closing: bool,
}

impl Waiting {
    /// Takes the appends of the next commit.
    fn next_commit(&mut self) -> Vec<Request> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while let Some(next) = self.requests.front() {
            let next = next.append.records.len();
            if bytes > 0 && bytes + next > COMMIT_BYTES {
                break;
            }
            bytes += next;
            taken.extend(self.requests.pop_front());
        }
        self.bytes -= bytes;
        taken
    }
}

/// The queue between callers and the writer.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

impl Queue {
    pub(crate) fn push(&self, request: Request) -> Result<(), AppendError> {
        let mut waiting = locked(&self.waiting);
        if let Some(refusal) = &waiting.refusal {
            return Err(refusal.to_error());
        }
        let bytes = waiting.bytes + request.append.records.len();
        let is_full = waiting.requests.len() >= QUEUE_APPENDS_MAX
            || (bytes > QUEUE_BYTES_MAX && !waiting.requests.is_empty());
        if is_full {
            return Err(AppendError::Busy { retry_after_s: 1 });
        }
        waiting.bytes = bytes;
        waiting.requests.push_back(request);
        drop(waiting);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits for appends and takes those of the next commit; empty once closed and drained.
    pub(crate) fn take(&self) -> Vec<Request> {
        let mut waiting = locked(&self.waiting);
        while waiting.requests.is_empty() && !waiting.is_closing {
            waiting = self
                .filled
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        waiting.next_commit()
    }

    /// The appends of the next commit; `None` when nothing waits.
    #[cfg(feature = "simulation")]
    pub(crate) fn take_waiting(&self) -> Option<Vec<Request>> {
        let taken = locked(&self.waiting).next_commit();
        (!taken.is_empty()).then_some(taken)
    }

    /// From now on every append is refused for this reason: the first, but that a failure takes the place
    /// of others.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        let known = &mut locked(&self.waiting).refusal;
        match (&*known, &refusal) {
            (None, _) | (Some(Refusal::ReadOnly { .. }), Refusal::Failed { .. }) => {
                *known = Some(refusal);
            }
            _ => {}
        }
    }

    pub(crate) fn refusal(&self) -> Option<Refusal> {
        locked(&self.waiting).refusal.clone()
    }

    /// Remembers how the newest commit ended.
    pub(crate) fn ended(&self, setback: Option<Refusal>) {
        locked(&self.waiting).setback = setback;
    }

    /// What an append would probably be refused with at present.
    pub(crate) fn present_refusal(&self) -> Option<Refusal> {
        let waiting = locked(&self.waiting);
        waiting.refusal.clone().or_else(|| waiting.setback.clone())
    }

    /// The writer is gone: whoever waits is told, and nobody waits any more.
    pub(crate) fn abandon(&self) {
        let mut waiting = locked(&self.waiting);
        waiting.refusal.get_or_insert(Refusal::Failed {
            reason: WRITER_GONE.to_owned(),
        });
        // Their callers hear of it by the dropped reply.
        waiting.requests.clear();
        waiting.bytes = 0;
    }

    /// Lets the writer finish what waits and then stop.
    pub(crate) fn close(&self) {
        let mut waiting = locked(&self.waiting);
        waiting.is_closing = true;
        waiting.refusal.get_or_insert(Refusal::ReadOnly {
            reason: "the log is closed".into(),
        });
        drop(waiting);
        self.filled.notify_all();
    }
}
