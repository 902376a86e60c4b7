//! The one consumer of the evidence log: map, resolve, detect, archive, in log order.
//!
//! Live, catch-up after a restart, replay and rebuild are this function over positions. Three
//! positions move on their own: results in the store, rows in the archive, the snapshot of the
//! state. After a restart reading starts at the snapshot, which is never ahead of the other two;
//! entries are processed as they were then, and what is stored already is not stored again.

mod ahead;
mod archiving;
mod backtest;
mod batch;
mod commit;
mod decided;
mod fields;
mod handover;
mod health;
#[cfg_attr(
    not(feature = "simulation"),
    expect(unreachable_pub, reason = "only the simulation sets the pace")
)]
mod pace;
mod passed_over;
mod rebuild;
mod snapshot;
#[cfg(feature = "simulation")]
pub mod stepped;
mod worker;
mod writing;

pub use backtest::{
    BACKTEST_DAMAGE_MAX, BACKTEST_EXAMPLES_MAX, BACKTEST_FINDINGS_MAX, BACKTEST_IDENTITIES_MAX,
    BACKTEST_LISTED_MAX, Backtest, BacktestExample, BacktestPlan, Counted, DamagedRange,
    ExceptionInTrial, backtest,
};
pub use fields::{FieldCoverage, RuleFields, field_coverage};
pub use handover::Handover;
pub use passed_over::PassedOver;
pub use rebuild::REBUILDING;
pub use worker::{Processing, Worker, WorkerError};

use std::collections::BTreeMap;
use std::sync::Arc;

use deedtrail_charter::Library;
use deedtrail_core::id::SourceName;
use deedtrail_core::mapping::text_bytes;
use deedtrail_core::port::archive::ArchiveError;
use deedtrail_core::port::log::{ReadError, Sequence};
use deedtrail_core::port::mapper::SourceFacts;
use deedtrail_core::port::store::{Progress, StoreError};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::{Detector, RuleSet, Settings};

use crate::Ports;
use crate::custody;
use crate::retention::{Retention, RetentionError};
use crate::rule_set::RuleBook;
use crate::target::Targets;
use ahead::{Ahead, Mapped};
use batch::Batch;
use commit::Beside;
use health::Health;
use pace::Pace;
use passed_over::Ranges;
use snapshot::{Loaded, State};
use writing::{Writing, Written};

/// Text in the events of one step, bytes; the record that reaches it is the step's last.
const STEP_TEXT_BYTES_MAX: usize = 64 << 20;

/// What detection is made of besides the log.
#[derive(Clone, Debug)]
pub struct Detection {
    pub rules: Arc<RuleSet>,
    pub settings: Settings,
    /// What the operator says of targets.
    pub targets: Arc<Targets>,
    /// Unsafe sequences in force.
    pub sequences: Arc<Library>,
    /// What entries of the log that change rules and sequences are compiled with.
    pub book: Arc<RuleBook>,
}

impl Detection {
    fn start(&self) -> Detector {
        let mut detector = Detector::new(Arc::clone(&self.rules), self.settings.clone());
        detector.replace_library(Arc::clone(&self.sequences));
        detector
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
    #[error("events that are due stay in the archive: {0}")]
    Retention(#[from] RetentionError),
    #[error("{work}: {reason}")]
    Beside {
        /// Name of the thread.
        work: &'static str,
        reason: String,
    },
    #[error("the state cannot be written: {0}")]
    State(std::io::Error),
}

/// State of the consumer between two steps.
#[derive(Debug)]
pub struct Pipeline {
    ports: Ports,
    detection: Detection,
    handover: Arc<Handover>,
    /// Key of event ids; never leaves the data folder.
    event_key: [u8; 32],
    pace: Pace,
    state: State,
    health: Health,
    sources: BTreeMap<SourceName, Arc<SourceFacts>>,
    /// Next sequence to read.
    position: Sequence,
    /// What was read and mapped from there on while the step before was processed.
    ahead: Option<Ahead>,
    writing: Writing,
    committing: Beside,
    compacting: Beside,
    /// Commits since the last compaction.
    uncompacted: u64,
    retention: Retention,
    /// UTC day on which retention was last seen to.
    retained_on: i64,
    /// Results of entries below this are in the store, or on their way there.
    stored: Sequence,
    /// When sessions were last handed to the store.
    told_at: Timestamp,
    hot_rows: u64,
    hot_text_bytes: usize,
    committed_at: Timestamp,
    snapshot_at: Sequence,
    /// Entries that were passed over because they are damaged, since the start or a rebuild.
    damaged: u64,
    /// Those of this start and of earlier ones.
    passed_over: Ranges,
    /// Where the archive lacked events at the start, what it is filled again up to.
    refills: Option<Sequence>,
    /// Why the last commit of the archive failed, until one is made.
    overdue: Option<String>,
    /// Where drafts go instead of the store, in a backtest.
    trial: Option<Box<backtest::Trial>>,
}

impl Pipeline {
    /// Restores the consumer to the newest snapshot of its state.
    pub fn open(
        ports: Ports,
        detection: Detection,
        event_key: [u8; 32],
    ) -> Result<Self, PipelineError> {
        let end = ports.log.end();
        if ports.store.processed()? > end || ports.archive.covered() > end {
            tracing::warn!(
                "the log ends before what was derived from it: everything is derived anew"
            );
            let now = ports.clock.now().to_string();
            ports.store.put_setting(REBUILDING, &now)?;
        }
        Self::at_pace(ports, detection, event_key, Pace::default())
    }

    fn at_pace(
        ports: Ports,
        detection: Detection,
        event_key: [u8; 32],
        pace: Pace,
    ) -> Result<Self, PipelineError> {
        let Loaded {
            position,
            state,
            is_archive_behind,
        } = State::load(&ports, &detection)?;
        let processed = ports.store.processed()?;
        if is_archive_behind {
            tracing::warn!(
                "the archive is gone or lacks events: they are derived again from the log"
            );
        }
        // What is due stays due: a full disk must not keep the log from being read.
        if let Err(error) = custody::derive_due(&ports) {
            tracing::warn!(%error, "custody of earlier entries is not complete; the next start tries again");
        }
        Ok(Self {
            health: Health::load(ports.store.as_ref())?,
            passed_over: Ranges::load(ports.store.as_ref())?,
            sources: facts_by_name(&ports),
            ahead: None,
            writing: Writing::new(pace.beside, position),
            committing: Beside::new("archive-commit", pace.beside),
            compacting: Beside::new("archive-compact", pace.beside),
            uncompacted: 0,
            retention: Retention::default(),
            retained_on: i64::MIN,
            committed_at: ports.clock.now(),
            told_at: ports.clock.now(),
            stored: processed,
            refills: is_archive_behind.then_some(processed),
            overdue: None,
            state,
            detection,
            handover: Arc::default(),
            event_key,
            pace,
            position,
            hot_rows: 0,
            hot_text_bytes: 0,
            snapshot_at: position,
            ports,
            damaged: 0,
            trial: None,
        })
    }

    /// Takes records that intake has mapped from `handover`.
    #[must_use]
    pub fn fed_by(mut self, handover: &Arc<Handover>) -> Self {
        self.handover = Arc::clone(handover);
        self
    }

    /// Lets events leave the archive, and not come in, when they are older than `retention` says.
    #[must_use]
    pub fn keeping(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// The consumer as after a restart: what an error left half done is done again.
    fn reopened(&mut self) -> Result<Self, PipelineError> {
        if let Err(error) = self.writing.finish() {
            tracing::warn!(%error, "the results of the last step are made again");
        }
        self.committed()?;
        let (ports, detection) = (self.ports.clone(), self.detection.clone());
        let mut fresh = Self::at_pace(ports, detection, self.event_key, self.pace.clone())?;
        fresh.overdue = self.overdue.take();
        let fresh = fresh.keeping(self.retention.clone());
        Ok(fresh.fed_by(&self.handover))
    }

    /// Everything below is processed, and its results can be read.
    pub fn position(&self) -> Sequence {
        self.writing.told()
    }

    /// Whether something was processed that may wait for a tick.
    fn awaits_tick(&self) -> bool {
        self.state.detector.awaits_tick()
    }

    /// Processes a piece of the log; false at its end. What comes next is read and mapped meanwhile,
    /// and what came of the piece before is stored.
    pub fn step(&mut self) -> Result<bool, PipelineError> {
        let ahead = match self
            .ahead
            .take()
            .filter(|ahead| ahead.from == self.position)
        {
            Some(ahead) => ahead,
            None => self.read_from(self.position),
        };
        let entries = match ahead.entries {
            // The healthy rest is served; the log itself says what is damaged.
            Err(ReadError::Damaged { last, .. }) => {
                self.pass_over(last)?;
                return Ok(true);
            }
            entries => entries?,
        };
        let Some(last) = entries.last() else {
            return Ok(false);
        };
        let through = last.entry.sequence + 1;
        let (ports, handover) = (self.ports.clone(), Arc::clone(&self.handover));
        let bytes_max = self.pace.step_bytes_max;
        let (done, ahead) = std::thread::scope(|scope| {
            let read = || Ahead::read(&ports, &handover, through, bytes_max);
            let next = (ports.log.end() > through).then(|| scope.spawn(read));
            let done = self.process(entries, through);
            (done, next.and_then(|next| next.join().ok()))
        });
        done?;
        self.ahead = ahead.filter(Ahead::has_entries);
        if self.ahead.is_none() {
            self.writing.finish()?;
        }
        self.commit_when_due()?;
        Ok(true)
    }

    /// Goes on behind damaged entries, which are remembered: nothing of theirs is derived. The store
    /// and the archive go along, or a snapshot from there would be ahead of both when nothing follows.
    fn pass_over(&mut self, last: Sequence) -> Result<(), PipelineError> {
        let first = self.position;
        tracing::error!(from = first, to = last, "damaged entries are skipped");
        let range = DamagedRange { first, last };
        self.damaged += range.entries();
        // Results of before may be there, but neither the state nor rows that were hot only.
        self.passed_over.note(range, self.ports.store.as_ref())?;
        let through = last + 1;
        let progress = (through > self.stored).then(|| Progress {
            through,
            ..Progress::default()
        });
        let step = Written {
            progress,
            rows: Vec::new(),
            through,
            tells: false,
        };
        self.writing.start(&self.ports, step)?;
        self.stored = self.stored.max(through);
        self.position = through;
        Ok(())
    }

    fn read_from(&self, position: Sequence) -> Ahead {
        let bytes_max = self.pace.step_bytes_max;
        Ahead::read(&self.ports, &self.handover, position, bytes_max)
    }

    fn process(&mut self, entries: Vec<Mapped>, through: Sequence) -> Result<(), PipelineError> {
        let new_from = self.stored.max(self.ports.archive.covered());
        let store = self.ports.store.as_ref();
        self.passed_over
            .derived(new_from.max(self.position), through, store)?;
        let mut batch = Batch::new(self);
        for mapped in entries {
            batch.take(mapped)?;
        }
        let (mut rows, progress, tells) = batch.finish(through);
        let cutoffs = self.retention.cutoffs(self.ports.clock.now());
        rows.retain(|row| !cutoffs.is_due(row));
        self.hot_rows += rows.len() as u64;
        self.hot_text_bytes += rows
            .iter()
            .map(|row| text_bytes(&row.mapped))
            .sum::<usize>();
        let step = Written {
            progress: (through > self.stored).then_some(progress),
            rows,
            through,
            tells,
        };
        self.writing.start(&self.ports, step)?;
        self.stored = self.stored.max(through);
        self.position = through;
        Ok(())
    }

    /// Whether what sessions became is handed to the store with what came before `through`: at the
    /// end of the log, else now and then, and before a snapshot, which forgets what changed.
    fn tells(&self, through: Sequence) -> bool {
        // A clock that was set back must not keep it for as long.
        let age = self.ports.clock.now().micros_since(self.told_at);
        through >= self.ports.log.end()
            || !(0..self.pace.tell_age_us).contains(&age)
            || self.is_snapshot_due(through)
    }

    /// Stores what sessions became and what is known of the behaviour of those who acted: when there
    /// is nothing else to do, and before a snapshot, which forgets both.
    fn tell(&mut self) -> Result<(), PipelineError> {
        self.writing.finish()?;
        let known = self.state.detector.take_behaviour();
        let sessions = self.state.detector.take_sessions();
        if !known.identities.is_empty() || !sessions.is_empty() {
            self.stored = self.stored.max(self.position);
            self.ports.store.save(Progress {
                through: self.stored,
                behaviours: known.identities,
                forecasts: known.forecasts,
                sessions: sessions.sessions,
                session_joins: sessions.joins,
                blind_sessions: sessions.blind,
                ..Progress::default()
            })?;
        }
        self.writing.settled(self.position);
        Ok(())
    }

    /// Called when the log has no news.
    pub fn rest(&mut self) -> Result<(), PipelineError> {
        self.tell()?;
        self.commit_when_due()
    }

    /// Waits until the log has news, at most `timeout`.
    fn wait(&self, timeout: std::time::Duration) {
        self.ports.log.wait_past(self.position, timeout);
    }
}

fn facts_by_name(ports: &Ports) -> BTreeMap<SourceName, Arc<SourceFacts>> {
    let facts = ports.mapper.sources().into_iter();
    facts
        .map(|facts| (facts.name.clone(), Arc::new(facts)))
        .collect()
}
