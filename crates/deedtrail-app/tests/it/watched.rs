//! A log in memory that others append to as well, and that tells how large appends were.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use deedtrail_core::id::TenantId;
use deedtrail_core::port::log::{
    AppendError, Appended, EntryKind, EntryProof, EvidenceLog, NewEntry, ReadError, Sequence,
    StoredEntry,
};
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::FakeLog;

/// After every append somebody else's entry follows.
#[derive(Debug)]
pub(crate) struct WatchedLog {
    pub(crate) inner: Arc<FakeLog>,
    /// Records and bytes of each append.
    pub(crate) appends: Mutex<Vec<(usize, usize)>>,
}

impl EvidenceLog for WatchedLog {
    fn origin(&self) -> &str {
        self.inner.origin()
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, AppendError> {
        let parts = entries.iter().flat_map(|entry| &entry.parts);
        let size = (entries.len(), parts.map(|part| part.bytes.len()).sum());
        self.appends.lock().unwrap().push(size);
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
        self.inner.read(from, bytes_max)
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
