//! Intake: a delivery is framed, mapped for its ids, appended, and answered with counts.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;

use deedtrail_core::Text;
use deedtrail_core::id::SourceName;
use deedtrail_core::limits::{BATCH_RECORDS_MAX, RECORD_BYTES_MAX};
use deedtrail_core::mapping::{MapError, MappedRecord};
use deedtrail_core::port::log::{
    AppendError, EntryKind, NewEntry, Outcome, Part, PartClass, Receipt,
};
use deedtrail_core::port::mapper::{Encoding, FrameError, Framed};
use deedtrail_core::time::Timestamp;

use crate::App;
use crate::access::{Denied, Principal};
use deedtrail_core::port::store::Scope;

/// Most quarantine reasons listed in one answer; the rest are only counted.
pub const QUARANTINE_NOTES_MAX: usize = 100;
/// Longest vendor id used as an idempotency key as it is, bytes; longer ones are hashed.
const SOURCE_UID_BYTES_MAX: usize = 256;
/// Bytes of records after which an append is cut; the record that reaches it is its last.
pub(crate) const APPEND_BYTES_MAX: usize = 4 << 20;
/// Text in the records of one append that are kept for the pipeline, bytes; the rest of them are
/// mapped again from the log.
const HANDED_TEXT_BYTES_MAX: usize = 16 << 20;
/// Most different contents whose copies within a delivery are counted. Beyond it the copies of
/// further contents are taken for duplicates.
const CONTENTS_MAX: usize = 4_000_000;

/// Bytes as they came in, with what the connection says about them.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    pub source: &'a SourceName,
    pub encoding: Encoding,
    pub body: &'a [u8],
}

/// Why one record is in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuarantineNote {
    /// 1-based record number within the delivery.
    pub line: u64,
    pub code: &'static str,
    pub reason: String,
}

/// Answer to a delivery. `records = accepted + duplicates + conflicts + quarantined`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IngestAnswer {
    pub records: u64,
    pub accepted: u64,
    pub duplicates: u64,
    /// Accepted, but another content is known under the same vendor id.
    pub conflicts: u64,
    /// Stored, but not understood; kept for replay after the mapping is fixed.
    pub quarantined: u64,
    pub quarantine: Vec<QuarantineNote>,
    pub receipts: Vec<Receipt>,
}

#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl App {
    /// Takes a delivery in. Returns after everything in it is durable.
    pub fn ingest(
        &self,
        principal: &Principal,
        delivery: Delivery<'_>,
    ) -> Result<IngestAnswer, IngestError> {
        self.ingest_part(principal, delivery, &mut KeyMaker::default())
    }

    /// Takes one of several parts of a delivery in, for which `keys` is kept: records that are
    /// alike are different records in one delivery, and the same one in two.
    pub fn ingest_part(
        &self,
        principal: &Principal,
        delivery: Delivery<'_>,
        keys: &mut KeyMaker,
    ) -> Result<IngestAnswer, IngestError> {
        principal.require(Scope::Ingest)?;
        let mapper = &self.ports.mapper;
        let framed = mapper.frame(delivery.source, delivery.encoding, delivery.body)?;
        refuse_oversized(&framed)?;
        let now = self.ports.clock.now();
        let mut answer = IngestAnswer::default();
        let mut rest = framed.as_slice();
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(append_size(rest));
            rest = after;
            let from = (principal, delivery.source, now);
            self.ingest_chunk(from, chunk, keys, &mut answer)?;
        }
        self.count(&answer);
        Ok(answer)
    }

    fn ingest_chunk(
        &self,
        (principal, source, now): (&Principal, &SourceName, Timestamp),
        chunk: &[Framed<'_>],
        keys: &mut KeyMaker,
        answer: &mut IngestAnswer,
    ) -> Result<(), IngestError> {
        let mut entries = Vec::with_capacity(chunk.len());
        let mut understood = Vec::with_capacity(chunk.len());
        let mut text_bytes = 0;
        for record in chunk {
            let mapped = self.ports.mapper.map(source, &record.bytes);
            let key = keys.make(mapped.as_ref().ok(), &record.bytes);
            let parts = parts(&record.bytes, self.ports.mapper.sensitive(&record.bytes));
            let error = mapped.as_ref().err();
            entries.push(entry((principal, source, now), error, key, parts));
            understood.push(match mapped {
                Ok(record) => {
                    text_bytes += record.text_bytes();
                    Ok((text_bytes <= HANDED_TEXT_BYTES_MAX).then_some(record))
                }
                Err(error) => Err(note(record.line, &error)),
            });
        }
        let appended = self.ports.log.append(entries)?;
        let mut fresh = Vec::with_capacity(chunk.len());
        for (outcome, mapped) in appended.outcomes.iter().zip(understood) {
            let quarantine = match mapped {
                Err(note) => Some(note),
                Ok(record) => {
                    if !matches!(outcome, Outcome::Duplicate(_)) {
                        fresh.extend(record.map(|record| (outcome.sequence(), record)));
                    }
                    None
                }
            };
            answer.add(*outcome, quarantine);
        }
        self.handover.offer(fresh.into_iter());
        answer.receipts.extend(appended.receipt);
        Ok(())
    }

    fn count(&self, answer: &IngestAnswer) {
        let counters = &self.counters;
        counters.records.fetch_add(answer.records, Relaxed);
        counters.duplicates.fetch_add(answer.duplicates, Relaxed);
        counters.quarantined.fetch_add(answer.quarantined, Relaxed);
    }
}

impl IngestAnswer {
    fn add(&mut self, outcome: Outcome, quarantine: Option<QuarantineNote>) {
        self.records += 1;
        match (outcome, quarantine) {
            (Outcome::Duplicate(_), _) => self.duplicates += 1,
            (_, Some(note)) => {
                self.quarantined += 1;
                if self.quarantine.len() < QUARANTINE_NOTES_MAX {
                    self.quarantine.push(note);
                }
            }
            (Outcome::Accepted(_), None) => self.accepted += 1,
            (Outcome::IdConflict(_), None) => self.conflicts += 1,
        }
    }

    /// Adds another answer's counts, for a file sent in several deliveries.
    pub fn absorb(&mut self, other: Self) {
        self.records += other.records;
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.conflicts += other.conflicts;
        self.quarantined += other.quarantined;
        let room = QUARANTINE_NOTES_MAX.saturating_sub(self.quarantine.len());
        self.quarantine
            .extend(other.quarantine.into_iter().take(room));
        self.receipts.extend(other.receipts);
    }
}

fn refuse_oversized(framed: &[Framed<'_>]) -> Result<(), FrameError> {
    match framed
        .iter()
        .find(|record| record.bytes.len() > RECORD_BYTES_MAX)
    {
        Some(record) => Err(FrameError::RecordTooLarge {
            line: record.line,
            limit_bytes: RECORD_BYTES_MAX,
        }),
        None => Ok(()),
    }
}

/// How many of the next records go into one append; at least one.
fn append_size(records: &[Framed<'_>]) -> usize {
    let mut bytes = 0;
    let fits = |record: &&Framed<'_>| {
        let fits = bytes < APPEND_BYTES_MAX;
        bytes += record.bytes.len();
        fits
    };
    let some = records.iter().take(BATCH_RECORDS_MAX);
    some.take_while(fits).count()
}

fn note(line: u64, error: &MapError) -> QuarantineNote {
    QuarantineNote {
        line,
        code: error.code(),
        reason: error.to_string(),
    }
}

/// The parts of a record: what is sensitive, and what lies between. `sensitive` is in order.
fn parts(record: &[u8], sensitive: Vec<(Range<usize>, PartClass)>) -> Vec<Part> {
    let part = |class, range: Range<usize>| Part {
        class,
        key_id: 0,
        bytes: record[range].to_vec(),
    };
    let mut parts = Vec::with_capacity(2 * sensitive.len() + 1);
    let mut plain_from = 0;
    for (range, class) in sensitive {
        if plain_from < range.start {
            parts.push(part(PartClass::Plain, plain_from..range.start));
        }
        plain_from = range.end;
        parts.push(part(class, range));
    }
    if plain_from < record.len() || parts.is_empty() {
        parts.push(part(PartClass::Plain, plain_from..record.len()));
    }
    parts
}

fn entry(
    (principal, source, received): (&Principal, &SourceName, Timestamp),
    error: Option<&MapError>,
    key: Text,
    parts: Vec<Part>,
) -> NewEntry {
    NewEntry {
        kind: if error.is_some() {
            EntryKind::Quarantined
        } else {
            EntryKind::Record
        },
        tenant: principal.tenant.clone(),
        source: Some(source.clone()),
        received,
        idempotency_key: Some(key),
        note: error.map_or_else(Text::default, quarantine_note),
        parts,
    }
}

/// `code: reason`, cut to what a note may hold.
fn quarantine_note(error: &MapError) -> Text {
    let text = format!("{}: {error}", error.code());
    text.chars().take(1000).collect::<String>().into()
}

/// Makes idempotency keys: the vendor's id, else content hash + occurrence within the delivery.
#[derive(Debug, Default)]
pub struct KeyMaker {
    seen: BTreeMap<[u8; 16], u32>,
}

impl KeyMaker {
    fn make(&mut self, mapped: Option<&MappedRecord>, bytes: &[u8]) -> Text {
        if let Some(uid) = mapped.and_then(|record| record.source_uid.as_ref()) {
            return if uid.len() <= SOURCE_UID_BYTES_MAX {
                format!("v:{uid}").into()
            } else {
                format!("vh:{}", blake3::hash(uid.as_bytes()).to_hex()).into()
            };
        }
        let mut short = [0_u8; 16];
        short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        let occurrence = self.occurrence(short);
        format!("h:{:032x}:{occurrence}", u128::from_be_bytes(short)).into()
    }

    fn occurrence(&mut self, content: [u8; 16]) -> u32 {
        if self.seen.len() >= CONTENTS_MAX && !self.seen.contains_key(&content) {
            return 1;
        }
        let occurrence = self.seen.entry(content).or_insert(0);
        *occurrence += 1;
        *occurrence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_joined_are_the_record() {
        use PartClass::{Plain, Secret, ToolArguments};
        let split = |record: &[u8], sensitive| -> Vec<(PartClass, String)> {
            let text = |part: Part| String::from_utf8(part.bytes).unwrap();
            let parts = parts(record, sensitive).into_iter();
            parts.map(|part| (part.class, text(part))).collect()
        };
        let expected = |rows: &[(PartClass, &str)]| -> Vec<(PartClass, String)> {
            rows.iter()
                .map(|(class, text)| (*class, (*text).to_owned()))
                .collect()
        };
        assert_eq!(split(b"", vec![]), expected(&[(Plain, "")]));
        assert_eq!(split(b"ab", vec![]), expected(&[(Plain, "ab")]));
        assert_eq!(
            split(b"ab", vec![(0..2, Secret)]),
            expected(&[(Secret, "ab")])
        );
        assert_eq!(
            split(b"abcdef", vec![(1..2, Secret), (2..4, ToolArguments)]),
            expected(&[
                (Plain, "a"),
                (Secret, "b"),
                (ToolArguments, "cd"),
                (Plain, "ef")
            ])
        );
    }

    #[test]
    fn twins_in_one_delivery_get_their_own_keys_and_a_retry_gets_the_same() {
        let mut first = KeyMaker::default();
        let keys = [
            first.make(None, b"a"),
            first.make(None, b"a"),
            first.make(None, b"b"),
        ];
        assert_ne!(keys[0], keys[1]);
        let mut retry = KeyMaker::default();
        assert_eq!(
            keys,
            [
                retry.make(None, b"a"),
                retry.make(None, b"a"),
                retry.make(None, b"b")
            ]
        );
    }

    #[test]
    fn an_append_is_cut_by_records_and_by_bytes() {
        let record = |bytes: usize| Framed {
            line: 1,
            bytes: vec![0; bytes].into(),
        };
        let sizes = |bytes: &[usize]| {
            let records: Vec<_> = bytes.iter().map(|bytes| record(*bytes)).collect();
            append_size(&records)
        };
        assert_eq!(sizes(&[1, 2, 3]), 3);
        assert_eq!(sizes(&[APPEND_BYTES_MAX - 1, 1, 1]), 2);
        assert_eq!(sizes(&[APPEND_BYTES_MAX + 1, 1]), 1);
        let many = vec![0; BATCH_RECORDS_MAX + 1];
        assert_eq!(sizes(&many), BATCH_RECORDS_MAX);
    }

    #[test]
    fn the_vendors_id_is_the_key_whatever_the_content() {
        let record = MappedRecord {
            source_uid: Some("e-1".into()),
            ..MappedRecord::default()
        };
        let mut keys = KeyMaker::default();
        assert_eq!(
            keys.make(Some(&record), b"a"),
            keys.make(Some(&record), b"b")
        );
        let long = MappedRecord {
            source_uid: Some("x".repeat(999).into()),
            ..record
        };
        assert!(keys.make(Some(&long), b"a").len() < 100);
    }
}
