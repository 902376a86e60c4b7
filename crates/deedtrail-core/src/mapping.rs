//! What a source's mapping returns for one record.

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::event::MappedEvent;

/// A record that was understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MappedRecord {
    /// The vendor's own id of the record, if it has one: the idempotency key.
    pub source_uid: Option<Text>,
    /// Hash of the mapping that made this, hex.
    pub mapping_version: Text,
    /// At least one.
    pub events: Vec<MappedEvent>,
}

/// Where one event's fields come from: canonical field and a path of the raw record, in the order
/// of the mapping. A field made of several values has several rows; a constant has none.
pub type FieldPaths = Vec<(String, String)>;

/// Why a record is quarantined. The text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum MapError {
    #[error("not JSON at byte {offset}: {detail}")]
    NotJson { offset: usize, detail: String },
    #[error("not valid UTF-8 at byte {offset}")]
    NotUtf8 { offset: usize },
    #[error("nested deeper than {limit} levels")]
    TooDeep { limit: usize },
    #[error("duplicate key `{key}`")]
    DuplicateKey { key: String },
    #[error("`{field}` is out of range: {detail}")]
    OutOfRange { field: String, detail: String },
    #[error("not a record of {source_name}: {detail}")]
    WrongSource { source_name: String, detail: String },
    #[error("more than {limit} events in one record")]
    TooManyEvents { limit: usize },
    #[error("no source is called `{source_name}`; `deedtrail source list` shows them all")]
    UnknownSource { source_name: String },
}

impl MapError {
    /// Short stable name for counters and the quarantine view.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotJson { .. } => "not_json",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::TooDeep { .. } => "too_deep",
            Self::DuplicateKey { .. } => "duplicate_key",
            Self::OutOfRange { .. } => "out_of_range",
            Self::WrongSource { .. } => "wrong_source",
            Self::TooManyEvents { .. } => "too_many_events",
            Self::UnknownSource { .. } => "unknown_source",
        }
    }
}
