//! Reads an import: CSV with a header, or NDJSON. Every error names its line and column.

use std::collections::BTreeMap;

use serde_json::Value;

use deedtrail_core::event::Alias;
use deedtrail_core::identity::Declared;
use deedtrail_core::limits::COLUMN_BYTES_MAX;
use deedtrail_core::namespace::{NAMESPACES, canonical_value};

use super::column::{Cell, Column, SEPARATOR, misspelt, several, suggestion};
use super::row::{DeclaredRow, ImportError};

/// Largest file, bytes. Beyond it nothing is imported.
pub(super) const IMPORT_BYTES_MAX: usize = 64 << 20;
/// Most rows of one import. Beyond it nothing is imported.
pub(super) const IMPORT_ROWS_MAX: usize = 200_000;
/// Most aliases of one row. Beyond it the row is bad.
pub(super) const IMPORT_ALIASES_MAX: usize = 64;
/// Most errors listed; the rest of the file is not read further.
pub(super) const IMPORT_ERRORS_MAX: usize = 100;

/// The good rows and what is wrong with the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedImport {
    pub rows: Vec<DeclaredRow>,
    pub errors: Vec<ImportError>,
}

/// Reads an import of which every line must be good.
pub fn parse_import(file: &[u8]) -> Result<Vec<DeclaredRow>, Vec<ImportError>> {
    let parsed = parse_import_rows(file);
    if parsed.errors.is_empty() {
        Ok(parsed.rows)
    } else {
        Err(parsed.errors)
    }
}

/// Reads an import as far as it can be read. A bad header leaves no rows.
pub fn parse_import_rows(file: &[u8]) -> ParsedImport {
    let mut reading = Reading::default();
    if file.len() > IMPORT_BYTES_MAX {
        reading.fail(
            1,
            None,
            format!("the file is over {IMPORT_BYTES_MAX} bytes; cut it in two"),
        );
        return reading.parsed;
    }
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let first = file.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'{') {
        reading.ndjson(file);
    } else {
        reading.csv(file);
    }
    reading.parsed
}

#[derive(Debug, Default)]
struct Reading {
    parsed: ParsedImport,
    /// Line of each alias seen so far.
    lines: BTreeMap<(String, String), u64>,
}

impl Reading {
    fn fail(&mut self, line: u64, column: Option<&str>, message: String) {
        let column = column.map(|name| name.chars().take(64).collect());
        self.parsed.errors.push(ImportError {
            line,
            column,
            message,
        });
    }

    fn stops_at(&mut self, line: u64) -> bool {
        if self.parsed.rows.len() >= IMPORT_ROWS_MAX {
            self.fail(
                line,
                None,
                format!("over {IMPORT_ROWS_MAX} rows; cut the file in two"),
            );
            self.parsed.rows.clear();
            return true;
        }
        self.parsed.errors.len() >= IMPORT_ERRORS_MAX
    }

    fn csv(&mut self, file: &[u8]) {
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(file);
        let Some(names) = self.csv_header(&mut reader) else {
            return;
        };
        let mut record = csv::ByteRecord::new();
        loop {
            let line = reader.position().line();
            match reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return self.fail(line, None, format!("not CSV: {error}")),
            }
            let line = record.position().map_or(line, csv::Position::line);
            if self.stops_at(line) {
                return;
            }
            self.csv_row(line, &names, &record);
        }
    }

    /// The column names, all of them known and none twice.
    fn csv_header(&mut self, reader: &mut csv::Reader<&[u8]>) -> Option<Vec<String>> {
        let header = match reader.byte_headers() {
            Ok(header) => header.clone(),
            Err(error) => {
                self.fail(1, None, format!("the header is not CSV: {error}"));
                return None;
            }
        };
        let names: Vec<String> = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_lowercase())
            .collect();
        for (index, name) in names.iter().enumerate() {
            if let Err(message) = known_column(name) {
                self.fail(1, Some(name), message);
            } else if names[..index].contains(name) {
                self.fail(1, Some(name), "the column is there twice".to_owned());
            }
        }
        if !names.iter().any(|name| name == "alias") {
            self.fail(
                1,
                None,
                "there is no column `alias`; it says who a row is about".to_owned(),
            );
        }
        self.parsed.errors.is_empty().then_some(names)
    }

    fn csv_row(&mut self, line: u64, names: &[String], record: &csv::ByteRecord) {
        if record.len() != names.len() {
            let (found, wanted) = (record.len(), names.len());
            let message = format!("{found} cells, but the header has {wanted}; quote commas");
            return self.fail(line, None, message);
        }
        let mut cells = Vec::new();
        for (name, bytes) in names.iter().zip(record) {
            match std::str::from_utf8(bytes).map(str::trim) {
                Err(_) => return self.fail(line, Some(name), "not UTF-8".to_owned()),
                Ok("") => {}
                Ok("-") => cells.push((name.clone(), Cell::Clear)),
                Ok(text) => cells.push((name.clone(), Cell::Value(text.into()))),
            }
        }
        self.row(line, cells);
    }

    fn ndjson(&mut self, file: &[u8]) {
        for (line, bytes) in (1_u64..).zip(file.split(|byte| *byte == b'\n')) {
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if self.stops_at(line) {
                return;
            }
            match serde_json::from_slice(bytes) {
                Ok(Value::Object(object)) => self.ndjson_row(line, object),
                Ok(_) => self.fail(line, None, "not a JSON object".to_owned()),
                Err(error) => self.fail(line, None, format!("not JSON: {error}")),
            }
        }
    }

    fn ndjson_row(&mut self, line: u64, object: serde_json::Map<String, Value>) {
        let mut cells = Vec::new();
        for (name, value) in object {
            if let Err(message) = known_column(&name) {
                return self.fail(line, Some(&name), message);
            }
            match json_cell(&value) {
                Ok(Some(cell)) => cells.push((name, cell)),
                Ok(None) => {}
                Err(message) => return self.fail(line, Some(&name), message),
            }
        }
        self.row(line, cells);
    }

    /// Checks a row's cells and keeps it when all are good.
    fn row(&mut self, line: u64, cells: Vec<(String, Cell)>) {
        let errors_before = self.parsed.errors.len();
        let mut row = DeclaredRow {
            line,
            aliases: Vec::new(),
            cells: BTreeMap::new(),
        };
        let mut trial = Declared::default();
        for (name, cell) in cells {
            if let Cell::Value(text) = &cell
                && text.len() > COLUMN_BYTES_MAX
            {
                self.fail(
                    line,
                    Some(&name),
                    format!("longer than {COLUMN_BYTES_MAX} bytes"),
                );
                continue;
            }
            let outcome = match Column::from_name(&name) {
                None => parse_aliases(&cell).map(|aliases| row.aliases = aliases),
                Some(column) => column
                    .set(&mut trial, &cell)
                    .map(|()| drop(row.cells.insert(column, cell))),
            };
            if let Err(message) = outcome {
                self.fail(line, Some(&name), message);
            }
        }
        if self.parsed.errors.len() > errors_before {
            return;
        }
        if row.aliases.is_empty() {
            let message = "empty; write who the row is about as `namespace:value`".to_owned();
            return self.fail(line, Some("alias"), message);
        }
        if let Some((alias, other)) = self.repeated(&row) {
            let message = format!("`{alias}` is on line {other} too; one row per identity");
            return self.fail(line, Some("alias"), message);
        }
        for alias in &row.aliases {
            self.lines.insert(key(alias), line);
        }
        self.parsed.rows.push(row);
    }

    fn repeated(&self, row: &DeclaredRow) -> Option<(String, u64)> {
        row.aliases.iter().find_map(|alias| {
            let line = self.lines.get(&key(alias))?;
            Some((format!("{}:{}", alias.namespace, alias.value), *line))
        })
    }
}

fn key(alias: &Alias) -> (String, String) {
    let value = canonical_value(&alias.namespace, &alias.value).into_owned();
    (alias.namespace.to_string(), value)
}

fn known_column(name: &str) -> Result<(), String> {
    if name == "alias" || Column::from_name(name).is_some() {
        return Ok(());
    }
    let mut names = vec!["alias"];
    names.extend(Column::ALL.iter().map(|column| column.name()));
    let shown: String = name.chars().take(64).collect();
    Err(format!(
        "no column is called `{shown}`; {}",
        suggestion(name, &names)
    ))
}

/// A JSON value as the cell that says the same; an empty text says nothing.
fn json_cell(value: &Value) -> Result<Option<Cell>, String> {
    let text = match value {
        Value::Null => return Ok(Some(Cell::Clear)),
        Value::Bool(flag) => flag.to_string(),
        Value::String(text) => text.trim().to_owned(),
        Value::Array(parts) => joined(parts.iter().map(json_part))?,
        Value::Object(tags) => joined(
            tags.iter()
                .map(|(name, value)| json_part(value).map(|value| format!("{name}={value}"))),
        )?,
        Value::Number(number) => return Err(format!("`{number}` is a number; write a text")),
    };
    Ok((!text.is_empty()).then(|| Cell::Value(text.into())))
}

fn json_part(value: &Value) -> Result<String, String> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("`{value}` is not a text"))
}

fn joined(parts: impl Iterator<Item = Result<String, String>>) -> Result<String, String> {
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    match parts.iter().find(|part| part.contains(SEPARATOR)) {
        Some(part) => Err(format!(
            "`{part}` holds `{SEPARATOR}`, which separates values"
        )),
        None => Ok(parts.join(";")),
    }
}

/// `namespace:value`, several separated by `;`.
fn parse_aliases(cell: &Cell) -> Result<Vec<Alias>, String> {
    let Cell::Value(text) = cell else {
        return Ok(Vec::new());
    };
    let mut aliases = Vec::new();
    for part in several(text) {
        let alias = parse_alias(part)?;
        if !aliases.contains(&alias) {
            aliases.push(alias);
        }
    }
    if aliases.len() > IMPORT_ALIASES_MAX {
        return Err(format!("more than {IMPORT_ALIASES_MAX} aliases"));
    }
    Ok(aliases)
}

/// `namespace:value`.
pub(crate) fn parse_alias(part: &str) -> Result<Alias, String> {
    let form = || format!("`{part}` is not `namespace:value`, e.g. `email:ana@example.com`");
    let (namespace, value) = part.split_once(':').ok_or_else(form)?;
    let (namespace, value) = (namespace.trim(), value.trim());
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.');
    if namespace.is_empty() || value.is_empty() || !namespace.bytes().all(allowed) {
        return Err(form());
    }
    let names: Vec<&str> = NAMESPACES.iter().map(|namespace| namespace.name).collect();
    match misspelt(namespace, &names) {
        Some(meant) => Err(format!(
            "no namespace is called `{namespace}`; did you mean `{meant}`?"
        )),
        None => Ok(Alias {
            namespace: namespace.into(),
            value: value.into(),
        }),
    }
}
