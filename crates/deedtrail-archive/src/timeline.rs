//! Histograms and action counts.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray as _, RecordBatch};
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::functions::expr_fn::{contains, lower};
use datafusion::functions_aggregate::expr_fn::{count, max};
use datafusion::logical_expr::cast as as_type;
use datafusion::prelude::{DataFrame, Expr, col, lit};
use datafusion::scalar::ScalarValue;
use deedtrail_core::port::archive::{ActionCount, Bucket, EventFilter};
use deedtrail_core::time::Timestamp;

use crate::column::{ACTING_COLUMNS, ALIAS_COLUMNS};
use crate::engine::EngineError;
use crate::newest::TEXT_COLUMNS;
use crate::view::View;

/// Counts per bucket of `bucket_us` microseconds, oldest first.
pub(crate) async fn histogram(
    view: &View,
    environment: Arc<RuntimeEnv>,
    filter: &EventFilter,
    bucket_us: i64,
) -> Result<Vec<Bucket>, EngineError> {
    let width = lit(bucket_us.max(1));
    let micros = as_type(col("time_effective"), DataType::Int64);
    // Integer division rounds towards zero; the remainder is made positive so that instants
    // before 1970 fall into the bucket that starts before them.
    let remainder = ((micros.clone() % width.clone()) + width.clone()) % width;
    let start = (micros - remainder).alias("start");
    let frame = all(view, environment, filter, &["time_effective"])
        .await?
        .select(vec![start])?;
    let frame = frame.aggregate(vec![col("start")], vec![count(lit(1_i64)).alias("events")])?;
    let rows = collected(frame.sort(vec![col("start").sort(true, true)])?).await?;
    let (starts, counts) = (integers(&rows, 0)?, integers(&rows, 1)?);
    let bucket = |(start, count): (i64, i64)| Bucket {
        start: Timestamp::from_micros(start),
        count: u64::try_from(count).unwrap_or(0),
    };
    Ok(starts.into_iter().zip(counts).map(bucket).collect())
}

/// Counts per action, most first.
pub(crate) async fn actions(
    view: &View,
    environment: Arc<RuntimeEnv>,
    filter: &EventFilter,
) -> Result<Vec<ActionCount>, EngineError> {
    let frame = all(view, environment, filter, &["action", "time_effective"])
        .await?
        .aggregate(
            vec![col("action")],
            vec![
                count(lit(1_i64)).alias("events"),
                max(col("time_effective")).alias("last"),
            ],
        )?;
    let order = vec![
        col("events").sort(false, true),
        col("action").sort(true, true),
    ];
    let rows = collected(frame.sort(order)?).await?;
    let names = cast(rows.column(0), &DataType::Utf8)?;
    let names = names
        .as_string::<i32>()
        .iter()
        .map(|name| name.unwrap_or_default().to_owned());
    let (counts, lasts) = (integers(&rows, 1)?, integers(&rows, 2)?);
    Ok(names
        .zip(counts.into_iter().zip(lasts))
        .map(|(action, (count, last))| ActionCount {
            action,
            count: u64::try_from(count).unwrap_or(0),
            last: Timestamp::from_micros(last),
        })
        .collect())
}

/// The filtered events as frames that share no row, one per way an identity takes part. One
/// column each, so that sort order and Bloom filters of that column prune files.
async fn parts(
    view: &View,
    environment: Arc<RuntimeEnv>,
    filter: &EventFilter,
) -> Result<Vec<DataFrame>, EngineError> {
    let context = view.session(&filter.tenant, environment)?;
    let mut events = context.table("events").await?;
    for condition in conditions(filter) {
        events = events.filter(condition)?;
    }
    if filter.aliases.is_empty() {
        return Ok(vec![events]);
    }
    let aliases: Vec<Expr> = filter
        .aliases
        .iter()
        .map(|alias| lit(alias.to_string()))
        .collect();
    let is_one = |column: &str| col(column).in_list(aliases.clone(), false);
    let part = |(place, column): (usize, &&str)| {
        let before = &ALIAS_COLUMNS[..place];
        before
            .iter()
            .try_fold(events.clone().filter(is_one(column))?, |frame, earlier| {
                frame.filter(is_one(earlier).is_not_true())
            })
    };
    let columns = if filter.acting {
        ACTING_COLUMNS
    } else {
        ALIAS_COLUMNS.len()
    };
    Ok(ALIAS_COLUMNS
        .iter()
        .take(columns)
        .enumerate()
        .map(part)
        .collect::<Result<_, _>>()?)
}

/// Some columns of the filtered events.
async fn all(
    view: &View,
    environment: Arc<RuntimeEnv>,
    filter: &EventFilter,
    names: &[&str],
) -> Result<DataFrame, EngineError> {
    let columns: Vec<Expr> = names.iter().map(|name| col(*name)).collect();
    let parts = parts(view, environment, filter).await?.into_iter();
    union(
        parts
            .map(|part| part.select(columns.clone()))
            .collect::<Result<Vec<_>, _>>()?,
    )
}

/// All rows of frames with the same columns; there is at least one frame.
fn union(frames: Vec<DataFrame>) -> Result<DataFrame, EngineError> {
    let mut frames = frames.into_iter();
    let first = frames.next().ok_or(EngineError::Stopped)?;
    Ok(frames.try_fold(first, DataFrame::union)?)
}

/// Everything a filter asks for but tenant and aliases.
fn conditions(filter: &EventFilter) -> Vec<Expr> {
    let mut conditions = Vec::new();
    if !filter.uids.is_empty() {
        let uids = filter.uids.iter().map(|uid| lit(uid.to_string())).collect();
        conditions.push(col("event_uid").in_list(uids, false));
    }
    conditions.extend(
        filter
            .source
            .iter()
            .map(|source| col("source").eq(lit(source.as_str()))),
    );
    conditions.extend(
        filter
            .action
            .iter()
            .map(|action| col("action").eq(lit(action.as_str()))),
    );
    conditions.extend(
        filter
            .from
            .map(|from| col("time_effective").gt_eq(instant(from))),
    );
    conditions.extend(filter.to.map(|to| col("time_effective").lt(instant(to))));
    if let Some(text) = filter.text.as_ref().filter(|text| !text.is_empty()) {
        let needle = text.to_lowercase();
        let found = TEXT_COLUMNS
            .iter()
            .map(|name| contains(lower(col(*name)), lit(needle.as_str())));
        conditions.extend(found.reduce(Expr::or));
    }
    conditions
}

fn instant(at: Timestamp) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(
        Some(at.as_micros()),
        Some("UTC".into()),
    ))
}

/// All rows of a small result in one batch.
async fn collected(frame: DataFrame) -> Result<RecordBatch, EngineError> {
    let schema = Arc::new(frame.schema().as_arrow().clone());
    Ok(concat_batches(&schema, &frame.collect().await?)?)
}

/// An integer or timestamp column; nulls read as 0.
fn integers(rows: &RecordBatch, column: usize) -> Result<Vec<i64>, EngineError> {
    let integers = cast(rows.column(column), &DataType::Int64)?;
    Ok(integers
        .as_primitive::<Int64Type>()
        .iter()
        .map(Option::unwrap_or_default)
        .collect())
}
