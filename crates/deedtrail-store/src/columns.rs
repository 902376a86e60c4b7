//! Between Rust values and column values.

use std::ops::RangeInclusive;

use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, Error, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use deedtrail_core::Text;
use deedtrail_core::finding::FindingStatus;
use deedtrail_core::id::{Id, TenantId};
use deedtrail_core::identity::IdentityStatus;
use deedtrail_core::time::Timestamp;

/// A counter or sequence as SQLite keeps it; saturates at the largest integer.
pub(crate) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A row limit as SQLite takes it.
pub(crate) fn row_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(crate) fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_micros)
}

pub(crate) fn json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

pub(crate) fn id<K>(row: &Row<'_>, column: usize) -> rusqlite::Result<Id<K>> {
    row.get::<_, [u8; 16]>(column).map(Id::from_bytes)
}

/// Ids that a query tells of a range: its values are the first, the last and how many.
pub(crate) fn ids_within<K>(
    db: &Connection,
    sql: &str,
    ids: &RangeInclusive<Id<K>>,
    limit: usize,
) -> rusqlite::Result<Vec<Id<K>>> {
    let values = params![
        ids.start().to_bytes(),
        ids.end().to_bytes(),
        row_limit(limit)
    ];
    db.prepare_cached(sql)?
        .query_map(values, |row| id(row, 0))?
        .collect()
}

/// As [`ids_within`], of one tenant, which `sql` calls `?4`.
pub(crate) fn own_ids_within<K>(
    db: &Connection,
    sql: &str,
    (tenant, ids): (&TenantId, &RangeInclusive<Id<K>>),
    limit: usize,
) -> rusqlite::Result<Vec<Id<K>>> {
    let values = params![
        ids.start().to_bytes(),
        ids.end().to_bytes(),
        row_limit(limit),
        tenant.as_str()
    ];
    db.prepare_cached(sql)?
        .query_map(values, |row| id(row, 0))?
        .collect()
}

pub(crate) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Text> {
    let value = row.get_ref(column)?;
    value
        .as_str()
        .map(Text::new)
        .map_err(|error| unreadable(column, Type::Text, error))
}

pub(crate) fn text_option(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Text>> {
    row.get::<_, Option<String>>(column)
        .map(|text| text.map(Text::from))
}

pub(crate) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_micros)
}

pub(crate) fn time_option(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)
        .map(|at| at.map(Timestamp::from_micros))
}

pub(crate) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::unsigned_abs)
}

pub(crate) fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let value = row.get_ref(column)?;
    let body = value
        .as_str()
        .map_err(|error| unreadable(column, Type::Text, error))?;
    serde_json::from_str(body).map_err(|error| unreadable(column, Type::Text, error))
}

/// A column whose text `parse` understands, such as a name of a closed list.
pub(crate) fn named<T>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let name = text(row, column)?;
    let unknown = || {
        unreadable(
            column,
            Type::Text,
            FromSqlError::Other(name.to_string().into()),
        )
    };
    parse(&name).ok_or_else(unknown)
}

pub(crate) fn unreadable(
    column: usize,
    found: Type,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::FromSqlConversionFailure(column, found, Box::new(error))
}

pub(crate) const fn identity_status_name(status: IdentityStatus) -> &'static str {
    match status {
        IdentityStatus::Active => "active",
        IdentityStatus::Disabled => "disabled",
        IdentityStatus::Deleted => "deleted",
    }
}

pub(crate) fn identity_status(name: &str) -> Option<IdentityStatus> {
    [
        IdentityStatus::Active,
        IdentityStatus::Disabled,
        IdentityStatus::Deleted,
    ]
    .into_iter()
    .find(|status| identity_status_name(*status) == name)
}

pub(crate) const fn finding_status_name(status: FindingStatus) -> &'static str {
    match status {
        FindingStatus::Open => "open",
        FindingStatus::Acknowledged => "acknowledged",
        FindingStatus::Closed => "closed",
    }
}

pub(crate) fn finding_status(name: &str) -> Option<FindingStatus> {
    [
        FindingStatus::Open,
        FindingStatus::Acknowledged,
        FindingStatus::Closed,
    ]
    .into_iter()
    .find(|status| finding_status_name(*status) == name)
}
