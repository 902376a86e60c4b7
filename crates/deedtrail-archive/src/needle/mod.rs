//! The index of files: which of them may hold a value that somebody looks for.
//!
//! Beside each data file, in the folder [`FOLDER`] of its generation, lies one small file with a
//! filter for each of [`NEEDLE_COLUMNS`]. A look-up reads one block of it. The index is made from
//! the data file once that is written, is made again where it is missing or damaged, and goes with
//! its data file. A data file whose index cannot be asked is opened: an answer never depends on it.

mod filter;
mod scan;
mod wanted;

pub(crate) use scan::IndexedScan;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::array::AsArray as _;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use deltalake::parquet::arrow::ProjectionMask;
use deltalake::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use deltalake::table::state::DeltaTableState;

use crate::column::NEEDLE_COLUMNS;
use crate::engine::EngineError;
use crate::generation::file_error;
use crate::sums::{CheckedFile, KnownSums};
use filter::{DataFile, Filter, Unusable, Values, column_of, hash_of};
use wanted::{VALUES_MAX, Wanted};

/// Folder of a generation with the index of each of its files. Engines that read Delta tables take
/// no notice of folders whose names begin with `_`.
const FOLDER: &str = "_needles";
/// Rows that are read at a time while an index is made.
const BATCH_ROWS: usize = 32 << 10;

/// The indexes of one generation's files.
#[derive(Clone, Debug)]
pub(crate) struct Needles {
    generation: PathBuf,
    sums: Arc<KnownSums>,
}

impl Needles {
    /// Those of the generation in this folder.
    pub(crate) fn of(generation: &Path, sums: Arc<KnownSums>) -> Self {
        Self {
            generation: generation.to_owned(),
            sums,
        }
    }

    /// Where the index of a data file lies.
    fn path(&self, name: &str) -> PathBuf {
        self.generation.join(FOLDER).join(format!("{name}.needles"))
    }

    /// Makes the index of a data file, durable on return. A failure costs speed, not answers: it
    /// is told, and [`Self::complete`] tries again.
    pub(crate) fn add(&self, path: &str, bytes: i64) {
        if let Err(error) = self.make(path, bytes) {
            tracing::warn!(file = path, %error, "a file of the archive has no index; look-ups open it");
        }
    }

    fn make(&self, path: &str, bytes: i64) -> Result<(), EngineError> {
        let data = data_file(path, bytes);
        let index = self.path(data.name);
        let fresh = index.with_extension("new");
        let file = self.generation.join(path);
        // An index of damaged values would hide the row that a damaged file makes an error of.
        let opened = self.sums.open(&file);
        let opened = opened.map_err(|source| file_error(&file, source))?;
        let encoded = filter::encode(data, &values_of(&opened)?);
        let write = || {
            std::fs::create_dir_all(self.generation.join(FOLDER))?;
            let mut file = File::create(&fresh)?;
            file.write_all(&encoded)?;
            file.sync_all()?;
            std::fs::rename(&fresh, &index)
        };
        write().map_err(|source| file_error(&fresh, source))
    }

    /// Makes what is missing of a table's indexes, until `end`; what is left is for the next time.
    pub(crate) fn complete(&self, table: &DeltaTableState, end: Instant) {
        for file in table.log_data().iter() {
            let (path, bytes) = (file.path(), file.size());
            let data = data_file(&path, bytes);
            if Instant::now() < end && Filter::open(&self.path(data.name), data).is_err() {
                self.add(&path, bytes);
            }
        }
    }

    /// Removes the indexes of data files that are gone.
    pub(crate) fn clean(&self) -> Result<(), EngineError> {
        let folder = self.generation.join(FOLDER);
        // In this order: an index that is made meanwhile is of a file that is there already.
        let mut indexes = BTreeSet::new();
        match names_below(&folder, &mut indexes) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            found => found.map_err(|source| file_error(&folder, source))?,
        }
        let mut data_files = BTreeSet::new();
        names_below(&self.generation, &mut data_files)
            .map_err(|source| file_error(&self.generation, source))?;
        for name in indexes {
            let of = name.rsplit_once('.').map(|(of, _)| of);
            if of.is_none_or(|of| !data_files.contains(of)) {
                let path = folder.join(name);
                std::fs::remove_file(&path).map_err(|source| file_error(&path, source))?;
            }
        }
        Ok(())
    }

    /// Paths of a table's files that may have a row as wanted; `None` when all of them may.
    fn holding(&self, table: &DeltaTableState, wanted: &Wanted) -> Option<Vec<String>> {
        let mut all = 0;
        let mut holding = Vec::new();
        for file in table.log_data().iter() {
            all += 1;
            let path = file.path();
            if self.may_hold(data_file(&path, file.size()), wanted) {
                holding.push(path.into_owned());
            }
        }
        (holding.len() < all).then_some(holding)
    }

    fn may_hold(&self, data: DataFile<'_>, wanted: &Wanted) -> bool {
        self.ask(data, |index| wanted.may_be_in(index))
            .unwrap_or(true)
    }

    /// Those of some columns of a data file that may have one of `values`.
    pub(crate) fn columns_holding(
        &self,
        (path, bytes): (&str, i64),
        columns: &[&'static str],
        values: &[String],
    ) -> Vec<&'static str> {
        let is_known = |name: &&'static str| NEEDLE_COLUMNS.contains(name);
        if values.len() > VALUES_MAX || !columns.iter().any(is_known) {
            return columns.to_vec();
        }
        let held = self.ask(data_file(path, bytes), |index| {
            let mut held = Vec::new();
            for name in columns {
                let column = column_of(name);
                let mut hashes = values.iter().map(|value| hash_of(column, value));
                if !is_known(name) || index.may_hold_any(column, &mut hashes)? {
                    held.push(*name);
                }
            }
            Ok(held)
        });
        held.unwrap_or_else(|| columns.to_vec())
    }

    /// What the index of a data file says; `None` when it cannot be asked, and is to be made anew.
    fn ask<T>(
        &self,
        data: DataFile<'_>,
        question: impl FnOnce(&Filter) -> Result<T, Unusable>,
    ) -> Option<T> {
        let index = self.path(data.name);
        match Filter::open(&index, data).and_then(|filter| question(&filter)) {
            Ok(answer) => Some(answer),
            Err(Unusable::Missing) => None,
            Err(error) => {
                tracing::warn!(index = %index.display(), %error, "an index of the archive is made anew");
                // Where even that fails it stays damaged, and its data file is opened each time.
                drop(std::fs::remove_file(&index));
                None
            }
        }
    }
}

/// A file of the table as its index knows it.
fn data_file(path: &str, bytes: i64) -> DataFile<'_> {
    DataFile {
        name: path.rsplit('/').next().unwrap_or(path),
        bytes: u64::try_from(bytes).unwrap_or(0),
    }
}

/// The different values of each needle column, column by column: of a large file with as many
/// values as rows, one column's hashes are what memory has to hold.
fn values_of(file: &CheckedFile) -> Result<Vec<Values>, EngineError> {
    let metadata = ArrowReaderMetadata::load(file, ArrowReaderOptions::new())?;
    let of_column = |name: &&str| {
        let column = column_of(name);
        let mut hashes = Vec::new();
        // A file of before the column was there has no value of it.
        if metadata.schema().column_with_name(name).is_some() {
            let mask = ProjectionMask::columns(metadata.parquet_schema(), [*name]);
            let (file, metadata) = (file.clone(), metadata.clone());
            let rows = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
                .with_projection(mask)
                .with_batch_size(BATCH_ROWS)
                .build()?;
            for batch in rows {
                let texts = cast(batch?.column(0), &DataType::Utf8)?;
                let texts = texts.as_string::<i32>().iter().flatten();
                hashes.extend(texts.map(|text| hash_of(column, text)));
                // Neighbours are often equal: files are sorted by who acted.
                hashes.dedup();
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        Ok(Values { column, hashes })
    };
    NEEDLE_COLUMNS.iter().map(of_column).collect()
}

/// Names of the files in a folder and below it, hidden folders left out.
fn names_below(folder: &Path, names: &mut BTreeSet<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if entry.file_type()?.is_dir() {
            if !name.starts_with('_') {
                names_below(&entry.path(), names)?;
            }
        } else {
            names.insert(name);
        }
    }
    Ok(())
}
