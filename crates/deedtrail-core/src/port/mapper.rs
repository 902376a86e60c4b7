//! From a delivery's bytes to records, and from a record to canonical events.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::id::SourceName;
use crate::mapping::{FieldPaths, MapError, MappedRecord};
use crate::port::log::PartClass;

/// How the bytes of a delivery are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    #[default]
    Identity,
    Gzip,
    Zstd,
}

/// One record cut out of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framed<'a> {
    /// 1-based line or element number, for messages.
    pub line: u64,
    pub bytes: Cow<'a, [u8]>,
}

/// A record of a delivery that nobody labelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sorted<'a> {
    /// `None` if nothing in it tells, or if more than one source may be meant.
    pub source: Option<SourceName>,
    pub record: Framed<'a>,
}

/// A delivery that cannot be cut into records at all: nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the body is over {limit_bytes} bytes after decompression; send smaller batches")]
    TooLarge { limit_bytes: usize },
    #[error("record {line} is over {limit_bytes} bytes; it is refused")]
    RecordTooLarge { line: u64, limit_bytes: usize },
    #[error("the body does not decompress: {0}; check Content-Encoding")]
    Compression(String),
    #[error("the body cannot be read: {0}")]
    Table(String),
    #[error("no source is called `{0}`; `deedtrail source list` shows them all")]
    UnknownSource(String),
}

/// Facts about a source for lists, health and detection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFacts {
    pub name: SourceName,
    pub title: String,
    /// Sigma log source fields (`product`, `service`, `category`) that public rules use.
    pub sigma: Vec<SigmaLogsource>,
    pub mapping_version: String,
    /// Planes its events lie on, by name.
    pub planes: Vec<String>,
    /// The system all its events are of; `None` for a form in which several systems write.
    pub system: Option<String>,
    /// Aliases for the field names public rules use where they differ: (rule's name, raw path).
    pub field_aliases: Vec<(String, String)>,
}

/// The log source of a Sigma rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SigmaLogsource {
    pub product: Option<String>,
    pub service: Option<String>,
    pub category: Option<String>,
}

/// What a source can tell, for whoever considers using it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceAccount {
    /// Canonical fields that its mapping reads.
    pub fields: BTreeSet<String>,
    /// What the vendor asks for it, such as a plan; empty when nothing is said.
    pub needs: String,
    /// What it does not tell, by its README.
    pub lacks: String,
}

/// Knows every source; pure apart from what was loaded when it was made.
pub trait Mapper: Send + Sync + std::fmt::Debug {
    fn sources(&self) -> Vec<SourceFacts>;
    /// What a source can tell; `None` where nobody has written it down.
    fn account_of(&self, _source: &SourceName) -> Option<SourceAccount> {
        None
    }
    /// Decompresses (bounded) and cuts a delivery into records. Malformed pieces come out as
    /// records too, so that they can be quarantined.
    fn frame<'a>(
        &self,
        source: &SourceName,
        encoding: Encoding,
        body: &'a [u8],
    ) -> Result<Vec<Framed<'a>>, FrameError>;
    /// Where the records are rows of a table: the line at the beginning of a file that every part
    /// of the file needs before its rows, empty when they need none. Without a source the rows tell
    /// whether they are of a table.
    fn header<'a>(&self, _source: Option<&SourceName>, _beginning: &'a [u8]) -> Option<&'a [u8]> {
        None
    }
    /// Decompresses a body (bounded); what nobody said is compressed is known by its first bytes.
    fn unpack<'a>(&self, encoding: Encoding, body: &'a [u8]) -> Result<Cow<'a, [u8]>, FrameError>;
    /// Cuts an unpacked body into JSON values and lines of anything else, as [`Self::frame`] does
    /// for a source without envelopes.
    fn pieces<'a>(&self, body: &'a [u8]) -> Result<Vec<Framed<'a>>, FrameError>;
    /// The source of a record that came among others: the one that a label names, or that is
    /// usually shipped under it; else the one it looks like.
    fn recognize(&self, labels: &[&str], record: &[u8]) -> Option<SourceName>;
    /// Whether a source reads a form in which many logs are written: a record without a label is
    /// only taken for it if no record within is another source's.
    fn comes_last(&self, _source: &SourceName) -> bool {
        false
    }
    /// Cuts an unpacked body that nobody labelled, and finds the source of each record as
    /// [`Self::recognize`] does. Lists under keys that a source knows as its envelope are opened.
    fn frame_unlabelled<'a>(&self, body: &'a [u8]) -> Result<Vec<Sorted<'a>>, FrameError> {
        let pieces = self.pieces(body)?.into_iter();
        let sorted = pieces.map(|record| Sorted {
            source: self.recognize(&[], &record.bytes),
            record,
        });
        Ok(sorted.collect())
    }
    /// Maps one record.
    fn map(&self, source: &SourceName, record: &[u8]) -> Result<MappedRecord, MapError>;
    /// Maps one record and says for each of its events, in order, where its fields come from.
    fn provenance(&self, source: &SourceName, record: &[u8]) -> Result<Vec<FieldPaths>, MapError>;
    /// Secrets and tool arguments of a record of any form, as the log keeps them apart: sorted,
    /// disjoint, non-empty ranges within it, at most `SENSITIVE_RANGES_MAX`.
    fn sensitive(&self, record: &[u8]) -> Vec<(Range<usize>, PartClass)>;
}
