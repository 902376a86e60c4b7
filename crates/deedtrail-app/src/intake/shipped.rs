//! Records of a protocol that carries those of several sources at once.

use std::borrow::Cow;

use deedtrail_core::Text;
use deedtrail_core::id::SourceName;
use deedtrail_core::mapping::{MapError, MappedRecord};
use deedtrail_core::port::log::{Outcome, Sequence};
use deedtrail_core::port::mapper::Framed;
use deedtrail_core::port::store::Scope;

use super::wrapped::candidates;
use super::{Arrival, IngestAnswer, IngestError, Intake, KeyMaker, Origin, QuarantineNote, Read};
use crate::App;
use crate::access::Principal;

/// Longest label shown in a quarantine reason, characters.
const LABEL_CHARS_MAX: usize = 64;

/// A record with what its shipper says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shipped<'a> {
    /// 1-based number within the delivery, for messages.
    pub line: u64,
    /// What the shipper calls its kind, most telling first: the name of a source, or the usual
    /// name in that protocol (Splunk's `sourcetype`, an index).
    pub labels: Vec<String>,
    /// The shipper's id of it; stands in for the vendor's where the record has none.
    pub id: Option<Text>,
    pub bytes: Cow<'a, [u8]>,
}

impl<'a> Shipped<'a> {
    /// A piece of a delivery of which the shipper says no id.
    pub fn labelled(piece: Framed<'a>, labels: Vec<String>) -> Self {
        let Framed { line, bytes } = piece;
        Self {
            line,
            labels,
            id: None,
            bytes,
        }
    }
}

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Where it is in the log.
    pub sequence: Sequence,
    pub fate: Fate,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Accepted,
    Duplicate,
    /// Kept, but another content is known under its id.
    Conflict,
    /// Kept, but not understood.
    Quarantined,
}

impl Taken {
    pub(super) fn new(outcome: Outcome, quarantine: Option<&QuarantineNote>) -> Self {
        let fate = match (outcome, quarantine) {
            (Outcome::Duplicate(_), _) => Fate::Duplicate,
            (_, Some(_)) => Fate::Quarantined,
            (Outcome::IdConflict(_), None) => Fate::Conflict,
            (Outcome::Accepted(_), None) => Fate::Accepted,
        };
        let sequence = outcome.sequence();
        Self { sequence, fate }
    }
}

impl App {
    /// Takes a delivery of mixed records in, and says what became of each, in order. Records of
    /// which no source can be told are quarantined as of `protocol`.
    pub fn ingest_shipped(
        &self,
        principal: &Principal,
        protocol: &SourceName,
        records: Vec<Shipped<'_>>,
    ) -> Result<(IngestAnswer, Vec<Taken>), IngestError> {
        self.ingest_shipped_part(principal, protocol, records, &mut KeyMaker::default())
    }

    /// As [`Self::ingest_shipped`], for one of several parts of a delivery, for which `keys` is
    /// kept. After an error `keys` is to be what it was before, so that the same part gets the
    /// same keys when it is taken in again.
    pub fn ingest_shipped_part(
        &self,
        principal: &Principal,
        protocol: &SourceName,
        records: Vec<Shipped<'_>>,
        keys: &mut KeyMaker,
    ) -> Result<(IngestAnswer, Vec<Taken>), IngestError> {
        principal.require(Scope::Ingest)?;
        let arrivals = records.into_iter().map(|record| Arrival {
            line: record.line,
            origin: Origin::Shipped {
                protocol: protocol.clone(),
                labels: record.labels,
            },
            id: record.id,
            bytes: record.bytes,
        });
        let arrivals: Vec<_> = arrivals.collect();
        let mut intake = Intake::new(self, principal, keys);
        intake.taken = Some(Vec::with_capacity(arrivals.len()));
        intake.take(&arrivals)?;
        Ok((intake.answer, intake.taken.unwrap_or_default()))
    }

    /// The record in a shipper's document, where a source understands it: the source that is
    /// named, else the one it looks like. A document that is itself a record is not opened, unless
    /// it is one of a form in which others' records are wrapped.
    pub(crate) fn understand(
        &self,
        named: Option<&SourceName>,
        document: &[u8],
    ) -> Option<Understood> {
        let mapper = &self.ports.mapper;
        let fits = |bytes: &[u8], inner: Option<&Vec<u8>>| {
            let source = named.cloned().or_else(|| mapper.recognize(&[], bytes))?;
            let mapped = mapper.map(&source, bytes).ok()?;
            let inner = inner.cloned();
            Some(Understood {
                source,
                mapped,
                inner,
            })
        };
        let is_sure = |found: &Understood| named.is_some() || !mapper.comes_last(&found.source);
        let whole = fits(document, None);
        if whole.as_ref().is_some_and(is_sure) {
            return whole;
        }
        let inside = candidates(document);
        let mut inside = inside.iter().filter_map(|bytes| fits(bytes, Some(bytes)));
        match whole {
            Some(whole) => inside.find(is_sure).or(Some(whole)),
            None => inside.next(),
        }
    }
}

/// A record that a source understands.
pub(crate) struct Understood {
    pub(crate) source: SourceName,
    pub(crate) mapped: MappedRecord,
    /// The record's bytes where a document was around it.
    pub(crate) inner: Option<Vec<u8>>,
}

/// Reads a shipper's document. What nothing understands is kept whole, as of the source that is
/// named or of the protocol.
pub(super) fn read<'a>(
    app: &App,
    protocol: &SourceName,
    labels: &[String],
    document: &'a [u8],
) -> Read<'a> {
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let named = app.ports.mapper.recognize(&labels, b"");
    if let Some(understood) = app.understand(named.as_ref(), document) {
        let bytes = match understood.inner {
            Some(inner) => Cow::Owned(inner),
            None => Cow::Borrowed(document),
        };
        return Read {
            source: understood.source,
            mapped: Ok(understood.mapped),
            bytes,
            document,
        };
    }
    let (source, error) = match named {
        Some(source) => {
            let error = app.ports.mapper.map(&source, document).err();
            (source, error)
        }
        None => (protocol.clone(), None),
    };
    Read {
        source,
        mapped: Err(error.unwrap_or_else(|| unrecognized(&labels))),
        bytes: Cow::Borrowed(document),
        document,
    }
}

fn unrecognized(labels: &[&str]) -> MapError {
    let quoted = labels.iter().map(|label| {
        let cut: String = label.chars().take(LABEL_CHARS_MAX).collect();
        format!("`{cut}`")
    });
    let labels = quoted.collect::<Vec<_>>().join(", ");
    MapError::Unrecognized {
        labels: if labels.is_empty() {
            "none".to_owned()
        } else {
            labels
        },
    }
}
