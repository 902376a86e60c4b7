//! Records of a protocol that carries those of several sources at once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use deedtrail_core::Text;
use deedtrail_core::id::SourceName;
use deedtrail_core::mapping::{MapError, MappedRecord};
use deedtrail_core::port::log::{Outcome, Sequence};
use deedtrail_core::port::mapper::Framed;
use deedtrail_core::port::store::Scope;
use serde::de::IgnoredAny;

use super::wrapped::candidates;
use super::{Arrival, IngestAnswer, IngestError, Intake, KeyMaker, Origin, QuarantineNote, Read};
use crate::App;
use crate::access::Principal;

/// Longest label shown in a quarantine reason, characters.
const LABEL_CHARS_MAX: usize = 64;
/// Lists of a record that a quarantine reason names.
const LISTS_NAMED_MAX: usize = 3;

/// A record with what its shipper says about it.
#[derive(Debug)]
pub struct Shipped<'a> {
    /// 1-based number within the delivery, for messages.
    pub line: u64,
    /// What the shipper calls its kind, most telling first: the name of a source, or the usual
    /// name in that protocol (Splunk's `sourcetype`, an index).
    pub labels: Vec<String>,
    /// The shipper's id of it; stands in for the vendor's where the record has none.
    pub id: Option<Text>,
    /// The record, or a document with the record somewhere in it.
    pub bytes: Cow<'a, [u8]>,
    /// What is around `bytes`, where the protocol says where in its document the record is.
    pub around: Option<Around<'a>>,
}

/// Writes the document around a record, whose bytes it is given. That is needed only where nothing
/// understands the record, or where the record does not tell itself from others.
pub struct Around<'a>(Box<WriteDocument<'a>>);

type WriteDocument<'a> = dyn Fn(&[u8]) -> Vec<u8> + Send + 'a;

impl<'a> Around<'a> {
    pub fn new(document: impl Fn(&[u8]) -> Vec<u8> + Send + 'a) -> Self {
        Self(Box::new(document))
    }

    pub fn document(&self, record: &[u8]) -> Vec<u8> {
        (self.0)(record)
    }
}

impl fmt::Debug for Around<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Around")
    }
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
            around: None,
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
            around: record.around,
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

/// Reads a shipper's record. What nothing understands is kept with all that is around it, as of the
/// source that is named or of the protocol.
pub(super) fn read<'a>(
    app: &App,
    protocol: &SourceName,
    labels: &[String],
    record: &'a Arrival<'_>,
) -> Read<'a> {
    let mapper = &app.ports.mapper;
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let named = mapper.recognize(&labels, b"");
    let bytes = &record.bytes;
    if let (Some(source), Some(around)) = (&named, &record.around)
        && let Ok(mapped) = mapper.map(source, bytes)
    {
        let document = (!mapped.is_timed()).then(|| around.document(bytes).into());
        return Read {
            source: source.clone(),
            mapped: Ok(mapped),
            bytes: Cow::Borrowed(bytes),
            document,
        };
    }
    let document = match &record.around {
        Some(around) => Cow::Owned(around.document(bytes)),
        None => Cow::Borrowed(&**bytes),
    };
    if let Some(understood) = app.understand(named.as_ref(), &document) {
        let (bytes, document) = match understood.inner {
            Some(inner) => (Cow::Owned(inner), Some(document)),
            None => (document, None),
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
            let error = mapper.map(&source, bytes).err();
            (source, error)
        }
        None => (protocol.clone(), None),
    };
    Read {
        source,
        mapped: Err(error.unwrap_or_else(|| unrecognized(&labels, bytes))),
        bytes: document,
        document: None,
    }
}

/// Names of the lists in a record that holds nothing but lists of objects: somebody put many records
/// into one document.
fn lists(record: &[u8]) -> Option<String> {
    #[expect(
        clippy::zero_sized_map_values,
        reason = "that each is an object is all that counts"
    )]
    type Lists = BTreeMap<String, Vec<BTreeMap<String, IgnoredAny>>>;
    let lists: Lists = serde_json::from_slice(record).ok()?;
    if lists.values().all(Vec::is_empty) {
        return None;
    }
    let mut names: Vec<String> = lists
        .keys()
        .take(LISTS_NAMED_MAX)
        .map(|name| quoted(name))
        .collect();
    if lists.len() > LISTS_NAMED_MAX {
        names.push(format!("and {} more", lists.len() - LISTS_NAMED_MAX));
    }
    Some(names.join(", "))
}

fn quoted(label: &str) -> String {
    let cut: String = label.chars().take(LABEL_CHARS_MAX).collect();
    format!("`{cut}`")
}

fn unrecognized(labels: &[&str], record: &[u8]) -> MapError {
    let labels: Vec<String> = labels.iter().map(|label| quoted(label)).collect();
    MapError::Unrecognized {
        labels: if labels.is_empty() {
            "none".to_owned()
        } else {
            labels.join(", ")
        },
        lists: lists(record),
    }
}
