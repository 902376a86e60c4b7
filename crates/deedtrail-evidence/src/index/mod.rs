//! The idempotency index: key print -> (content print, sequence), exact over the whole log.
//!
//! New rows are kept in memory, then written as sorted runs; runs of similar size are merged.
//! Everything here is derived: runs say which sequences they cover, and what is not covered is
//! read from the log at start. Resident per 10^8 rows: 50 MB of filters and 8 MB of fences.

mod run;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use deedtrail_core::port::log::Sequence;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::disk::Disk;
use crate::locked;
use crate::sync::{Arc, Condvar, Mutex};
use run::{Cover, Run};

/// Runs of one size class that are merged into one of the next.
const MERGE_RUNS: usize = 4;
/// Tables waiting to be written as runs; beyond it the writer writes one itself.
const FROZEN_MAX: usize = 8;
/// Sequences in memory per keyed row allowed there: bounds the work of a start.
const SEQUENCES_PER_ROW: u64 = 8;

/// One keyed entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub key: u128,
    pub sequence: Sequence,
    pub content: u128,
}

/// What is known under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub content: u128,
    pub sequence: Sequence,
}

/// Rows in memory. The keys are prints, but their senders choose what is printed: the map's own
/// hash, seeded by chance, keeps them from choosing collisions.
#[derive(Debug, Default)]
struct Table {
    /// The first row under each key.
    first: HashMap<u128, Hit>,
    /// Content of the further rows under keys that `first` has.
    more: BTreeMap<(u128, Sequence), u128>,
}

impl Table {
    fn len(&self) -> usize {
        self.first.len() + self.more.len()
    }

    fn find(&self, key: u128, hits: &mut Vec<Hit>) {
        let Some(first) = self.first.get(&key) else {
            return;
        };
        hits.push(*first);
        if !self.more.is_empty() {
            let more = self.more.range((key, 0)..=(key, Sequence::MAX));
            hits.extend(more.map(|(&(_, sequence), &content)| Hit { content, sequence }));
        }
    }

    /// Adds a row with a higher sequence than those under its key.
    fn insert(&mut self, row: Row) {
        let (content, sequence) = (row.content, row.sequence);
        match self.first.entry(row.key) {
            Entry::Vacant(place) => {
                place.insert(Hit { content, sequence });
            }
            Entry::Occupied(_) => {
                self.more.insert((row.key, sequence), content);
            }
        }
    }

    /// Takes a row back, and with it those that were added under its key after it.
    fn remove(&mut self, key: u128, sequence: Sequence) {
        if self.more.remove(&(key, sequence)).is_none()
            && self
                .first
                .get(&key)
                .is_some_and(|hit| hit.sequence == sequence)
        {
            self.first.remove(&key);
        }
    }

    fn sorted(&self) -> Vec<Row> {
        let row = |key, hit: Hit| Row {
            key,
            sequence: hit.sequence,
            content: hit.content,
        };
        let first = self.first.iter().map(|(key, hit)| row(*key, *hit));
        let more = self.more.iter();
        let more = more.map(|(&(key, sequence), &content)| row(key, Hit { content, sequence }));
        let mut rows: Vec<Row> = first.chain(more).collect();
        rows.sort_unstable();
        rows
    }
}

/// Rows that no longer change and wait to be written.
#[derive(Debug)]
struct Frozen {
    cover: Cover,
    table: Table,
}

#[derive(Clone, Debug, Default)]
struct View {
    frozen: Vec<Arc<Frozen>>,
    runs: Vec<Arc<Run>>,
}

/// The part of the index that the writer and the upkeep share.
#[derive(Debug)]
pub(crate) struct IndexStore {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    rows_in_memory: usize,
    view: Mutex<Arc<View>>,
    changed: Condvar,
    /// Held by whoever writes runs.
    working: Mutex<()>,
}

impl IndexStore {
    /// Opens the runs that cover a gapless prefix of `0..end`, removes the others, and returns
    /// one past the last covered sequence.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
        rows_in_memory: usize,
        end: Sequence,
    ) -> io::Result<(Arc<Self>, Sequence)> {
        disk.create_folder(&folder)?;
        let mut view = View::default();
        let mut covered = 0;
        let names = disk.list(&folder)?;
        let mut covers: Vec<Cover> = names.iter().filter_map(|name| Cover::parse(name)).collect();
        covers.sort_by_key(|cover| (cover.from, std::cmp::Reverse(cover.to)));
        for cover in covers.into_iter().filter(|cover| cover.to <= end) {
            if cover.from != covered {
                continue;
            }
            match Run::open(&*disk, folder.join(cover.file_name()), cover) {
                Ok(run) => view.runs.push(Arc::new(run)),
                Err(error) => {
                    tracing::warn!(%error, run = cover.file_name(), "rebuilding the index");
                    continue;
                }
            }
            covered = cover.to;
        }
        let kept: Vec<String> = view.runs.iter().map(|run| run.cover.file_name()).collect();
        for name in names.iter().filter(|name| !kept.contains(name)) {
            disk.remove(&folder.join(name))?;
        }
        let view = Mutex::new(Arc::new(view));
        let (changed, working) = (Condvar::new(), Mutex::default());
        Ok((
            Arc::new(Self {
                disk,
                folder,
                rows_in_memory,
                view,
                changed,
                working,
            }),
            covered,
        ))
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&locked(&self.view))
    }

    fn update(&self, change: impl FnOnce(&mut View)) {
        let mut view = locked(&self.view);
        let mut next = View::clone(&view);
        change(&mut next);
        *view = Arc::new(next);
    }

    /// Wakes the upkeep thread.
    pub(crate) fn wake(&self) {
        // It looks at what it waits for under this lock: between its look and its wait nobody gets here.
        drop(locked(&self.view));
        self.changed.notify_all();
    }

    /// Blocks until there are rows to write or `is_closing` holds.
    pub(crate) fn wait(&self, is_closing: impl Fn() -> bool) {
        let mut view = locked(&self.view);
        while view.frozen.is_empty() && !is_closing() {
            view = self
                .changed
                .wait(view)
                .unwrap_or_else(crate::sync::PoisonError::into_inner);
        }
    }

    /// Writes waiting rows as runs and merges runs of similar size.
    pub(crate) fn upkeep(&self) -> io::Result<()> {
        while self.write_oldest()? {}
        let _working = locked(&self.working);
        while let Some(runs) = runs_to_merge(&self.view().runs) {
            self.merge(&runs)?;
        }
        Ok(())
    }

    fn write_oldest(&self) -> io::Result<bool> {
        let _working = locked(&self.working);
        let Some(oldest) = self.view().frozen.first().map(Arc::clone) else {
            return Ok(false);
        };
        let rows = oldest.table.sorted();
        let count = rows.len() as u64;
        let rows = rows.into_iter().map(Ok);
        let run = run::write(&*self.disk, &self.folder, oldest.cover, count, rows)?;
        self.update(|view| {
            view.frozen.remove(0);
            view.runs.push(Arc::new(run));
        });
        Ok(true)
    }

    fn merge(&self, runs: &[Arc<Run>]) -> io::Result<()> {
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
            return Ok(());
        };
        let cover = Cover {
            from: first.cover.from,
            to: last.cover.to,
        };
        let count = runs.iter().map(|run| run.rows).sum();
        let rows = merged(runs.iter().map(|run| run.iter()).collect());
        let merged = run::write(&*self.disk, &self.folder, cover, count, rows)?;
        self.update(|view| {
            let at = view
                .runs
                .iter()
                .position(|run| run.cover.from == cover.from)
                .unwrap_or(0);
            view.runs.splice(at..at + runs.len(), [Arc::new(merged)]);
        });
        // The merged run is durable: only now may its inputs go.
        runs.iter()
            .try_for_each(|run| self.disk.remove(&run.path))?;
        self.disk.sync_folder(&self.folder)
    }
}

/// Size class of a run: runs of one class differ by less than [`MERGE_RUNS`] in rows.
fn size_class(rows: u64) -> u32 {
    (rows >> 12).checked_ilog(MERGE_RUNS as u64).unwrap_or(0)
}

fn runs_to_merge(runs: &[Arc<Run>]) -> Option<Vec<Arc<Run>>> {
    let same = |window: &&[Arc<Run>]| {
        window
            .iter()
            .all(|run| size_class(run.rows) == size_class(window[0].rows))
    };
    runs.windows(MERGE_RUNS)
        .find(same)
        .map(<[Arc<Run>]>::to_vec)
}

/// The rows of several sorted sources in order.
fn merged<I: Iterator<Item = io::Result<Row>>>(
    sources: Vec<I>,
) -> impl Iterator<Item = io::Result<Row>> {
    let mut sources: Vec<_> = sources.into_iter().map(Iterator::peekable).collect();
    std::iter::from_fn(move || {
        let heads = sources.iter_mut().enumerate().filter_map(|(at, source)| {
            // An error sorts first and ends the merge.
            source.peek().map(|head| (head.as_ref().ok().copied(), at))
        });
        let (_, at) = heads.min()?;
        sources[at].next()
    })
}

/// The index as the writer holds it.
#[derive(Debug)]
pub(crate) struct Index {
    store: Arc<IndexStore>,
    view: Arc<View>,
    memory: Table,
    /// First sequence that no run and no frozen table covers.
    from: Sequence,
}

/// A run could not be read.
#[derive(Debug)]
pub(crate) struct IndexFault {
    pub path: PathBuf,
    pub error: io::Error,
}

impl Index {
    pub(crate) fn new(store: Arc<IndexStore>, from: Sequence) -> Self {
        let view = store.view();
        Self {
            store,
            view,
            memory: Table::default(),
            from,
        }
    }

    /// Takes notice of runs that were written or merged meanwhile.
    pub(crate) fn refresh(&mut self) {
        self.view = self.store.view();
    }

    /// Everything stored under `key`.
    pub(crate) fn find(&self, key: u128) -> Result<Vec<Hit>, IndexFault> {
        let mut hits = Vec::new();
        self.memory.find(key, &mut hits);
        for frozen in &self.view.frozen {
            frozen.table.find(key, &mut hits);
        }
        for run in &self.view.runs {
            let path = || run.path.clone();
            run.find(key, &mut hits).map_err(|error| IndexFault {
                path: path(),
                error,
            })?;
        }
        Ok(hits)
    }

    pub(crate) fn insert(&mut self, row: Row) {
        self.memory.insert(row);
    }

    /// Takes rows back whose commit did not happen.
    pub(crate) fn undo(&mut self, rows: &[(u128, Sequence)]) {
        for (key, sequence) in rows {
            self.memory.remove(*key, *sequence);
        }
    }

    /// Hands the rows in memory over to the upkeep once there are enough. `end` is one past the
    /// newest durable sequence.
    pub(crate) fn freeze_when_due(&mut self, end: Sequence) -> io::Result<()> {
        let rows_max = self.store.rows_in_memory;
        let is_long = end - self.from >= SEQUENCES_PER_ROW * rows_max as u64;
        if self.memory.len() < rows_max && !is_long {
            return Ok(());
        }
        let table = std::mem::take(&mut self.memory);
        self.memory.first.reserve(table.first.len());
        let cover = Cover {
            from: self.from,
            to: end,
        };
        let frozen = Arc::new(Frozen { cover, table });
        self.store.update(|view| view.frozen.push(frozen));
        self.from = end;
        self.store.wake();
        if self.store.view().frozen.len() > FROZEN_MAX {
            self.store.write_oldest()?;
        }
        self.refresh();
        Ok(())
    }

    /// Removes a run that cannot be read, so that the next start rebuilds it from the log.
    pub(crate) fn discard(&self, path: &Path) {
        if let Err(error) = self.store.disk.remove(path) {
            tracing::error!(%error, path = %path.display(), "cannot remove a damaged run");
        }
    }
}
