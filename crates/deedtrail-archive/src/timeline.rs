//! Timelines, histograms and action counts.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray as _, RecordBatch};
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::functions::expr_fn::{contains, lower};
use datafusion::functions_aggregate::expr_fn::{count, max};
use datafusion::logical_expr::cast as as_type;
use datafusion::prelude::{DataFrame, Expr, col, lit};
use datafusion::scalar::ScalarValue;
use deedtrail_core::event::Event;
use deedtrail_core::port::archive::{ActionCount, Bucket, Cursor, EventFilter};
use deedtrail_core::time::Timestamp;

use crate::column::columns;
use crate::engine::EngineError;
use crate::rows::to_events;
use crate::view::View;

/// Columns that hold an alias an identity may go by: it acted, was acted for, or was acted on.
const ALIAS_COLUMNS: [&str; 3] = ["actor_alias_uid", "on_behalf_of_uid", "target_alias_uid"];
/// The first of them: it acted, or was acted for.
const ACTING_COLUMNS: usize = 2;
/// Up to this many stored rows a page is read in one go; in larger tables finding its last
/// instant first costs less than it saves.
const WIDE_ROWS_MAX: usize = 200_000;
/// Columns the free-text filter looks in.
const TEXT_COLUMNS: [&str; 6] = [
    "operation",
    "actor_name",
    "actor_ref",
    "target_name",
    "target_ref",
    "src_ip",
];

/// Newest first, at most `limit`, after `cursor`.
pub(crate) async fn events(
    view: &View,
    environment: Arc<RuntimeEnv>,
    filter: &EventFilter,
    cursor: Option<Cursor>,
    limit: usize,
) -> Result<Vec<Event>, EngineError> {
    let mut filter = filter.clone();
    // Of events that are named by id there are few: reading them twice costs more than their width.
    if filter.uids.is_empty() && view.stored_rows() > WIDE_ROWS_MAX {
        let since = page_start(view, Arc::clone(&environment), &filter, cursor, limit).await?;
        filter.from = filter.from.max(since);
    }
    page(view, environment, &filter, cursor, limit).await
}

/// As [`events`], reading all columns of every event that the filter lets through.
async fn page(
    view: &View,
    environment: Arc<RuntimeEnv>,
    filter: &EventFilter,
    cursor: Option<Cursor>,
    limit: usize,
) -> Result<Vec<Event>, EngineError> {
    let names: Vec<Expr> = columns().iter().map(|column| col(column.name)).collect();
    let newest_first = [
        col("time_effective").sort(false, true),
        col("event_uid").sort(false, true),
    ];
    let newest = |frame: DataFrame| frame.sort(newest_first.to_vec())?.limit(0, Some(limit));
    let part_page = |part: DataFrame| {
        let part = match cursor {
            Some(cursor) => after(part, cursor)?,
            None => part,
        };
        newest(part.select(names.clone())?)
    };
    let parts = parts(view, environment, filter).await?.into_iter();
    let pages = parts.map(part_page).collect::<Result<Vec<_>, _>>()?;
    let batches = newest(union(pages)?)?.collect().await?;
    let mut events = Vec::new();
    for batch in &batches {
        events.extend(to_events(batch)?);
    }
    Ok(events)
}

/// The instant of the last event of the page, so that only rows since then are read in full:
/// finding it takes one column, reading a row takes all. `None` when the page is not full.
async fn page_start(
    view: &View,
    environment: Arc<RuntimeEnv>,
    filter: &EventFilter,
    cursor: Option<Cursor>,
    limit: usize,
) -> Result<Option<Timestamp>, EngineError> {
    let mut filter = filter.clone();
    if let Some(cursor) = cursor {
        // Which events of the cursor's own instant are due the uid decides; this leaves them to
        // the page itself and looks for as many older ones.
        let before = cursor.time_effective;
        filter.to = Some(filter.to.map_or(before, |to| to.min(before)));
    }
    let times = all(view, environment, &filter, &["time_effective"]).await?;
    let last = times.sort(vec![col("time_effective").sort(false, true)])?;
    let last = last.limit(limit.saturating_sub(1), Some(1))?;
    let last = integers(&collected(last).await?, 0)?;
    Ok(last.first().map(|micros| Timestamp::from_micros(*micros)))
}

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

/// The events that come after `cursor`, newest first.
fn after(frame: DataFrame, cursor: Cursor) -> Result<DataFrame, DataFusionError> {
    let at = instant(cursor.time_effective);
    let same_instant = col("time_effective").eq(at.clone());
    let later_uid = col("event_uid").lt(lit(cursor.event_uid.to_string()));
    let older = col("time_effective")
        .lt(at.clone())
        .or(same_instant.and(later_uid));
    frame.filter(col("time_effective").lt_eq(at))?.filter(older)
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

#[cfg(test)]
mod tests {
    use deedtrail_core::id::EventUid;
    use deedtrail_core::port::archive::Archive as _;

    use super::*;
    use crate::archive::DeltaArchive;
    use crate::rows::blank_event;

    /// Forty events, five to an instant, half stored and half hot.
    fn filled(folder: &std::path::Path) -> (DeltaArchive, Vec<Event>) {
        let archive = DeltaArchive::open(folder, "example.com/log").unwrap();
        let event = |number: u64| Event {
            event_uid: EventUid::derive(&[&number.to_be_bytes()]),
            log_seq: number,
            time_effective: Timestamp::from_micros(i64::try_from(number / 5).unwrap()),
            ..blank_event()
        };
        let mut events: Vec<Event> = (0..40).map(event).collect();
        archive.add(events[..20].to_vec(), 20).unwrap();
        archive.commit().unwrap();
        archive.add(events[20..].to_vec(), 40).unwrap();
        events.sort_by_key(|event| std::cmp::Reverse((event.time_effective, event.event_uid)));
        (archive, events)
    }

    #[test]
    fn a_page_found_by_its_last_instant_is_the_same_page() {
        let folder = tempfile::tempdir().unwrap();
        let (archive, events) = filled(folder.path());
        for (shown, limit) in [
            (0, 1),
            (0, 7),
            (3, 7),
            (5, 5),
            (38, 7),
            (40, 3),
            (0, 100),
            (7, 0),
        ] {
            let cursor = events[..shown].last().map(|event| Cursor {
                time_effective: event.time_effective,
                event_uid: event.event_uid,
            });
            let found = archive.on_live(move |view, environment| async move {
                let mut filter = EventFilter::default();
                let start = page_start(&view, Arc::clone(&environment), &filter, cursor, limit);
                filter.from = start.await?;
                page(&view, environment, &filter, cursor, limit).await
            });
            let expected: Vec<Event> = events[shown..].iter().take(limit).cloned().collect();
            assert_eq!(found.unwrap(), expected, "{shown} {limit}");
        }
    }
}
