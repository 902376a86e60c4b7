//! A disk in memory that forgets what was not synced. For tests.
//!
//! A crash stops every operation. When it was a power cut, [`SimulatedDisk::restart`] keeps, by a
//! seed, an arbitrary part of what was written since the last sync: whole writes, some of their
//! 512-byte sectors, or none, and of each folder's creations, renames and removals a prefix. When
//! only the process was killed, [`SimulatedDisk::resume`] keeps everything that was written, and it
//! is as little durable as before.

mod access;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::path::{Path, PathBuf};

use super::DiskLock;
use crate::locked;
use crate::sync::{Arc, Mutex};

/// Bytes that survive or are lost together.
const SECTOR_BYTES: usize = 512;

/// What `fdatasync` does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Syncing {
    /// What it promises.
    #[default]
    Honest,
    /// Nothing, but it reports success, for files and folders: a negative control.
    Ignored,
    /// What it promises for files, nothing for names in folders: a negative control.
    FoldersIgnored,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
    Grow(usize),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                content.resize(content.len().max(end), 0);
                content[*offset..end].copy_from_slice(bytes);
            }
            Self::Length(length) => content.resize(*length, 0),
            Self::Grow(length) => content.resize(content.len().max(*length), 0),
        }
    }
}

#[derive(Debug, Default)]
struct Content {
    current: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(PathBuf, u64),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl NameChange {
    fn folder(&self) -> &Path {
        let (Self::Set(path, _) | Self::Remove(path) | Self::Rename(path, _)) = self;
        path.parent().unwrap_or(path)
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Set(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Remove(path) => {
                names.remove(path);
            }
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<u64, Content>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    pending_names: Vec<NameChange>,
    locks: BTreeSet<PathBuf>,
    next_file: u64,
    steps: u64,
    crash_at: Option<u64>,
    is_down: bool,
    failures: BTreeMap<u64, io::ErrorKind>,
    capacity: Option<usize>,
    syncing: Syncing,
}

impl State {
    /// Counts a step that changes the disk; fails when the power is off or a fault is due.
    fn step(&mut self) -> io::Result<()> {
        self.up()?;
        self.steps += 1;
        if self.crash_at == Some(self.steps) {
            self.is_down = true;
            return Err(power_cut());
        }
        match self.failures.get(&self.steps) {
            Some(kind) => Err((*kind).into()),
            None => Ok(()),
        }
    }

    /// No process runs yet, nothing is due.
    fn start(&mut self) {
        (self.crash_at, self.is_down) = (None, false);
        self.locks.clear();
        self.failures.clear();
    }

    fn up(&self) -> io::Result<()> {
        if self.is_down {
            Err(power_cut())
        } else {
            Ok(())
        }
    }

    fn used(&self) -> usize {
        let lengths = self.files.values().map(|content| content.current.len());
        lengths.sum()
    }

    fn change(&mut self, file: u64, change: Change) -> io::Result<()> {
        let step = self.step();
        let used = self.capacity.map_or(0, |_| self.used());
        let Some(content) = self.files.get_mut(&file) else {
            return Err(power_cut());
        };
        let change = match change {
            // A write that fails may have come half-way.
            Change::Write { offset, mut bytes } if step.is_err() && !self.is_down => {
                bytes.truncate(bytes.len() / 2);
                Change::Write { offset, bytes }
            }
            _ if step.is_err() && !self.is_down => return step,
            whole => whole,
        };
        let before = content.current.len();
        let mut after = before;
        if let Change::Write { offset, bytes } = &change {
            after = before.max(offset + bytes.len());
        } else if let Change::Grow(length) = &change {
            after = before.max(*length);
        }
        if self
            .capacity
            .is_some_and(|capacity| used + after - before > capacity)
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        change.apply(&mut content.current);
        content.pending.push(change);
        step
    }

    fn rename_step(&mut self, change: NameChange) -> io::Result<()> {
        let step = self.step();
        if step.is_ok() || self.is_down {
            change.apply(&mut self.names);
            self.pending_names.push(change);
        }
        step
    }

    fn sync(&mut self, file: u64) -> io::Result<()> {
        let step = self.step();
        let syncing = self.syncing;
        let Some(content) = self.files.get_mut(&file) else {
            return Err(power_cut());
        };
        if let Err(error) = step {
            // A failed sync: the pages count as clean, but they are not on disk.
            if !self.is_down {
                content.pending.clear();
            }
            return Err(error);
        }
        if syncing != Syncing::Ignored {
            let Content {
                durable, pending, ..
            } = content;
            pending.drain(..).for_each(|change| change.apply(durable));
        }
        Ok(())
    }
}

fn power_cut() -> io::Error {
    io::Error::other("the simulated power is off")
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct SimulatedFile {
    state: Arc<Mutex<State>>,
    file: u64,
}

#[derive(Debug)]
struct SimulatedLock {
    state: Arc<Mutex<State>>,
    path: PathBuf,
}

impl DiskLock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        locked(&self.state).locks.remove(&self.path);
    }
}

impl SimulatedDisk {
    pub fn new(syncing: Syncing) -> Self {
        let disk = Self::default();
        locked(&disk.0).syncing = syncing;
        disk
    }

    /// Changing steps so far.
    pub fn steps(&self) -> u64 {
        locked(&self.0).steps
    }

    /// Cuts the power in the middle of this step.
    pub fn crash_at(&self, step: u64) {
        locked(&self.0).crash_at = Some(step);
    }

    /// Makes this step fail.
    pub fn fail_at(&self, step: u64, kind: io::ErrorKind) {
        locked(&self.0).failures.insert(step, kind);
    }

    /// Stops every operation now.
    pub fn crash(&self) {
        locked(&self.0).is_down = true;
    }

    /// Bytes all files together may have; `None` is no limit.
    pub fn set_capacity(&self, bytes: Option<usize>) {
        locked(&self.0).capacity = bytes;
    }

    /// Bytes all files have together.
    pub fn used(&self) -> usize {
        locked(&self.0).used()
    }

    /// True when a step has failed since the last time this was asked.
    pub fn take_hits(&self) -> bool {
        let mut state = locked(&self.0);
        let next = state.steps + 1;
        let still_due = state.failures.split_off(&next);
        let hit = mem::replace(&mut state.failures, still_due);
        !hit.is_empty()
    }

    /// Nothing that is due happens any more.
    pub fn calm(&self) {
        let mut state = locked(&self.0);
        state.crash_at = None;
        state.failures.clear();
    }

    /// Whether there is a limit to what all files together may have.
    pub fn is_limited(&self) -> bool {
        locked(&self.0).capacity.is_some()
    }

    /// True after a crash, before `restart` or `resume`.
    pub fn is_down(&self) -> bool {
        locked(&self.0).is_down
    }

    /// Starts anew after the process was killed: what it wrote is there, durable or not.
    pub fn resume(&self) {
        locked(&self.0).start();
    }

    /// Switches the power off and on again; `seed` decides what of the unsynced survives.
    pub fn restart(&self, seed: u64) {
        let mut dice = Dice(seed);
        let mut state = locked(&self.0);
        let State {
            files,
            names,
            durable_names,
            pending_names,
            ..
        } = &mut *state;
        for content in files.values_mut() {
            let mood = dice.below(4);
            for change in content.pending.drain(..) {
                survive(&change, mood, &mut dice, &mut content.durable);
            }
            content.current.clone_from(&content.durable);
        }
        let mut stopped = BTreeSet::new();
        for change in pending_names.drain(..) {
            if stopped.contains(change.folder()) || dice.below(3) == 0 {
                stopped.insert(change.folder().to_owned());
            } else {
                change.apply(durable_names);
            }
        }
        names.clone_from(durable_names);
        state.start();
    }

    /// Changes the bytes of a file, durably and without counting a step.
    pub fn tamper(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = locked(&self.0);
        let file = state.names.get(path).copied();
        if let Some(content) = file.and_then(|file| state.files.get_mut(&file)) {
            change(&mut content.current);
            content.durable.clone_from(&content.current);
        }
    }

    /// All files with their content.
    pub fn snapshot(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = locked(&self.0);
        let files = state.names.iter().filter_map(|(path, file)| {
            state
                .files
                .get(file)
                .map(|content| (path.clone(), content.current.clone()))
        });
        files.collect()
    }

    /// A disk that durably holds these files.
    pub fn with_files(files: &BTreeMap<PathBuf, Vec<u8>>) -> Self {
        let disk = Self::default();
        {
            let mut state = locked(&disk.0);
            for (file, (path, bytes)) in (0..).zip(files) {
                let content = Content {
                    current: bytes.clone(),
                    durable: bytes.clone(),
                    pending: vec![],
                };
                state.files.insert(file, content);
                state.names.insert(path.clone(), file);
                state.next_file = file + 1;
            }
            state.durable_names = state.names.clone();
        }
        disk
    }
}

/// Applies what of a pending change survives a crash.
fn survive(change: &Change, mood: u64, dice: &mut Dice, durable: &mut Vec<u8>) {
    match (mood, change) {
        (0, _) => {}
        (1, _) => change.apply(durable),
        (_, Change::Write { offset, bytes }) => {
            for (at, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                if dice.below(2) == 0 {
                    let offset = offset + at * SECTOR_BYTES;
                    Change::Write {
                        offset,
                        bytes: sector.to_vec(),
                    }
                    .apply(durable);
                }
            }
        }
        (_, change) => {
            if dice.below(2) == 0 {
                change.apply(durable);
            }
        }
    }
}

/// `SplitMix64`: the same seed gives the same crash.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}
