//! CSV with a header, or NDJSON, with a schema of ours (docs/reference/entitlement-import.md).

use std::collections::BTreeMap;

use serde_json::Value;

use deedtrail_core::Text;
use deedtrail_core::entitlement::{Effect, Grant};

use super::Found;
use crate::identity::{instant, parse_alias, several, suggestion};

/// Every column, in the order of the reference page.
pub(in crate::entitlement) const COLUMNS: [&str; 14] = [
    "alias",
    "system",
    "permission",
    "operation",
    "scope",
    "effect",
    "condition",
    "via",
    "granted",
    "granted_by",
    "justification",
    "expires",
    "account",
    "key",
];

/// Cells of a row by column; those that say nothing are not there.
type Row = BTreeMap<&'static str, String>;

pub(super) fn read(file: &[u8]) -> Found {
    let mut reading = Reading::default();
    let first = file.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'{') {
        reading.ndjson(file);
    } else {
        reading.csv(file);
    }
    reading.found
}

#[derive(Debug, Default)]
struct Reading {
    found: Found,
    /// Line of each key so far.
    lines: BTreeMap<Text, u64>,
    account: Option<String>,
}

impl Reading {
    fn fail(&mut self, line: u64, column: &str, message: impl Into<String>) {
        let column: String = column.chars().take(64).collect();
        let place = if column.is_empty() {
            format!("line {line}")
        } else {
            format!("line {line}, column `{column}`")
        };
        self.found.fail(place, message);
    }

    fn csv(&mut self, file: &[u8]) {
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(file);
        let header = match reader.byte_headers() {
            Ok(header) => header.clone(),
            Err(error) => return self.fail(1, "", format!("the header is not CSV: {error}")),
        };
        let Some(names) = self.header(&header) else {
            return;
        };
        let mut record = csv::ByteRecord::new();
        loop {
            let line = reader.position().line();
            match reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return self.fail(line, "", format!("not CSV: {error}")),
            }
            let line = record.position().map_or(line, csv::Position::line);
            if self.found.is_full() {
                return;
            }
            self.csv_row(line, &names, &record);
        }
    }

    fn header(&mut self, header: &csv::ByteRecord) -> Option<Vec<&'static str>> {
        let mut names = Vec::new();
        for name in header {
            let name = String::from_utf8_lossy(name).trim().to_lowercase();
            match self.column(1, &name) {
                Some(column) if names.contains(&column) => {
                    self.fail(1, column, "the column is there twice");
                }
                Some(column) => names.push(column),
                None => {}
            }
        }
        for needed in ["alias", "system", "permission"] {
            if self.found.mistakes.is_empty() && !names.contains(&needed) {
                self.fail(1, "", format!("there is no column `{needed}`"));
            }
        }
        self.found.mistakes.is_empty().then_some(names)
    }

    fn column(&mut self, line: u64, name: &str) -> Option<&'static str> {
        let known = COLUMNS.into_iter().find(|column| *column == name);
        if known.is_none() {
            let meant = suggestion(name, &COLUMNS);
            let name: String = name.chars().take(64).collect();
            self.fail(line, "", format!("no column is called `{name}`; {meant}"));
        }
        known
    }

    fn csv_row(&mut self, line: u64, names: &[&'static str], record: &csv::ByteRecord) {
        if record.len() != names.len() {
            let (found, wanted) = (record.len(), names.len());
            let message = format!("{found} cells, but the header has {wanted}; quote commas");
            return self.fail(line, "", message);
        }
        let mut row = Row::new();
        for (name, bytes) in names.iter().zip(record) {
            match std::str::from_utf8(bytes).map(str::trim) {
                Err(_) => return self.fail(line, name, "not UTF-8"),
                Ok("") => {}
                Ok(text) => drop(row.insert(*name, text.to_owned())),
            }
        }
        self.row(line, &row);
    }

    fn ndjson(&mut self, file: &[u8]) {
        for (line, bytes) in (1_u64..).zip(file.split(|byte| *byte == b'\n')) {
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if self.found.is_full() {
                return;
            }
            match serde_json::from_slice(bytes) {
                Ok(Value::Object(object)) => self.object(line, &object),
                Ok(_) => self.fail(line, "", "not an object"),
                Err(error) => self.fail(line, "", format!("not JSON: {error}")),
            }
        }
    }

    fn object(&mut self, line: u64, object: &serde_json::Map<String, Value>) {
        let mut row = Row::new();
        for (name, value) in object {
            let Some(column) = self.column(line, name) else {
                return;
            };
            match cell(value) {
                Ok(text) if text.is_empty() => {}
                Ok(text) => drop(row.insert(column, text)),
                Err(message) => return self.fail(line, column, message),
            }
        }
        self.row(line, &row);
    }

    fn row(&mut self, line: u64, row: &Row) {
        for needed in ["alias", "system", "permission"] {
            if !row.contains_key(needed) {
                return self.fail(line, needed, "empty; every row needs it");
            }
        }
        let account = row.get("account").cloned().unwrap_or_default();
        if *self.account.get_or_insert_with(|| account.clone()) != account {
            let message = "another account than in the first row; import each by itself";
            return self.fail(line, "account", message);
        }
        self.found.account = account.into();
        match grant(row) {
            Ok(grant) => {
                if let Some(other) = self.lines.insert(grant.key.clone(), line) {
                    let message =
                        format!("it says what line {other} says; tell them apart by `key`");
                    return self.fail(line, "", message);
                }
                self.found.grants.push(grant);
            }
            Err((column, message)) => self.fail(line, column, message),
        }
    }
}

/// A JSON value as the cell that says the same.
fn cell(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.trim().to_owned()),
        Value::Array(parts) => {
            let text = |part: &Value| {
                let text = part.as_str().filter(|text| !text.contains(';'));
                let text = text.map(str::to_owned);
                text.ok_or_else(|| format!("`{part}` is not a text without `;`"))
            };
            Ok(parts
                .iter()
                .map(text)
                .collect::<Result<Vec<_>, _>>()?
                .join(";"))
        }
        other => Err(format!("`{other}` is neither a text nor a list of texts")),
    }
}

fn grant(row: &Row) -> Result<Grant, (&'static str, String)> {
    let texts = |column: &str| -> Vec<Text> {
        let cell = row.get(column).map(String::as_str).unwrap_or_default();
        several(cell).map(Text::new).collect()
    };
    let text = |column: &str| row.get(column).map(Text::from);
    let time = |column: &'static str| {
        let time = row.get(column).map(|text| instant(text)).transpose();
        time.map_err(|message| (column, message))
    };
    let aliases = row.get("alias").map(String::as_str).unwrap_or_default();
    let holders = several(aliases)
        .map(parse_alias)
        .collect::<Result<Vec<_>, _>>();
    let effect = match row.get("effect").map(|text| text.to_lowercase()).as_deref() {
        None | Some("allow") => Effect::Allow,
        Some("deny") => Effect::Deny,
        Some(other) => {
            let meant = suggestion(other, &["allow", "deny"]);
            return Err(("effect", format!("`{other}` is no effect; {meant}")));
        }
    };
    let mut grant = Grant {
        key: Text::default(),
        system: text("system").unwrap_or_default(),
        permissions: texts("permission"),
        operations: texts("operation"),
        scope: texts("scope"),
        effect,
        conditions: texts("condition"),
        via: text("via"),
        granted: time("granted")?,
        granted_by: text("granted_by"),
        justification: text("justification"),
        expires: time("expires")?,
        holders: holders.map_err(|message| ("alias", message))?,
        ..Grant::default()
    };
    if grant.holders.is_empty() || grant.permissions.is_empty() {
        return Err(("alias", "no alias, or no permission".to_owned()));
    }
    grant.key = text("key").unwrap_or_else(|| key(row));
    Ok(grant)
}

/// What tells a row from the others: who may do what, where, by what.
fn key(row: &Row) -> Text {
    let mut hasher = blake3::Hasher::new();
    for column in ["alias", "system", "permission", "scope", "effect", "via"] {
        let cell = row.get(column).map(String::as_str).unwrap_or_default();
        hasher.update(&(cell.len() as u64).to_le_bytes());
        hasher.update(cell.as_bytes());
    }
    let hash = hasher.finalize().to_hex();
    let hash = hash.get(..32).unwrap_or_default();
    Text::new(hash)
}
