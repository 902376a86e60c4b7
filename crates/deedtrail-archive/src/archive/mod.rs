//! [`DeltaArchive`]: the port's operations over generations, hot rows and the query engine.

mod failure;
mod folder;
mod read_back;
mod upkeep;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use datafusion::execution::runtime_env::RuntimeEnv;
use deedtrail_core::event::Event;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::archive::{
    ActionCount, Archive, ArchiveError, ArchiveFigures, Bucket, Cursor, Cutoffs, EventFilter,
    Leaving, OutputFormat, QueryBudget, QueryCost,
};
use deedtrail_core::port::log::Sequence;
use deltalake::kernel::{Action, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;

use crate::column::PARTITION_COLUMNS;
use crate::engine::{Engine, EngineError};
use crate::generation::{Generation, file_error};
use crate::hot::Hot;
use crate::sums::CheckedFiles;
use crate::view::View;
use crate::{newest, query, rows, timeline, writer};
use folder::{free_folder, point_to, remove_others};

pub use read_back::ReadBack;

/// Name of the link to the live generation. Engines that read Delta tables open this path.
const LIVE_LINK: &str = "events";

/// Bytes that all queries together may put aside on disk, unless [`DeltaArchive::open_with`] is told.
const SPILL_BYTES_MAX: u64 = 2 << 30;

/// The archive cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "the archive at {folder} cannot be opened: {reason}. While no server runs, `deedtrail rebuild` puts {folder} aside and makes it anew from the log"
)]
pub struct OpenError {
    folder: String,
    reason: String,
}

/// The archive in a folder: `events` links to the live table generation `events-NNNNNN`.
///
/// One process writes (the data folder's lock sees to that); other engines may read.
#[derive(Debug)]
pub struct DeltaArchive {
    folder: PathBuf,
    origin: String,
    engine: Engine,
    state: RwLock<State>,
    /// Held by whoever fills the table, from reading the hot rows to releasing them.
    filling: Mutex<()>,
    /// Held by whoever rewrites files; when files that nothing refers to were last removed.
    compacting: Mutex<Option<Instant>>,
    /// Held around every append to a Delta log and the swap of the view that follows.
    publishing: Mutex<()>,
}

#[derive(Debug)]
struct State {
    live: View,
    /// The generation a rebuild fills, until it becomes the live one.
    building: Option<View>,
}

impl State {
    /// The view that new rows and commits go to.
    fn filled(&mut self) -> &mut View {
        self.building.as_mut().unwrap_or(&mut self.live)
    }
}

impl DeltaArchive {
    /// Opens or makes the archive in `folder` for rows of the log `log_origin`.
    ///
    /// A rebuild that did not finish is forgotten; the live table is as it was.
    pub fn open(folder: &Path, log_origin: &str) -> Result<Self, OpenError> {
        Self::open_with(folder, log_origin, SPILL_BYTES_MAX)
    }

    /// As [`Self::open`]; all queries together may put `spill_bytes_max` bytes aside on disk.
    pub fn open_with(
        folder: &Path,
        log_origin: &str,
        spill_bytes_max: u64,
    ) -> Result<Self, OpenError> {
        Self::open_at(folder, log_origin, spill_bytes_max).map_err(|error| OpenError {
            folder: folder.display().to_string(),
            reason: error.to_string(),
        })
    }

    fn open_at(folder: &Path, log_origin: &str, spill_bytes_max: u64) -> Result<Self, EngineError> {
        std::fs::create_dir_all(folder).map_err(|source| file_error(folder, source))?;
        let folder = folder
            .canonicalize()
            .map_err(|source| file_error(folder, source))?;
        let engine = Engine::start(&folder, spill_bytes_max)?;
        let live = match std::fs::read_link(folder.join(LIVE_LINK)) {
            Ok(name) => {
                let live = folder.join(name);
                engine.run(load(live, engine.files(), log_origin.to_owned()))??
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let first = free_folder(&folder)?;
                let view = engine.run(create(first.clone(), engine.files()))??;
                point_to(&folder, &first)?;
                view
            }
            Err(source) => return Err(file_error(&folder.join(LIVE_LINK), source)),
        };
        remove_others(&folder, live.generation.folder())?;
        Ok(Self {
            folder,
            origin: log_origin.to_owned(),
            engine,
            state: RwLock::new(State {
                live,
                building: None,
            }),
            filling: Mutex::new(()),
            compacting: Mutex::new(None),
            publishing: Mutex::new(()),
        })
    }

    fn failed(&self, error: impl Into<EngineError>) -> ArchiveError {
        failure::of(&self.folder, &error.into())
    }

    fn live(&self) -> View {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .live
            .clone()
    }

    /// Runs `read` on the archive's runtime over what is live now.
    pub(crate) fn on_live<T, F>(
        &self,
        read: impl FnOnce(View, Arc<RuntimeEnv>) -> F,
    ) -> Result<T, ArchiveError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, EngineError>> + Send + 'static,
    {
        let work = read(self.live(), self.engine.environment());
        self.engine
            .run(work)
            .and_then(|done| done)
            .map_err(|error| self.failed(error))
    }

    fn with_state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl DeltaArchive {
    /// Stores the hot rows of the filled view and the position they cover, in one transaction.
    fn store(&self) -> Result<(), EngineError> {
        self.settle()?;
        let sealed = self.with_state(|state| {
            let view = state.filled();
            let news = view.hot.through() > view.covered;
            news.then(|| (view.hot.seal(), view.hot.through(), view.clone()))
        });
        let Some((batches, through, view)) = sealed else {
            return Ok(());
        };
        let generation = view.generation;
        let files = if batches.is_empty() {
            Vec::new()
        } else {
            let (table, log_store) = (view.table, generation.log_store());
            let files = self
                .engine
                .run(async move { writer::write_files(&table, &log_store, &batches).await })??;
            let needles = generation.needles();
            for file in &files {
                needles.add(&file.path, file.size);
            }
            files
        };

        let publishing = held(&self.publishing);
        let base = self.with_state(|state| state.filled().clone());
        let (origin, covered) = (self.origin.clone(), view.covered);
        let table = self.engine.run(async move {
            let (base, stored) = newest(base, origin.clone()).await?;
            expect_position(stored, covered)?;
            let actions = files.into_iter().map(Action::Add).collect();
            let position = Transaction::new(origin, to_version(through));
            generation
                .commit(&base, actions, append(), Some(position))
                .await
        })??;
        self.with_state(|state| {
            let view = state.filled();
            view.table = table;
            view.covered = through;
            view.hot.release();
        });
        drop(publishing);
        Ok(())
    }

    /// Finds out whether a commit that reported an error was stored all the same, so that its
    /// rows are neither stored twice nor lost.
    fn settle(&self) -> Result<(), EngineError> {
        let view = self.with_state(|state| state.filled().clone());
        let Some(sealed_through) = view.hot.unsettled() else {
            return Ok(());
        };
        let _publishing = held(&self.publishing);
        let (table, stored) = self
            .engine
            .run(newest(view.clone(), self.origin.clone()))??;
        if stored == sealed_through {
            self.with_state(|state| {
                let view = state.filled();
                view.table = table;
                view.covered = stored;
                view.hot.release();
            });
            return Ok(());
        }
        expect_position(stored, view.covered)
    }

    /// Makes the filled generation the live one; the former live one goes with its last reader.
    fn swap(&self) -> Result<(), EngineError> {
        self.store()?;
        let _publishing = held(&self.publishing);
        let Some(built) = self.with_state(|state| state.building.take()) else {
            return Err(EngineError::NoRebuild);
        };
        if let Err(error) = point_to(&self.folder, built.generation.folder()) {
            self.with_state(|state| state.building = Some(built));
            return Err(error);
        }
        let former = self.with_state(|state| std::mem::replace(&mut state.live, built));
        former.generation.retire();
        Ok(())
    }
}

impl Archive for DeltaArchive {
    fn covered(&self) -> Sequence {
        self.with_state(|state| state.filled().covered)
    }

    fn add(&self, mut events: Vec<Event>, through: Sequence) -> Result<(), ArchiveError> {
        let before = self.with_state(|state| state.filled().hot.through());
        events.retain(|event| position(event) >= before);
        rows::to_batch(&events)
            .and_then(|batch| self.with_state(|state| state.filled().hot.add(batch, through)))
            .map_err(|error| self.failed(error))
    }

    fn commit(&self) -> Result<(), ArchiveError> {
        let _filling = held(&self.filling);
        self.store().map_err(|error| self.failed(error))
    }

    fn compact(&self) -> Result<(), ArchiveError> {
        let mut cleaned = held(&self.compacting);
        self.keep_up(&mut cleaned)
            .map_err(|error| self.failed(error))
    }

    fn prune(
        &self,
        cutoffs: &Cutoffs,
        announce: &mut dyn FnMut(&[Leaving]) -> bool,
    ) -> Result<u64, ArchiveError> {
        let _upkeep = held(&self.compacting);
        self.remove_due(cutoffs, announce)
            .map_err(|error| self.failed(error))
    }

    fn start_rebuild(&self) -> Result<(), ArchiveError> {
        let _filling = held(&self.filling);
        let make = || {
            let folder = free_folder(&self.folder)?;
            self.engine.run(create(folder, self.engine.files()))?
        };
        let building = make().map_err(|error| self.failed(error))?;
        let former = self.with_state(|state| state.building.replace(building));
        if let Some(former) = former {
            former.generation.retire();
        }
        Ok(())
    }

    fn finish_rebuild(&self) -> Result<(), ArchiveError> {
        let _filling = held(&self.filling);
        self.swap().map_err(|error| self.failed(error))
    }

    fn events(
        &self,
        filter: &EventFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Vec<Event>, ArchiveError> {
        let filter = filter.clone();
        self.on_live(move |view, environment| async move {
            newest::events(&view, environment, &filter, cursor, limit).await
        })
    }

    fn histogram(&self, filter: &EventFilter, bucket_us: i64) -> Result<Vec<Bucket>, ArchiveError> {
        let filter = filter.clone();
        self.on_live(move |view, environment| async move {
            timeline::histogram(&view, environment, &filter, bucket_us).await
        })
    }

    fn actions(&self, filter: &EventFilter) -> Result<Vec<ActionCount>, ArchiveError> {
        let filter = filter.clone();
        self.on_live(move |view, environment| async move {
            timeline::actions(&view, environment, &filter).await
        })
    }

    fn query(
        &self,
        tenant: &TenantId,
        sql: &str,
        format: OutputFormat,
        budget: QueryBudget,
        out: &mut (dyn Write + Send),
    ) -> Result<QueryCost, ArchiveError> {
        query::run(
            &self.engine,
            (&self.live(), tenant),
            sql,
            format,
            budget,
            out,
        )
        .map_err(|error| match error {
            query::QueryError::Told(error) => error,
            query::QueryError::Engine(error) => self.failed(error),
        })
    }

    fn figures(&self) -> ArchiveFigures {
        let view = self.live();
        let mut figures = ArchiveFigures {
            version: to_version(view.table.version()),
            hot_rows: view.hot.rows() as u64,
            ..ArchiveFigures::default()
        };
        for file in view.table.log_data().iter() {
            figures.files += 1;
            figures.bytes += u64::try_from(file.size()).unwrap_or(0);
            figures.rows += file.num_records().unwrap_or(0) as u64;
        }
        figures
    }
}

/// The newest version of a view's table and the position stored with it.
async fn newest(view: View, origin: String) -> Result<(DeltaTableState, Sequence), EngineError> {
    let mut table = view.table;
    table
        .update(view.generation.log_store().as_ref(), None)
        .await?;
    let stored = view.generation.stored_position(&table, &origin).await?;
    Ok((table, stored))
}

fn expect_position(stored: Sequence, covered: Sequence) -> Result<(), EngineError> {
    if stored == covered {
        Ok(())
    } else {
        Err(EngineError::OtherWriter { stored, covered })
    }
}

/// A row's place for progress: a record derived anew counts where it was derived, not where it
/// was received.
fn position(event: &Event) -> Sequence {
    event.log_seq.max(event.derived_at)
}

/// Positions and versions as Delta stores them.
pub(crate) fn to_version(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn append() -> DeltaOperation {
    DeltaOperation::Write {
        mode: SaveMode::Append,
        partition_by: Some(PARTITION_COLUMNS.map(str::to_owned).to_vec()),
        predicate: None,
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn create(folder: PathBuf, files: Arc<CheckedFiles>) -> Result<View, EngineError> {
    let (generation, table) = Generation::create(folder, files).await?;
    Ok(View {
        generation: generation.into(),
        table,
        covered: 0,
        hot: Hot::after(0),
    })
}

async fn load(
    folder: PathBuf,
    files: Arc<CheckedFiles>,
    origin: String,
) -> Result<View, EngineError> {
    let (generation, table) = Generation::open(folder, files).await?;
    let covered = generation.stored_position(&table, &origin).await?;
    Ok(View {
        generation: generation.into(),
        table,
        covered,
        hot: Hot::after(covered),
    })
}
