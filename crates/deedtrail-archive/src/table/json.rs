//! Rows as lines of JSON, and how much they will take.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datafusion::arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::writer::{Encoder, EncoderFactory, NullableEncoder};
use datafusion::arrow::json::{EncoderOptions, LineDelimitedWriter, WriterBuilder};

/// RFC 3339 in UTC, with the fraction of a second that there is.
const TIMESTAMP: &str = "%Y-%m-%dT%H:%M:%S%.fZ";
/// A value that is neither text nor bytes takes about this much as JSON.
const VALUE_BYTES: usize = 8;

/// Writes each row as one line.
pub(super) fn write(rows: &RecordBatch, into: &mut Vec<u8>) -> Result<(), ArrowError> {
    let mut writer: LineDelimitedWriter<_> = WriterBuilder::new()
        .with_timestamp_format(TIMESTAMP.to_owned())
        .with_timestamp_tz_format(TIMESTAMP.to_owned())
        .with_encoder_factory(Arc::new(BytesAsBase64))
        .build(into);
    writer.write(rows)?;
    writer.finish()
}

/// About how many bytes the values of rows have, as they will be written.
pub(super) fn bytes(rows: &RecordBatch) -> usize {
    rows.columns().iter().map(|column| size(column)).sum()
}

fn size(array: &dyn Array) -> usize {
    let part = |values: &ArrayRef, offsets: &[i32]| {
        let ends = offsets.first().zip(offsets.last());
        let ends = ends.and_then(|(from, to)| Some((usize::try_from(*from).ok()?, *to)));
        ends.map_or(0, |(from, to)| {
            let to = usize::try_from(to).unwrap_or(from).max(from);
            size(&values.slice(from, to - from))
        })
    };
    // The lower half of a view is its length.
    let lengths = |views: &[u128]| -> usize {
        let lengths = views
            .iter()
            .map(|view| (view & u128::from(u32::MAX)) as usize);
        lengths.sum()
    };
    let own = match array.data_type() {
        DataType::Utf8View => lengths(array.as_string_view().views()),
        DataType::BinaryView => lengths(array.as_binary_view().views()),
        DataType::FixedSizeBinary(bytes) => array.len() * usize::try_from(*bytes).unwrap_or(0),
        DataType::Struct(_) => array
            .as_struct()
            .columns()
            .iter()
            .map(|one| size(one))
            .sum(),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            part(list.values(), list.value_offsets())
        }
        DataType::Map(..) => {
            let map = array.as_map();
            part(map.keys(), map.value_offsets()) + part(map.values(), map.value_offsets())
        }
        _ => 0,
    };
    own + VALUE_BYTES * array.len()
}

/// Bytes in Base64 (RFC 4648, section 4), where Arrow would write hexadecimal digits.
#[derive(Debug)]
struct BytesAsBase64;

impl EncoderFactory for BytesAsBase64 {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let value: Value<'a> = match array.data_type() {
            DataType::BinaryView => {
                let array = array.as_binary_view();
                Box::new(|row| array.value(row))
            }
            DataType::FixedSizeBinary(_) => {
                let array = array.as_fixed_size_binary();
                Box::new(|row| array.value(row))
            }
            _ => return Ok(None),
        };
        let encoder = Box::new(Base64 { value });
        Ok(Some(NullableEncoder::new(encoder, array.nulls().cloned())))
    }
}

type Value<'a> = Box<dyn Fn(usize) -> &'a [u8] + 'a>;

struct Base64<'a> {
    value: Value<'a>,
}

impl Encoder for Base64<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(STANDARD.encode((self.value)(row)).as_bytes());
        out.push(b'"');
    }
}
