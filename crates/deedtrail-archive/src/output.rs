//! Query results as text table, NDJSON, CSV or Parquet, written as the rows come.

use std::io::{Error as IoError, Write};
use std::sync::Arc;

use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::csv;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::LineDelimitedWriter;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::arrow::util::pretty::pretty_format_batches_with_options;
use deedtrail_core::port::archive::{ArchiveError, OutputFormat};
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::basic::{Compression, ZstdLevel};
use deltalake::parquet::file::properties::WriterProperties;

/// What a spreadsheet takes for the start of a formula (OWASP, CSV injection).
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Where rows go, in the form asked for.
pub(crate) enum Sink<'a> {
    /// Column widths depend on every row, so the rows are kept until the end.
    Table {
        batches: Vec<RecordBatch>,
        bytes: usize,
        bytes_max: usize,
        out: &'a mut (dyn Write + Send),
    },
    Json(LineDelimitedWriter<&'a mut (dyn Write + Send)>),
    Csv(Box<csv::Writer<&'a mut (dyn Write + Send)>>),
    Parquet(Box<ArrowWriter<&'a mut (dyn Write + Send)>>),
}

impl<'a> Sink<'a> {
    pub(crate) fn new(
        format: OutputFormat,
        schema: SchemaRef,
        bytes_max: usize,
        out: &'a mut (dyn Write + Send),
    ) -> Result<Self, ArchiveError> {
        Ok(match format {
            OutputFormat::Table => Self::Table {
                batches: vec![RecordBatch::new_empty(schema)],
                bytes: 0,
                bytes_max,
                out,
            },
            OutputFormat::Json => Self::Json(LineDelimitedWriter::new(out)),
            OutputFormat::Csv => {
                let mut writer = csv::WriterBuilder::new().with_header(true).build(out);
                let header = plain_texts(&RecordBatch::new_empty(schema)).map_err(failed)?;
                writer.write(&header).map_err(failed)?;
                Self::Csv(Box::new(writer))
            }
            OutputFormat::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .set_created_by("deedtrail".to_owned())
                    .build();
                let writer = ArrowWriter::try_new(out, schema, Some(properties));
                Self::Parquet(Box::new(writer.map_err(failed)?))
            }
        })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), ArchiveError> {
        match self {
            Self::Table {
                batches,
                bytes,
                bytes_max,
                ..
            } => {
                *bytes += batch.get_array_memory_size();
                if *bytes > *bytes_max {
                    return Err(ArchiveError::OverMemory {
                        limit_bytes: *bytes_max,
                    });
                }
                batches.push(batch.clone());
                Ok(())
            }
            Self::Json(writer) => writer.write(batch).map_err(failed),
            Self::Csv(writer) => plain_texts(batch)
                .and_then(|texts| writer.write(&texts))
                .map_err(failed),
            Self::Parquet(writer) => writer.write(batch).map_err(failed),
        }
    }

    pub(crate) fn finish(self) -> Result<(), ArchiveError> {
        match self {
            Self::Table { batches, out, .. } => {
                let options = FormatOptions::default().with_display_error(true);
                let table =
                    pretty_format_batches_with_options(&batches, &options).map_err(failed)?;
                writeln!(out, "{table}")
                    .and_then(|()| out.flush())
                    .map_err(ArchiveError::Output)
            }
            Self::Json(mut writer) => {
                writer.finish().map_err(failed)?;
                writer.into_inner().flush().map_err(ArchiveError::Output)
            }
            Self::Csv(writer) => writer.into_inner().flush().map_err(ArchiveError::Output),
            Self::Parquet(writer) => writer.close().map(drop).map_err(failed),
        }
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> ArchiveError {
    ArchiveError::Output(IoError::other(error))
}

/// The batch with every column CSV cannot hold as text, and no text that a spreadsheet would run.
fn plain_texts(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let arrays = batch
        .columns()
        .iter()
        .map(plain_text)
        .collect::<Result<Vec<_>, _>>()?;
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(&arrays);
    let fields =
        fields.map(|(field, array)| Field::new(field.name(), array.data_type().clone(), true));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), arrays)
}

fn plain_text(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let texts = match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
            cast(array, &DataType::Utf8)?
        }
        other if other.is_nested() => shown(array)?,
        _ => return Ok(Arc::clone(array)),
    };
    let texts = texts.as_string::<i32>();
    let harmless = texts.iter().map(|text| text.map(without_formula));
    Ok(Arc::new(harmless.collect::<StringArray>()))
}

/// Lists and structures as text.
fn shown(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options)?;
    let text = |row| (!array.is_null(row)).then(|| formatter.value(row).to_string());
    Ok(Arc::new(
        (0..array.len()).map(text).collect::<StringArray>(),
    ))
}

/// Text with an apostrophe before what a spreadsheet would take for a formula.
fn without_formula(text: &str) -> String {
    if text.starts_with(FORMULA_STARTS) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}
