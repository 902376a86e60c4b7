//! One row of an import, and its form in the log.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use deedtrail_core::event::Alias;

use super::column::{Cell, Column};

/// What one line declares about one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredRow {
    /// 1-based line in the file.
    pub line: u64,
    /// At least one; all of them lead to the same identity.
    pub aliases: Vec<Alias>,
    pub cells: BTreeMap<Column, Cell>,
}

/// What is wrong with a line, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("line {line}{}: {message}", .column.as_ref().map(|name| format!(", column `{name}`")).unwrap_or_default())]
pub struct ImportError {
    /// 1-based line in the file.
    pub line: u64,
    pub column: Option<String>,
    pub message: String,
}

/// The rows as NDJSON: the form in which an import stands in the log. Reading it back gives the
/// same rows, numbered anew.
pub fn to_ndjson(rows: &[DeclaredRow]) -> Vec<u8> {
    let mut text = String::new();
    for row in rows {
        let aliases = row
            .aliases
            .iter()
            .map(|a| format!("{}:{}", a.namespace, a.value).into());
        let mut object = Map::new();
        object.insert("alias".to_owned(), Value::Array(aliases.collect()));
        for (column, cell) in &row.cells {
            let value = match cell {
                Cell::Clear => Value::Null,
                Cell::Value(text) => Value::String(text.to_string()),
            };
            object.insert(column.name().to_owned(), value);
        }
        text.push_str(&Value::Object(object).to_string());
        text.push('\n');
    }
    text.into_bytes()
}
