//! Which stored rows are due to leave, and files without them.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::AsArray as _;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::prelude::{Expr, SessionContext, col, lit};
use datafusion::scalar::ScalarValue;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::archive::{Cutoffs, Leaving};
use deedtrail_core::time::Timestamp;
use deltalake::kernel::{Action, LogicalFileView};
use deltalake::protocol::DeltaOperation;
use futures::StreamExt as _;

use crate::compact::merge;
use crate::engine::EngineError;
use crate::view::View;
use crate::writer::file_writer;

/// A file with rows that are due.
#[derive(Clone, Debug)]
pub(crate) struct DueFile {
    path: String,
    /// All its rows; `None` when its statistics do not say.
    rows: Option<u64>,
    /// Those that are due.
    pub(crate) due: u64,
    remove: Action,
}

/// The condition of a row that is due; `None` when every row stays.
pub(crate) fn due(cutoffs: &Cutoffs) -> Option<Expr> {
    let before = |day: i64| col("event_day").lt(date(day));
    let named = cutoffs.sources.iter().filter_map(|(source, day)| {
        let of_source = col("source").eq(lit(source.as_str()));
        Some(of_source.and(before((*day)?)))
    });
    let names: Vec<Expr> = cutoffs
        .sources
        .keys()
        .map(|name| lit(name.as_str()))
        .collect();
    let others = cutoffs.others.map(|day| match names.as_slice() {
        [] => before(day),
        _ => col("source").in_list(names.clone(), true).and(before(day)),
    });
    named.chain(others).reduce(Expr::or)
}

fn date(day: i64) -> Expr {
    let day = day.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    lit(ScalarValue::Date32(i32::try_from(day).ok()))
}

/// The files with rows that are due, and whose rows those are.
pub(crate) async fn plan(
    view: &View,
    cutoffs: &Cutoffs,
    environment: Arc<RuntimeEnv>,
) -> Result<(Vec<DueFile>, Vec<Leaving>), EngineError> {
    let days = cutoffs.sources.values().chain([&cutoffs.others]);
    let (Some(newest), Some(due)) = (days.flatten().max(), due(cutoffs)) else {
        return Ok((Vec::new(), Vec::new()));
    };
    let candidates = view.table.log_data();
    let candidates: Vec<DueFile> = candidates
        .iter()
        .filter(|file| first_day(file).is_none_or(|day| day < *newest))
        .map(|file| DueFile {
            path: file.path().into_owned(),
            rows: file.num_records().map(|rows| rows as u64),
            due: 0,
            remove: Action::Remove(file.remove_action(true)),
        })
        .collect();
    let mut files = Vec::new();
    let mut leaving: BTreeMap<(TenantId, SourceName), u64> = BTreeMap::new();
    let context = view.session_over_files(environment);
    for mut file in candidates {
        for (tenant, source, events) in count_due(view, &context, &file.path, &due).await? {
            file.due += events;
            *leaving.entry((tenant, source)).or_default() += events;
        }
        if file.due > 0 {
            files.push(file);
        }
    }
    let leaving = leaving
        .into_iter()
        .map(|((tenant, source), events)| Leaving {
            before_day: cutoffs.of(&source).unwrap_or_default(),
            tenant,
            source,
            events,
        });
    Ok((files, leaving.collect()))
}

/// First day of a file's rows, days since the epoch, by its statistics.
fn first_day(file: &LogicalFileView) -> Option<i64> {
    let stats: serde_json::Value = serde_json::from_str(&file.stats()?).ok()?;
    let date = stats.get("minValues")?.get("event_day")?.as_str()?;
    Some(Timestamp::parse_rfc3339(&format!("{date}T00:00:00Z"))?.utc_day())
}

/// Rows of a file that are due, by tenant and source.
async fn count_due(
    view: &View,
    context: &SessionContext,
    path: &str,
    due: &Expr,
) -> Result<Vec<(TenantId, SourceName, u64)>, EngineError> {
    let scan = view.scan()?.with_file_paths([path]);
    let frame = context.read_table(Arc::new(scan))?.filter(due.clone())?;
    let counts = frame.aggregate(
        vec![col("tenant"), col("source")],
        vec![count(lit(1_i64)).alias("events")],
    )?;
    let mut found = Vec::new();
    for batch in counts.collect().await? {
        let [tenants, sources] = [
            cast(batch.column(0), &DataType::Utf8)?,
            cast(batch.column(1), &DataType::Utf8)?,
        ];
        let (tenants, sources) = (tenants.as_string::<i32>(), sources.as_string::<i32>());
        let counts = batch.column(2).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let tenant = TenantId::new(tenants.value(row)).unwrap_or_default();
            if let Ok(source) = SourceName::new(sources.value(row)) {
                let events = u64::try_from(counts.value(row)).unwrap_or(0);
                found.push((tenant, source, events));
            }
        }
    }
    Ok(found)
}

/// Files without the rows that are due; the actions replace the old files by them. A file whose
/// rows are all due is not read.
pub(crate) async fn rewrite(
    view: &View,
    files: Vec<DueFile>,
    due: Expr,
    environment: Arc<RuntimeEnv>,
) -> Result<Vec<Action>, EngineError> {
    let mut actions = Vec::new();
    for file in files {
        if file.rows != Some(file.due) {
            let paths = std::iter::once(file.path.as_str());
            let keep = Some(due.clone().is_not_true());
            let mut kept = merge(view, paths, keep, Arc::clone(&environment)).await?;
            let mut writer = file_writer(&view.table, &view.generation.log_store());
            while let Some(rows) = kept.next().await {
                writer.write(&rows?).await?;
            }
            actions.extend(writer.close().await?.into_iter().map(Action::Add));
        }
        actions.push(file.remove);
    }
    Ok(actions)
}

pub(crate) fn operation(due: &Expr) -> DeltaOperation {
    DeltaOperation::Delete {
        predicate: Some(due.to_string()),
    }
}
