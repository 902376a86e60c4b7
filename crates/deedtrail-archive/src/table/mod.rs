//! Rows of Parquet files as lines of JSON.

mod compact;
mod json;
mod measure;

use std::io::{self, BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use datafusion::arrow::error::ArrowError;
use deedtrail_core::limits::TABLE_ROW_BYTES_MAX;
use deedtrail_core::port::table::{TableError, Tables};
use deltalake::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use deltalake::parquet::errors::ParquetError;
use deltalake::parquet::file::metadata::ParquetMetaDataReader;

use measure::damaged;

/// Rows unpacked at a time.
const ROWS_AT_ONCE: usize = 1_000;
/// Bytes of values after which rows are written as lines, unless one row has more.
const LINES_BYTES: usize = 4 << 20;

/// Reads Parquet files.
#[derive(Clone, Copy, Debug, Default)]
pub struct ParquetTables;

impl Tables for ParquetTables {
    fn lines(&self, file: Vec<u8>) -> Result<Box<dyn BufRead + Send>, TableError> {
        measure::footer(&file)?;
        let rows = guarded(|| open(file.into()))?;
        Ok(Box::new(Lines {
            rows,
            read: Vec::new(),
            text: Vec::new(),
            at: 0,
            number: 0,
        }))
    }
}

/// A broken file may make its reader panic; that is its end, and nobody else's.
fn guarded<T>(read: impl FnOnce() -> Result<T, TableError>) -> Result<T, TableError> {
    let ended = catch_unwind(AssertUnwindSafe(read));
    ended.unwrap_or_else(|_| Err(damaged("its pages cannot be read")))
}

fn failed(error: &ParquetError) -> TableError {
    match error {
        ParquetError::NYI(what) => TableError::Unsupported(what.clone()),
        ParquetError::ArrowError(what) | ParquetError::General(what) | ParquetError::EOF(what) => {
            TableError::Damaged(what.clone())
        }
        other => TableError::Damaged(other.to_string()),
    }
}

fn open(file: Bytes) -> Result<ParquetRecordBatchReader, TableError> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file);
    let metadata = Arc::new(metadata.map_err(|error| failed(&error))?);
    measure::pages(&file, &metadata)?;
    // What another program noted of its own types may be wrong; Parquet's own say all.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let plain = ArrowReaderMetadata::try_new(Arc::clone(&metadata), options.clone());
    let plain = plain.map_err(|error| failed(&error))?;
    let fields = plain.schema().fields().iter().map(viewed);
    let schema = Schema::new(fields.collect::<Fields>());
    let read = ArrowReaderMetadata::try_new(metadata, options.with_schema(Arc::new(schema)));
    let read = read.map_err(|error| failed(&error))?;
    let rows = ParquetRecordBatchReaderBuilder::new_with_metadata(file, read)
        .with_batch_size(ROWS_AT_ONCE)
        .build();
    rows.map_err(|error| failed(&error))
}

/// With texts that point into the pages: a long one that a dictionary has once stays one.
fn viewed(field: &FieldRef) -> FieldRef {
    let kind = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::List(element) => DataType::List(viewed(element)),
        DataType::Map(entries, is_sorted) => DataType::Map(viewed(entries), *is_sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(viewed).collect()),
        other => other.clone(),
    };
    Arc::new(Field::clone(field).with_data_type(kind))
}

/// The rows of a file, as they are read.
struct Lines {
    rows: ParquetRecordBatchReader,
    /// Rows that were read and are not yet lines, the next ones last.
    read: Vec<RecordBatch>,
    /// The lines that were written last.
    text: Vec<u8>,
    /// How much of `text` was given out.
    at: usize,
    /// How many rows were written.
    number: usize,
}

impl Lines {
    /// Writes the next lines; there are none at the end.
    fn next(&mut self) -> Result<(), TableError> {
        self.text.clear();
        self.at = 0;
        while self.text.is_empty() {
            let Some(rows) = self.read.pop() else {
                let Some(rows) = self.rows.next() else {
                    return Ok(());
                };
                let broken = |error: &ArrowError| {
                    let after = self.number;
                    TableError::Damaged(format!("after row {after}: {error}"))
                };
                self.read.push(rows.map_err(|error| broken(&error))?);
                continue;
            };
            let bytes = json::bytes(&rows);
            let count = rows.num_rows();
            if bytes > LINES_BYTES && count > 1 {
                let half = count / 2;
                self.read.push(rows.slice(half, count - half));
                self.read.push(rows.slice(0, half));
                continue;
            }
            if bytes > TABLE_ROW_BYTES_MAX {
                let what = "bytes in one row";
                let limit = TABLE_ROW_BYTES_MAX as u64;
                return Err(TableError::OverLimit { what, limit });
            }
            let unsupported = |error: ArrowError| TableError::Unsupported(error.to_string());
            json::write(&rows, &mut self.text).map_err(unsupported)?;
            self.number += count;
        }
        Ok(())
    }
}

impl BufRead for Lines {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.text.len() {
            guarded(|| self.next())?;
        }
        Ok(&self.text[self.at..])
    }

    fn consume(&mut self, bytes: usize) {
        self.at = self.text.len().min(self.at + bytes);
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}
