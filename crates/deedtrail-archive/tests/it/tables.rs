//! Parquet files of others as lines of JSON, whatever is in them.

use std::io::{BufRead as _, Cursor, Read as _};
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryArray, Int32Array, Int64Array, ListArray, MapBuilder, RecordBatch, StringArray,
    StringBuilder, StructArray, TimestampMicrosecondArray, TimestampMillisecondArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Int32Type};
use datafusion::arrow::json::ReaderBuilder;
use datafusion::arrow::json::reader::infer_json_schema;
use deedtrail_archive::ParquetTables;
use deedtrail_core::limits::{TABLE_ELEMENTS_MAX, TABLE_HELD_BYTES_MAX, TABLE_ROW_BYTES_MAX};
use deedtrail_core::port::table::{TableError, Tables as _, is_table};
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::basic::{Compression, GzipLevel, ZstdLevel};
use deltalake::parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};

/// An event as Security Lake writes it, and one with other fields.
const EVENTS: &str = r#"{"metadata":{"product":{"name":"CloudTrail","vendor_name":"AWS"},"profiles":["cloud","datetime"],"uid":"e-1"},"time":1782900061000,"time_dt":"2026-07-01T10:01:01Z","api":{"operation":"CreateUser","service":{"name":"iam.amazonaws.com"}},"resources":[{"uid":"a","labels":["x"]},{"uid":"b"}],"ratio":0.5,"is_new":true}
{"metadata":{"product":{"name":"CloudTrail","vendor_name":"AWS"},"uid":"e-2 \"quoted\" é\n"},"time":1782900062000,"api":{"operation":"DeleteUser"},"resources":[],"is_new":false}
"#;

fn packed(compression: Compression) -> WriterPropertiesBuilder {
    WriterProperties::builder().set_compression(compression)
}

fn write(rows: &RecordBatch, properties: WriterPropertiesBuilder) -> Vec<u8> {
    let mut file = Vec::new();
    let properties = Some(properties.build());
    let mut writer = ArrowWriter::try_new(&mut file, rows.schema(), properties).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
    file
}

fn columns(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

fn events() -> RecordBatch {
    let (schema, _) = infer_json_schema(Cursor::new(EVENTS), None).unwrap();
    let builder = ReaderBuilder::new(Arc::new(schema));
    let mut rows = builder.build(Cursor::new(EVENTS)).unwrap();
    rows.next().unwrap().unwrap()
}

/// The lines, or why there are no more.
fn read(file: &[u8]) -> Result<String, String> {
    let lines = ParquetTables.lines(file.to_vec());
    let mut lines = lines.map_err(|error| error.to_string())?;
    let mut text = String::new();
    match lines.read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn nested_rows_are_the_json_they_were() {
    let parsed = |text: &str| -> Vec<serde_json::Value> {
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    };
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        let file = write(&events(), packed(compression));
        assert!(is_table(&file));
        let text = read(&file).unwrap();
        assert_eq!(parsed(&text), parsed(EVENTS), "{compression:?}");
        assert_eq!(read(&file).unwrap(), text);
    }
}

#[test]
fn every_type_has_one_form() {
    let mut labels = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    labels.keys().append_value("team");
    labels.values().append_value("blue");
    labels.append(true).unwrap();
    labels.append(false).unwrap();
    let decimal = datafusion::arrow::array::Decimal128Array::from(vec![Some(12_345), None]);
    let decimal = decimal.with_precision_and_scale(9, 2).unwrap();
    let micros = TimestampMicrosecondArray::from(vec![Some(1_782_900_061_000_001), None]);
    let millis = TimestampMillisecondArray::from(vec![Some(1_782_900_061_000), None]);
    let rows = columns(vec![
        ("z", Arc::new(StringArray::from(vec![Some("first"), None]))),
        ("number", Arc::new(Int64Array::from(vec![i64::MAX, -1]))),
        ("utc", Arc::new(micros.with_timezone("UTC"))),
        ("local", Arc::new(millis)),
        (
            "bytes",
            Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\xff\x00a"), None])),
        ),
        ("labels", Arc::new(labels.finish())),
        ("decimal", Arc::new(decimal)),
    ]);
    let expected = concat!(
        r#"{"z":"first","number":9223372036854775807,"utc":"2026-07-01T10:01:01.000001Z","#,
        r#""local":"2026-07-01T10:01:01Z","bytes":"/wBh","labels":{"team":"blue"},"#,
        r#""decimal":123.45}"#,
        "\n{\"number\":-1}\n",
    );
    assert_eq!(
        read(&write(&rows, WriterProperties::builder())).unwrap(),
        expected
    );
}

#[test]
fn rows_of_several_row_groups_come_in_order() {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5_000));
    let text = "x".repeat(5_000);
    let texts: ArrayRef = Arc::new(StringArray::from(vec![text.as_str(); 5_000]));
    let rows = columns(vec![("n", numbers), ("text", texts)]);
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(700));
    let lines = ParquetTables
        .lines(write(&rows, properties))
        .unwrap()
        .lines();
    let mut count = 0;
    for (line, number) in lines.zip(0..) {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!(line["n"], number);
        count += 1;
    }
    assert_eq!(count, 5_000);
}

#[test]
fn files_that_are_cut_or_none_are_told() {
    let file = write(&events(), WriterProperties::builder());
    for length in [4, 5, 11, 12, file.len() / 2, file.len() - 1] {
        let error = read(&file[..length]).unwrap_err();
        assert!(
            error.contains("fetch or write it again"),
            "{length}: {error}"
        );
    }
    let mut encrypted = file.clone();
    let end = encrypted.len() - 4;
    encrypted[end..].copy_from_slice(b"PARE");
    assert!(read(&encrypted).unwrap_err().contains("encrypted"));
    // A footer that is as long as it can be said, and one that begins before the file.
    for length in [u32::MAX, 1 << 20] {
        let mut long = file.clone();
        let at = long.len() - 8;
        long[at..at + 4].copy_from_slice(&length.to_le_bytes());
        read(&long).unwrap_err();
    }
}

#[test]
fn whatever_byte_is_broken_it_ends_with_an_answer() {
    let file = write(
        &events(),
        packed(Compression::SNAPPY).set_dictionary_enabled(true),
    );
    let good = read(&file).unwrap();
    let mut told = 0;
    for at in (4..file.len()).step_by(3) {
        for mask in [0x01, 0x80, 0xff] {
            let mut broken = file.clone();
            broken[at] ^= mask;
            match read(&broken) {
                Ok(text) => assert!(text.lines().count() <= good.lines().count() + 8),
                Err(error) => {
                    assert!(error.starts_with("it is "), "{error}");
                    told += 1;
                }
            }
        }
    }
    assert!(told > 100, "{told}");
}

#[test]
fn a_schema_that_is_nested_too_deeply_is_refused() {
    let mut array: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    for _ in 0..130 {
        let field = Arc::new(Field::new("a", array.data_type().clone(), true));
        array = Arc::new(StructArray::new(
            Fields::from(vec![field]),
            vec![array],
            None,
        ));
    }
    let error = read(&write(
        &columns(vec![("a", array)]),
        WriterProperties::builder(),
    ));
    assert!(
        error
            .unwrap_err()
            .contains("more than 128 levels of nesting")
    );
}

#[test]
fn too_many_columns_are_refused() {
    let one: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let names: Vec<String> = (0..10_001).map(|number| format!("c{number}")).collect();
    let all = names.iter().map(|name| (name.as_str(), Arc::clone(&one)));
    let error = read(&write(&columns(all.collect()), WriterProperties::builder()));
    assert!(error.unwrap_err().contains("more than 10000 columns"));
}

/// One list with more elements than it has bits, and pages that unpack to far more.
#[test]
fn what_would_take_too_much_memory_is_refused() {
    let elements = i32::try_from(TABLE_ELEMENTS_MAX).unwrap() + 1;
    let field = Arc::new(Field::new("item", DataType::Int32, true));
    let nothing = Int32Array::new_null(elements.cast_unsigned() as usize);
    let offsets = OffsetBuffer::new(vec![0, elements].into());
    let list = ListArray::new(field, offsets, Arc::new(nothing), None);
    let file = write(
        &columns(vec![("list", Arc::new(list))]),
        WriterProperties::builder(),
    );
    assert!(file.len() < 1 << 20);
    assert!(read(&file).unwrap_err().contains("elements of lists"));

    let bytes = usize::try_from(TABLE_HELD_BYTES_MAX).unwrap() / 2;
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(bytes)]));
    let texts = ["a", "b", "c"].map(|name| (name, Arc::clone(&text)));
    let plain = packed(Compression::ZSTD(ZstdLevel::default())).set_dictionary_enabled(false);
    let file = write(&columns(texts.into()), plain);
    assert!(file.len() < 1 << 20);
    assert!(read(&file).unwrap_err().contains("bytes of pages"));
}

#[test]
fn a_dictionary_makes_no_row_larger_than_it_may_be() {
    let text = "x".repeat(1 << 20);
    let count = TABLE_ROW_BYTES_MAX / text.len() + 1;
    let one: ArrayRef = Arc::new(StringArray::from(vec![text.as_str(); count]));
    let field = Arc::new(Field::new("item", DataType::Utf8, true));
    let offsets = OffsetBuffer::new(vec![0, i32::try_from(count).unwrap()].into());
    let list = ListArray::new(field, offsets, one, Some(NullBuffer::new_valid(1)));
    let file = write(
        &columns(vec![("list", Arc::new(list))]),
        WriterProperties::builder(),
    );
    assert!(file.len() < 4 << 20);
    let limit = TABLE_ROW_BYTES_MAX as u64;
    let what = "bytes in one row";
    let expected = TableError::OverLimit { what, limit }.to_string();
    assert_eq!(read(&file).unwrap_err(), expected);
}

#[test]
fn keys_of_a_map_that_are_no_text_are_told() {
    let mut map = MapBuilder::new(
        None,
        datafusion::arrow::array::PrimitiveBuilder::<Int32Type>::new(),
        StringBuilder::new(),
    );
    map.keys().append_value(1);
    map.values().append_value("a");
    map.append(true).unwrap();
    let file = write(
        &columns(vec![("map", Arc::new(map.finish()))]),
        WriterProperties::builder(),
    );
    assert!(read(&file).unwrap_err().contains("as lines of JSON"));
}
