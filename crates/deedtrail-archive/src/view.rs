//! What one query sees: a pinned table version and the rows after it.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::datasource::{MemTable, TableProvider, ViewTable, provider_as_source};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::prelude::{Expr, SessionContext, coalesce, col, lit};
use deedtrail_core::id::TenantId;
use deedtrail_core::port::log::Sequence;
use deltalake::delta_datafusion::{DeltaScanConfig, DeltaScanNext};
use deltalake::table::state::DeltaTableState;

use crate::column::{columns, schema};
use crate::engine::{EngineError, session};
use crate::generation::Generation;
use crate::hot::Hot;
use crate::needle::IndexedScan;

/// Columns of `events` that are computed when asked for: what most questions are about, under
/// the shortest names.
pub(crate) const COMPUTED_COLUMNS: [(&str, [&str; 2], &str); 3] = [
    (
        "actor",
        ["actor_name", "actor_ref"],
        "`actor_name`, else `actor_ref`.",
    ),
    (
        "target",
        ["target_name", "target_ref"],
        "`target_name`, else `target_ref`.",
    ),
    ("day", ["event_day", "event_day"], "`event_day`."),
];

/// A table version with the rows after it. Cloning is cheap and pins both.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) generation: Arc<Generation>,
    pub(crate) table: DeltaTableState,
    /// Every sequence below it is in the table.
    pub(crate) covered: Sequence,
    pub(crate) hot: Hot,
}

impl View {
    /// A session with the one table `events`, which has the rows of `tenant`.
    pub(crate) fn session(
        &self,
        tenant: &TenantId,
        environment: Arc<RuntimeEnv>,
    ) -> Result<SessionContext, EngineError> {
        let context = self.session_over_files(environment);
        context.register_table("events", self.events(tenant)?)?;
        Ok(context)
    }

    /// A session that can read the table's files and knows no table.
    pub(crate) fn session_over_files(&self, environment: Arc<RuntimeEnv>) -> SessionContext {
        let context = session(environment);
        let location = self.generation.log_store().object_store_url();
        let store = self.generation.log_store().object_store(None);
        context.register_object_store(location.as_ref(), store);
        context
    }

    /// Stored and hot rows of a tenant as one table.
    fn events(&self, tenant: &TenantId) -> Result<Arc<dyn TableProvider>, EngineError> {
        let names: Vec<Expr> = columns().iter().map(|column| col(column.name)).collect();
        let stored = LogicalPlanBuilder::scan("stored", provider_as_source(self.stored()?), None)?
            .project(names.clone())?;
        let all = if self.hot.rows() == 0 {
            stored
        } else {
            let batches: Vec<RecordBatch> = self.hot.batches().cloned().collect();
            let memory = Arc::new(MemTable::try_new(schema(), vec![batches])?);
            let hot = LogicalPlanBuilder::scan("hot", provider_as_source(memory), None)?
                .project(names.clone())?;
            stored.union(hot.build()?)?
        };
        let computed = COMPUTED_COLUMNS
            .iter()
            .map(|(name, of, _)| coalesce(of.iter().map(|name| col(*name)).collect()).alias(*name));
        let all = all.filter(col("tenant").eq(lit(tenant.as_str())))?;
        let plan = all.project(names.into_iter().chain(computed))?.build()?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }

    fn stored(&self) -> Result<Arc<dyn TableProvider>, EngineError> {
        Ok(Arc::new(IndexedScan {
            scan: self.scan()?,
            table: self.table.clone(),
            needles: self.generation.needles(),
        }))
    }

    /// The files of the pinned version, read with the column types of the table.
    pub(crate) fn scan(&self) -> Result<DeltaScanNext, EngineError> {
        let config = DeltaScanConfig {
            wrap_partition_values: false,
            schema_force_view_types: false,
            ..DeltaScanConfig::new()
        };
        Ok(DeltaScanNext::new(self.table.snapshot().clone(), config)?)
    }
}
