//! The stored rows as a table that opens only files which may have what a query looks for.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::Expr;
use deltalake::delta_datafusion::DeltaScanNext;
use deltalake::table::state::DeltaTableState;

use super::{Needles, Wanted};

/// A scan of a table version, and the indexes of its files.
#[derive(Debug)]
pub(crate) struct IndexedScan {
    pub(crate) scan: DeltaScanNext,
    pub(crate) table: DeltaTableState,
    pub(crate) needles: Needles,
}

#[async_trait]
impl TableProvider for IndexedScan {
    fn schema(&self) -> SchemaRef {
        self.scan.schema()
    }

    fn table_type(&self) -> TableType {
        self.scan.table_type()
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        self.scan.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let wanted = Wanted::of(filters);
        let holding = wanted.and_then(|wanted| self.needles.holding(&self.table, &wanted));
        let scan = self.scan.clone();
        let scan = match holding {
            Some(files) => scan.with_file_paths(files),
            None => scan,
        };
        scan.scan(session, projection, filters, limit).await
    }
}
