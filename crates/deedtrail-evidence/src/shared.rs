//! What the threads of a log share, and the sealing of checkpoints.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use deedtrail_core::port::Clock;
use deedtrail_core::port::log::Sequence;

use crate::batch::Compressors;
use crate::checkpoint_store::CheckpointStore;
use crate::disk::{Access, Disk, DiskFile, replace_file};
use crate::index::IndexStore;
use crate::note::{Checkpoint, NoteSigner};
use crate::queue::{Queue, Refusal};
use crate::segments::{DamageOf, Segments};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use crate::tree::Tree;
use crate::{locked, read_locked, write_locked};

/// Why a checkpoint was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the checkpoint store {path} was changed by someone else; nothing is signed any more")]
    Forked { path: String },
    #[error("entries are damaged; nothing is signed")]
    Damaged,
    #[error("cannot write the checkpoint: {0}")]
    Io(#[from] io::Error),
}

/// State shared by callers, the writer and the upkeep threads.
#[derive(Debug)]
pub(crate) struct Shared {
    pub folder: PathBuf,
    pub log_id: u64,
    pub disk: Arc<dyn Disk>,
    pub clock: Arc<dyn Clock>,
    pub signer: NoteSigner,
    pub origin: String,
    pub store: CheckpointStore,
    pub queue: Queue,
    pub segments: Segments,
    pub compressors: Compressors,
    pub index: Arc<IndexStore>,
    pub tree: Mutex<Tree>,
    pub watermark_file: Arc<dyn DiskFile>,
    pub progress: Mutex<Progress>,
    pub changed: Condvar,
    /// Apart from `changed`, so that commits do not wake the upkeep threads.
    pub closing: Condvar,
    /// Newest signed checkpoint and the size of its tree.
    pub checkpoint: RwLock<(String, u64)>,
    /// Held while a checkpoint is made: the note (with the size of its tree) that was last on its
    /// way to the store. When writing it failed, the store holds this one or the one before.
    pub sealing: Mutex<Option<(String, u64)>>,
    /// Set at start when acknowledged entries are damaged: nothing is written, nothing signed, until
    /// the next start.
    pub is_read_only: AtomicBool,
}

/// What the callers of `wait_past` and the upkeep threads wait for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub end: Sequence,
    pub is_closing: bool,
}

impl Progress {
    pub(crate) fn at(end: Sequence) -> Self {
        Self {
            end,
            is_closing: false,
        }
    }
}

impl Shared {
    /// Whether nothing is written or signed: entries are damaged, or were at the start.
    pub(crate) fn is_read_only(&self) -> bool {
        self.is_read_only.load(Ordering::Acquire) || self.segments.are_entries_damaged()
    }

    /// Why an append is refused before it waits. Damage is told as a start with it would tell it.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal_but(self.queue.refusal())
    }

    /// What an append would probably be refused with at present.
    pub(crate) fn present_refusal(&self) -> Option<Refusal> {
        self.refusal_but(self.queue.present_refusal())
    }

    fn refusal_but(&self, others: Option<Refusal>) -> Option<Refusal> {
        if matches!(others, Some(Refusal::Failed { .. })) || !self.segments.are_entries_damaged() {
            return others;
        }
        let damaged = self
            .damage_text()
            .map(|reason| Refusal::ReadOnly { reason });
        damaged.or(others)
    }

    pub(crate) fn end(&self) -> Sequence {
        locked(&self.progress).end
    }

    pub(crate) fn advance(&self, end: Sequence) {
        locked(&self.progress).end = end;
        self.changed.notify_all();
    }

    /// Waits until the log is longer than `sequence`, is closing, or `timeout` has passed.
    pub(crate) fn wait_past(&self, sequence: Sequence, timeout: Duration) -> Sequence {
        let deadline = Instant::now().checked_add(timeout);
        let mut progress = locked(&self.progress);
        while progress.end <= sequence && !progress.is_closing {
            let left = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => timeout,
            };
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(progress, left);
            progress = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        progress.end
    }

    /// Waits for `period` or until the log is closing; true when it is.
    pub(crate) fn wait_closing(&self, period: Duration) -> bool {
        let deadline = Instant::now() + period;
        let mut progress = locked(&self.progress);
        while !progress.is_closing {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.closing.wait_timeout(progress, left);
            progress = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        progress.is_closing
    }

    /// Which entries are damaged, for people; `None` when none are.
    pub(crate) fn damage_text(&self) -> Option<String> {
        let damage = self.segments.damage();
        let of_entries = damage.iter().filter(|it| it.of != DamageOf::Tiles);
        let lines = of_entries.map(|damage| {
            let (range, reason) = (&damage.range, &damage.reason);
            match range.end.checked_sub(1).filter(|_| !range.is_empty()) {
                Some(last) => format!("entries {}..={last}: {reason}", range.start),
                None => reason.clone(),
            }
        });
        let text = lines.collect::<Vec<_>>().join("; ");
        (!text.is_empty()).then(|| {
            format!(
                "{text}; restore from a backup: a segment by itself, the whole folder when it is the newest"
            )
        })
    }

    /// The same, and what else is damaged.
    pub(crate) fn found_text(&self) -> Option<String> {
        let damage = self.segments.damage();
        let of_tiles = damage.iter().filter(|it| it.of == DamageOf::Tiles);
        let tiles = of_tiles.map(|damage| damage.reason.clone());
        let all: Vec<String> = self.damage_text().into_iter().chain(tiles).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Signs a checkpoint over everything durable, unless the newest one covers it already.
    pub(crate) fn seal(&self) -> Result<(), SealError> {
        let mut attempted = locked(&self.sealing);
        if self.is_read_only() {
            return Err(SealError::Damaged);
        }
        let snapshot = {
            let tree = locked(&self.tree);
            let (newest, size) = &*read_locked(&self.checkpoint);
            if tree.size() == *size && !newest.is_empty() {
                return Ok(());
            }
            tree.snapshot().map_err(io::Error::other)?
        };
        snapshot.write(&*self.disk, &self.folder)?;
        locked(&self.tree).written(&snapshot);
        self.watermark_file.sync()?;
        self.compare_with_store(attempted.as_ref())?;
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            head: snapshot.head,
        };
        let note = self.signer.sign_note(&checkpoint.to_text());
        let signed = attempted.insert((note, snapshot.head.size)).clone();
        let bytes = signed.0.as_bytes();
        replace_file(&*self.disk, &self.store.path, Access::Create, bytes)?;
        // From here on it is signed. The copy only spares work at the next start.
        let copy = self.folder.join("checkpoint");
        if let Err(error) = replace_file(&*self.disk, &copy, Access::Create, bytes) {
            tracing::warn!(%error, path = %copy.display(), "cannot write the copy of the checkpoint");
        }
        *write_locked(&self.checkpoint) = signed;
        Ok(())
    }

    /// The store must still hold what we signed last, or what we were about to write when that
    /// failed: otherwise a copy of this log is signing.
    fn compare_with_store(&self, attempted: Option<&(String, u64)>) -> Result<(), SealError> {
        let stored = self.store.load(&*self.disk)?.unwrap_or_default();
        if stored == read_locked(&self.checkpoint).0 {
            return Ok(());
        }
        if let Some(attempted) = attempted.filter(|(note, _)| *note == stored) {
            *write_locked(&self.checkpoint) = attempted.clone();
            return Ok(());
        }
        let path = self.store.path.display().to_string();
        let reason = format!("the checkpoint store {path} was changed by someone else");
        self.queue.refuse(Refusal::ReadOnly { reason });
        Err(SealError::Forked { path })
    }
}
