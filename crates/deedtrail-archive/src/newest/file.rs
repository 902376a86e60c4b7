//! A data file, and the rows of it that are asked for.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array as _, ArrayRef, AsArray as _, RecordBatch, RecordBatchReader as _, StringArray,
    new_null_array,
};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};
use deedtrail_core::id::TenantId;
use deltalake::parquet::arrow::ProjectionMask;
use deltalake::parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use deltalake::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use deltalake::parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::page::Found;
use super::{Asked, Condition, times};
use crate::column::{BLOOM_COLUMNS, Kind, PARTITION_COLUMNS, columns};
use crate::engine::EngineError;
use crate::generation::{data_error, file_error};
use crate::sums::{CheckedFile, KnownSums};

/// Most values that are looked up in the Bloom filter of a row group.
const BLOOM_VALUES_MAX: usize = 256;

/// A data file that may be read.
#[derive(Debug)]
pub(super) struct DataFile(
    /// `None` of a file that has no row of the page.
    Option<Readable>,
);

#[derive(Debug)]
struct Readable {
    path: PathBuf,
    sums: Arc<KnownSums>,
    footer: ArrowReaderMetadata,
}

impl DataFile {
    /// One of which no row is wanted.
    pub(super) const fn unread() -> Self {
        Self(None)
    }

    pub(super) fn with_footer(
        path: PathBuf,
        sums: Arc<KnownSums>,
        footer: Arc<ParquetMetaData>,
    ) -> Result<Self, EngineError> {
        // What another version noted of its own types adds nothing to Parquet's own.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let footer = ArrowReaderMetadata::try_new(footer, options)?;
        Ok(Self(Some(Readable { path, sums, footer })))
    }

    /// Not for longer than it is read: a page may look into more files than a process may have open.
    fn open(&self) -> Result<(CheckedFile, &ArrowReaderMetadata), EngineError> {
        let Readable { path, sums, footer } = self.0.as_ref().ok_or(EngineError::Stopped)?;
        let file = sums.open(path).map_err(|source| file_error(path, source))?;
        Ok((file, footer))
    }

    /// Says which file could not be read.
    fn named<T>(&self, read: Result<T, EngineError>) -> Result<T, EngineError> {
        read.map_err(|source| match &self.0 {
            Some(Readable { path, .. }) if !matches!(source, EngineError::File { .. }) => {
                data_error(path, source)
            }
            _ => source,
        })
    }

    /// The rows as asked that are not before `threshold`; each condition looks in its `columns`.
    pub(super) fn find(
        &self,
        part: usize,
        asked: &Asked,
        columns: &[Vec<&'static str>],
        threshold: i64,
    ) -> Result<Vec<Found>, EngineError> {
        self.named(self.find_rows(part, asked, columns, threshold))
    }

    fn find_rows(
        &self,
        part: usize,
        asked: &Asked,
        columns: &[Vec<&'static str>],
        threshold: i64,
    ) -> Result<Vec<Found>, EngineError> {
        let (file, footer) = self.open()?;
        let (from, last) = (asked.times.0.max(threshold), asked.times.1);
        let spans = spans(footer)?;
        let coded = with_dictionaries(footer)?;
        let mut found = Vec::new();
        for (group, span) in spans.iter().enumerate() {
            if span.1 < from || span.0 > last {
                continue;
            }
            let group = Group {
                file: &file,
                footer: &coded,
                number: group,
            };
            let Some(mask) = group.mask(asked, columns)? else {
                continue;
            };
            let rows = times(&group.read(&["time_effective"])?)?;
            let is_asked = |(row, time): &(usize, i64)| {
                mask.as_ref().is_none_or(|mask| mask.value(*row)) && (from..=last).contains(time)
            };
            let rows = rows.into_iter().enumerate().filter(is_asked);
            found.extend(rows.map(|(row, time)| Found {
                part,
                group: group.number,
                row,
                time,
            }));
        }
        Ok(found)
    }

    /// One column of these rows, or all of them with those that no file has.
    pub(super) fn take(
        &self,
        rows: &[Found],
        tenant: &TenantId,
        column: Option<&'static str>,
    ) -> Result<Vec<RecordBatch>, EngineError> {
        self.named(self.take_rows(rows, tenant, column))
    }

    fn take_rows(
        &self,
        rows: &[Found],
        tenant: &TenantId,
        column: Option<&'static str>,
    ) -> Result<Vec<RecordBatch>, EngineError> {
        let (file, footer) = self.open()?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer.clone());
        let mask = match column {
            Some(name) => ProjectionMask::columns(footer.parquet_schema(), [name]),
            None => ProjectionMask::all(),
        };
        let (groups, selection) = selected(footer, rows);
        let reader = builder
            .with_projection(mask)
            .with_row_groups(groups)
            .with_row_selection(selection)
            .with_batch_size(rows.len())
            .build()?;
        let read = reader.collect::<Result<Vec<_>, _>>()?;
        match column {
            Some(_) => Ok(read),
            None => read.iter().map(|batch| completed(batch, tenant)).collect(),
        }
    }
}

/// The row groups that have these rows, and where in them they are.
fn selected(footer: &ArrowReaderMetadata, rows: &[Found]) -> (Vec<usize>, RowSelection) {
    let mut groups = Vec::new();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut before = 0;
    for of_group in rows.chunk_by(|one, next| one.group == next.group) {
        let group = of_group[0].group;
        groups.push(group);
        ranges.extend(of_group.iter().map(|found| {
            let at = before + found.row;
            at..at + 1
        }));
        before += rows_of(footer.metadata().row_group(group));
    }
    let selection = RowSelection::from_consecutive_ranges(ranges.into_iter(), before);
    (groups, selection)
}

fn rows_of(group: &RowGroupMetaData) -> usize {
    usize::try_from(group.num_rows()).unwrap_or(0)
}

/// With the columns that are not in the file: its tenant, and nulls.
fn completed(batch: &RecordBatch, tenant: &TenantId) -> Result<RecordBatch, EngineError> {
    let rows = batch.num_rows();
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for column in columns() {
        let array = match batch.column_by_name(column.name) {
            Some(array) => Arc::clone(array),
            None if column.name == PARTITION_COLUMNS[0] => {
                Arc::new(StringArray::from(vec![tenant.as_str(); rows]))
            }
            None => new_null_array(&column.kind.data_type(), rows),
        };
        fields.push(Field::new(column.name, array.data_type().clone(), true));
        arrays.push(array);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// The same columns, those of text as a dictionary and places in it where the file has one. Ids of
/// events are all different.
fn with_dictionaries(footer: &ArrowReaderMetadata) -> Result<ArrowReaderMetadata, EngineError> {
    let coded = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 if field.name() != "event_uid" => {
            let kind = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Arc::new(Field::clone(field).with_data_type(kind))
        }
        _ => Arc::clone(field),
    };
    let fields: Vec<_> = footer.schema().fields().iter().map(coded).collect();
    let options = ArrowReaderOptions::new()
        .with_skip_arrow_metadata(true)
        .with_schema(Arc::new(Schema::new(fields)));
    let metadata = Arc::clone(footer.metadata());
    Ok(ArrowReaderMetadata::try_new(metadata, options)?)
}

/// Oldest and newest instant of each row group, µs.
fn spans(footer: &ArrowReaderMetadata) -> Result<Vec<(i64, i64)>, EngineError> {
    let (low, high) = statistics(footer, "time_effective", footer.metadata().row_groups())?;
    let micros = Kind::Time.data_type();
    let integers = |values: &ArrayRef| cast(&cast(values, &micros)?, &DataType::Int64);
    let (low, high) = (integers(&low)?, integers(&high)?);
    let (low, high) = (
        low.as_primitive::<Int64Type>(),
        high.as_primitive::<Int64Type>(),
    );
    let pairs = low.iter().zip(high.iter());
    Ok(pairs
        .map(|(low, high)| (low.unwrap_or(i64::MIN), high.unwrap_or(i64::MAX)))
        .collect())
}

/// Smallest and largest value of a column in some row groups; null where nobody knows.
fn statistics(
    footer: &ArrowReaderMetadata,
    column: &str,
    groups: &[RowGroupMetaData],
) -> Result<(ArrayRef, ArrayRef), EngineError> {
    let converter = StatisticsConverter::try_new(column, footer.schema(), footer.parquet_schema())?;
    Ok((
        converter.row_group_mins(groups)?,
        converter.row_group_maxes(groups)?,
    ))
}

/// A row group of an open file.
struct Group<'a> {
    file: &'a CheckedFile,
    footer: &'a ArrowReaderMetadata,
    number: usize,
}

impl Group<'_> {
    /// The rows that fulfil all conditions, `Some(None)` when there are no conditions; `None` when
    /// there is no row.
    #[expect(
        clippy::option_option,
        reason = "nothing is asked, or nothing is there"
    )]
    fn mask(
        &self,
        asked: &Asked,
        columns: &[Vec<&'static str>],
    ) -> Result<Option<Option<BooleanBuffer>>, EngineError> {
        let mut mask = None;
        for (condition, columns) in asked.conditions.iter().zip(columns) {
            let mut holding = Vec::new();
            for name in columns {
                if self.may_hold(condition, name)? {
                    holding.push(*name);
                }
            }
            if holding.is_empty() {
                return Ok(None);
            }
            mask = condition.narrowed(mask, &self.read(&holding)?)?;
            if mask.as_ref().is_some_and(|mask| mask.count_set_bits() == 0) {
                return Ok(None);
            }
        }
        Ok(Some(mask))
    }

    /// Whether a column of it may have what is asked, by statistics and Bloom filter.
    fn may_hold(&self, condition: &Condition, name: &'static str) -> Result<bool, EngineError> {
        if self.footer.schema().column_with_name(name).is_none() {
            return Ok(false);
        }
        let Some(values) = condition.values() else {
            return Ok(true);
        };
        let group = std::slice::from_ref(self.footer.metadata().row_group(self.number));
        let (low, high) = statistics(self.footer, name, group)?;
        let (low, high) = (cast(&low, &DataType::Utf8)?, cast(&high, &DataType::Utf8)?);
        let bound = |of: &ArrayRef| {
            let of = of.as_string::<i32>();
            (!of.is_null(0)).then(|| of.value(0).to_owned())
        };
        let (low, high) = (bound(&low), bound(&high));
        let between: Vec<&String> = values
            .iter()
            .filter(|value| low.as_ref().is_none_or(|low| *value >= low))
            .filter(|value| high.as_ref().is_none_or(|high| *value <= high))
            .collect();
        if between.is_empty() {
            return Ok(false);
        }
        if between.len() > BLOOM_VALUES_MAX || !BLOOM_COLUMNS.contains(&name) {
            return Ok(true);
        }
        let Some(column) = self.leaf(name) else {
            return Ok(true);
        };
        let file = self.builder();
        let bloom = file.get_row_group_column_bloom_filter(self.number, column)?;
        Ok(bloom.is_none_or(|bloom| between.iter().any(|value| bloom.check(value.as_str()))))
    }

    /// Number of a plain column among those of the file.
    fn leaf(&self, name: &str) -> Option<usize> {
        let all = self.footer.parquet_schema().columns();
        all.iter()
            .position(|column| column.path().parts() == [name.to_owned()])
    }

    fn builder(&self) -> ParquetRecordBatchReaderBuilder<CheckedFile> {
        let (file, footer) = (self.file.clone(), self.footer.clone());
        ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer)
    }

    /// Some columns of all its rows.
    fn read(&self, names: &[&'static str]) -> Result<RecordBatch, EngineError> {
        let mask = ProjectionMask::columns(self.footer.parquet_schema(), names.iter().copied());
        let rows = rows_of(self.footer.metadata().row_group(self.number));
        let reader = self
            .builder()
            .with_projection(mask)
            .with_row_groups(vec![self.number])
            .with_batch_size(rows.max(1))
            .build()?;
        let schema = reader.schema();
        let batches = reader.collect::<Result<Vec<_>, _>>()?;
        match <[RecordBatch; 1]>::try_from(batches) {
            Ok([batch]) => Ok(batch),
            Err(batches) => Ok(concat_batches(&schema, &batches)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use deedtrail_core::event::Event;
    use deedtrail_core::id::{AliasUid, EventUid};
    use deedtrail_core::port::archive::EventFilter;
    use deedtrail_core::time::Timestamp;
    use deltalake::parquet::arrow::ArrowWriter;
    use deltalake::parquet::file::properties::WriterProperties;

    use super::*;
    use crate::column::file_schema;
    use crate::rows::{blank_event, to_batch, to_events};
    use crate::sums::CheckedFiles;

    fn alias(number: u64) -> AliasUid {
        AliasUid::of(&TenantId::default(), "email", &number.to_string())
    }

    /// Forty events, eight by each of five, every fifth for number 4; the newest come last.
    fn events() -> Vec<Event> {
        let event = |number: u64| Event {
            event_uid: EventUid::derive(&[&number.to_be_bytes()]),
            log_seq: number,
            time_effective: Timestamp::from_micros(i64::try_from(number % 8).unwrap()),
            actor_alias_uid: Some(alias(number / 8)),
            on_behalf_of_uid: (number.is_multiple_of(5)).then(|| alias(4)),
            ..blank_event()
        };
        (0..40).map(event).collect()
    }

    /// A file of several row groups, with Bloom filters.
    fn written(path: &Path, events: &[Event]) -> DataFile {
        let mut properties = WriterProperties::builder().set_max_row_group_row_count(Some(7));
        for name in BLOOM_COLUMNS {
            properties = properties.set_column_bloom_filter_enabled(name.into(), true);
        }
        let batch = to_batch(events).unwrap();
        let names = file_schema();
        let places: Vec<usize> = names
            .fields()
            .iter()
            .map(|field| batch.schema().index_of(field.name()).unwrap())
            .collect();
        let file = File::create(path).unwrap();
        let mut writer = ArrowWriter::try_new(file, names, Some(properties.build())).unwrap();
        writer.write(&batch.project(&places).unwrap()).unwrap();
        writer.close().unwrap();
        let file = File::open(path).unwrap();
        let footer = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).unwrap();
        assert_eq!(footer.metadata().num_row_groups(), 6);
        let sums = CheckedFiles::of(path.parent().unwrap()).sums();
        DataFile::with_footer(path.to_owned(), sums, Arc::clone(footer.metadata())).unwrap()
    }

    fn asked(filter: &EventFilter) -> (Asked, Vec<Vec<&'static str>>) {
        let asked = Asked::of(filter, None);
        let columns = asked.conditions.iter().map(Condition::columns);
        let columns = columns.map(<[_]>::to_vec).collect();
        (asked, columns)
    }

    #[test]
    fn rows_of_several_groups_are_found_and_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let all = events();
        let file = written(&folder.path().join("one.parquet"), &all);
        let of = |aliases: Vec<AliasUid>| EventFilter {
            aliases,
            ..EventFilter::default()
        };
        let uids = vec![all[3].event_uid, all[33].event_uid];
        let by_id = EventFilter {
            uids,
            ..EventFilter::default()
        };
        for (filter, threshold, expected) in [
            (of(vec![alias(1)]), 0, (8..16).collect::<Vec<u64>>()),
            (of(vec![alias(1)]), 6, vec![14, 15]),
            (of(vec![alias(3), alias(0)]), 7, vec![7, 31]),
            (of(vec![alias(4)]), 5, vec![5, 15, 30, 37, 38, 39]),
            (of(vec![alias(9)]), 0, vec![]),
            (by_id, 0, vec![3, 33]),
            (EventFilter::default(), 7, vec![7, 15, 23, 31, 39]),
        ] {
            let (asked, columns) = asked(&filter);
            let found = file.find(0, &asked, &columns, threshold).unwrap();
            let mut read = Vec::new();
            if !found.is_empty() {
                for batch in file.take(&found, &TenantId::default(), None).unwrap() {
                    read.extend(to_events(&batch).unwrap());
                }
            }
            let expected = expected
                .iter()
                .map(|n| all[usize::try_from(*n).unwrap()].clone());
            assert_eq!(read, expected.collect::<Vec<_>>(), "{filter:?}");
        }
    }
}
