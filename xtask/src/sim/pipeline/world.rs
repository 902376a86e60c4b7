//! One simulated server: a log on a simulated disk, intake and pipeline as one process, an archive
//! that forgets its hot rows with it, a control plane, clients, and what befalls them.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use deedtrail_app::access::Principal;
use deedtrail_app::intake::Delivery;
use deedtrail_app::pipeline::stepped::{Pace, SteppedPipeline, Where};
use deedtrail_app::pipeline::{Detection, PipelineError};
use deedtrail_app::{App, Ports};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::archive::Archive as _;
use deedtrail_core::port::log::{EvidenceLog as _, NewEntry};
use deedtrail_core::port::mapper::Encoding;
use deedtrail_core::port::store::{Progress, Store as _};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::Settings;
use deedtrail_evidence::disk::simulated::SimulatedDisk;
use deedtrail_evidence::stepped::SteppedLog;
use deedtrail_evidence::{LogConfig, Upkeep};
use deedtrail_testkit::mishap::{FaultyArchive, FaultyStore, Mishap, Mishaps};
use deedtrail_testkit::{FakeArchive, FakeClock, FakeTables, MemoryStore, SeededEntropy};

use super::Safeguard;
use super::log::SimulatedLog;
use super::records::{Line, Material};
use crate::sim::model::{Broken, Held, ensure};

/// Attempts to start before it counts as broken; each mishap strikes once.
const STARTS_MAX: u32 = 30;
/// Turns after which a pipeline that still finds something to do counts as broken.
const TURNS_MAX: u32 = 100_000;
/// Key of event ids.
pub(super) const EVENT_KEY: [u8; 32] = [7; 32];
/// 2026-03-02T12:00:00Z, about when the fixtures happen, µs since 1970.
const BEGINNING_US: i64 = 1_772_452_800_000_000;

/// A delivery, and its source.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    source: SourceName,
    body: String,
}

/// What runs between a start and the next crash.
pub(super) struct Process {
    app: App,
    pub(super) log: Arc<SimulatedLog>,
    pub(super) pipeline: SteppedPipeline,
}

/// A simulated server.
pub(super) struct World {
    pub(super) dice: fastrand::Rng,
    pub(super) material: &'static Material,
    pub(super) disk: SimulatedDisk,
    pub(super) clock: Arc<FakeClock>,
    config: LogConfig,
    pub(super) store: Arc<MemoryStore>,
    pub(super) archive: Arc<FakeArchive>,
    pub(super) mishaps: Arc<Mishaps>,
    pub(super) process: Option<Process>,
    pace: Pace,
    missing: Option<Safeguard>,
    /// What comes in from now on.
    pub(super) coming: VecDeque<Line>,
    /// What was acknowledged.
    pub(super) acknowledged: Vec<Sent>,
    /// Right sources of records that were sent under a wrong one.
    pub(super) misnamed: BTreeMap<Vec<u8>, SourceName>,
    /// Mishaps that somebody noticed.
    pub(super) struck: u64,
    pub(super) digest: u64,
    pub(super) says: bool,
}

impl World {
    pub(super) fn new(seed: u64, material: &'static Material, missing: Option<Safeguard>) -> Self {
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut config = LogConfig::new(Path::new("/sim/data"), Path::new("/sim/store"));
        config.upkeep = Upkeep::Manual;
        config.segment_bytes = 16 << 10;
        config.index_rows_in_memory = 1 << dice.u32(2..7);
        let pace = Pace {
            step_bytes_max: 1 << dice.u32(6..16),
            commit_rows: dice.u64(1..40),
            commit_age_us: dice.i64(1..90) * Timestamp::SECOND_US,
            tell_age_us: dice.i64(0..90) * Timestamp::SECOND_US,
            snapshot_entries: dice.u64(1..80),
            beside: Where::Stepped(dice.u64(..)),
        };
        Self {
            material,
            coming: material.draw(&mut dice).into(),
            disk: SimulatedDisk::default(),
            clock: Arc::new(FakeClock::at(Timestamp::from_micros(BEGINNING_US))),
            config,
            store: Arc::default(),
            archive: Arc::default(),
            mishaps: Arc::new(Mishaps::of_this_thread()),
            process: None,
            pace,
            missing,
            acknowledged: Vec::new(),
            misnamed: BTreeMap::new(),
            struck: 0,
            digest: seed,
            says: false,
            dice,
        }
    }

    pub(super) fn note(&mut self, what: &str) {
        let calls = self.mishaps.calls();
        self.digest(what.bytes().chain(calls.to_le_bytes()));
        if self.says {
            crate::process::say(format_args!("  call {calls}: {what}"));
        }
    }

    pub(super) fn digest(&mut self, bytes: impl Iterator<Item = u8>) {
        for byte in bytes {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.dice.u32(0..one_in) == 0
    }

    /// Something will go wrong within the next calls, or steps of the disk.
    fn arm(&mut self) {
        if self.chance(5) {
            let at = self.disk.steps() + 1 + self.dice.u64(0..12);
            self.disk.crash_at(at);
            return;
        }
        let kinds = [
            Mishap::FailBefore,
            Mishap::FailAfter,
            Mishap::DieBefore,
            Mishap::DieAfter,
        ];
        let kind = kinds[self.dice.usize(0..kinds.len())];
        self.mishaps.arm(self.dice.u64(0..24), kind);
    }

    fn is_down(&self) -> bool {
        self.mishaps.is_dead() || self.disk.is_down()
    }

    /// An error is excused by a mishap.
    fn excused(&mut self, what: &str, error: &dyn std::fmt::Display) -> Held {
        let struck = self.mishaps.take_struck();
        self.struck += u64::from(struck.is_some() || self.disk.is_down());
        self.note(&format!("{what}: {error}"));
        ensure(struck.is_some() || self.is_down(), || {
            format!("{what} without a mishap: {error}")
        })
    }

    pub(super) fn ports(&self, log: &Arc<SimulatedLog>) -> Ports {
        Ports {
            log: Arc::clone(log) as _,
            mapper: Arc::clone(&self.material.registry) as _,
            tables: Arc::new(FakeTables),
            archive: Arc::new(FaultyArchive {
                archive: Arc::clone(&self.archive),
                mishaps: Arc::clone(&self.mishaps),
            }),
            store: Arc::new(FaultyStore {
                store: Arc::clone(&self.store),
                mishaps: Arc::clone(&self.mishaps),
            }),
            clock: Arc::clone(&self.clock) as _,
            entropy: Arc::new(SeededEntropy::new(7)),
        }
    }

    pub(super) fn detection(&self) -> Detection {
        Detection {
            rules: Arc::clone(&self.material.rules),
            settings: Settings::default(),
            targets: Arc::default(),
            book: Arc::default(),
            sequences: deedtrail_charter::Library::shipped(),
        }
    }

    /// The process is gone, and with it what was in its memory.
    fn end_process(&mut self) {
        self.mishaps.die();
        self.process = None;
        if self.disk.is_down() {
            if self.dice.bool() {
                self.disk.restart(self.dice.u64(..));
            } else {
                self.disk.resume();
            }
        }
        let (stored, covered) = (self.archive.stored(), self.archive.covered());
        let covered = match self.missing {
            Some(Safeguard::ArchivePosition) => 0,
            Some(Safeguard::HotRows) => self.store.processed().unwrap_or(covered),
            _ => covered,
        };
        self.archive = Arc::new(FakeArchive::holding(stored, covered));
        self.mishaps = Arc::new(Mishaps::of_this_thread());
        self.note("ended");
    }

    fn kill(&mut self) {
        self.disk.crash();
        self.end_process();
    }

    /// Starts the process when there is none, perhaps with mishaps on the way.
    pub(super) fn start(&mut self) -> Held {
        for attempt in 0..STARTS_MAX {
            if self.is_down() {
                self.end_process();
            }
            if self.process.is_some() {
                return Ok(());
            }
            if attempt < 2 && self.chance(6) {
                self.arm();
            }
            self.try_start()?;
        }
        Err(Broken("does not start".to_owned()))
    }

    fn try_start(&mut self) -> Held {
        let opened = SteppedLog::open(
            &self.config,
            Arc::new(self.disk.clone()),
            Arc::clone(&self.clock) as _,
            Arc::new(SeededEntropy::new(self.dice.u64(..))),
        );
        let stepped = match opened {
            Ok(stepped) => stepped,
            Err(error) => {
                self.excused("the log does not open", &error)?;
                self.end_process();
                return Ok(());
            }
        };
        let is_undeduped = self.missing == Some(Safeguard::Dedupe);
        let log = Arc::new(SimulatedLog::new(stepped, &self.mishaps, is_undeduped));
        self.forget(&log);
        let app = App::new(self.ports(&log));
        let opened = SteppedPipeline::open(
            self.ports(&log),
            self.detection(),
            EVENT_KEY,
            &app.handover,
            self.pace.clone(),
        );
        match opened {
            Ok(pipeline) => {
                self.process = Some(Process { app, log, pipeline });
                self.note("started");
                Ok(())
            }
            Err(error) => {
                self.excused("the pipeline does not open", &error)?;
                self.mishaps.die();
                drop((app, log));
                self.end_process();
                Ok(())
            }
        }
    }

    /// What a start finds when a safeguard is missing.
    fn forget(&self, log: &SimulatedLog) {
        let end = log.end();
        let forgotten = match self.missing {
            Some(Safeguard::Progress) => self.store.save(Progress {
                through: end,
                ..Progress::default()
            }),
            Some(Safeguard::Snapshot) => {
                let newest = self.store.snapshot("pipeline").ok().flatten();
                let covered = self.archive.covered().min(end);
                newest.map_or(Ok(()), |(_, bytes)| {
                    self.store.put_snapshot("pipeline", covered, &bytes)
                })
            }
            _ => Ok(()),
        };
        forgotten.unwrap_or_default();
    }

    /// One thing that happens.
    pub(super) fn round(&mut self) -> Held {
        self.start()?;
        self.clock
            .advance(self.dice.i64(0..40) * Timestamp::SECOND_US);
        if self.chance(4) {
            self.arm();
        }
        match self.dice.u32(0..100) {
            0..40 => self.deliver(),
            40..48 => self.repeat(),
            48..66 => self.turn(),
            66..76 => self.catch_up(),
            76..82 => {
                let ticked = self.process.as_ref().map_or(Ok(()), |it| it.app.tick());
                ticked.or_else(|error| self.excused("no tick", &error))
            }
            82..90 => match self.say_something() {
                Some(entry) => self.append(&entry),
                None => Ok(()),
            },
            90..94 => {
                self.kill();
                Ok(())
            }
            94..98 => self.stop(),
            _ => self.rebuild(),
        }
    }

    /// The next lines come in, until they are acknowledged.
    pub(super) fn deliver(&mut self) -> Held {
        let Some(first) = self.coming.pop_front() else {
            return Ok(());
        };
        let (source, text) = match first {
            Line::Identity(text) => return self.append(&self.import(&text)),
            Line::Record { source, text } => (source, text),
        };
        let mut body = text;
        for _ in 1..self.dice.usize(1..8) {
            match self.coming.front() {
                Some(Line::Record { source: next, text }) if *next == source => {
                    body.push('\n');
                    body.push_str(text);
                    self.coming.pop_front();
                }
                _ => break,
            }
        }
        if self.chance(16) {
            body.push_str("\nnot json ");
            body.push_str(&self.coming.len().to_string());
        }
        let named = self.name_of(&source, &body);
        let sent = Sent {
            source: named,
            body,
        };
        while self.send(&sent)?.is_none() {
            self.start()?;
        }
        self.acknowledged.push(sent);
        Ok(())
    }

    /// Something acknowledged is sent again, as by a client that got no answer.
    fn repeat(&mut self) -> Held {
        let count = self.acknowledged.len();
        if count == 0 {
            return Ok(());
        }
        let sent = self.acknowledged[self.dice.usize(0..count)].clone();
        self.send(&sent).map(drop)
    }

    /// How many of its records are new; `None` when it was not acknowledged.
    pub(super) fn send(&mut self, sent: &Sent) -> Result<Option<u64>, Broken> {
        let Some(process) = &self.process else {
            return Ok(None);
        };
        let delivery = Delivery {
            source: Some(&sent.source),
            encoding: Encoding::Identity,
            body: sent.body.as_bytes(),
        };
        match process.app.ingest(&Principal::local(), delivery) {
            Ok(answer) => {
                let new = answer.records - answer.duplicates;
                let words = format!("{} of {}, {new} new", answer.records, sent.source);
                self.note(&words);
                Ok(Some(new))
            }
            Err(error) => {
                self.excused("not taken in", &error)?;
                self.start()?;
                Ok(None)
            }
        }
    }

    /// An entry comes in, until it is acknowledged.
    fn append(&mut self, entry: &NewEntry) -> Held {
        while let Some(process) = &self.process {
            match process.log.append(vec![entry.clone()]) {
                Ok(_) => {
                    self.note(&format!("said: {}", entry.note));
                    return Ok(());
                }
                Err(error) => self.excused("not said", &error)?,
            }
            self.start()?;
        }
        Ok(())
    }

    fn turn(&mut self) -> Held {
        self.turned().map(drop)
    }

    /// One turn of the pipeline; false when there is nothing to do, or it failed.
    fn turned(&mut self) -> Result<bool, Broken> {
        let Some(process) = &mut self.process else {
            return Ok(false);
        };
        match process.pipeline.turn() {
            Ok(more) => {
                self.note("turned");
                Ok(more)
            }
            Err(error) => {
                self.recover("processing stopped", &error)?;
                Ok(true)
            }
        }
    }

    /// After an error: another process, or the same one from its newest snapshot on.
    fn recover(&mut self, what: &str, error: &PipelineError) -> Held {
        self.excused(what, error)?;
        for _ in 0..STARTS_MAX {
            if self.is_down() {
                return self.start();
            }
            let Some(process) = &mut self.process else {
                return Ok(());
            };
            match process.pipeline.reopen() {
                Ok(()) => return Ok(()),
                Err(error) => self.excused("does not go on", &error)?,
            }
        }
        Err(Broken("does not go on".to_owned()))
    }

    pub(super) fn catch_up(&mut self) -> Held {
        for _ in 0..TURNS_MAX {
            if !self.turned()? {
                return Ok(());
            }
        }
        Err(Broken("processing does not come to an end".to_owned()))
    }

    fn rebuild(&mut self) -> Held {
        let steps_max = self.dice.u64(1..40);
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        match process.pipeline.rebuild(steps_max) {
            Ok(()) => {
                self.note("rebuilt");
                Ok(())
            }
            Err(error) => self.recover("the rebuild failed", &error),
        }
    }

    /// An orderly stop.
    fn stop(&mut self) -> Held {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let closed = process.pipeline.close();
        process.log.close();
        closed.or_else(|error| self.excused("not everything is stored", &error))?;
        self.note("stopped");
        self.end_process();
        Ok(())
    }
}
