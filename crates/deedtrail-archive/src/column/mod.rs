//! Every column of the table `events`, declared once, in the order it is stored.
//!
//! Columns that queries prune by come first: Delta keeps minima and maxima of the first
//! [`INDEXED_COLUMNS`] of each file. New columns are appended to the last list and are nullable.

mod actor;
mod deed;
mod field;
mod key;
mod origin;
mod target;

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{
    DataType, Field as ArrowField, Fields, Schema, SchemaRef, TimeUnit,
};
use deedtrail_core::event::Event;

/// Columns a file's minima and maxima are kept for in the Delta log, counted in stored order.
pub(crate) const INDEXED_COLUMNS: u64 = 16;
/// Partition columns: they are part of the path, not of the files.
pub(crate) const PARTITION_COLUMNS: [&str; 2] = ["tenant", "event_month"];
/// Columns with a Bloom filter: what an analyst searches for as a needle.
pub(crate) const BLOOM_COLUMNS: [&str; 8] = [
    "event_uid",
    "session_uid",
    "target_uid",
    "target_alias_uid",
    "on_behalf_of_uid",
    "credential_uid",
    "src_ip",
    "link_uid",
];
/// Columns of text whose values each file's index knows, so that a look-up opens only the files that
/// hold the value: the ids of [`BLOOM_COLUMNS`], who acted, and the names analysts paste.
pub(crate) const NEEDLE_COLUMNS: [&str; 18] = [
    "actor_alias_uid",
    "event_uid",
    "session_uid",
    "target_uid",
    "target_alias_uid",
    "on_behalf_of_uid",
    "credential_uid",
    "src_ip",
    "link_uid",
    "device_uid",
    "message_uid",
    "source_uid",
    "actor_ref",
    "actor_name",
    "target_ref",
    "target_name",
    "client_fingerprint",
    "trace_uid",
];

/// Columns that hold an alias an identity may go by: it acted, was acted for, or was acted on.
pub(crate) const ALIAS_COLUMNS: [&str; 3] =
    ["actor_alias_uid", "on_behalf_of_uid", "target_alias_uid"];
/// The first of them: it acted, or was acted for.
pub(crate) const ACTING_COLUMNS: usize = 2;

/// How a column is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 128-bit id as 32 lower-case hex digits.
    Id,
    Text,
    /// Text out of a closed list.
    Enum,
    /// Signed 64-bit integer.
    Integer,
    Boolean,
    /// Microseconds since the epoch, UTC.
    Time,
    /// Days since the epoch.
    Date,
    /// List of text.
    Texts,
    /// List of structures; the names are its text fields.
    Structs(&'static [&'static str]),
}

impl Kind {
    /// Name of the type as a person reads it and SQL prints it.
    pub fn name(self) -> String {
        match self {
            Self::Id => "id".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Enum => "enum".to_owned(),
            Self::Integer => "bigint".to_owned(),
            Self::Boolean => "boolean".to_owned(),
            Self::Time => "timestamp".to_owned(),
            Self::Date => "date".to_owned(),
            Self::Texts => "list<text>".to_owned(),
            Self::Structs(names) => format!("list<struct<{}>>", names.join(", ")),
        }
    }

    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Id | Self::Text | Self::Enum => DataType::Utf8,
            Self::Integer => DataType::Int64,
            Self::Boolean => DataType::Boolean,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Date => DataType::Date32,
            Self::Texts => DataType::List(element(DataType::Utf8)),
            Self::Structs(names) => DataType::List(element(DataType::Struct(struct_fields(names)))),
        }
    }
}

/// The element field of a list, named as the Delta protocol wants it.
pub(crate) fn element(data_type: DataType) -> Arc<ArrowField> {
    Arc::new(ArrowField::new("element", data_type, true))
}

/// The nullable text fields of a list's structures.
pub(crate) fn struct_fields(names: &[&str]) -> Fields {
    names
        .iter()
        .map(|name| ArrowField::new(*name, DataType::Utf8, true))
        .collect()
}

/// One value of one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Id([u8; 16]),
    Text(Cow<'a, str>),
    Integer(i64),
    Boolean(bool),
    /// One inner list per element: one text, or one per field of the structure.
    List(Vec<Vec<Option<Cow<'a, str>>>>),
}

/// A column: how it is stored, what it means, and how it is read from and put into an event.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    /// Unit of a number, or what an id or text is made of; empty when the kind says it all.
    pub unit: &'static str,
    pub meaning: &'static str,
    /// OCSF 1.8 attribute path; empty when OCSF has none.
    pub ocsf: &'static str,
    /// Elastic Common Schema field; empty when ECS has none.
    pub ecs: &'static str,
    pub(crate) get: for<'a> fn(&'a Event) -> Cell<'a>,
    pub(crate) set: fn(&mut Event, Cell<'_>),
}

/// Declares a column that is one field of [`Event`]: kind, name = path, unit, meaning, OCSF, ECS.
macro_rules! column {
    ($kind:expr, $name:ident = $($path:ident).+, $unit:literal, $meaning:literal, $ocsf:literal, $ecs:literal) => {
        crate::column::Column {
            name: stringify!($name),
            kind: $kind,
            unit: $unit,
            meaning: $meaning,
            ocsf: $ocsf,
            ecs: $ecs,
            get: |event| crate::column::field::Field::cell(&event.$($path).+),
            set: |event, cell| crate::column::field::Field::take(&mut event.$($path).+, cell),
        }
    };
}
pub(crate) use column;

/// All columns in stored order.
pub fn columns() -> &'static [Column] {
    static ALL: LazyLock<Vec<Column>> = LazyLock::new(|| {
        [
            key::COLUMNS,
            actor::COLUMNS,
            deed::COLUMNS,
            target::COLUMNS,
            origin::COLUMNS,
        ]
        .concat()
    });
    &ALL
}

/// Schema of the table `events`; everything but the partition columns is nullable.
pub(crate) fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let field = |column: &Column| ArrowField::new(column.name, column.kind.data_type(), true);
        Arc::new(Schema::new(columns().iter().map(field).collect::<Fields>()))
    });
    Arc::clone(&SCHEMA)
}

/// Schema of the Parquet files: the table's without the partition columns.
pub(crate) fn file_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let all = schema();
        let stored = all
            .fields()
            .iter()
            .filter(|field| !PARTITION_COLUMNS.contains(&field.name().as_str()));
        Arc::new(Schema::new(stored.cloned().collect::<Fields>()))
    });
    Arc::clone(&SCHEMA)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_named_sets_exist() {
        let names: BTreeSet<&str> = columns().iter().map(|column| column.name).collect();
        assert_eq!(names.len(), columns().len());
        let searched = BLOOM_COLUMNS.iter().chain(&NEEDLE_COLUMNS);
        for name in PARTITION_COLUMNS.iter().chain(searched) {
            assert!(names.contains(name), "{name}");
        }
        for name in NEEDLE_COLUMNS {
            let column = columns().iter().find(|column| column.name == name);
            assert!(
                matches!(column.unwrap().kind, Kind::Id | Kind::Text),
                "{name}"
            );
        }
    }

    #[test]
    fn indexed_columns_are_plain_and_lead() {
        let indexed = usize::try_from(INDEXED_COLUMNS).unwrap();
        let schema = file_schema();
        let names: Vec<&str> = schema
            .fields()
            .iter()
            .map(|f| f.name().as_str())
            .take(indexed)
            .collect();
        for name in [
            "event_day",
            "actor_alias_uid",
            "time_effective",
            "log_seq",
            "source",
            "action",
        ] {
            assert!(names.contains(&name), "{name} is not indexed");
        }
        assert!(
            schema
                .fields()
                .iter()
                .take(indexed)
                .all(|f| !f.data_type().is_nested())
        );
    }
}
