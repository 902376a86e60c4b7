//! A log in memory of which some entries cannot be read.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use deedtrail_core::port::log::{
    AppendError, Appended, EntryProof, EvidenceLog, NewEntry, ReadError, Sequence, StoredEntry,
};
use deedtrail_testkit::FakeLog;

#[derive(Debug)]
pub(crate) struct DamagedLog {
    pub(crate) inner: Arc<FakeLog>,
    pub(crate) damaged: RangeInclusive<Sequence>,
}

impl EvidenceLog for DamagedLog {
    fn origin(&self) -> &str {
        self.inner.origin()
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, AppendError> {
        self.inner.append(entries)
    }

    fn end(&self) -> Sequence {
        self.inner.end()
    }

    fn stored_bytes(&self) -> Result<u64, ReadError> {
        self.inner.stored_bytes()
    }

    fn read(&self, from: Sequence, bytes_max: usize) -> Result<Vec<StoredEntry>, ReadError> {
        if self.damaged.contains(&from) {
            return Err(ReadError::Damaged {
                first: *self.damaged.start(),
                last: *self.damaged.end(),
                reason: "a checksum".to_owned(),
            });
        }
        let mut entries = self.inner.read(from, bytes_max)?;
        if from < *self.damaged.start() {
            entries.retain(|entry| entry.sequence < *self.damaged.start());
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
