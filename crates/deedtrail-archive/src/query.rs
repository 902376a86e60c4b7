//! Read-only SQL over the table `events`.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::archive::{ArchiveError, OutputFormat, QueryBudget, QueryCost};
use futures::StreamExt as _;

use crate::archive::to_version;
use crate::engine::{Engine, EngineError, in_one_partition, is_partitioned};
use crate::output::Sink;
use crate::statement::{self, bad, reason};
use crate::view::View;

/// Functions a query may not use. The first ones make values of any size from a few bytes, or
/// compute without end on one row, which no budget sees; the last tells where files lie.
const REFUSED_FUNCTIONS: [&str; 9] = [
    "array_repeat",
    "array_resize",
    "generate_series",
    "levenshtein",
    "lpad",
    "range",
    "repeat",
    "rpad",
    "input_file_name",
];

/// What the engine's error says when queries put more aside than they may.
const SPILL_LIMIT_TEXT: &str = "used disk space during the spilling process";

/// A query ended early: told as the port tells it, or a failure below the port.
#[derive(Debug)]
pub(crate) enum QueryError {
    Told(ArchiveError),
    Engine(EngineError),
}

impl From<EngineError> for QueryError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<ArchiveError> for QueryError {
    fn from(error: ArchiveError) -> Self {
        Self::Told(error)
    }
}

/// One query while it runs.
struct Running<'a> {
    engine: &'a Engine,
    view: &'a View,
    tenant: &'a TenantId,
    budget: QueryBudget,
    started: Instant,
}

/// A query's rows from the first batch on; none when there is no row.
type Begun = (SendableRecordBatchStream, Option<RecordBatch>);

/// Runs one SELECT over a tenant's rows of `view` and writes its rows to `out` as they come.
pub(crate) fn run(
    engine: &Engine,
    (view, tenant): (&View, &TenantId),
    sql: &str,
    format: OutputFormat,
    budget: QueryBudget,
    out: &mut (dyn Write + Send),
) -> Result<QueryCost, QueryError> {
    let running = Running {
        engine,
        view,
        tenant,
        budget,
        started: Instant::now(),
    };
    let (mut stream, mut batch) = running.begin(sql)?;
    let mut sink = Sink::new(format, stream.schema(), budget.memory_bytes_max, out)?;
    let mut rows = 0;
    while let Some(read) = batch {
        rows += read.num_rows();
        if rows > budget.rows_max {
            return Err(ArchiveError::OverRows {
                limit: budget.rows_max,
            }
            .into());
        }
        sink.write(&read)?;
        (stream, batch) = running.next(stream)?;
    }
    sink.finish()?;
    Ok(QueryCost {
        rows: rows as u64,
        elapsed: running.started.elapsed(),
        version: to_version(view.table.version()),
        hot_rows: view.hot.rows() as u64,
    })
}

impl Running<'_> {
    /// Starts the query and waits for its first rows. Where several partitions do not get on with
    /// their shares of the memory before there is a row, it starts again in one, which has all of it.
    fn begin(&self, sql: &str) -> Result<Begun, QueryError> {
        let memory = self.budget.memory_bytes_max;
        match self.begin_in(self.context()?, sql) {
            Err(QueryError::Told(ArchiveError::OverMemory { .. })) if is_partitioned(memory) => {
                let context = self.context()?;
                in_one_partition(&context);
                self.begin_in(context, sql)
            }
            begun => begun,
        }
    }

    fn begin_in(&self, context: SessionContext, sql: &str) -> Result<Begun, QueryError> {
        let text = sql.to_owned();
        let planned = self
            .engine
            .run_query(self.rest(), async move { plan(&context, &text).await })?;
        self.next(planned.ok_or_else(|| over_time(self.budget))??)
    }

    /// A session with all that a query may use, and memory of its own.
    fn context(&self) -> Result<SessionContext, QueryError> {
        let environment = self.engine.limited(self.budget.memory_bytes_max)?;
        let context = self.view.session(self.tenant, environment)?;
        for name in REFUSED_FUNCTIONS {
            context.deregister_udf(name);
            context.deregister_udtf(name);
        }
        Ok(context)
    }

    fn next(&self, mut stream: SendableRecordBatchStream) -> Result<Begun, QueryError> {
        let next = self.engine.run_query(self.rest(), async move {
            let batch = stream.next().await;
            (stream, batch)
        })?;
        let (stream, batch) = next.ok_or_else(|| over_time(self.budget))?;
        let batch = batch
            .transpose()
            .map_err(|error| told(error, self.budget))?;
        Ok((stream, batch))
    }

    fn rest(&self) -> Duration {
        self.budget.time_max.saturating_sub(self.started.elapsed())
    }
}

fn over_time(budget: QueryBudget) -> ArchiveError {
    ArchiveError::OverTime {
        limit_s: budget.time_max.as_secs(),
    }
}

/// Checks that the text is one SELECT and starts it.
async fn plan(
    context: &SessionContext,
    sql: &str,
) -> Result<SendableRecordBatchStream, ArchiveError> {
    let state = context.state();
    let recursion_max = state.config().options().sql_parser.recursion_limit.get();
    let statement = statement::parse(sql, recursion_max)?;
    let plan = state
        .statement_to_plan(statement)
        .await
        .map_err(|error| bad(&error))?;
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)
        .map_err(|error| ArchiveError::NotAllowed(reason(&error)))?;
    let physical = state
        .create_physical_plan(&plan)
        .await
        .map_err(|error| bad(&error))?;
    execute_stream(physical, context.task_ctx()).map_err(|error| bad(&error))
}

/// An error while rows are read, as the port tells it.
fn told(error: DataFusionError, budget: QueryBudget) -> QueryError {
    if is_spill_full(&error) {
        let memory_bytes = budget.memory_bytes_max;
        return ArchiveError::OverSpill { memory_bytes }.into();
    }
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => ArchiveError::OverMemory {
            limit_bytes: budget.memory_bytes_max,
        }
        .into(),
        DataFusionError::IoError(_)
        | DataFusionError::ObjectStore(_)
        | DataFusionError::ParquetError(_)
        | DataFusionError::External(_)
        | DataFusionError::Internal(_) => EngineError::Query(error).into(),
        _ => bad(&error).into(),
    }
}

/// Whether what was put aside reached its limit, which the engine tells by its text only, or the
/// disk is full: a query writes nothing else.
fn is_spill_full(error: &DataFusionError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        let io = one.downcast_ref::<std::io::Error>();
        let is_full = |io: &std::io::Error| {
            matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
        };
        if io.is_some_and(is_full) {
            return true;
        }
        cause = one.source();
    }
    error.to_string().contains(SPILL_LIMIT_TEXT)
}
