//! One simulated machine: a disk, a clock, the log as a process, its clients, and what befalls them.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use deedtrail_core::port::log::{AppendError, Appended, NewEntry};
use deedtrail_evidence::disk::simulated::{SimulatedDisk, Syncing};
use deedtrail_evidence::stepped::SteppedLog;
use deedtrail_evidence::{LogConfig, OpenError, Upkeep};

use super::Safeguard;
use super::doubles::{JumpingClock, Numbers};
use super::model::{Broken, Held, Model, ensure};

/// Attempts to start before it counts as broken; each fault strikes once.
const STARTS_MAX: u32 = 20;

/// What a crash takes with it.
#[derive(Clone, Copy, Debug)]
enum Crash {
    /// The process is killed.
    Process,
    /// The power goes: what was not synced is lost, in part or whole.
    Power,
}

/// A simulated machine.
pub(super) struct World {
    pub(super) dice: fastrand::Rng,
    pub(super) disk: SimulatedDisk,
    pub(super) clock: Arc<JumpingClock>,
    pub(super) config: LogConfig,
    pub(super) process: Option<SteppedLog>,
    pub(super) model: Model,
    pub(super) missing: Option<Safeguard>,
    /// Files at an earlier clean stop.
    pub(super) earlier: super::harm::Files,
    /// Whether the disk failed since the log was opened.
    has_failed: bool,
    crash: Crash,
    /// Appends with keys that clients may send again.
    pub(super) sent: Vec<NewEntry>,
    pub(super) next_id: u64,
    /// Operations so far, for the seed's digest.
    pub(super) digest: u64,
    pub(super) says: bool,
    /// Nothing goes wrong by chance.
    pub(super) is_calm: bool,
}

impl World {
    pub(super) fn new(seed: u64, missing: Option<Safeguard>) -> Self {
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut config = LogConfig::new(Path::new("/sim/data"), Path::new("/sim/store"));
        config.upkeep = Upkeep::Manual;
        config.segment_bytes = 1024 << dice.u32(1..7);
        config.index_rows_in_memory = 1 << dice.u32(2..7);
        config.check_on_open_bytes = if dice.bool() { 1 } else { 128 << 20 };
        config.origin = dice.bool().then(|| "sim.example/log".to_owned());
        let syncing = match missing {
            Some(Safeguard::Sync) => Syncing::Ignored,
            Some(Safeguard::FolderSync) => Syncing::FoldersIgnored,
            _ => Syncing::Honest,
        };
        Self {
            disk: SimulatedDisk::new(syncing),
            clock: Arc::new(JumpingClock::new(dice.u64(..))),
            config,
            process: None,
            model: Model::default(),
            missing,
            earlier: super::harm::Files::new(),
            has_failed: false,
            crash: Crash::Power,
            sent: vec![],
            next_id: 0,
            digest: seed,
            says: false,
            is_calm: false,
            dice,
        }
    }

    pub(super) fn note(&mut self, what: &str) {
        let steps = self.disk.steps();
        for byte in what.bytes().chain(steps.to_le_bytes()) {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.says {
            crate::process::say(format_args!("  step {steps}: {what}"));
        }
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.dice.u32(0..one_in) == 0
    }

    pub(super) fn open(&mut self, disk: &SimulatedDisk) -> Result<SteppedLog, OpenError> {
        SteppedLog::open(
            &self.config,
            Arc::new(disk.clone()),
            Arc::clone(&self.clock) as _,
            Arc::new(Numbers::new(self.dice.u64(..))),
        )
    }

    /// Starts the process, perhaps with crashes and faults on the way.
    pub(super) fn start(&mut self) -> Held {
        self.process = None;
        for attempt in 0..STARTS_MAX {
            if attempt < 2 && self.chance(6) {
                self.arm(40);
            }
            let opened = self.open(&self.disk.clone());
            let was_hit = self.disk.take_hits();
            match opened {
                Ok(process) if !self.disk.is_down() => {
                    self.has_failed = was_hit || self.disk.is_limited();
                    self.note("started");
                    self.model.recovered(process.log())?;
                    self.process = Some(process);
                    return Ok(());
                }
                // A torn tail is set aside, which may need more space than there is.
                Err(_) if !self.disk.is_down() && !was_hit && self.disk.is_limited() => {
                    self.disk.set_capacity(None);
                    self.note("start refused on a full disk, space again");
                }
                Err(error) if !self.disk.is_down() && !was_hit => {
                    return Err(Broken(format!("cannot open: {error}")));
                }
                _ => self.note("start failed"),
            }
            self.reboot();
        }
        Err(Broken("does not start".to_owned()))
    }

    /// After a crash: the machine as it comes up again.
    fn reboot(&mut self) {
        if !self.disk.is_down() {
            return;
        }
        self.process = None;
        match self.crash {
            Crash::Process => self.disk.resume(),
            Crash::Power => self.disk.restart(self.dice.u64(..)),
        }
        self.note("rebooted");
    }

    /// Something will go wrong within the next `steps` steps.
    fn arm(&mut self, steps: u64) {
        if self.is_calm {
            return;
        }
        let at = self.disk.steps() + 1 + self.dice.u64(0..steps);
        match self.dice.u32(0..4) {
            0 => self.disk.fail_at(at, ErrorKind::Other),
            1 => self.disk.fail_at(at, ErrorKind::StorageFull),
            kind => {
                self.crash = if kind == 2 {
                    Crash::Process
                } else {
                    Crash::Power
                };
                self.disk.crash_at(at);
            }
        }
    }

    /// Starts again when the process is gone.
    pub(super) fn settle(&mut self) -> Held {
        if self.disk.is_down() {
            self.process = None;
            self.reboot();
        }
        if self.process.is_none() {
            self.start()?;
        }
        Ok(())
    }

    /// One thing that happens.
    pub(super) fn round(&mut self) -> Held {
        if self.chance(5) {
            self.arm(60);
        }
        match self.dice.u32(0..100) {
            0..50 => self.deliver()?,
            50..62 => self.upkeep()?,
            62..66 => self.fill()?,
            66..72 => self.look()?,
            72..76 => self.second_process()?,
            76..84 if !self.is_calm => self.kill(),
            84..92 => {
                self.stop()?;
                super::harm::befall(self)?;
            }
            _ => self.stop()?,
        }
        self.settle()
    }

    fn kill(&mut self) {
        self.crash = if self.dice.bool() {
            Crash::Process
        } else {
            Crash::Power
        };
        self.disk.crash();
        self.note("killed");
    }

    /// An orderly stop; what it could not write is no loss.
    pub(super) fn stop(&mut self) -> Held {
        let Some(process) = self.process.take() else {
            return Ok(());
        };
        let closed = process.log().close();
        drop(process);
        let was_hit = self.disk.take_hits();
        self.has_failed |= was_hit || self.disk.is_down();
        self.note("stopped");
        let is_excused = self.has_failed || self.disk.is_limited();
        ensure(closed.is_ok() || is_excused, || {
            format!("cannot close: {closed:?}")
        })
    }

    /// Whether the disk holds all that was acknowledged and the log's own notes about it.
    pub(super) fn is_sound(&self) -> bool {
        !self.has_failed && self.model.is_certain() && !self.disk.is_down()
    }

    /// Several clients send; their appends meet in one commit.
    pub(super) fn deliver(&mut self) -> Held {
        let clients = self.dice.usize(1..=4);
        let appends: Vec<Vec<NewEntry>> = (0..clients).map(|_| self.append()).collect();
        self.send(&appends).map(drop)
    }

    /// Sends appends together; true when they were acknowledged.
    pub(super) fn send(&mut self, appends: &[Vec<NewEntry>]) -> Result<bool, Broken> {
        let Some(process) = &mut self.process else {
            return Ok(false);
        };
        let is_undeduped = self.missing == Some(Safeguard::Dedupe);
        let mut waiting = Vec::new();
        for append in appends {
            let mut append = append.clone();
            if is_undeduped {
                for entry in &mut append {
                    entry.idempotency_key = None;
                }
            }
            match process.submit(&append) {
                Ok(submitted) => waiting.push(submitted),
                Err(error) => return Err(Broken(format!("an append was not taken: {error}"))),
            }
        }
        process.commit();
        let mut answers: Vec<Appended> = Vec::new();
        let mut refused: Vec<AppendError> = Vec::new();
        for one in waiting {
            match process.answer(one) {
                Some(Ok(answer)) => answers.push(answer),
                Some(Err(error)) => refused.push(error),
                None => return Err(Broken("an append was not answered".to_owned())),
            }
        }
        let expected = self.model.expect(appends);
        let count = answers.len();
        self.note(&format!(
            "sent {} appends, {count} acknowledged",
            appends.len()
        ));
        match refused.pop() {
            None => {
                if let Some(process) = &self.process {
                    self.model.acknowledged(process.log(), &answers, expected)?;
                }
                Ok(true)
            }
            Some(error) => {
                ensure(answers.is_empty(), || {
                    "one commit was answered in two ways".to_owned()
                })?;
                self.model.refused(expected);
                self.refused(&error)?;
                Ok(false)
            }
        }
    }

    fn refused(&mut self, error: &AppendError) -> Held {
        let was_hit = self.disk.take_hits();
        self.has_failed |= was_hit;
        if self.disk.is_down() {
            return Ok(());
        }
        self.note(&format!("refused: {error}"));
        let is_full = self.disk.is_limited();
        match error {
            AppendError::DiskFull { .. } if was_hit || is_full => self.look(),
            AppendError::Failed { .. } if was_hit || self.has_failed => {
                self.process = None;
                Ok(())
            }
            other => Err(Broken(format!("refused without a reason: {other}"))),
        }
    }

    /// Checkpoint and index.
    fn upkeep(&mut self) -> Held {
        let Some(process) = &self.process else {
            return Ok(());
        };
        let kept = process.log().upkeep();
        let was_hit = self.disk.take_hits();
        self.has_failed |= was_hit;
        let is_excused = was_hit || self.disk.is_down() || self.disk.is_limited();
        self.note("upkeep");
        ensure(kept.is_ok() || is_excused, || format!("upkeep: {kept:?}"))
    }

    /// The disk runs full, requests are refused, reads go on; then there is space again.
    fn fill(&mut self) -> Held {
        let room = self.dice.usize(0..20_000);
        self.disk.set_capacity(Some(self.disk.used() + room));
        self.note("little space");
        for _ in 0..self.dice.u32(1..6) {
            self.deliver()?;
            self.settle()?;
        }
        self.upkeep()?;
        if self.chance(3) {
            self.stop()?;
        }
        self.settle()?;
        self.look()?;
        self.disk.set_capacity(None);
        self.note("space again");
        let entry = self.entry();
        while !self.send(&[vec![entry.clone()]])? {
            // Another fault struck; each strikes once.
            ensure(self.has_failed || self.disk.is_down(), || {
                "did not recover".to_owned()
            })?;
            self.settle()?;
        }
        Ok(())
    }

    /// Reads everything, and proves something.
    pub(super) fn look(&mut self) -> Held {
        let Some(process) = &self.process else {
            return Ok(());
        };
        let log = process.log();
        self.model.complete(log)?;
        let end = self.model.kept.len() as u64;
        if end == 0 {
            return Ok(());
        }
        let mut proved = true;
        for _ in 0..3 {
            let at = self.dice.u64(0..end);
            proved &= self.model.proved(log, at)?;
        }
        let was_hit = self.disk.take_hits();
        self.has_failed |= was_hit;
        let is_excused = was_hit || self.disk.is_down() || self.disk.is_limited();
        ensure(proved || is_excused, || {
            "an entry could not be proved".to_owned()
        })
    }

    fn second_process(&mut self) -> Held {
        if self.process.is_none() {
            return Ok(());
        }
        let second = self.open(&self.disk.clone());
        self.has_failed |= self.disk.take_hits();
        let refused = matches!(second, Err(OpenError::InUse { .. }));
        ensure(refused || self.disk.is_down(), || {
            "a second process opened the log".to_owned()
        })
    }

    /// Everything is sent once more, as by clients that got no answer; then all of it is checked.
    pub(super) fn finish(&mut self) -> Held {
        self.disk.set_capacity(None);
        self.settle()?;
        let all = self.sent.clone();
        for chunk in all.chunks(16) {
            let append = [chunk.to_vec()];
            while !self.send(&append)? {
                self.settle()?;
            }
            self.settle()?;
        }
        self.stop()?;
        self.settle()?;
        let Some(process) = &self.process else {
            return Err(Broken("the log is not open in the end".to_owned()));
        };
        // Nothing is due any more but what was armed for steps that come now.
        self.disk.calm();
        process
            .log()
            .upkeep()
            .map_err(|error| Broken(format!("upkeep: {error}")))?;
        self.model.consistent(process.log())?;
        let checked = process.log().check_everything();
        let healthy = checked
            .as_ref()
            .is_ok_and(|checked| checked.damage.is_none());
        ensure(healthy, || format!("a full check says {checked:?}"))?;
        self.look()?;
        self.note("done");
        Ok(())
    }
}
