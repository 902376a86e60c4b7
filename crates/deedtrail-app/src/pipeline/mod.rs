//! The one consumer of the evidence log: map, resolve, detect, archive, in log order.
//!
//! Live, catch-up after a restart, replay and rebuild are this function over positions. Three
//! positions move on their own: results in the store, rows in the archive, detection's snapshot.
//! After a restart reading starts at the lowest; each stage ignores what it has already covered.

mod batch;
mod health;
mod worker;

pub use worker::{Worker, WorkerError};

use std::sync::Arc;

use deedtrail_core::port::archive::ArchiveError;
use deedtrail_core::port::log::{ReadError, Sequence};
use deedtrail_core::port::store::{Progress, StoreError};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::{Detector, RuleSet, Settings};

use crate::Ports;
use crate::identity::Resolver;
use batch::Batch;
use health::Health;

/// Bytes of the log taken in one step.
const STEP_BYTES_MAX: usize = 4 << 20;
/// Hot rows after which the archive is committed.
const COMMIT_ROWS: u64 = 50_000;
/// Longest time a row stays hot only, µs.
const COMMIT_AGE_US: i64 = 30 * Timestamp::SECOND_US;
/// Entries after which detection's state is snapshotted.
const SNAPSHOT_ENTRIES: u64 = 200_000;
/// Name of detection's snapshot in the store.
const SNAPSHOT: &str = "detection";

/// What detection is made of besides the log.
#[derive(Clone, Debug)]
pub struct Detection {
    pub rules: Arc<RuleSet>,
    pub settings: Settings,
}

impl Detection {
    fn start(&self) -> Detector {
        Detector::new(Arc::clone(&self.rules), self.settings.clone())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// State of the consumer between two steps.
#[derive(Debug)]
pub struct Pipeline {
    ports: Ports,
    detection: Detection,
    /// Key of event ids; never leaves the data folder.
    event_key: [u8; 32],
    resolver: Resolver,
    detector: Detector,
    health: Health,
    /// Next sequence to read.
    position: Sequence,
    /// Entries below this have been stored, detected.
    stored: Sequence,
    detected: Sequence,
    hot_rows: u64,
    committed_at: Timestamp,
    snapshot_at: Sequence,
}

impl Pipeline {
    /// Restores the consumer to where the store, the archive and the snapshot say it was.
    pub fn open(
        ports: Ports,
        detection: Detection,
        event_key: [u8; 32],
    ) -> Result<Self, PipelineError> {
        let stored = ports.store.processed()?;
        let (detected, detector) = restore_detector(&ports, &detection)?;
        let detected = detected.min(stored);
        let position = stored.min(detected).min(ports.archive.covered());
        Ok(Self {
            resolver: Resolver::load(ports.store.as_ref())?,
            health: Health::load(ports.store.as_ref())?,
            committed_at: ports.clock.now(),
            detector,
            detection,
            event_key,
            position,
            stored,
            detected,
            hot_rows: 0,
            snapshot_at: detected,
            ports,
        })
    }

    /// Next sequence to read.
    pub fn position(&self) -> Sequence {
        self.position
    }

    /// Processes up to [`STEP_BYTES_MAX`] of the log; false at its end.
    pub fn step(&mut self) -> Result<bool, PipelineError> {
        let entries = match self.ports.log.read(self.position, STEP_BYTES_MAX) {
            // The healthy rest is served; the log itself says what is damaged.
            Err(ReadError::Damaged { last, .. }) => {
                tracing::error!(
                    from = self.position,
                    to = last,
                    "damaged entries are skipped"
                );
                self.position = last + 1;
                return Ok(true);
            }
            read => read?,
        };
        let Some(last) = entries.last() else {
            return Ok(false);
        };
        let through = last.sequence + 1;
        let mut batch = Batch::new(self);
        for entry in &entries {
            batch.take(entry)?;
        }
        let (rows, progress) = batch.finish(through);
        self.save(progress, through)?;
        self.hot_rows += rows.len() as u64;
        self.ports.archive.add(rows, through);
        self.position = through;
        self.detected = self.detected.max(through);
        self.commit_when_due()?;
        Ok(true)
    }

    fn save(&mut self, progress: Progress, through: Sequence) -> Result<(), PipelineError> {
        if through > self.stored {
            self.ports.store.save(progress)?;
            self.stored = through;
        }
        Ok(())
    }

    /// Commits the archive when enough rows, or old enough rows, are hot only.
    pub fn commit_when_due(&mut self) -> Result<(), PipelineError> {
        let age = self.ports.clock.now().micros_since(self.committed_at);
        if self.hot_rows >= COMMIT_ROWS || (self.hot_rows > 0 && age >= COMMIT_AGE_US) {
            self.commit()?;
        }
        if self.detected.saturating_sub(self.snapshot_at) >= SNAPSHOT_ENTRIES {
            self.snapshot()?;
        }
        Ok(())
    }

    /// Commits hot rows and compacts what became small files.
    fn commit(&mut self) -> Result<(), PipelineError> {
        self.ports.archive.commit()?;
        self.ports.archive.compact()?;
        self.hot_rows = 0;
        self.committed_at = self.ports.clock.now();
        Ok(())
    }

    /// Snapshots detection's state with the position it covers.
    fn snapshot(&mut self) -> Result<(), PipelineError> {
        let state = self.detector.snapshot();
        self.ports
            .store
            .put_snapshot(SNAPSHOT, self.detected, &state)?;
        self.snapshot_at = self.detected;
        Ok(())
    }

    /// Waits until the log has news, at most `timeout`.
    fn wait(&self, timeout: std::time::Duration) {
        self.ports.log.wait_past(self.position, timeout);
    }

    /// Leaves everything stored, so that the next start has nothing to catch up with.
    pub fn close(&mut self) -> Result<(), PipelineError> {
        if self.hot_rows > 0 {
            self.commit()?;
        }
        if self.snapshot_at < self.detected {
            self.snapshot()?;
        }
        Ok(())
    }

    /// Derives everything anew from the first entry; queries see the old table until the swap.
    pub fn rebuild(&mut self) -> Result<(), PipelineError> {
        self.ports.archive.start_rebuild()?;
        self.ports.store.forget_derived()?;
        self.resolver = Resolver::load(self.ports.store.as_ref())?;
        self.health = Health::default();
        self.detector = self.detection.start();
        self.position = 0;
        self.stored = 0;
        self.detected = 0;
        self.snapshot_at = 0;
        while self.step()? {}
        self.commit()?;
        self.snapshot()?;
        self.ports.archive.finish_rebuild()?;
        Ok(())
    }
}

/// The snapshot if there is one that this version and these rules can read, else a fresh start.
fn restore_detector(
    ports: &Ports,
    detection: &Detection,
) -> Result<(Sequence, Detector), PipelineError> {
    if let Some((position, bytes)) = ports.store.snapshot(SNAPSHOT)? {
        let rules = Arc::clone(&detection.rules);
        match Detector::restore(rules, detection.settings.clone(), &bytes) {
            Ok(detector) => return Ok((position, detector)),
            Err(error) => {
                tracing::info!(%error, "detection starts anew from the log");
            }
        }
    }
    Ok((0, detection.start()))
}
