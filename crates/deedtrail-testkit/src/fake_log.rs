//! An evidence log in memory: nothing is durable, nothing is signed, everything else holds.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deedtrail_core::Text;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::log::{
    AppendError, Appended, EntryProof, EvidenceLog, NewEntry, Outcome, Part, ReadError, Receipt,
    Sequence, StoredEntry,
};

type Key = (TenantId, Option<SourceName>, Text);

/// Entries in a vector; one batch per append. `refuse_with` makes appends fail.
#[derive(Debug, Default)]
pub struct FakeLog {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<StoredEntry>,
    known: BTreeMap<Key, (Sequence, u32)>,
    batches: u64,
    refusal: Option<Refusal>,
}

/// What an append is refused with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Busy,
    DiskFull,
    ReadOnly,
}

impl Refusal {
    fn to_error(self) -> AppendError {
        match self {
            Self::Busy => AppendError::Busy { retry_after_s: 2 },
            Self::DiskFull => AppendError::DiskFull {
                folder: "log".to_owned(),
            },
            Self::ReadOnly => AppendError::ReadOnly {
                reason: "entry 3 is damaged".to_owned(),
            },
        }
    }
}

impl FakeLog {
    /// Makes appends fail; `None` lets them succeed again.
    pub fn refuse_with(&self, refusal: Option<Refusal>) {
        self.state().refusal = refusal;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn place(&mut self, entry: NewEntry) -> Outcome {
        let sequence = self.entries.len() as Sequence;
        let key = entry.idempotency_key.clone();
        let key = key.map(|key| (entry.tenant.clone(), entry.source.clone(), key));
        let first = key.as_ref().and_then(|key| self.known.get(key).copied());
        if let Some((known, _)) = first
            && self.same_content(known, &entry.parts)
        {
            return Outcome::Duplicate(known);
        }
        let revision = first.map_or(0, |(_, revision)| revision + 1);
        if let Some(key) = key {
            self.known.insert(key, (sequence, revision));
        }
        self.entries.push(StoredEntry {
            sequence,
            entry,
            id_conflict: revision > 0,
            revision,
        });
        if revision > 0 {
            Outcome::IdConflict(sequence)
        } else {
            Outcome::Accepted(sequence)
        }
    }

    fn same_content(&self, known: Sequence, parts: &[Part]) -> bool {
        let place = usize::try_from(known).unwrap_or(usize::MAX);
        self.entries.get(place).is_some_and(|stored| {
            let joined = parts.iter().flat_map(|part| &part.bytes);
            stored.bytes().iter().eq(joined)
        })
    }
}

impl EvidenceLog for FakeLog {
    fn origin(&self) -> &'static str {
        "deedtrail.example/sample"
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, AppendError> {
        let mut state = self.state();
        if let Some(refusal) = state.refusal {
            return Err(refusal.to_error());
        }
        let first_sequence = state.entries.len() as Sequence;
        let outcomes: Vec<Outcome> = entries
            .into_iter()
            .map(|entry| state.place(entry))
            .collect();
        let count = state.entries.len() as Sequence - first_sequence;
        let batch = state.batches;
        state.batches += u64::from(count > 0);
        self.grown.notify_all();
        Ok(Appended {
            outcomes,
            receipt: (count > 0).then(|| Receipt {
                log_origin: self.origin().to_owned(),
                batch,
                first_sequence,
                count,
                batch_root: format!("{batch:064x}"),
                signature: "AAAA".to_owned(),
            }),
        })
    }

    fn end(&self) -> Sequence {
        self.state().entries.len() as Sequence
    }

    fn stored_bytes(&self) -> Result<u64, ReadError> {
        let state = self.state();
        let parts = state.entries.iter().flat_map(|stored| &stored.entry.parts);
        Ok(parts.map(|part| part.bytes.len() as u64).sum())
    }

    fn read(&self, from: Sequence, bytes_max: usize) -> Result<Vec<StoredEntry>, ReadError> {
        let state = self.state();
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let fits = |stored: &&StoredEntry| {
            let fits = bytes < bytes_max;
            bytes += stored.bytes().len();
            fits
        };
        Ok(state
            .entries
            .iter()
            .skip(from)
            .take_while(fits)
            .cloned()
            .collect())
    }

    fn wait_past(&self, sequence: Sequence, timeout: Duration) -> Sequence {
        let waiting = |state: &mut State| state.entries.len() as Sequence <= sequence;
        let waited = self
            .grown
            .wait_timeout_while(self.state(), timeout, waiting);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.entries.len() as Sequence
    }

    fn prove(&self, sequence: Sequence) -> Result<EntryProof, ReadError> {
        if sequence >= self.end() {
            return Err(ReadError::Missing(sequence));
        }
        Ok(EntryProof {
            sequence,
            leaf_hash: format!("{:064x}", sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            inner_path: vec!["c1".repeat(32), "5e".repeat(32)],
            index_in_batch: sequence % 16,
            batch: sequence / 16,
            batch_header: "ZGVlZHRyYWls".to_owned(),
            tlog_proof: format!("c2sp.org/tlog-proof@v1\nindex {}\n", sequence / 16),
        })
    }

    fn checkpoint(&self) -> String {
        let state = self.state();
        let root = "sjQv0mK3y1vX1pI2cQnRrVq0m9fVbVn2m1m8p3lQ5yE=";
        format!(
            "{}\n{}\n{root}\n\n— {} AAAAAGZha2U=\n",
            self.origin(),
            state.batches,
            self.origin()
        )
    }

    fn verifier_key(&self) -> String {
        format!(
            "{}+00000000+AZmFrZS1rZXktb2YtYS1zYW1wbGUtbG9nLTMyYnl0",
            self.origin()
        )
    }

    fn damage(&self) -> Option<String> {
        (self.state().refusal == Some(Refusal::ReadOnly)).then(|| "entry 3 is damaged".to_owned())
    }

    fn refusal(&self) -> Option<AppendError> {
        let refusal = self.state().refusal;
        // A full queue is no state of the log.
        let lasting = refusal.filter(|refusal| *refusal != Refusal::Busy);
        lasting.map(Refusal::to_error)
    }
}
