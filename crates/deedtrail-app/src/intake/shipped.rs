//! Records of a protocol that carries those of several sources at once.

use std::borrow::Cow;

use deedtrail_core::Text;
use deedtrail_core::id::SourceName;
use deedtrail_core::mapping::MapError;
use deedtrail_core::port::log::{Outcome, Sequence};
use deedtrail_core::port::store::Scope;

use super::wrapped::unwrapped;
use super::{Arrival, IngestAnswer, IngestError, Intake, KeyMaker, QuarantineNote};
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
            (Outcome::IdConflict(_), _) => Fate::Conflict,
            (Outcome::Accepted(_), Some(_)) => Fate::Quarantined,
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
        principal.require(Scope::Ingest)?;
        let arrivals = records.into_iter().map(|record| {
            let labels: Vec<&str> = record.labels.iter().map(String::as_str).collect();
            let bytes = self.record_in(record.bytes);
            let source = self.ports.mapper.recognize(&labels, &bytes);
            Arrival {
                line: record.line,
                unrecognized: source.is_none().then(|| unrecognized(&labels)),
                source: source.unwrap_or_else(|| protocol.clone()),
                id: record.id,
                bytes,
            }
        });
        let arrivals: Vec<_> = arrivals.collect();
        let mut keys = KeyMaker::default();
        let mut intake = Intake::new(self, principal, &mut keys);
        intake.taken = Some(Vec::with_capacity(arrivals.len()));
        intake.take(&arrivals)?;
        Ok((intake.answer, intake.taken.unwrap_or_default()))
    }

    /// The record that a shipper's document holds as text; the document itself where it holds none
    /// or is a vendor's record as it is.
    fn record_in<'a>(&self, document: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        match unwrapped(&document) {
            Some(line) if self.ports.mapper.recognize(&[], &document).is_none() => Cow::Owned(line),
            _ => document,
        }
    }
}

fn unrecognized(labels: &[&str]) -> MapError {
    let quoted = labels.iter().map(|label| {
        let cut: String = label.chars().take(LABEL_CHARS_MAX).collect();
        format!("`{cut}`")
    });
    MapError::Unrecognized {
        labels: quoted.collect::<Vec<_>>().join(", "),
    }
}
