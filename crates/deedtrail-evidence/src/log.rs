//! The log as its callers see it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deedtrail_core::Text;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::log::{
    AppendError, Appended, EntryKind, EntryProof, EvidenceLog, NewEntry, Part, PartClass,
    ReadError, Sequence, StoredEntry,
};
use deedtrail_core::port::{Clock, Entropy};

use crate::batch::Batch;
use crate::config::{LogConfig, Upkeep};
use crate::disk::{Disk, DiskLock};
use crate::identity::{Adoption, Origin};
use crate::merkle::{self, Hash, Head, Leaves};
use crate::note::{Checkpoint, Note, VerifierKey};
use crate::open::{self, OpenError, Opened, Surroundings};
use crate::proof::TlogProof;
use crate::queue::{Append, Committed, Refusal, Request, WRITER_GONE};
use crate::receipt;
use crate::record::{self, RecordError};
use crate::shared::{SealError, Shared};
use crate::sync::mpsc::{Receiver, sync_channel};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Arc, Mutex};
use crate::writer::Writer;
use crate::{locked, read_locked};

/// Where the writer's answer to one append arrives.
pub(crate) type Answers = Receiver<Result<Committed, Refusal>>;

/// An evidence log on disk. Dropping it closes it.
#[derive(Debug)]
pub struct Log {
    pub(crate) shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Released when the log is closed.
    lock: Mutex<Option<Box<dyn DiskLock>>>,
}

impl Log {
    /// Opens or creates a log. With damaged entries it opens read-only (see `damage`).
    pub fn open(
        config: &LogConfig,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        let around = Surroundings {
            disk,
            clock,
            entropy,
        };
        let opened = open::open(config, &around, None)?;
        Self::start(config, opened)
    }

    /// Takes a log over: it goes on under a new origin, and says so in an entry of its own. `before`
    /// runs once nothing speaks against it, and before anything of it lasts; its error ends it.
    pub fn adopt(
        config: &LogConfig,
        around: (Arc<dyn Disk>, Arc<dyn Clock>, Arc<dyn Entropy>),
        adoption: &Adoption,
        before: &mut dyn FnMut() -> std::io::Result<()>,
    ) -> Result<Self, OpenError> {
        let (disk, clock, entropy) = around;
        let around = Surroundings {
            disk,
            clock,
            entropy,
        };
        let opened = open::open(config, &around, Some((adoption, before)))?;
        Self::start(config, opened)
    }

    fn start(config: &LogConfig, opened: Opened) -> Result<Self, OpenError> {
        let (log, writer, unrecorded) = Self::ready(config, opened);
        let shared = Arc::clone(&log.shared);
        log.spawn("evidence-writer", move || writer.run())?;
        if let Upkeep::Every(period) = config.upkeep {
            let sealing = Arc::clone(&shared);
            log.spawn("evidence-seal", move || seal_regularly(&sealing, period))?;
            log.spawn("evidence-index", move || keep_index(&shared))?;
        }
        if let Some(origin) = unrecorded {
            // Before anything else: the first entry under a new origin says where it came from.
            let recorded = log.append(vec![adoption_entry(&origin)]);
            recorded.map_err(|error| OpenError::Io {
                operation: "record the adoption".to_owned(),
                source: std::io::Error::other(error),
            })?;
        }
        Ok(log)
    }

    /// Everything but the threads: the log's writer is not running, and the first append is to record
    /// the origin, if there is one.
    pub(crate) fn ready(config: &LogConfig, opened: Opened) -> (Self, Writer, Option<Origin>) {
        let Opened {
            shared,
            writer,
            lock,
            unrecorded,
        } = opened;
        let log = Self {
            shared: Arc::clone(&shared),
            threads: Mutex::default(),
            lock: Mutex::new(Some(lock)),
        };
        if !shared.is_read_only() {
            // A full disk must not keep the log from being read.
            if let Err(error) = shared.store.bind(&*shared.disk, &config.folder) {
                tracing::warn!(%error, "the folder that signs is not remembered");
            }
            if let Err(error) = log.seal() {
                tracing::warn!(%error, "no checkpoint was signed at start");
            }
        }
        (log, writer, unrecorded)
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
        let thread = thread.map_err(|source| OpenError::Io {
            operation: format!("start the thread {name}"),
            source,
        })?;
        locked(&self.threads).push(thread);
        Ok(())
    }

    /// Signs a checkpoint over everything durable.
    pub fn seal(&self) -> Result<(), SealError> {
        self.shared.seal()
    }

    /// Number of the batch that holds an entry.
    pub fn batch_number(&self, sequence: Sequence) -> Result<u64, ReadError> {
        Ok(self.batch(sequence)?.header.batch)
    }

    /// Proof that the tree of `new` batches continues that of `old`; `old <= new`, and no
    /// checkpoint is larger than the log.
    pub(crate) fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        merkle::consistency_path(&*locked(&self.shared.tree), old, new)
    }

    /// Whether the log goes on from that head: it was as large, and had that root.
    pub(crate) fn continues(&self, head: Head) -> bool {
        let tree = locked(&self.shared.tree);
        let root = (head.size <= tree.size()).then(|| merkle::root_at(&*tree, head.size));
        matches!(root, Some(Ok(root)) if root == head.root)
    }

    /// What the upkeep threads do: a checkpoint, and the index's waiting work.
    pub fn upkeep(&self) -> Result<(), SealError> {
        self.seal()?;
        self.shared.index.upkeep().map_err(SealError::Io)
    }

    /// Finishes waiting appends, signs a last checkpoint and releases the lock. Idempotent.
    pub fn close(&self) -> Result<(), SealError> {
        let Some(lock) = locked(&self.lock).take() else {
            return Ok(());
        };
        self.shared.queue.close();
        locked(&self.shared.progress).is_closing = true;
        self.shared.changed.notify_all();
        self.shared.closing.notify_all();
        self.shared.index.wake();
        for thread in locked(&self.threads).drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the log panicked");
            }
        }
        let sealed = if self.shared.is_read_only() {
            Ok(())
        } else {
            self.seal()
        };
        drop(lock);
        sealed
    }

    /// Hands entries to the writer, which answers once they are durable; `None` when there are none.
    pub(crate) fn submit(&self, entries: &[NewEntry]) -> Result<Option<Answers>, AppendError> {
        if let Some(refusal) = self.shared.refusal() {
            return Err(refusal.to_error());
        }
        let append = Append::prepare(entries, &self.shared.compressors)?;
        if append.entries.is_empty() {
            return Ok(None);
        }
        let (reply, answer) = sync_channel(1);
        self.shared.queue.push(Request { append, reply })?;
        Ok(Some(answer))
    }

    /// The writer's answer as the caller gets it: with a signed receipt when anything was written.
    pub(crate) fn answered(
        &self,
        answer: Result<Committed, Refusal>,
    ) -> Result<Appended, AppendError> {
        let committed = answer.map_err(|refusal| refusal.to_error())?;
        let shared = &self.shared;
        let receipt = committed.written.as_ref();
        let receipt = receipt.map(|written| receipt::sign(&shared.signer, &shared.origin, written));
        Ok(Appended {
            outcomes: committed.outcomes,
            receipt,
        })
    }

    pub(crate) fn batch(&self, sequence: Sequence) -> Result<Arc<Batch>, ReadError> {
        if sequence >= self.end() {
            return Err(ReadError::Missing(sequence));
        }
        self.shared.segments.batch_with(sequence)
    }

    pub(crate) fn key(&self) -> VerifierKey {
        self.shared.signer.verifier_key()
    }

    pub(crate) fn sign_note(&self, text: &str) -> String {
        self.shared.signer.sign_note(text)
    }

    /// tlog-proof of a batch against the newest checkpoint, which is renewed when too old.
    pub(crate) fn prove_batch(&self, batch: &Batch) -> Result<TlogProof, ReadError> {
        let index = batch.header.batch;
        let failed = |error: SealError| ReadError::Io {
            path: self.shared.folder.display().to_string(),
            source: std::io::Error::other(error),
        };
        if read_locked(&self.shared.checkpoint).1 <= index {
            self.seal().map_err(failed)?;
        }
        self.prove_batch_at(batch, &self.checkpoint())
    }

    /// tlog-proof of a batch against one of our checkpoints, checked before it is handed out.
    pub(crate) fn prove_batch_at(
        &self,
        batch: &Batch,
        checkpoint: &str,
    ) -> Result<TlogProof, ReadError> {
        let wrong = |reason: String| ReadError::Damaged {
            first: batch.header.first_sequence,
            last: batch.header.first_sequence + u64::from(batch.header.count) - 1,
            reason: format!("the tiles do not lead to the checkpoint ({reason})"),
        };
        // We signed it ourselves: only the tree is to be checked.
        let head = Note::parse(checkpoint)
            .and_then(|note| Checkpoint::parse(note.text))
            .map_err(|error| wrong(error.to_string()))?
            .head;
        let index = batch.header.batch;
        if index >= head.size {
            return Err(wrong("the batch is newer".to_owned()));
        }
        let path = merkle::inclusion_path(&*locked(&self.shared.tree), index, head.size)?;
        let root = merkle::root_from_path(batch.header.leaf(), index, head.size, &path);
        if root != Some(head.root) {
            return Err(wrong("another root".to_owned()));
        }
        Ok(TlogProof {
            index,
            path,
            checkpoint: checkpoint.to_owned(),
        })
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the last checkpoint was not signed");
        }
    }
}

fn adoption_entry(origin: &Origin) -> NewEntry {
    let text = serde_json::json!({ "origin": origin.origin, "reason": origin.reason });
    NewEntry {
        kind: EntryKind::Configuration,
        tenant: TenantId::default(),
        source: None,
        received: origin.since,
        idempotency_key: None,
        note: Text::new_static("evidence.adopt"),
        parts: vec![Part {
            class: PartClass::Plain,
            key_id: 0,
            bytes: text.to_string().into_bytes(),
        }],
    }
}

fn seal_regularly(shared: &Shared, period: Duration) {
    while !shared.wait_closing(period) {
        if shared.is_read_only() {
            continue;
        }
        if let Err(error) = shared.seal() {
            tracing::warn!(%error, "no checkpoint was signed");
        }
    }
}

fn keep_index(shared: &Shared) {
    let is_closing = || locked(&shared.progress).is_closing;
    while !is_closing() {
        shared.index.wait(is_closing);
        if let Err(error) = shared.index.upkeep() {
            tracing::warn!(%error, "cannot write the index; it stays in memory");
            // The disk may be full: wait for it instead of spinning.
            shared.wait_closing(Duration::from_secs(1));
        }
    }
}

/// A record that passed the frame's check but cannot be taken apart.
fn unreadable(batch: &Batch, error: &RecordError) -> ReadError {
    ReadError::Damaged {
        first: batch.header.first_sequence,
        last: batch.header.first_sequence + u64::from(batch.header.count) - 1,
        reason: error.to_string(),
    }
}

/// Index of a sequence within its batch.
pub(crate) fn index_in(batch: &Batch, sequence: Sequence) -> usize {
    usize::try_from(sequence - batch.header.first_sequence).unwrap_or(usize::MAX)
}

/// Adds the entries of a batch from `from` on until there are `bytes_max` bytes.
fn read_batch(
    batch: &Batch,
    from: Sequence,
    bytes_max: usize,
    out: &mut Vec<StoredEntry>,
) -> Result<usize, ReadError> {
    let mut bytes = 0;
    let visited = batch.visit(index_in(batch, from), |index, record| {
        let decoded = record::decode(record)?;
        bytes += record.len();
        out.push(StoredEntry {
            sequence: batch.header.first_sequence + index as u64,
            entry: decoded.entry,
            id_conflict: decoded.id_conflict,
            revision: decoded.revision,
        });
        Ok::<bool, RecordError>(bytes < bytes_max)
    });
    visited.map_err(|error| unreadable(batch, &error))?;
    Ok(bytes)
}

impl EvidenceLog for Log {
    fn origin(&self) -> &str {
        &self.shared.origin
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, AppendError> {
        let Some(answer) = self.submit(&entries)? else {
            return Ok(Appended {
                outcomes: vec![],
                receipt: None,
            });
        };
        drop(entries);
        let stopped = |_| AppendError::Failed {
            reason: WRITER_GONE.to_owned(),
        };
        self.answered(answer.recv().map_err(stopped)?)
    }

    fn end(&self) -> Sequence {
        self.shared.end()
    }

    fn stored_bytes(&self) -> Result<u64, ReadError> {
        self.shared.segments.stored_bytes()
    }

    fn read(&self, from: Sequence, bytes_max: usize) -> Result<Vec<StoredEntry>, ReadError> {
        let end = self.end();
        let (mut at, mut out, mut left) = (from, Vec::new(), bytes_max.max(1));
        while at < end && left > 0 {
            let start = out.len();
            let read = self
                .shared
                .segments
                .batch_with(at)
                .and_then(|batch| read_batch(&batch, at, left, &mut out));
            match read {
                Ok(bytes) => left = left.saturating_sub(bytes),
                Err(error) if start == 0 => return Err(error),
                // What could be read comes first; the next call meets the error.
                Err(_) => {
                    out.truncate(start);
                    break;
                }
            }
            at += (out.len() - start) as u64;
        }
        Ok(out)
    }

    fn wait_past(&self, sequence: Sequence, timeout: Duration) -> Sequence {
        self.shared.wait_past(sequence, timeout)
    }

    fn prove(&self, sequence: Sequence) -> Result<EntryProof, ReadError> {
        let batch = self.batch(sequence)?;
        let leaves = batch.leaves().map_err(|error| unreadable(&batch, &error))?;
        let index = index_in(&batch, sequence);
        let Ok(path) = merkle::inclusion_path(&Leaves(leaves), index as u64, leaves.len() as u64);
        let proof = self.prove_batch(&batch)?;
        Ok(EntryProof {
            sequence,
            leaf_hash: hex::encode(leaves[index]),
            inner_path: path.iter().map(hex::encode).collect(),
            index_in_batch: index as u64,
            batch: batch.header.batch,
            batch_header: STANDARD.encode(batch.header.to_bytes()),
            tlog_proof: proof.to_text(),
        })
    }

    fn checkpoint(&self) -> String {
        read_locked(&self.shared.checkpoint).0.clone()
    }

    fn verifier_key(&self) -> String {
        self.key().to_string()
    }

    fn damage(&self) -> Option<String> {
        self.shared.damage_text()
    }

    fn refusal(&self) -> Option<AppendError> {
        let refusal = self.shared.present_refusal();
        refusal.map(|refusal| refusal.to_error())
    }
}
