//! Sorted Parquet files out of record batches.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::{
    SortColumn, concat_batches, lexsort_to_indices, take_record_batch,
};
use datafusion::arrow::error::ArrowError;
use deltalake::datafile::writer::{DeltaWriter, WriterConfig};
use deltalake::kernel::Add;
use deltalake::logstore::LogStoreRef;
use deltalake::parquet::basic::{Compression, ZstdLevel};
use deltalake::parquet::file::metadata::SortingColumn;
use deltalake::parquet::file::properties::WriterProperties;
use deltalake::parquet::schema::types::ColumnPath;
use deltalake::table::config::TablePropertiesExt as _;
use deltalake::table::state::DeltaTableState;

use crate::column::{BLOOM_COLUMNS, PARTITION_COLUMNS, file_schema, schema};
use crate::engine::EngineError;

/// Rows of a row group: what a query skips or reads as one.
const ROW_GROUP_ROWS: usize = 128 << 10;
/// False positives of a Bloom filter, share of look-ups.
const BLOOM_FALSE_SHARE: f64 = 0.01;
/// What files are sorted by, after the partition; nulls first.
pub(crate) const SORT_COLUMNS: [&str; 2] = ["actor_alias_uid", "time_effective"];

/// Writes `batches` as one sorted file per partition. The files are not part of the table until
/// the returned actions are committed.
pub(crate) async fn write_files(
    state: &DeltaTableState,
    log_store: &LogStoreRef,
    batches: &[RecordBatch],
) -> Result<Vec<Add>, EngineError> {
    let mut writer = file_writer(state, log_store);
    writer.write(&sorted(batches)?).await?;
    Ok(writer.close().await?)
}

/// A writer of one file per partition; the rows have to come sorted.
pub(crate) fn file_writer(state: &DeltaTableState, log_store: &LogStoreRef) -> DeltaWriter {
    let config = WriterConfig::new(
        schema(),
        PARTITION_COLUMNS.map(str::to_owned).to_vec(),
        Some(properties()),
        None,
        None,
        state.table_config().num_indexed_cols(),
        None,
    );
    DeltaWriter::new(log_store.object_store(None), config)
}

/// All rows in one batch, by partition, then actor, then time.
fn sorted(batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    let rows = concat_batches(&schema(), batches)?;
    let keys = PARTITION_COLUMNS.iter().chain(&SORT_COLUMNS);
    let keys = keys.filter_map(|name| rows.column_by_name(name));
    let keys: Vec<SortColumn> = keys
        .map(|values| SortColumn {
            values: Arc::clone(values),
            options: None,
        })
        .collect();
    take_record_batch(&rows, &lexsort_to_indices(&keys, None)?)
}

fn properties() -> WriterProperties {
    let schema = file_schema();
    let sorting = SORT_COLUMNS.iter().filter_map(|name| {
        let index = i32::try_from(schema.index_of(name).ok()?).ok()?;
        Some(SortingColumn {
            column_idx: index,
            descending: false,
            nulls_first: true,
        })
    });
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by("deedtrail".to_owned())
        .set_sorting_columns(Some(sorting.collect()));
    for name in BLOOM_COLUMNS {
        let column = ColumnPath::from(name);
        properties = properties
            .set_column_bloom_filter_fpp(column.clone(), BLOOM_FALSE_SHARE)
            .set_column_bloom_filter_max_ndv(column, ROW_GROUP_ROWS as u64);
    }
    properties.build()
}
