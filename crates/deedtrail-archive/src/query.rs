//! Read-only SQL over the table `events`.

use std::io::Write;
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::archive::{ArchiveError, OutputFormat, QueryBudget, QueryCost};
use futures::StreamExt as _;

use crate::archive::to_version;
use crate::engine::{Engine, EngineError};
use crate::output::Sink;
use crate::view::View;

/// Longest query text, bytes. Longer text is refused.
const SQL_BYTES_MAX: usize = 64 << 10;

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

/// Runs one SELECT over a tenant's rows of `view` and writes its rows to `out` as they come.
pub(crate) fn run(
    engine: &Engine,
    (view, tenant): (&View, &TenantId),
    sql: &str,
    format: OutputFormat,
    budget: QueryBudget,
    out: &mut (dyn Write + Send),
) -> Result<QueryCost, QueryError> {
    let started = Instant::now();
    if sql.len() > SQL_BYTES_MAX {
        let reason = format!("it is longer than {SQL_BYTES_MAX} bytes");
        return Err(ArchiveError::NotAllowed(reason).into());
    }
    let context = view.session(tenant, engine.limited(budget.memory_bytes_max)?)?;
    let rest = |started: Instant| budget.time_max.saturating_sub(started.elapsed());
    let text = sql.to_owned();
    let planned = within(
        engine,
        rest(started),
        async move { plan(&context, &text).await },
    )?;
    let mut stream = planned.ok_or_else(|| over_time(budget))??;

    let mut sink = Sink::new(format, stream.schema(), budget.memory_bytes_max, out)?;
    let mut rows = 0;
    loop {
        let next = within(engine, rest(started), async move {
            let batch = stream.next().await;
            (stream, batch)
        })?;
        let (again, batch) = next.ok_or_else(|| over_time(budget))?;
        stream = again;
        let Some(batch) = batch else { break };
        let batch: RecordBatch = batch.map_err(|error| told(error, budget))?;
        rows += batch.num_rows();
        if rows > budget.rows_max {
            return Err(ArchiveError::OverRows {
                limit: budget.rows_max,
            }
            .into());
        }
        sink.write(&batch)?;
    }
    sink.finish()?;
    Ok(QueryCost {
        rows: rows as u64,
        elapsed: started.elapsed(),
        version: to_version(view.table.version()),
        hot_rows: view.hot.rows() as u64,
    })
}

/// The answer of `work`, or `None` when `limit` is over first; the work is then dropped.
fn within<T: Send + 'static>(
    engine: &Engine,
    limit: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<Option<T>, EngineError> {
    engine.run(async move { tokio::time::timeout(limit, work).await.ok() })
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
    let bad = |error: DataFusionError| ArchiveError::BadQuery(reason(&error));
    let state = context.state();
    let mut statements = DFParserBuilder::new(sql)
        .with_recursion_limit(state.config().options().sql_parser.recursion_limit.get())
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(bad)?;
    let (Some(statement), None) = (statements.pop_front(), statements.pop_front()) else {
        return Err(ArchiveError::NotAllowed(
            "it is not exactly one statement".to_owned(),
        ));
    };
    check(&statement)?;
    let plan = state.statement_to_plan(statement).await.map_err(bad)?;
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)
        .map_err(|error| ArchiveError::NotAllowed(reason(&error)))?;
    let physical = state.create_physical_plan(&plan).await.map_err(bad)?;
    execute_stream(physical, context.task_ctx()).map_err(bad)
}

/// Only a query may pass; EXPLAIN too is refused, since plans name files.
fn check(statement: &Statement) -> Result<(), ArchiveError> {
    match statement {
        Statement::Statement(sql) if matches!(sql.as_ref(), SqlStatement::Query(_)) => Ok(()),
        other => {
            let text = other.to_string();
            let verb = text.split_whitespace().next().unwrap_or("the statement");
            Err(ArchiveError::NotAllowed(format!("{verb} is not a SELECT")))
        }
    }
}

/// An error while rows are read, as the port tells it.
fn told(error: DataFusionError, budget: QueryBudget) -> QueryError {
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
        _ => ArchiveError::BadQuery(reason(&error)).into(),
    }
}

/// The root cause in one line, without the engine's wrapping.
fn reason(error: &DataFusionError) -> String {
    let text = error.find_root().strip_backtrace();
    let line = text.lines().next().unwrap_or_default();
    let plain = [
        "Error during planning: ",
        "SQL error: ",
        "This feature is not implemented: ",
    ];
    plain.iter().fold(line.to_owned(), |line, prefix| {
        match line.strip_prefix(prefix) {
            Some(rest) => rest.to_owned(),
            None => line,
        }
    })
}
