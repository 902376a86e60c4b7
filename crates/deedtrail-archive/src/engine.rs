//! The archive's own runtime, the shared caches, and one error for everything below the port.

use std::future::Future;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryLimit, MemoryPool, TrackConsumersPool,
};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::DeltaTableError;
use tokio::runtime::Runtime;

use crate::sums::CheckedFiles;

/// Threads of the runtime, and partitions a query is cut into.
const WORKERS: usize = 2;
/// Threads of the runtime for SQL.
const QUERY_WORKERS: usize = 2;
/// Folder of the archive where queries put aside what does not fit into their memory.
const SPILL_FOLDER: &str = "spill";
/// A sort keeps this share of a query's memory back for merging what it put aside.
const SPILL_RESERVE_SHARE: usize = 8;
/// Most that it keeps back, bytes.
const SPILL_RESERVE_BYTES_MAX: usize = 10 << 20;
/// Below this a query computes in one partition: two would have half of too little each. From it on
/// it does when two did not get on with their halves. Bytes.
const PARTITIONED_BYTES_MIN: usize = 256 << 20;
/// Memory of a query for which it takes one more row at a time, bytes: a merge holds a batch of
/// rows of everything that was put aside.
const BATCH_ROW_BYTES: usize = 64 << 10;
/// Fewest and most rows that are computed at a time.
const BATCH_ROWS: std::ops::RangeInclusive<usize> = 64..=8192;
/// Stack of a worker, bytes: planning a deeply nested query recurses.
const STACK_BYTES: usize = 16 << 20;

/// What failed below the port.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error("the table: {0}")]
    Table(#[from] DeltaTableError),
    #[error("the columns: {0}")]
    Columns(#[from] ArrowError),
    #[error("a file of events: {0}")]
    Parquet(#[from] deltalake::parquet::errors::ParquetError),
    #[error("the query engine: {0}")]
    Query(#[from] DataFusionError),
    #[error("{path}: {source}")]
    File {
        path: String,
        source: std::io::Error,
    },
    #[error("{path}: {source}")]
    Data {
        path: String,
        source: Box<EngineError>,
    },
    #[error("a task of the archive ended early")]
    Stopped,
    #[error(
        "a later version wrote the table: its column `{column}` is not known here, or not of that type; use that version"
    )]
    LaterTable { column: String },
    #[error(
        "rows of {path} are marked as deleted, which this program never does: another one wrote to the table; make it anew with `deedtrail rebuild`"
    )]
    MarkedRows { path: String },
    #[error("no rebuild was started")]
    NoRebuild,
    #[error(
        "another writer stored up to {stored}, this one up to {covered}; open the archive again"
    )]
    OtherWriter { stored: u64, covered: u64 },
}

/// Runs the archive's asynchronous parts from blocking code.
#[derive(Debug)]
pub(crate) struct Engine {
    /// `None` only while dropping.
    runtime: Option<Runtime>,
    /// For what others wrote, which may compute without end. `None` only while dropping.
    queries: Option<Runtime>,
    environment: Arc<RuntimeEnv>,
    files: Arc<CheckedFiles>,
}

impl Engine {
    /// Starts it for the archive in `folder`. Below it all queries together may put aside
    /// `spill_bytes_max` bytes.
    pub(crate) fn start(folder: &Path, spill_bytes_max: u64) -> Result<Self, EngineError> {
        let spilling = spilling(&folder.join(SPILL_FOLDER), spill_bytes_max)?;
        let environment = RuntimeEnvBuilder::new().with_disk_manager_builder(spilling);
        let environment = environment.build_arc()?;
        let files = Arc::new(CheckedFiles::of(folder));
        // A scan takes its files from here, whatever store its table has.
        let url = ObjectStoreUrl::local_filesystem();
        environment.register_object_store(url.as_ref(), Arc::clone(&files) as _);
        Ok(Self {
            runtime: Some(runtime("archive", WORKERS)?),
            queries: Some(runtime("archive-query", QUERY_WORKERS)?),
            environment,
            files,
        })
    }

    /// Runs `work` on the archive's runtime and waits for it. May be called from any thread,
    /// also from a blocking task of another runtime.
    pub(crate) fn run<T, F>(&self, work: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        let runtime = self.runtime.as_ref().ok_or(EngineError::Stopped)?;
        runtime.spawn(async move {
            // The caller waits below, so the send fails only if it panicked: nobody to tell.
            drop(answer.send(work.await));
        });
        answered.recv().map_err(|_| EngineError::Stopped)
    }

    /// As [`Engine::run`], but on threads that only queries use: one that computes without end
    /// keeps no page and no commit waiting. `None` when `limit` is over first; the work then ends
    /// where it next waits for something.
    pub(crate) fn run_query<T, F>(&self, limit: Duration, work: F) -> Result<Option<T>, EngineError>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        let runtime = self.queries.as_ref().ok_or(EngineError::Stopped)?;
        let task = runtime.spawn(async move {
            // The caller may have gone at its limit.
            drop(answer.send(work.await));
        });
        match answered.recv_timeout(limit) {
            Ok(done) => Ok(Some(done)),
            Err(RecvTimeoutError::Timeout) => {
                task.abort();
                Ok(None)
            }
            Err(RecvTimeoutError::Disconnected) => Err(EngineError::Stopped),
        }
    }

    /// The archive's files, compared with their check sums.
    pub(crate) fn files(&self) -> Arc<CheckedFiles> {
        Arc::clone(&self.files)
    }

    /// Caches and object stores shared by all queries; memory unlimited.
    pub(crate) fn environment(&self) -> Arc<RuntimeEnv> {
        Arc::clone(&self.environment)
    }

    /// As [`Engine::environment`], but one query may use `bytes_max` bytes of memory. What can be
    /// put aside (sorting, grouping) goes to disk then, as far as all queries together may.
    pub(crate) fn limited(&self, bytes_max: usize) -> Result<Arc<RuntimeEnv>, EngineError> {
        let pool = FairSpillPool::new(bytes_max);
        let pool: Arc<dyn MemoryPool> = Arc::new(TrackConsumersPool::new(pool, NonZeroUsize::MIN));
        let builder = RuntimeEnvBuilder::from_runtime_env(&self.environment).with_memory_pool(pool);
        Ok(builder.build_arc()?)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for runtime in [self.runtime.take(), self.queries.take()]
            .into_iter()
            .flatten()
        {
            runtime.shutdown_background();
        }
    }
}

fn runtime(name: &str, workers: usize) -> Result<Runtime, EngineError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name(name)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|source| EngineError::File {
            path: format!("the runtime `{name}`"),
            source,
        })
}

/// A folder that only its owner reads, without what a process that was killed left in it.
fn spilling(folder: &Path, bytes_max: u64) -> Result<DiskManagerBuilder, EngineError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let failed = |source| EngineError::File {
        path: folder.display().to_string(),
        source,
    };
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o700).create(folder).map_err(failed)?;
    Ok(DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![folder.to_owned()]))
        .with_max_temp_directory_size(bytes_max))
}

/// Whether a query with so much memory computes in several partitions, bytes.
pub(crate) const fn is_partitioned(bytes_max: usize) -> bool {
    bytes_max >= PARTITIONED_BYTES_MIN
}

/// Lets what the session plans from now on compute in one partition, which has all of its memory.
pub(crate) fn in_one_partition(context: &SessionContext) {
    let state = context.state_ref();
    let mut state = state.write();
    state.config_mut().options_mut().execution.target_partitions = 1;
}

/// A session over `environment` that knows no table yet. How it computes follows the memory it
/// may use.
pub(crate) fn session(environment: Arc<RuntimeEnv>) -> SessionContext {
    let bytes_max = match environment.memory_pool.memory_limit() {
        MemoryLimit::Finite(bytes) => bytes,
        MemoryLimit::Infinite | MemoryLimit::Unknown => usize::MAX,
    };
    let partitions = if is_partitioned(bytes_max) {
        WORKERS
    } else {
        1
    };
    let batch_rows = bytes_max / BATCH_ROW_BYTES;
    let reserve = (bytes_max / SPILL_RESERVE_SHARE).min(SPILL_RESERVE_BYTES_MAX);
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(batch_rows.clamp(*BATCH_ROWS.start(), *BATCH_ROWS.end()))
        .with_sort_spill_reservation_bytes(reserve)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(true);
    let options = config.options_mut();
    options.execution.parquet.pushdown_filters = true;
    options.execution.parquet.schema_force_view_types = false;
    options.execution.time_zone = Some("UTC".into());
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(environment)
        .with_default_features()
        .build();
    SessionContext::new_with_state(state)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::RecordBatch;
    use datafusion::physical_plan::{ExecutionPlan, collect};

    use super::*;

    /// How often the parts of a plan put something aside.
    fn spills(plan: &dyn ExecutionPlan) -> usize {
        let own = plan.metrics().and_then(|metrics| metrics.spill_count());
        let below = plan.children().into_iter();
        own.unwrap_or(0) + below.map(|part| spills(part.as_ref())).sum::<usize>()
    }

    #[test]
    fn little_memory_makes_a_query_put_aside_and_much_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(folder.path(), 1 << 30).unwrap();
        let sort = "SELECT md5(CAST(value AS TEXT)) AS h FROM range(0, 200000) ORDER BY h";
        let ask = |bytes_max: usize| {
            let context = session(engine.limited(bytes_max).unwrap());
            let asked = async move {
                let frame = context.sql(sort).await?;
                let plan = frame.create_physical_plan().await?;
                let batches = collect(Arc::clone(&plan), context.task_ctx()).await?;
                let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
                Ok::<_, DataFusionError>((rows, spills(plan.as_ref())))
            };
            engine.run(asked).unwrap().unwrap()
        };
        let (rows, aside) = ask(2 << 20);
        assert_eq!(rows, 200_000);
        assert!(aside > 1, "{aside}");
        assert_eq!(ask(1 << 30), (200_000, 0));
    }

    #[test]
    fn a_query_that_never_yields_ends_in_time_and_keeps_nobody_else_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(folder.path(), 1 << 20).unwrap();
        let limit = Duration::from_millis(20);
        let endless = |_| {
            let (hold, held) = std::sync::mpsc::channel::<()>();
            let ended = engine.run_query(limit, async move { held.recv() });
            assert!(ended.unwrap().is_none());
            hold
        };
        let holds: Vec<_> = (0..QUERY_WORKERS).map(endless).collect();
        assert_eq!(engine.run_query(limit, async { 7 }).unwrap(), None);
        assert_eq!(engine.run(async { 7 }).unwrap(), 7);
        drop(holds);
        let patient = Duration::from_mins(1);
        assert_eq!(engine.run_query(patient, async { 7 }).unwrap(), Some(7));
    }
}
