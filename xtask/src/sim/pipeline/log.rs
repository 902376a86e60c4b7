//! The production log on the simulated disk, as the port that pipeline and intake call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deedtrail_core::port::log::{
    AppendError, Appended, EntryProof, EvidenceLog, NewEntry, ReadError, Sequence, StoredEntry,
};
use deedtrail_evidence::stepped::SteppedLog;
use deedtrail_testkit::mishap::Mishaps;

/// A log that commits each append by itself, in the caller's thread.
#[derive(Debug)]
pub(super) struct SimulatedLog {
    stepped: Mutex<SteppedLog>,
    origin: String,
    mishaps: Arc<Mishaps>,
    /// Idempotency keys do not reach the log: a negative control.
    is_undeduped: bool,
}

impl SimulatedLog {
    pub(super) fn new(stepped: SteppedLog, mishaps: &Arc<Mishaps>, is_undeduped: bool) -> Self {
        Self {
            origin: stepped.log().origin().to_owned(),
            stepped: Mutex::new(stepped),
            mishaps: Arc::clone(mishaps),
            is_undeduped,
        }
    }

    pub(super) fn close(&self) {
        // What it could not write is no loss: the next start makes it again.
        self.stepped().log().close().unwrap_or_default();
    }

    fn stepped(&self) -> MutexGuard<'_, SteppedLog> {
        self.stepped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EvidenceLog for SimulatedLog {
    fn origin(&self) -> &str {
        &self.origin
    }

    fn append(&self, mut entries: Vec<NewEntry>) -> Result<Appended, AppendError> {
        if self.is_undeduped {
            for entry in &mut entries {
                entry.idempotency_key = None;
            }
        }
        let mut stepped = self.stepped();
        let waiting = stepped.submit(&entries)?;
        stepped.commit();
        let unanswered = || AppendError::Failed {
            reason: "an append was not answered".to_owned(),
        };
        stepped.answer(waiting).unwrap_or_else(|| Err(unanswered()))
    }

    fn end(&self) -> Sequence {
        self.stepped().log().end()
    }

    fn read(&self, from: Sequence, bytes_max: usize) -> Result<Vec<StoredEntry>, ReadError> {
        let failed = || ReadError::Io {
            path: "/sim/data/log".to_owned(),
            source: std::io::Error::other("a simulated mishap"),
        };
        self.mishaps
            .call(|| self.stepped().log().read(from, bytes_max))
            .unwrap_or_else(|| Err(failed()))
    }

    fn wait_past(&self, _: Sequence, _: Duration) -> Sequence {
        self.end()
    }

    fn prove(&self, sequence: Sequence) -> Result<EntryProof, ReadError> {
        self.stepped().log().prove(sequence)
    }

    fn checkpoint(&self) -> String {
        self.stepped().log().checkpoint()
    }

    fn verifier_key(&self) -> String {
        self.stepped().log().verifier_key()
    }

    fn stored_bytes(&self) -> Result<u64, ReadError> {
        self.stepped().log().stored_bytes()
    }

    fn damage(&self) -> Option<String> {
        self.stepped().log().damage()
    }

    fn refusal(&self) -> Option<AppendError> {
        self.stepped().log().refusal()
    }
}
