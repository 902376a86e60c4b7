//! One generation of the table: a folder with a Delta table that starts empty and grows.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deedtrail_core::port::log::Sequence;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel as _;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, StructType, Transaction};
use deltalake::logstore::LogStoreRef;
use deltalake::operations::vacuum::VacuumMode;
use deltalake::protocol::DeltaOperation;
use deltalake::table::state::DeltaTableState;
use deltalake::{DeltaTable, DeltaTableBuilder, ensure_table_uri};

use crate::column::{INDEXED_COLUMNS, PARTITION_COLUMNS, schema};
use crate::engine::EngineError;
use crate::evolve::evolved;
use crate::needle::Needles;
use crate::sums::{self, CheckedFiles, KnownSums, path_of};

/// Commits between two checkpoints of the Delta log.
const CHECKPOINT_COMMITS: u64 = 50;

/// A folder with a Delta table. Its files go with the last user once it is retired.
#[derive(Debug)]
pub(crate) struct Generation {
    folder: PathBuf,
    log_store: LogStoreRef,
    files: Arc<CheckedFiles>,
    retired: AtomicBool,
}

impl Generation {
    /// Makes an empty table in `folder`, which is among `files`.
    pub(crate) async fn create(
        folder: PathBuf,
        files: Arc<CheckedFiles>,
    ) -> Result<(Self, DeltaTableState), EngineError> {
        std::fs::create_dir_all(&folder).map_err(|source| file_error(&folder, source))?;
        let mark = sums::begin(&folder).map_err(|source| file_error(&folder, source))?;
        sync_all([mark, folder.clone()])?;
        let columns: StructType = schema().as_ref().try_into_kernel()?;
        let properties = [
            ("delta.checkpointInterval", CHECKPOINT_COMMITS.to_string()),
            (
                "delta.dataSkippingNumIndexedCols",
                INDEXED_COLUMNS.to_string(),
            ),
            ("delta.logRetentionDuration", "interval 1 days".to_owned()),
            ("delta.enableExpiredLogCleanup", "true".to_owned()),
            (
                "delta.deletedFileRetentionDuration",
                "interval 1 days".to_owned(),
            ),
        ];
        let table = table_at(&folder, &files)?
            .create()
            .with_table_name("events")
            .with_columns(columns.fields().cloned())
            .with_partition_columns(PARTITION_COLUMNS)
            .with_configuration(properties.map(|(name, value)| (name, Some(value))))
            .await?;
        Self::over(folder, files, &table)
    }

    /// Opens the table in `folder`; one of an earlier version gets the columns it lacks.
    pub(crate) async fn open(
        folder: PathBuf,
        files: Arc<CheckedFiles>,
    ) -> Result<(Self, DeltaTableState), EngineError> {
        let mut table = table_at(&folder, &files)?;
        table.load().await?;
        let table = evolved(table).await?;
        Self::over(folder, files, &table)
    }

    fn over(
        folder: PathBuf,
        files: Arc<CheckedFiles>,
        table: &DeltaTable,
    ) -> Result<(Self, DeltaTableState), EngineError> {
        let state = table.snapshot()?.clone();
        let log_store = table.log_store();
        Ok((
            Self {
                folder,
                log_store,
                files,
                retired: AtomicBool::new(false),
            },
            state,
        ))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The indexes of its files.
    pub(crate) fn needles(&self) -> Needles {
        Needles::of(&self.folder, self.sums())
    }

    /// What its files are compared with.
    pub(crate) fn sums(&self) -> Arc<KnownSums> {
        self.files.sums()
    }

    pub(crate) fn log_store(&self) -> LogStoreRef {
        Arc::clone(&self.log_store)
    }

    /// Position stored with the newest commit of `origin`; 0 when there is none.
    pub(crate) async fn stored_position(
        &self,
        state: &DeltaTableState,
        origin: &str,
    ) -> Result<Sequence, EngineError> {
        let version = state
            .transaction_version(self.log_store.as_ref(), origin)
            .await?;
        Ok(version
            .and_then(|position| Sequence::try_from(position).ok())
            .unwrap_or(0))
    }

    /// Commits `actions` on top of `base` and, with `position`, the log position they cover:
    /// one transaction, durable on return ([`CheckedFiles`] sees to its file).
    pub(crate) async fn commit(
        &self,
        base: &DeltaTableState,
        actions: Vec<Action>,
        operation: DeltaOperation,
        position: Option<Transaction>,
    ) -> Result<DeltaTableState, EngineError> {
        let added = actions.iter().filter_map(|action| match action {
            Action::Add(add) => Some(self.folder.join(&add.path)),
            _ => None,
        });
        let with_sums = added.flat_map(|file| [path_of(&self.folder, &file), Some(file)]);
        let files: Vec<PathBuf> = with_sums.flatten().collect();
        let folders: BTreeSet<&Path> = files.iter().filter_map(|file| file.parent()).collect();
        let folders: Vec<PathBuf> = folders.into_iter().map(Path::to_owned).collect();
        sync_all(files.into_iter().chain(folders))?;
        let properties = CommitProperties::default()
            .with_application_transactions(position.into_iter().collect());
        let done = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(base), self.log_store(), operation)
            .await?;
        Ok(done.snapshot())
    }

    /// Deletes files that no version of the last day refers to: what rewrites replaced and what
    /// commits that failed left behind.
    pub(crate) async fn clean(&self) -> Result<(), EngineError> {
        let mut table = table_at(&self.folder, &self.files)?;
        table.load().await?;
        table.vacuum().with_mode(VacuumMode::Full).await?;
        sums::clean(&self.folder).map_err(|source| file_error(&self.folder, source))?;
        self.needles().clean()
    }

    /// The folder goes when nobody uses this generation any more.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        if !self.retired.load(Ordering::Acquire) {
            return;
        }
        self.files.sums().forget_below(&self.folder);
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "an old archive generation stays on disk");
        }
    }
}

fn table_at(folder: &Path, files: &Arc<CheckedFiles>) -> Result<DeltaTable, EngineError> {
    let location = ensure_table_uri(folder.to_string_lossy())?;
    let files = Arc::clone(files);
    let table = DeltaTableBuilder::from_url(location.clone())?;
    Ok(table.with_storage_backend(files, location).build()?)
}

/// Flushes files and folders to disk.
pub(crate) fn sync_all(paths: impl IntoIterator<Item = PathBuf>) -> Result<(), EngineError> {
    for path in paths {
        File::open(&path)
            .and_then(|file| file.sync_all())
            .map_err(|source| file_error(&path, source))?;
    }
    Ok(())
}

pub(crate) fn file_error(path: &Path, source: std::io::Error) -> EngineError {
    EngineError::File {
        path: path.display().to_string(),
        source,
    }
}

/// What failed while the data file at `path` was read.
pub(crate) fn data_error(path: &Path, source: EngineError) -> EngineError {
    EngineError::Data {
        path: path.display().to_string(),
        source: source.into(),
    }
}
