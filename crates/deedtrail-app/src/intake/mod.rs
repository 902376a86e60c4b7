//! Intake: a delivery is framed, mapped for its ids, appended, and answered with counts.

mod answer;
mod connection;
mod entry;
mod key;
mod repeats;
mod shipped;
mod syslog;
mod table;
mod unlabelled;
mod wrapped;

use std::borrow::Cow;
use std::sync::atomic::Ordering::Relaxed;

use deedtrail_core::Text;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::limits::{BATCH_RECORDS_MAX, RECORD_BYTES_MAX};
use deedtrail_core::mapping::{MapError, MappedRecord};
use deedtrail_core::port::log::{AppendError, Outcome};
use deedtrail_core::port::mapper::{Encoding, FrameError, Framed};
use deedtrail_core::port::store::Scope;
use deedtrail_core::time::Timestamp;

use crate::App;
use crate::access::{Denied, Principal};

pub use answer::{IngestAnswer, QUARANTINE_NOTES_MAX, QuarantineNote};
pub use connection::ConnectionKeys;
pub use key::KeyMaker;
pub use repeats::Repeats;
pub(crate) use shipped::Understood;
pub use shipped::{Around, Fate, Shipped, Taken};
pub use syslog::SyslogMessage;
pub use unlabelled::UNLABELLED;

use entry::entry;
pub(crate) use entry::parts;

/// Bytes of records after which an append is cut; the record that reaches it is its last.
pub(crate) const APPEND_BYTES_MAX: usize = 4 << 20;
/// Text in the records of one append that are kept for the pipeline, bytes; the rest of them are
/// mapped again from the log.
const HANDED_TEXT_BYTES_MAX: usize = 16 << 20;

/// Bytes as they came in, with what the connection says about them.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// `None` where each record tells its own.
    pub source: Option<&'a SourceName>,
    pub encoding: Encoding,
    pub body: &'a [u8],
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

/// A record on its way into the log.
#[derive(Debug)]
struct Arrival<'a> {
    /// 1-based number within the delivery.
    line: u64,
    origin: Origin,
    /// Shipper's id of the record.
    id: Option<Text>,
    bytes: Cow<'a, [u8]>,
    around: Option<Around<'a>>,
}

/// A record of which nothing is to be made, and why.
pub(crate) struct Unread<'a> {
    /// Stands in for the vendor's.
    pub(crate) id: Text,
    pub(crate) bytes: &'a [u8],
    pub(crate) reason: MapError,
}

/// What is said about where a record comes from.
#[derive(Debug)]
enum Origin {
    Source(SourceName),
    /// By a protocol that carries the records of several sources.
    Shipped {
        protocol: SourceName,
        labels: Vec<String>,
    },
}

/// A record as it is understood, or why it is not.
struct Read<'a> {
    source: SourceName,
    mapped: Result<MappedRecord, MapError>,
    bytes: Cow<'a, [u8]>,
    /// The record with what was around it, if anything was.
    document: Option<Cow<'a, [u8]>>,
}

/// One delivery being taken in.
struct Intake<'a> {
    app: &'a App,
    principal: &'a Principal,
    now: Timestamp,
    keys: &'a mut KeyMaker,
    answer: IngestAnswer,
    /// What became of each record, in order, where the caller wants to know.
    taken: Option<Vec<Taken>>,
}

impl App {
    /// Takes a delivery in. Returns after everything in it is durable.
    pub fn ingest(
        &self,
        principal: &Principal,
        delivery: Delivery<'_>,
    ) -> Result<IngestAnswer, IngestError> {
        let body = self.unpacked(&delivery)?;
        let delivery = Delivery {
            encoding: Encoding::Identity,
            body: &body,
            ..delivery
        };
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
        let arrivals = self.arrivals(delivery)?;
        let mut intake = Intake::new(self, principal, keys);
        intake.take(&arrivals)?;
        Ok(intake.answer)
    }

    /// Keeps records in quarantine; returns after they are durable. At most what one append takes.
    pub(crate) fn keep_unread(
        &self,
        tenant: &TenantId,
        source: &SourceName,
        records: &[Unread<'_>],
    ) -> Result<(), IngestError> {
        let now = self.ports.clock.now();
        let mut keys = KeyMaker::default();
        let entries = records.iter().map(|record| {
            let key = keys.make(None, Some(&record.id), record.bytes);
            let parts = parts(record.bytes, self.ports.mapper.sensitive(record.bytes));
            entry((tenant, source, now), Some(&record.reason), key, parts)
        });
        self.ports.log.append(entries.collect())?;
        let count = records.len() as u64;
        self.counters.records.fetch_add(count, Relaxed);
        self.counters.quarantined.fetch_add(count, Relaxed);
        Ok(())
    }

    /// Lets `keys` count what is in a part that was taken in before, so that the next parts get
    /// the keys they would have had. What could not be taken in as a part is no part here either.
    pub fn recall_part(
        &self,
        delivery: Delivery<'_>,
        keys: &mut KeyMaker,
    ) -> Result<(), FrameError> {
        let arrivals = self.arrivals(delivery)?;
        refuse_oversized(arrivals.iter().map(|one| (one.line, &*one.bytes)))?;
        for arrival in &arrivals {
            let read = self.read(arrival);
            let around = (&*read.bytes, read.document.as_deref());
            keys.make_within(read.mapped.as_ref().ok(), None, around);
        }
        Ok(())
    }

    fn arrivals<'a>(&self, delivery: Delivery<'a>) -> Result<Vec<Arrival<'a>>, FrameError> {
        let mapper = &self.ports.mapper;
        match delivery.source {
            Some(source) => {
                let framed = mapper.frame(source, delivery.encoding, delivery.body)?;
                let arrivals = framed.into_iter();
                let arrivals =
                    arrivals.map(|record| Arrival::of(record, Origin::Source(source.clone())));
                Ok(arrivals.collect())
            }
            None => unlabelled::arrivals(&**mapper, delivery.encoding, delivery.body),
        }
    }

    fn read<'b>(&self, record: &'b Arrival<'_>) -> Read<'b> {
        match &record.origin {
            Origin::Source(source) => Read {
                source: source.clone(),
                mapped: self.ports.mapper.map(source, &record.bytes),
                bytes: Cow::Borrowed(&record.bytes),
                document: None,
            },
            Origin::Shipped { protocol, labels } => shipped::read(self, protocol, labels, record),
        }
    }
}

impl<'a> Arrival<'a> {
    fn of(record: Framed<'a>, origin: Origin) -> Self {
        Self {
            line: record.line,
            origin,
            id: None,
            bytes: record.bytes,
            around: None,
        }
    }
}

impl<'a> Intake<'a> {
    fn new(app: &'a App, principal: &'a Principal, keys: &'a mut KeyMaker) -> Self {
        Self {
            app,
            principal,
            now: app.ports.clock.now(),
            keys,
            answer: IngestAnswer::default(),
            taken: None,
        }
    }

    fn take(&mut self, arrivals: &[Arrival<'_>]) -> Result<(), IngestError> {
        refuse_oversized(arrivals.iter().map(|one| (one.line, &*one.bytes)))?;
        let mut rest = arrivals;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(append_size(rest));
            rest = after;
            self.append(chunk)?;
        }
        let (counters, answer) = (&self.app.counters, &self.answer);
        counters.records.fetch_add(answer.records, Relaxed);
        counters.duplicates.fetch_add(answer.duplicates, Relaxed);
        counters.quarantined.fetch_add(answer.quarantined, Relaxed);
        Ok(())
    }

    fn append(&mut self, chunk: &[Arrival<'_>]) -> Result<(), IngestError> {
        let ports = &self.app.ports;
        let mut entries = Vec::with_capacity(chunk.len());
        let mut understood = Vec::with_capacity(chunk.len());
        let mut text_bytes = 0;
        for record in chunk {
            let read = self.app.read(record);
            let id = record.id.as_deref();
            let key = self.keys.make_within(
                read.mapped.as_ref().ok(),
                id,
                (&read.bytes, read.document.as_deref()),
            );
            let parts = parts(&read.bytes, ports.mapper.sensitive(&read.bytes));
            let from = (&self.principal.tenant, &read.source, self.now);
            entries.push(entry(from, read.mapped.as_ref().err(), key, parts));
            let mapped = match read.mapped {
                Ok(record) => {
                    text_bytes += record.text_bytes();
                    Ok((text_bytes <= HANDED_TEXT_BYTES_MAX).then_some(record))
                }
                Err(error) => Err(QuarantineNote::new(record.line, &error)),
            };
            understood.push((read.source, mapped));
        }
        let appended = ports.log.append(entries)?;
        self.settle(&appended.outcomes, understood);
        self.answer.receipts.extend(appended.receipt);
        Ok(())
    }

    /// Counts what became of the records, and hands new ones to the pipeline.
    fn settle(
        &mut self,
        outcomes: &[Outcome],
        understood: Vec<(SourceName, Result<Option<MappedRecord>, QuarantineNote>)>,
    ) {
        let mut fresh = Vec::with_capacity(outcomes.len());
        for (outcome, (source, mapped)) in outcomes.iter().zip(understood) {
            if matches!(outcome, Outcome::Duplicate(_)) {
                let tenant = &self.principal.tenant;
                self.app.repeats.count(tenant, &source, 1);
            }
            let quarantine = match mapped {
                Err(note) => Some(note),
                Ok(record) => {
                    if !matches!(outcome, Outcome::Duplicate(_)) {
                        fresh.extend(record.map(|record| (outcome.sequence(), record)));
                    }
                    None
                }
            };
            if let Some(taken) = &mut self.taken {
                taken.push(Taken::new(*outcome, quarantine.as_ref()));
            }
            self.answer.add(&source, *outcome, quarantine);
        }
        self.app.handover.offer(fresh.into_iter());
    }
}

fn refuse_oversized<'a>(
    mut records: impl Iterator<Item = (u64, &'a [u8])>,
) -> Result<(), FrameError> {
    match records.find(|(_, bytes)| bytes.len() > RECORD_BYTES_MAX) {
        Some((line, _)) => Err(FrameError::RecordTooLarge {
            line,
            limit_bytes: RECORD_BYTES_MAX,
        }),
        None => Ok(()),
    }
}

/// How many of the next records go into one append; at least one.
fn append_size(records: &[Arrival<'_>]) -> usize {
    let mut bytes = 0;
    let fits = |record: &&Arrival<'_>| {
        let fits = bytes < APPEND_BYTES_MAX;
        bytes += record.bytes.len();
        fits
    };
    let some = records.iter().take(BATCH_RECORDS_MAX);
    some.take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_append_is_cut_by_records_and_by_bytes() {
        let record = |bytes: usize| Arrival {
            line: 1,
            origin: Origin::Source(SourceName::new("test.log").unwrap()),
            id: None,
            bytes: vec![0; bytes].into(),
            around: None,
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
}
