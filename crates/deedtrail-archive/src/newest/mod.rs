//! The newest events that a filter lets through, a page at a time.
//!
//! A page takes few rows of a large table. So the files are read newest first, and of each only
//! the columns that decide; when the page is full of rows newer than all that is left, reading ends,
//! and all columns are read of the rows of the page alone. Files are left out by their tenant, their
//! newest and oldest event and their index, row groups by their statistics and Bloom filters.

mod condition;
mod file;
mod page;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use datafusion::arrow::array::{AsArray as _, RecordBatch, UInt64Array};
use datafusion::arrow::compute::{cast, take_record_batch};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::arrow::error::ArrowError;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use deedtrail_core::event::Event;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::archive::{Cursor, EventFilter};
use deedtrail_core::time::Timestamp;
use deltalake::Path as StorePath;
use deltalake::kernel::LogicalFileView;
use deltalake::parquet::file::metadata::ParquetMetaData;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

use crate::column::{Kind, PARTITION_COLUMNS};
use crate::engine::EngineError;
use crate::generation::data_error;
use crate::needle::Needles;
use crate::rows::to_events;
use crate::sums::KnownSums;
use crate::view::View;
use condition::Condition;
pub(crate) use condition::TEXT_COLUMNS;
use file::DataFile;
use page::{Found, Page};

/// Files that are read at the same time.
const FILES_AT_ONCE: usize = 2;
const MILLISECOND_US: i64 = 1_000;

/// What a row has to fulfil.
#[derive(Debug)]
struct Asked {
    conditions: Vec<Condition>,
    /// First and last instant that may be, µs.
    times: (i64, i64),
}

impl Asked {
    fn of(filter: &EventFilter, cursor: Option<Cursor>) -> Self {
        let from = filter.from.map_or(i64::MIN, Timestamp::as_micros);
        let to = filter.to.map_or(i64::MAX, |to| to.as_micros() - 1);
        let last = cursor.map_or(i64::MAX, |cursor| cursor.time_effective.as_micros());
        Self {
            conditions: condition::conditions(filter),
            times: (from, to.min(last)),
        }
    }
}

/// Where rows are.
#[derive(Debug)]
enum Part {
    /// In memory, of one tenant or several.
    Hot(RecordBatch),
    Stored(DataFile),
}

/// Newest first, at most `limit`, after `cursor`.
pub(crate) async fn events(
    view: &View,
    environment: Arc<RuntimeEnv>,
    filter: &EventFilter,
    cursor: Option<Cursor>,
    limit: usize,
) -> Result<Vec<Event>, EngineError> {
    let asked = Arc::new(Asked::of(filter, cursor));
    let mut page = Page::new(limit, cursor);
    let mut parts = Vec::new();
    for batch in view.hot.batches() {
        page.add(in_memory(batch, parts.len(), &filter.tenant, &asked)?);
        parts.push(Arc::new(Part::Hot(batch.clone())));
    }
    let first = parts.len();
    let files = candidates(view, &filter.tenant, asked.times)?;
    let threshold = Arc::new(AtomicI64::new(page.oldest()));
    let ends: Vec<i64> = files.iter().map(|file| file.newest).collect();
    let scan = |(place, file): (usize, Candidate)| Scan {
        part: first + place,
        needles: view.generation.needles(),
        sums: view.generation.sums(),
        path: view.generation.folder().join(&file.path),
        file,
        environment: Arc::clone(&environment),
        asked: Arc::clone(&asked),
        threshold: Arc::clone(&threshold),
    };
    let scans: Vec<Scan> = files.into_iter().enumerate().map(scan).collect();
    let mut scans = stream::iter(scans.into_iter().map(Scan::run)).buffered(FILES_AT_ONCE);
    for end in ends {
        if end < page.oldest() {
            break;
        }
        let Some(scanned) = scans.next().await else {
            break;
        };
        let (part, found) = scanned?;
        parts.push(Arc::new(part));
        page.add(found);
        threshold.store(page.oldest(), Ordering::Relaxed);
    }
    drop(scans);
    if page.is_ambiguous() {
        let uids = taken(&parts, page.found(), &filter.tenant, Some("event_uid")).await?;
        page.narrow(&texts(&uids)?);
    }
    shown(&parts, page.found(), &filter.tenant).await
}

/// One file to be looked through.
struct Scan {
    part: usize,
    needles: Needles,
    sums: Arc<KnownSums>,
    path: PathBuf,
    file: Candidate,
    environment: Arc<RuntimeEnv>,
    asked: Arc<Asked>,
    /// Rows before this instant are not on the page, µs.
    threshold: Arc<AtomicI64>,
}

impl Scan {
    async fn run(self) -> Result<(Part, Vec<Found>), EngineError> {
        let file = &self.file;
        // The index first: a file that has nothing is not opened.
        let mut columns = Vec::new();
        for condition in &self.asked.conditions {
            let holding = condition.columns_of(&self.needles, (&file.path, file.bytes));
            if holding.is_empty() || file.newest < self.threshold.load(Ordering::Relaxed) {
                return Ok((Part::Stored(DataFile::unread()), Vec::new()));
            }
            columns.push(holding);
        }
        let footer = footer(&self.environment, &self.path, file.bytes).await;
        let footer = footer.map_err(|error| data_error(&self.path, error))?;
        in_background(move || {
            let threshold = self.threshold.load(Ordering::Relaxed);
            let data = DataFile::with_footer(self.path, self.sums, footer)?;
            let found = data.find(self.part, &self.asked, &columns, threshold)?;
            Ok((Part::Stored(data), found))
        })
        .await
    }
}

/// A file that may have rows of the page.
#[derive(Debug)]
struct Candidate {
    path: String,
    bytes: i64,
    /// Instant of its newest row, µs; the largest number where nobody knows.
    newest: i64,
}

/// The tenant's files with rows between these instants, newest first.
fn candidates(
    view: &View,
    tenant: &TenantId,
    times: (i64, i64),
) -> Result<Vec<Candidate>, EngineError> {
    let mut files = Vec::new();
    for file in view.table.log_data().iter() {
        let path = file.path().into_owned();
        if file.deletion_vector_descriptor().is_some() {
            return Err(EngineError::MarkedRows { path });
        }
        let of = file.partition_values_map().remove(PARTITION_COLUMNS[0]);
        let (oldest, newest) = span(&file);
        let is_of_tenant = of.flatten().as_deref() == Some(tenant.as_str());
        if is_of_tenant && oldest <= times.1 && newest >= times.0 {
            let bytes = LogicalFileView::size(&file);
            files.push(Candidate {
                path,
                bytes,
                newest,
            });
        }
    }
    files.sort_by_key(|file| std::cmp::Reverse(file.newest));
    Ok(files)
}

/// Oldest and newest instant of a file's rows by its statistics, µs; all times where nobody knows.
fn span(file: &LogicalFileView) -> (i64, i64) {
    let statistics = file.stats();
    let statistics = statistics.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let instant = |bound: &str| {
        let time = statistics
            .as_ref()?
            .get(bound)?
            .get("time_effective")?
            .as_str()?;
        Some(Timestamp::parse_rfc3339(time)?.as_micros())
    };
    let oldest = instant("minValues").unwrap_or(i64::MIN);
    let newest = instant("maxValues").unwrap_or(i64::MAX);
    // Delta keeps whole milliseconds.
    (
        oldest.saturating_sub(MILLISECOND_US),
        newest.saturating_add(MILLISECOND_US),
    )
}

/// A file's footer, out of the cache that queries share.
async fn footer(
    environment: &RuntimeEnv,
    path: &Path,
    bytes: i64,
) -> Result<Arc<ParquetMetaData>, EngineError> {
    let store = environment.object_store(ObjectStoreUrl::local_filesystem())?;
    let location = StorePath::from_absolute_path(path).map_err(|error| EngineError::File {
        path: path.display().to_string(),
        source: std::io::Error::other(error),
    })?;
    let size = u64::try_from(bytes).unwrap_or(0);
    let mut file = PartitionedFile::new("", size).object_meta;
    file.location = location;
    let cache = environment.cache_manager.get_file_metadata_cache();
    Ok(DFParquetMetadata::new(store.as_ref(), &file)
        .with_file_metadata_cache(Some(cache))
        .fetch_metadata()
        .await?)
}

/// The rows of a batch that are asked for.
fn in_memory(
    batch: &RecordBatch,
    part: usize,
    tenant: &TenantId,
    asked: &Asked,
) -> Result<Vec<Found>, ArrowError> {
    let of_tenant = Condition::one_of(&[PARTITION_COLUMNS[0]], vec![tenant.to_string()]);
    let mut mask = None;
    for condition in std::iter::once(&of_tenant).chain(&asked.conditions) {
        mask = condition.narrowed(mask, batch)?;
        if mask.as_ref().is_some_and(|mask| mask.count_set_bits() == 0) {
            return Ok(Vec::new());
        }
    }
    let times = times(batch)?;
    let rows = (0..batch.num_rows()).filter(|row| mask.as_ref().is_none_or(|m| m.value(*row)));
    let found = rows.map(|row| Found {
        part,
        group: 0,
        row,
        time: times[row],
    });
    let (from, last) = asked.times;
    Ok(found
        .filter(|found| (from..=last).contains(&found.time))
        .collect())
}

/// The instants of a batch's rows, µs; null reads as 0.
fn times(batch: &RecordBatch) -> Result<Vec<i64>, ArrowError> {
    let column = batch.column_by_name("time_effective");
    let column =
        column.ok_or_else(|| ArrowError::SchemaError("`time_effective` is missing".into()))?;
    let micros = Kind::Time.data_type();
    let integers = cast(&cast(column, &micros)?, &DataType::Int64)?;
    let values = integers.as_primitive::<Int64Type>().iter();
    Ok(values.map(Option::unwrap_or_default).collect())
}

/// One column of some rows, or all of them: the batches of each part, in the order of `found`.
async fn taken(
    parts: &[Arc<Part>],
    found: &[Found],
    tenant: &TenantId,
    column: Option<&'static str>,
) -> Result<Vec<RecordBatch>, EngineError> {
    let mut jobs = Vec::new();
    for rows in found.chunk_by(|one, next| one.part == next.part) {
        let (part, rows) = (Arc::clone(&parts[rows[0].part]), rows.to_vec());
        let tenant = tenant.clone();
        jobs.push(in_background(move || part.take(&rows, &tenant, column)));
    }
    let batches: Vec<Vec<RecordBatch>> = stream::iter(jobs)
        .buffered(FILES_AT_ONCE)
        .try_collect()
        .await?;
    Ok(batches.into_iter().flatten().collect())
}

impl Part {
    /// The rows, which come in the order they lie in.
    fn take(
        &self,
        rows: &[Found],
        tenant: &TenantId,
        column: Option<&'static str>,
    ) -> Result<Vec<RecordBatch>, EngineError> {
        match self {
            Self::Hot(batch) => {
                let places = rows.iter().map(|found| found.row as u64);
                let places = UInt64Array::from_iter_values(places);
                Ok(vec![take_record_batch(batch, &places)?])
            }
            Self::Stored(file) => file.take(rows, tenant, column),
        }
    }
}

/// The event ids of these batches.
fn texts(batches: &[RecordBatch]) -> Result<Vec<String>, ArrowError> {
    let mut uids = Vec::new();
    for batch in batches {
        let column = batch.column_by_name("event_uid");
        let column =
            column.ok_or_else(|| ArrowError::SchemaError("`event_uid` is missing".into()))?;
        let column = cast(column, &DataType::Utf8)?;
        let values = column.as_string::<i32>().iter();
        uids.extend(values.map(|uid| uid.unwrap_or_default().to_owned()));
    }
    Ok(uids)
}

/// The events of the page, newest first.
async fn shown(
    parts: &[Arc<Part>],
    found: &[Found],
    tenant: &TenantId,
) -> Result<Vec<Event>, EngineError> {
    let mut events = Vec::new();
    for batch in taken(parts, found, tenant, None).await? {
        events.extend(to_events(&batch)?);
    }
    events.sort_by_key(|event| std::cmp::Reverse((event.time_effective, event.event_uid)));
    Ok(events)
}

/// Runs what reads and computes beside the tasks that wait.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| EngineError::Stopped)?
}
