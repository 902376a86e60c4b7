//! Events as record batches and back.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanBuilder, Int64Builder, ListArray, RecordBatch,
    StringBuilder, StructArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::arrow::error::ArrowError;
use deedtrail_core::Text;
use deedtrail_core::event::{Event, EvidenceGrade, MappedEvent, TimeQuality};
use deedtrail_core::id::{EventUid, SourceName, TenantId};
use deedtrail_core::time::Timestamp;

use crate::column::{Cell, Column, Kind, columns, element, schema, struct_fields};

/// The events as one batch of the table's schema, in the order given.
pub(crate) fn to_batch(events: &[Event]) -> Result<RecordBatch, ArrowError> {
    let arrays = columns().iter().map(|column| to_array(column, events));
    RecordBatch::try_new(schema(), arrays.collect::<Result<_, _>>()?)
}

fn to_array(column: &Column, events: &[Event]) -> Result<ArrayRef, ArrowError> {
    match column.kind {
        Kind::Id | Kind::Text | Kind::Enum => Ok(texts_of(column, events)),
        Kind::Boolean => {
            let mut builder = BooleanBuilder::with_capacity(events.len());
            for event in events {
                builder.append_option(match (column.get)(event) {
                    Cell::Boolean(value) => Some(value),
                    _ => None,
                });
            }
            Ok(Arc::new(builder.finish()))
        }
        Kind::Integer | Kind::Time | Kind::Date => {
            let mut builder = Int64Builder::with_capacity(events.len());
            for event in events {
                builder.append_option(match (column.get)(event) {
                    Cell::Integer(value) => Some(value),
                    _ => None,
                });
            }
            match column.kind {
                Kind::Date => cast(
                    &cast(&builder.finish(), &DataType::Int32)?,
                    &DataType::Date32,
                ),
                Kind::Time => cast(&builder.finish(), &column.kind.data_type()),
                _ => Ok(Arc::new(builder.finish())),
            }
        }
        Kind::Texts => lists_of(column, events, 1),
        Kind::Structs(names) => lists_of(column, events, names.len()),
    }
}

fn texts_of(column: &Column, events: &[Event]) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(events.len(), events.len() * 8);
    let mut hex = [0_u8; 32];
    for event in events {
        match (column.get)(event) {
            Cell::Text(text) => builder.append_value(text),
            Cell::Id(bytes) => builder.append_value(hex_of(bytes, &mut hex)),
            _ => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

/// 32 lower-case hex digits, written into `buffer`.
fn hex_of(bytes: [u8; 16], buffer: &mut [u8; 32]) -> &str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in buffer.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    std::str::from_utf8(buffer).unwrap_or_default()
}

/// A list column: `width` texts per element.
fn lists_of(column: &Column, events: &[Event], width: usize) -> Result<ArrayRef, ArrowError> {
    let mut builders: Vec<StringBuilder> = (0..width).map(|_| StringBuilder::new()).collect();
    let mut lengths = Vec::with_capacity(events.len());
    let mut given = Vec::with_capacity(events.len());
    for event in events {
        let elements = match (column.get)(event) {
            Cell::List(elements) => Some(elements),
            _ => None,
        };
        given.push(elements.is_some());
        let elements = elements.unwrap_or_default();
        lengths.push(elements.len());
        for texts in &elements {
            for (builder, text) in builders.iter_mut().zip(texts) {
                builder.append_option(text.as_deref());
            }
        }
    }
    let arrays: Vec<ArrayRef> = builders
        .iter_mut()
        .map(|builder| Arc::new(builder.finish()) as ArrayRef)
        .collect();
    let values: ArrayRef = match (column.kind, arrays.into_iter()) {
        (Kind::Structs(names), arrays) => Arc::new(StructArray::try_new(
            struct_fields(names),
            arrays.collect(),
            None,
        )?),
        (_, mut arrays) => arrays
            .next()
            .ok_or_else(|| ArrowError::SchemaError("a list without values".into()))?,
    };
    let field = element(values.data_type().clone());
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(
        field,
        offsets,
        values,
        Some(NullBuffer::from(given)),
    )?))
}

/// The events of a batch that has all columns of the table, in any order and any text encoding.
pub(crate) fn to_events(batch: &RecordBatch) -> Result<Vec<Event>, ArrowError> {
    let mut events = vec![blank_event(); batch.num_rows()];
    for column in columns() {
        let array = batch.column_by_name(column.name).ok_or_else(|| {
            ArrowError::SchemaError(format!("the column `{}` is missing", column.name))
        })?;
        fill(column, array, &mut events)?;
    }
    Ok(events)
}

/// An event with nothing in it.
pub(crate) fn blank_event() -> Event {
    let unknown = SourceName::new("unknown").unwrap_or_else(|_| unreachable!("a valid name"));
    Event {
        event_uid: EventUid::from_bytes([0; 16]),
        log_origin: Text::default(),
        log_seq: 0,
        ordinal: 0,
        mapping_version: Text::default(),
        derived_at: 0,
        tenant: TenantId::default(),
        source: unknown,
        source_uid: None,
        time_received: Timestamp::default(),
        time_effective: Timestamp::default(),
        time_quality: TimeQuality::default(),
        actor_alias_uid: None,
        on_behalf_of_uid: None,
        credential_uid: None,
        session_uid: None,
        target_uid: None,
        device_uid: None,
        message_uid: None,
        link_uid: None,
        risk_decision: None,
        id_conflict: false,
        evidence_grade: EvidenceGrade::default(),
        mapped: MappedEvent::default(),
    }
}

fn fill(column: &Column, array: &ArrayRef, events: &mut [Event]) -> Result<(), ArrowError> {
    match column.kind {
        Kind::Id | Kind::Text | Kind::Enum => {
            let array = cast(array, &DataType::Utf8)?;
            let texts = array.as_string::<i32>().iter();
            for (event, text) in events.iter_mut().zip(texts) {
                (column.set)(
                    event,
                    text.map_or(Cell::Null, |t| Cell::Text(Cow::Borrowed(t))),
                );
            }
        }
        Kind::Boolean => {
            for (event, value) in events.iter_mut().zip(array.as_boolean().iter()) {
                (column.set)(event, value.map_or(Cell::Null, Cell::Boolean));
            }
        }
        Kind::Integer | Kind::Time | Kind::Date => {
            let integers = match column.kind {
                Kind::Date => cast(&cast(array, &DataType::Int32)?, &DataType::Int64)?,
                Kind::Time => {
                    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
                    cast(&cast(array, &micros)?, &DataType::Int64)?
                }
                _ => cast(array, &DataType::Int64)?,
            };
            let values = integers.as_primitive::<Int64Type>().iter();
            for (event, value) in events.iter_mut().zip(values) {
                (column.set)(event, value.map_or(Cell::Null, Cell::Integer));
            }
        }
        Kind::Texts | Kind::Structs(_) => fill_lists(column, array, events)?,
    }
    Ok(())
}

fn fill_lists(column: &Column, array: &ArrayRef, events: &mut [Event]) -> Result<(), ArrowError> {
    let lists = cast(array, &column.kind.data_type())?;
    let lists = lists.as_list::<i32>();
    let values = lists.values();
    let fields: Vec<&ArrayRef> = match column.kind {
        Kind::Structs(_) => values.as_struct().columns().iter().collect(),
        _ => vec![values],
    };
    let text_at = |field: &ArrayRef, row: usize| {
        let texts = field.as_string::<i32>();
        (!texts.is_null(row)).then(|| Cow::Owned(texts.value(row).to_owned()))
    };
    for (row, event) in events.iter_mut().enumerate() {
        if lists.is_null(row) {
            continue;
        }
        let offsets = lists.value_offsets();
        let (first, end) = (to_index(offsets[row]), to_index(offsets[row + 1]));
        let elements =
            (first..end).map(|at| fields.iter().map(|field| text_at(field, at)).collect());
        (column.set)(event, Cell::List(elements.collect()));
    }
    Ok(())
}

fn to_index(offset: i32) -> usize {
    usize::try_from(offset).unwrap_or(0)
}
