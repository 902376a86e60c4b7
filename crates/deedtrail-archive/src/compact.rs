//! Small files become large sorted ones.
//!
//! A small installation ends with one file per settled month, a large one with a few per day: once a day
//! has enough rows its files are kept apart, so that a query over a short time opens few of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Date32Array, RecordBatch};
use datafusion::arrow::compute::kernels::cmp::eq;
use datafusion::arrow::compute::{SortOptions, filter_record_batch};
use datafusion::arrow::datatypes::Date32Type;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_expr::expressions::col as physical_column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::prelude::{Expr, SessionContext, col};
use deedtrail_core::time::Timestamp;
use deltalake::datafile::writer::DeltaWriter;
use deltalake::kernel::{Action, LogicalFileView};
use deltalake::protocol::DeltaOperation;
use deltalake::table::state::DeltaTableState;
use futures::StreamExt as _;

use crate::column::{PARTITION_COLUMNS, columns, schema};
use crate::engine::{EngineError, in_one_partition};
use crate::view::View;
use crate::writer::{SORT_COLUMNS, file_writer};

/// A file of this many bytes is left alone, and a rewrite makes files of about this size.
const LARGE_BYTES: i64 = 128 << 20;
/// Most files merged at once: each holds one decoded row group in memory.
const REWRITE_FILES_MAX: usize = 32;
/// Rows that a merge holds of all its files together, about.
const MERGED_ROWS: usize = 16_384;
/// Fewest and most rows that it reads of one of them at a time.
const BATCH_ROWS_MIN: usize = 256;
const BATCH_ROWS_MAX: usize = 4_096;
/// A month is settled when its newest file is so much older than the newest of all, ms: while
/// history is loaded, its few files are not rewritten again and again.
const SETTLED_MS: i64 = 60 * 60 * 1000;
/// Rows of a day that are worth files of their own.
const DAY_ROWS_MIN: i64 = 100_000;

/// What a rewrite has to be worth.
#[derive(Debug)]
struct Thrift {
    /// Fewest files.
    files_min: usize,
    /// A file joins when it is at most this many times as large as the smaller ones together, so
    /// that a large file is not rewritten for the sake of a few small ones.
    growth_max: i64,
}

const GROWING: Thrift = Thrift {
    files_min: 4,
    growth_max: 2,
};
const SETTLED: Thrift = Thrift {
    files_min: 2,
    growth_max: 32,
};

/// Values of the partition columns.
type Partition = Vec<Option<String>>;

/// Files of one partition to be rewritten together.
#[derive(Debug)]
pub(crate) struct Group {
    files: Vec<Candidate>,
}

/// A file with what its statistics say.
#[derive(Clone, Debug)]
struct Candidate {
    path: String,
    bytes: i64,
    rows: i64,
    /// First and last `event_day`, days since the epoch.
    days: (i64, i64),
    /// When it was written, ms since the epoch.
    written: i64,
    remove: Action,
}

impl Candidate {
    fn of(file: &LogicalFileView) -> Option<Self> {
        let stats: serde_json::Value = serde_json::from_str(&file.stats()?).ok()?;
        let day = |bound: &str| {
            let date = stats.get(bound)?.get("event_day")?.as_str()?;
            Some(Timestamp::parse_rfc3339(&format!("{date}T00:00:00Z"))?.utc_day())
        };
        Some(Self {
            path: file.path().into_owned(),
            bytes: file.size(),
            rows: stats.get("numRecords")?.as_i64()?,
            days: (day("minValues")?, day("maxValues")?),
            written: file.modification_time(),
            remove: Action::Remove(file.remove_action(false)),
        })
    }

    /// The day whose files this one is kept with; none while it is small or spans several.
    fn own_day(&self) -> Option<i64> {
        (self.days.0 == self.days.1 && self.rows >= DAY_ROWS_MIN).then_some(self.days.0)
    }
}

/// The next files worth rewriting together, if there are any.
pub(crate) fn next_group(table: &DeltaTableState) -> Option<Group> {
    let mut groups: BTreeMap<(Partition, Option<i64>), Vec<Candidate>> = BTreeMap::new();
    for file in table
        .log_data()
        .iter()
        .filter(|file| file.size() < LARGE_BYTES)
    {
        let mut values = file.partition_values_map();
        let partition = PARTITION_COLUMNS
            .iter()
            .map(|name| values.remove(*name).flatten())
            .collect();
        if let Some(candidate) = Candidate::of(&file) {
            groups
                .entry((partition, candidate.own_day()))
                .or_default()
                .push(candidate);
        }
    }
    let newest = groups.values().flatten().map(|file| file.written).max()?;
    groups.into_values().find_map(|files| {
        let settled = files
            .iter()
            .all(|file| newest.saturating_sub(file.written) >= SETTLED_MS);
        pick(files, if settled { &SETTLED } else { &GROWING })
    })
}

/// The smallest files that belong together, if there are enough of them.
fn pick(mut files: Vec<Candidate>, thrift: &Thrift) -> Option<Group> {
    files.sort_by_key(|file| file.bytes);
    while files.len() >= thrift.files_min {
        let mut bytes = 0;
        let mut count = 0;
        for file in files.iter().take(REWRITE_FILES_MAX) {
            let is_like = count == 0 || file.bytes <= bytes * thrift.growth_max;
            if !is_like || bytes + file.bytes > LARGE_BYTES {
                break;
            }
            bytes += file.bytes;
            count += 1;
        }
        if count >= thrift.files_min {
            files.truncate(count);
            return Some(Group { files });
        }
        files.remove(0);
    }
    None
}

/// Writes the group's rows as sorted files; the actions replace the old files by the new ones.
pub(crate) async fn rewrite(
    view: &View,
    group: Group,
    environment: Arc<RuntimeEnv>,
) -> Result<Vec<Action>, EngineError> {
    let first = group
        .files
        .iter()
        .map(|file| file.days.0)
        .min()
        .unwrap_or(0);
    let last = group
        .files
        .iter()
        .map(|file| file.days.1)
        .max()
        .unwrap_or(0);
    let rows: i64 = group.files.iter().map(|file| file.rows).sum();
    let by_day = rows >= DAY_ROWS_MIN.saturating_mul(last - first + 1);

    let paths = group.files.iter().map(|file| file.path.as_str());
    let mut merged = merge(view, paths, None, environment).await?;
    let mut writers: BTreeMap<i32, DeltaWriter> = BTreeMap::new();
    while let Some(batch) = merged.next().await {
        for (day, rows) in split(&batch?, by_day)? {
            let fresh = || file_writer(&view.table, &view.generation.log_store());
            writers
                .entry(day)
                .or_insert_with(fresh)
                .write(&rows)
                .await?;
        }
    }
    let mut actions: Vec<Action> = group.files.into_iter().map(|file| file.remove).collect();
    for writer in writers.into_values() {
        for mut add in writer.close().await? {
            add.data_change = false;
            actions.push(Action::Add(add));
        }
    }
    Ok(actions)
}

/// The rows of some files, those that `keep` lets through, in one sorted stream; each file is
/// sorted already.
pub(crate) async fn merge(
    view: &View,
    files: impl Iterator<Item = &str>,
    keep: Option<Expr>,
    environment: Arc<RuntimeEnv>,
) -> Result<SendableRecordBatchStream, EngineError> {
    let files: Vec<&str> = files.collect();
    let context = view.session_over_files(environment);
    at_most(&context, MERGED_ROWS / files.len().max(1));
    let names: Vec<_> = columns().iter().map(|column| col(column.name)).collect();
    let mut inputs = Vec::new();
    for path in files {
        let scan = view.scan()?.with_file_paths([path]);
        let mut frame = context.read_table(Arc::new(scan))?.select(names.clone())?;
        if let Some(keep) = &keep {
            frame = frame.filter(keep.clone())?;
        }
        inputs.push(frame.create_physical_plan().await?);
    }
    let options = SortOptions {
        descending: false,
        nulls_first: true,
    };
    let mut order = Vec::new();
    for name in SORT_COLUMNS {
        order.push(PhysicalSortExpr::new(
            physical_column(name, &schema())?,
            options,
        ));
    }
    let input = UnionExec::try_new(inputs)?;
    let plan = match LexOrdering::new(order) {
        Some(order) => Arc::new(SortPreservingMergeExec::new(order, input)) as _,
        None => input,
    };
    Ok(execute_stream(plan, context.task_ctx())?)
}

/// Lets what the session plans read each file from its start to its end, so many rows at a time.
fn at_most(context: &SessionContext, rows: usize) {
    in_one_partition(context);
    let state = context.state_ref();
    let mut state = state.write();
    let config = state.config_mut();
    *config = std::mem::take(config).with_batch_size(rows.clamp(BATCH_ROWS_MIN, BATCH_ROWS_MAX));
}

/// The rows of each day in their order, or all under day 0.
fn split(batch: &RecordBatch, by_day: bool) -> Result<Vec<(i32, RecordBatch)>, EngineError> {
    let days = batch.column_by_name("event_day").filter(|_| by_day);
    let Some(days) = days.map(AsArray::as_primitive::<Date32Type>) else {
        return Ok(vec![(0, batch.clone())]);
    };
    let mut different: Vec<i32> = days.values().to_vec();
    different.sort_unstable();
    different.dedup();
    let rows_of = |day: i32| {
        let wanted = eq(days, &Date32Array::new_scalar(day))?;
        Ok((day, filter_record_batch(batch, &wanted)?))
    };
    different.into_iter().map(rows_of).collect()
}

pub(crate) fn operation() -> DeltaOperation {
    DeltaOperation::Optimize {
        predicate: None,
        target_size: LARGE_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: i64) -> Candidate {
        let remove = Action::Remove(deltalake::kernel::Remove::default());
        Candidate {
            path: bytes.to_string(),
            bytes,
            rows: 1,
            days: (0, 0),
            written: 0,
            remove,
        }
    }

    fn picked(sizes: &[i64], thrift: &Thrift) -> Vec<i64> {
        let group = pick(sizes.iter().map(|bytes| file(*bytes)).collect(), thrift);
        group.map_or_else(Vec::new, |group| {
            group.files.iter().map(|file| file.bytes).collect()
        })
    }

    #[test]
    fn files_of_like_size_are_merged_and_large_ones_left() {
        assert_eq!(picked(&[5, 1, 1], &GROWING), [0; 0]);
        assert_eq!(picked(&[5, 1, 2, 1, 100], &GROWING), [1, 1, 2, 5]);
        assert_eq!(picked(&[5, 1, 2, 1, 18], &GROWING), [1, 1, 2, 5, 18]);
        assert_eq!(picked(&[1, 1, 1, 90], &GROWING), [0; 0]);
        assert_eq!(picked(&[1, 9, 9, 9, 9], &GROWING), [9, 9, 9, 9]);
        assert_eq!(picked(&[1; 40], &GROWING).len(), REWRITE_FILES_MAX);
    }

    #[test]
    fn a_settled_month_ends_as_one_file() {
        assert_eq!(picked(&[30, 1], &SETTLED), [1, 30]);
        assert_eq!(picked(&[90, 1], &SETTLED), [0; 0], "not for so little");
        assert_eq!(picked(&[90], &SETTLED), [0; 0]);
        assert_eq!(picked(&[LARGE_BYTES - 1, 2], &SETTLED), [0; 0]);
    }

    #[test]
    fn only_a_day_with_many_rows_keeps_its_own_files() {
        let own = |rows, days| {
            Candidate {
                rows,
                days,
                ..file(1)
            }
            .own_day()
        };
        assert_eq!(own(DAY_ROWS_MIN, (7, 7)), Some(7));
        assert_eq!(own(DAY_ROWS_MIN, (7, 8)), None);
        assert_eq!(own(DAY_ROWS_MIN - 1, (7, 7)), None);
    }

    #[test]
    fn a_split_keeps_all_rows_and_their_order() {
        let days = Date32Array::from(vec![2, 1, 2, 3, 1]);
        let order = deltalake::arrow::array::Int64Array::from(vec![0, 1, 2, 3, 4]);
        let batch = RecordBatch::try_from_iter([
            ("event_day", Arc::new(days) as _),
            ("log_seq", Arc::new(order) as _),
        ])
        .unwrap();
        let orders = |by_day| -> Vec<(i32, Vec<i64>)> {
            let rows = |rows: &RecordBatch| {
                rows.column(1)
                    .as_primitive::<deltalake::arrow::datatypes::Int64Type>()
                    .values()
                    .to_vec()
            };
            split(&batch, by_day)
                .unwrap()
                .iter()
                .map(|(day, part)| (*day, rows(part)))
                .collect()
        };
        assert_eq!(
            orders(true),
            [(1, vec![1, 4]), (2, vec![0, 2]), (3, vec![3])]
        );
        assert_eq!(orders(false), [(0, vec![0, 1, 2, 3, 4])]);
    }
}
