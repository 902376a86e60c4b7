//! The archive's own runtime, the shared caches, and one error for everything below the port.

use std::future::Future;
use std::sync::Arc;

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::DeltaTableError;
use tokio::runtime::Runtime;

/// Threads of the runtime, and partitions a query is cut into.
const WORKERS: usize = 2;
/// Stack of a worker, bytes: planning a deeply nested query recurses.
const STACK_BYTES: usize = 16 << 20;

/// What failed below the port.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error("the table: {0}")]
    Table(#[from] DeltaTableError),
    #[error("the columns: {0}")]
    Columns(#[from] ArrowError),
    #[error("the query engine: {0}")]
    Query(#[from] DataFusionError),
    #[error("{path}: {source}")]
    File {
        path: String,
        source: std::io::Error,
    },
    #[error("a task of the archive ended early")]
    Stopped,
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
    environment: Arc<RuntimeEnv>,
}

impl Engine {
    pub(crate) fn start() -> Result<Self, EngineError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("archive")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|source| EngineError::File {
                path: "the archive's runtime".into(),
                source,
            })?;
        let environment = RuntimeEnvBuilder::new().with_disk_manager_builder(no_spilling());
        Ok(Self {
            runtime: Some(runtime),
            environment: environment.build_arc()?,
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

    /// Caches and object stores shared by all queries; memory unlimited, no spilling to disk.
    pub(crate) fn environment(&self) -> Arc<RuntimeEnv> {
        Arc::clone(&self.environment)
    }

    /// As [`Engine::environment`], but one query may use `bytes_max` bytes.
    pub(crate) fn limited(&self, bytes_max: usize) -> Result<Arc<RuntimeEnv>, EngineError> {
        let top = std::num::NonZeroUsize::MIN;
        let pool: Arc<dyn MemoryPool> = Arc::new(TrackConsumersPool::new(
            GreedyMemoryPool::new(bytes_max),
            top,
        ));
        let builder = RuntimeEnvBuilder::from_runtime_env(&self.environment).with_memory_pool(pool);
        Ok(builder.build_arc()?)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn no_spilling() -> DiskManagerBuilder {
    DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled)
}

/// A session over `environment` that knows no table yet.
pub(crate) fn session(environment: Arc<RuntimeEnv>) -> SessionContext {
    let mut config = SessionConfig::new()
        .with_target_partitions(WORKERS)
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
