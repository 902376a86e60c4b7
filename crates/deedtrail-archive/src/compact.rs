//! Small files become large sorted ones.

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::col;
use deltalake::delta_datafusion::{DeltaScanConfig, DeltaScanNext};
use deltalake::kernel::{Action, LogicalFileView};
use deltalake::protocol::DeltaOperation;
use deltalake::table::state::DeltaTableState;

use crate::column::{PARTITION_COLUMNS, columns};
use crate::engine::EngineError;
use crate::view::View;
use crate::writer;

/// A file of this many bytes is left alone.
const LARGE_BYTES: i64 = 64 << 20;
/// Most rows rewritten at once: they are sorted in memory, about 1 KiB each.
const REWRITE_ROWS_MAX: usize = 400_000;
/// Small files of one partition that are worth a rewrite.
const REWRITE_FILES_MIN: usize = 4;
/// A file joins a rewrite when it is at most this many times as large as the smaller ones
/// together, so that a large file is not rewritten for the sake of a few small ones.
const GROWTH_MAX: i64 = 2;

/// Files of one partition to be rewritten as one.
pub(crate) struct Group {
    files: Vec<LogicalFileView>,
}

/// The next files worth rewriting: in a month that is over any two small files, in the newest
/// month four of like size.
pub(crate) fn next_group(table: &DeltaTableState) -> Option<Group> {
    let mut partitions: std::collections::BTreeMap<Vec<Option<String>>, Vec<LogicalFileView>> =
        std::collections::BTreeMap::new();
    for file in table.log_data().iter() {
        let mut values = file.partition_values_map();
        let key = PARTITION_COLUMNS
            .iter()
            .map(|name| values.remove(*name).flatten())
            .collect();
        partitions.entry(key).or_default().push(file);
    }
    let newest = partitions
        .keys()
        .filter_map(|key| key.get(1).cloned())
        .max();
    partitions.into_iter().find_map(|(key, files)| {
        let closed = key.get(1) < newest.as_ref();
        pick(files, if closed { 2 } else { REWRITE_FILES_MIN })
    })
}

/// The smallest files that belong together, if they are at least `files_min`.
fn pick(files: Vec<LogicalFileView>, files_min: usize) -> Option<Group> {
    let mut small: Vec<_> = files
        .into_iter()
        .filter(|file| file.size() < LARGE_BYTES)
        .collect();
    small.sort_by_key(LogicalFileView::size);
    let (mut rows, mut bytes) = (0_usize, 0_i64);
    let mut group = Vec::new();
    for file in small {
        rows = rows.saturating_add(file.num_records().unwrap_or(REWRITE_ROWS_MAX));
        let fits = rows <= REWRITE_ROWS_MAX
            && (group.len() < files_min || file.size() <= bytes.saturating_mul(GROWTH_MAX));
        if !fits {
            break;
        }
        bytes = bytes.saturating_add(file.size());
        group.push(file);
    }
    (group.len() >= files_min).then_some(Group { files: group })
}

/// Writes the group's rows as sorted files; the actions replace the old files by the new ones.
pub(crate) async fn rewrite(
    view: &View,
    group: Group,
    environment: Arc<RuntimeEnv>,
) -> Result<Vec<Action>, EngineError> {
    let config = DeltaScanConfig {
        wrap_partition_values: false,
        schema_force_view_types: false,
        ..DeltaScanConfig::new()
    };
    let scan = DeltaScanNext::new(view.table.snapshot().clone(), config)?
        .with_file_paths(group.files.iter().map(|file| file.path().into_owned()));
    let context = view.session(environment)?;
    let names: Vec<_> = columns().iter().map(|column| col(column.name)).collect();
    let batches = context
        .read_table(Arc::new(scan))?
        .select(names)?
        .collect()
        .await?;
    let log_store = view.generation.log_store();
    let mut added = writer::write_files(&view.table, &log_store, &batches).await?;
    for add in &mut added {
        add.data_change = false;
    }
    let removed = group
        .files
        .iter()
        .map(|file| Action::Remove(file.remove_action(false)));
    Ok(removed.chain(added.into_iter().map(Action::Add)).collect())
}

pub(crate) fn operation() -> DeltaOperation {
    DeltaOperation::Optimize {
        predicate: None,
        target_size: LARGE_BYTES,
    }
}
