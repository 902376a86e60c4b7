//! The one consumer of the evidence log: map, resolve, detect, archive, in log order.
//!
//! Live, catch-up after a restart, replay and rebuild are this function over positions. Three
//! positions move on their own: results in the store, rows in the archive, detection's snapshot.
//! After a restart reading starts at the lowest; each stage ignores what it has already covered.

mod ahead;
mod batch;
mod commit;
mod health;
mod worker;

pub use worker::{Worker, WorkerError};

use std::collections::BTreeMap;
use std::sync::Arc;

use deedtrail_core::id::SourceName;
use deedtrail_core::port::archive::ArchiveError;
use deedtrail_core::port::log::{ReadError, Sequence};
use deedtrail_core::port::mapper::SourceFacts;
use deedtrail_core::port::store::{Progress, StoreError};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::{Detector, RuleSet, Settings};

use crate::Ports;
use crate::identity::Resolver;
use ahead::{Ahead, Mapped};
use batch::Batch;
use commit::Commit;
use health::Health;

/// Bytes of the log taken in one step.
const STEP_BYTES_MAX: usize = 4 << 20;
/// Hot rows after which the archive is committed.
const COMMIT_ROWS: u64 = 50_000;
/// Hot rows at which the pipeline waits for the commit under way: bounds their memory.
const HOT_ROWS_MAX: u64 = 4 * COMMIT_ROWS;
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
    sources: BTreeMap<SourceName, Arc<SourceFacts>>,
    /// Next sequence to read.
    position: Sequence,
    /// What was read and mapped from there on while the step before was processed.
    ahead: Option<Ahead>,
    commit: Commit,
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
            sources: facts_by_name(&ports),
            ahead: None,
            commit: Commit::default(),
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

    /// Processes up to [`STEP_BYTES_MAX`] of the log; false at its end. What comes next is read and
    /// mapped meanwhile.
    pub fn step(&mut self) -> Result<bool, PipelineError> {
        let ahead = match self
            .ahead
            .take()
            .filter(|ahead| ahead.from == self.position)
        {
            Some(ahead) => ahead,
            None => Ahead::read(&self.ports, self.position),
        };
        let entries = match ahead.entries {
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
            entries => entries?,
        };
        let Some(last) = entries.last() else {
            return Ok(false);
        };
        let through = last.entry.sequence + 1;
        let ports = self.ports.clone();
        let (done, ahead) = std::thread::scope(|scope| {
            let next =
                (ports.log.end() > through).then(|| scope.spawn(|| Ahead::read(&ports, through)));
            let done = self.process(entries, through);
            (done, next.and_then(|next| next.join().ok()))
        });
        done?;
        self.ahead = ahead.filter(Ahead::has_entries);
        self.commit_when_due()?;
        Ok(true)
    }

    fn process(&mut self, entries: Vec<Mapped>, through: Sequence) -> Result<(), PipelineError> {
        let mut batch = Batch::new(self);
        for mapped in entries {
            batch.take(mapped)?;
        }
        let (rows, progress) = batch.finish(through);
        self.save(progress, through)?;
        self.hot_rows += rows.len() as u64;
        self.ports.archive.add(rows, through);
        self.position = through;
        self.detected = self.detected.max(through);
        Ok(())
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
        let is_due = self.hot_rows >= COMMIT_ROWS || (self.hot_rows > 0 && age >= COMMIT_AGE_US);
        if is_due && (!self.commit.is_running() || self.hot_rows >= HOT_ROWS_MAX) {
            self.commit.start(&self.ports.archive)?;
            self.committed();
        }
        if self.detected.saturating_sub(self.snapshot_at) >= SNAPSHOT_ENTRIES {
            self.snapshot()?;
        }
        Ok(())
    }

    /// Commits hot rows, compacts what became small files, and waits for both.
    fn commit_now(&mut self) -> Result<(), PipelineError> {
        self.commit.start(&self.ports.archive)?;
        self.commit.finish()?;
        self.committed();
        Ok(())
    }

    fn committed(&mut self) {
        self.hot_rows = 0;
        self.committed_at = self.ports.clock.now();
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
        self.commit.finish()?;
        if self.hot_rows > 0 {
            self.commit_now()?;
        }
        if self.snapshot_at < self.detected {
            self.snapshot()?;
        }
        Ok(())
    }

    /// Derives everything anew from the first entry; queries see the old table until the swap.
    pub fn rebuild(&mut self) -> Result<(), PipelineError> {
        self.commit.finish()?;
        self.ahead = None;
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
        self.commit_now()?;
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

fn facts_by_name(ports: &Ports) -> BTreeMap<SourceName, Arc<SourceFacts>> {
    let facts = ports.mapper.sources().into_iter();
    facts
        .map(|facts| (facts.name.clone(), Arc::new(facts)))
        .collect()
}
