//! A log in memory that is not alone, or of which some entries cannot be read.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deedtrail_core::id::TenantId;
use deedtrail_core::port::log::{
    AppendError, Appended, EntryKind, EntryProof, EvidenceLog, NewEntry, ReadError, Sequence,
    StoredEntry,
};
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::FakeLog;

#[derive(Debug)]
pub(crate) struct OddLog {
    inner: Arc<FakeLog>,
    /// Cannot be read.
    damaged: Option<RangeInclusive<Sequence>>,
    /// Records and bytes of each append; then somebody else's entry follows every one.
    pub(crate) appends: Option<Mutex<Vec<(usize, usize)>>>,
}

impl OddLog {
    pub(crate) fn damaged(inner: &Arc<FakeLog>, damaged: RangeInclusive<Sequence>) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::clone(inner),
            damaged: Some(damaged),
            appends: None,
        })
    }

    pub(crate) fn watched(inner: &Arc<FakeLog>) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::clone(inner),
            damaged: None,
            appends: Some(Mutex::default()),
        })
    }
}

impl EvidenceLog for OddLog {
    fn origin(&self) -> &str {
        self.inner.origin()
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, AppendError> {
        let Some(appends) = &self.appends else {
            return self.inner.append(entries);
        };
        let parts = entries.iter().flat_map(|entry| &entry.parts);
        let size = (entries.len(), parts.map(|part| part.bytes.len()).sum());
        appends.lock().unwrap().push(size);
        let appended = self.inner.append(entries)?;
        self.inner.append(vec![NewEntry {
            kind: EntryKind::Tick,
            tenant: TenantId::default(),
            source: None,
            received: Timestamp::default(),
            idempotency_key: None,
            note: "".into(),
            parts: Vec::new(),
        }])?;
        Ok(appended)
    }

    fn end(&self) -> Sequence {
        self.inner.end()
    }

    fn stored_bytes(&self) -> Result<u64, ReadError> {
        self.inner.stored_bytes()
    }

    fn read(&self, from: Sequence, bytes_max: usize) -> Result<Vec<StoredEntry>, ReadError> {
        let mut entries = self.inner.read(from, bytes_max)?;
        let Some(damaged) = &self.damaged else {
            return Ok(entries);
        };
        if damaged.contains(&from) {
            return Err(ReadError::Damaged {
                first: *damaged.start(),
                last: *damaged.end(),
                reason: "a checksum".to_owned(),
            });
        }
        if from < *damaged.start() {
            entries.retain(|entry| entry.sequence < *damaged.start());
        }
        Ok(entries)
    }

    fn wait_past(&self, sequence: Sequence, timeout: Duration) -> Sequence {
        self.inner.wait_past(sequence, timeout)
    }

    fn prove(&self, sequence: Sequence) -> Result<EntryProof, ReadError> {
        self.inner.prove(sequence)
    }

    fn checkpoint(&self) -> String {
        self.inner.checkpoint()
    }

    fn verifier_key(&self) -> String {
        self.inner.verifier_key()
    }

    fn damage(&self) -> Option<String> {
        self.inner.damage()
    }

    fn refusal(&self) -> Option<AppendError> {
        self.inner.refusal()
    }
}
