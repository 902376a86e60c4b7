//! What a source's mapping returns for one record.

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::entity::Mention;
use crate::event::MappedEvent;
use crate::tools::ToolsTold;

/// A record that was understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MappedRecord {
    /// The vendor's own id of the record, if it has one: the idempotency key.
    pub source_uid: Option<Text>,
    /// Its place in a stream that the vendor numbers without gaps.
    pub number: Option<RecordNumber>,
    /// Hash of the mapping that made this, hex.
    pub mapping_version: Text,
    /// At least one.
    pub events: Vec<MappedEvent>,
}

/// A vendor's number of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordNumber {
    /// The stream in which it counts; empty if the source has only one.
    pub within: Text,
    pub number: u64,
}

/// Where one event's fields come from: canonical field and a path of the raw record, in the order
/// of the mapping. A field made of several values has several rows; a constant has none.
pub type FieldPaths = Vec<(String, String)>;

impl MappedRecord {
    /// Does every event say when it happened?
    pub fn is_timed(&self) -> bool {
        self.events.iter().all(|event| event.time.is_some())
    }

    /// Bytes of text in all events: about what they take in memory.
    pub fn text_bytes(&self) -> usize {
        self.events.iter().map(text_bytes).sum()
    }
}

/// Bytes of an event's larger texts, and a share for its fixed fields.
pub fn text_bytes(event: &MappedEvent) -> usize {
    let single = [
        &event.account,
        &event.actor_ref,
        &event.actor_name,
        &event.credential_ref,
        &event.session_ref,
        &event.permission,
        &event.command,
        &event.workload,
        &event.target_ref,
        &event.target_name,
        &event.outcome_detail,
        &event.user_agent,
        &event.device_ref,
        &event.message_ref,
        &event.link_ref,
        &event.verdict_detail,
        &event.threat,
    ];
    let aliases = event.actor_aliases.iter().chain(&event.target_aliases);
    let behind = event.delegation.iter().map(|link| &link.alias);
    let changes = event.changes.iter().map(|change| size_of_val(change) + 64);
    let labels = event.labels.iter();
    size_of::<MappedEvent>()
        + single.into_iter().flatten().map(Text::len).sum::<usize>()
        + aliases
            .chain(behind)
            .map(|alias| alias.value.len())
            .sum::<usize>()
        + changes.sum::<usize>()
        + labels
            .map(|(name, value)| name.len() + value.len())
            .sum::<usize>()
        + event.unmapped.iter().map(Text::len).sum::<usize>()
        + event.mentions.iter().map(mention_bytes).sum::<usize>()
        + event.tools_told.as_deref().map_or(0, told_bytes)
}

fn mention_bytes(mention: &Mention) -> usize {
    size_of_val(mention) + size_of_val(mention.entities.as_slice())
}

fn told_bytes(told: &ToolsTold) -> usize {
    let tools = told.tools.iter().map(|tool| size_of_val(tool) + tool.len());
    size_of_val(told) + tools.sum::<usize>()
}

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
    #[error("its events hold more than {limit_bytes} bytes of text together")]
    TooMuchText { limit_bytes: usize },
    #[error("no source is called `{source_name}`; `deedtrail source list` shows them all")]
    UnknownSource { source_name: String },
    #[error(
        "neither its labels ({labels}) nor its content tell one source (`deedtrail source detect FILE` \
         names what comes close); label it with a name of `deedtrail source list`{}",
        lists.as_ref().map(|names| {
            format!(
                ". It is one object that holds lists of objects ({names}): if those are the records, send \
                 each by itself (`jq -c '.[][]' FILE`)"
            )
        }).unwrap_or_default()
    )]
    Unrecognized {
        labels: String,
        /// Names of the lists, where it holds nothing but lists of objects.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lists: Option<String>,
    },
    #[error("who sent it is not proven: {detail}")]
    Unproven { detail: String },
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
            Self::TooMuchText { .. } => "too_much_text",
            Self::UnknownSource { .. } => "unknown_source",
            Self::Unrecognized { .. } => "unrecognized",
            Self::Unproven { .. } => "unproven",
        }
    }
}
