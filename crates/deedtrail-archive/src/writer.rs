//! Sorted Parquet files out of record batches.

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::compute::{SortColumn, concat, interleave_record_batch, lexsort_to_indices};
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
/// Most rows that are put in their order at a time: the sorted copy of a commit is never whole.
const WRITTEN_ROWS_MAX: usize = 4_096;
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
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    for places in order(&batches)?.chunks(WRITTEN_ROWS_MAX) {
        let rows = interleave_record_batch(&batches, places)?;
        writer.write(&rows).await?;
    }
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

/// Where the rows are, batch and row, by partition, then actor, then time.
fn order(batches: &[&RecordBatch]) -> Result<Vec<(usize, usize)>, ArrowError> {
    let mut keys = Vec::new();
    for name in PARTITION_COLUMNS.iter().chain(&SORT_COLUMNS) {
        let parts = batches.iter().filter_map(|rows| rows.column_by_name(name));
        let parts: Vec<&dyn Array> = parts.map(AsRef::as_ref).collect();
        keys.push(SortColumn {
            values: concat(&parts)?,
            options: None,
        });
    }
    let places = (0..).zip(batches);
    let places = places.flat_map(|(batch, rows)| (0..rows.num_rows()).map(move |row| (batch, row)));
    let places: Vec<(usize, usize)> = places.collect();
    let sorted = lexsort_to_indices(&keys, None)?;
    let at = |index: &u32| places.get(*index as usize).copied();
    Ok(sorted.values().iter().filter_map(at).collect())
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
