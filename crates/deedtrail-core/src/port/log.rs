//! The evidence log: append-only, durable before acknowledged, provable.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::id::{SourceName, TenantId};
use crate::time::Timestamp;

/// Place of an entry in one log; the first is 0 and there are no gaps.
pub type Sequence = u64;

/// What an entry is. Everything detection may depend on is an entry (see ARCHITECTURE.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum EntryKind {
    /// A vendor's record as received.
    Record = 1,
    /// A record that could not be mapped; `note` is the reason.
    Quarantined = 2,
    /// A heartbeat of our clock, so that absence can be noticed on a quiet feed.
    Tick = 3,
    /// A change of rules, mappings, settings, imports or lookup files; `note` names it.
    Configuration = 4,
    /// Replay of a quarantined record after its mapping was fixed; `note` is its sequence.
    Remap = 5,
    /// An action of one of our own users or tokens.
    Audit = 6,
}

/// Retention and sensitivity class of a part; parts are sealed apart once sealing is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum PartClass {
    Plain = 0,
    Personal = 1,
    Url = 2,
    Secret = 3,
    ToolArguments = 4,
}

/// Whether secrets and tool arguments go into what leaves the product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// Their hashes and lengths only.
    #[default]
    Withheld,
    /// Everything as it was received.
    Included,
}

/// One piece of a record. Concatenating the parts in order gives the record's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub class: PartClass,
    /// 0 = not sealed.
    pub key_id: u32,
    pub bytes: Vec<u8>,
}

/// An entry before it has a place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    pub kind: EntryKind,
    pub tenant: TenantId,
    /// `None` for ticks, configuration and audit entries.
    pub source: Option<SourceName>,
    pub received: Timestamp,
    /// Key under which a retry finds the first copy; `None` switches duplicate control off (ticks).
    /// The vendor's id, else content hash + occurrence number within the delivery (≤ 512 bytes).
    pub idempotency_key: Option<Text>,
    /// Reason of quarantine, name of the configuration, sequence that is remapped … (≤ 4 KiB).
    pub note: Text,
    pub parts: Vec<Part>,
}

/// An entry with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    pub sequence: Sequence,
    pub entry: NewEntry,
    /// Same idempotency key as an earlier entry, other content: kept and flagged.
    pub id_conflict: bool,
    /// 0 for the first content under an idempotency key, 1 for the second …
    pub revision: u32,
}

impl StoredEntry {
    /// The record's bytes, parts joined in order.
    pub fn bytes(&self) -> std::borrow::Cow<'_, [u8]> {
        match self.entry.parts.as_slice() {
            [only] => std::borrow::Cow::Borrowed(&only.bytes),
            many => many
                .iter()
                .flat_map(|p| p.bytes.iter().copied())
                .collect::<Vec<u8>>()
                .into(),
        }
    }
}

/// What became of one entry of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Accepted(Sequence),
    /// Same key and content as the entry at this sequence; nothing was written.
    Duplicate(Sequence),
    /// Same key, other content: written, flagged.
    IdConflict(Sequence),
}

impl Outcome {
    /// Where the entry is, or the one it is a copy of.
    pub const fn sequence(&self) -> Sequence {
        match *self {
            Self::Accepted(at) | Self::Duplicate(at) | Self::IdConflict(at) => at,
        }
    }
}

/// Signed promise that a batch is durable. JSON is the form callers get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub log_origin: String,
    pub batch: u64,
    /// Sequences of the batch that belong to this caller: first and count.
    pub first_sequence: Sequence,
    pub count: u64,
    /// RFC 6962 root over the batch's records, hex.
    pub batch_root: String,
    /// Ed25519 over the canonical receipt text (docs/reference/evidence-format.md), base64.
    pub signature: String,
}

/// Answer to a durable append: one outcome per entry, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    pub outcomes: Vec<Outcome>,
    /// `None` when every entry was a duplicate.
    pub receipt: Option<Receipt>,
}

#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error("the append queue is full; retry in {retry_after_s} s")]
    Busy { retry_after_s: u32 },
    #[error("the disk is full; free space under {folder}, the log resumes by itself")]
    DiskFull { folder: String },
    #[error("the log is read-only: {reason}")]
    ReadOnly { reason: String },
    #[error("entry {index} is over a limit: {reason}")]
    OverLimit { index: usize, reason: String },
    #[error("the log failed and stopped acknowledging: {reason}; restart the server to recover")]
    Failed { reason: String },
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("entry {0} does not exist")]
    Missing(Sequence),
    #[error(
        "entries {first}..={last} are damaged: {reason}; restore this segment from a backup, or the whole folder when it is the log's newest"
    )]
    Damaged {
        first: Sequence,
        last: Sequence,
        reason: String,
    },
    #[error("cannot read {path}: {source}")]
    Io {
        path: String,
        source: std::io::Error,
    },
}

/// Proof that one entry is in the log, ready to be shown or written to a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryProof {
    pub sequence: Sequence,
    pub leaf_hash: String,
    /// Path from the entry to the batch root, hex, leaf upwards.
    pub inner_path: Vec<String>,
    pub index_in_batch: u64,
    pub batch: u64,
    /// The batch header the outer log commits to, base64.
    pub batch_header: String,
    /// C2SP tlog-proof of the batch header.
    pub tlog_proof: String,
}

/// One append-only log. Implementations are safe to share between threads.
pub trait EvidenceLog: Send + Sync + std::fmt::Debug {
    /// Origin line of the log's checkpoints.
    fn origin(&self) -> &str;
    /// Appends and returns after the entries are durable (`fdatasync`), never before.
    fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, AppendError>;
    /// One past the newest durable sequence.
    fn end(&self) -> Sequence;
    /// Entries from `from` on, in order, until about `bytes_max` bytes; empty at the end.
    fn read(&self, from: Sequence, bytes_max: usize) -> Result<Vec<StoredEntry>, ReadError>;
    /// Waits until `end() > sequence` or `timeout` has passed; returns `end()`.
    fn wait_past(&self, sequence: Sequence, timeout: Duration) -> Sequence;
    /// Proof of one entry against the newest checkpoint.
    fn prove(&self, sequence: Sequence) -> Result<EntryProof, ReadError>;
    /// Newest signed checkpoint (C2SP tlog-checkpoint text).
    fn checkpoint(&self) -> String;
    /// Public key as a C2SP signed-note verifier key (`name+hash+key`).
    fn verifier_key(&self) -> String;
    /// Space the entries take as stored, bytes.
    fn stored_bytes(&self) -> Result<u64, ReadError>;
    /// `None` when healthy, else what is wrong and which entries are affected.
    fn damage(&self) -> Option<String>;
    /// Why appends are refused at present (also when the newest one was, for want of space);
    /// `None` when they are taken.
    fn refusal(&self) -> Option<AppendError>;
}
