//! Every mistake of a configuration file, with its line.

use std::path::Path;

use serde::Deserialize as _;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::Config;
use super::range::out_of_range;

/// Names of settings this similar to what was written are suggested (0 to 1, Jaro-Winkler).
const SIMILARITY_MIN: f64 = 0.85;

/// Every mistake of a file, setting by setting, as `file:line: what`. A missing file has none.
pub(super) fn of_file(path: &Path) -> Vec<String> {
    let file = |line: usize, text: &str| format!("{}:{line}: {}", path.display(), text.trim_end());
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![file(1, &error.to_string())],
    };
    let mut found = of_text(&text);
    found.sort();
    let found = found.iter();
    found
        .map(|(at, what)| {
            let before = text.as_bytes().get(..*at).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count();
            file(line, what)
        })
        .collect()
}

/// Mistakes with the byte at which each stands.
fn of_text(text: &str) -> Vec<(usize, String)> {
    let place = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => return vec![(place(&error), error.message().to_owned())],
    };
    let schema = Config::schema();
    let values: Value = toml::from_str(text).unwrap_or_default();
    let out_of_range = out_of_range(&values, &schema);
    let mut found: Vec<(usize, String)> = out_of_range
        .iter()
        .map(|number| (start(&table, &number.path), number.to_string()))
        .collect();
    for (path, unit) in units(&table, &schema) {
        if out_of_range.iter().any(|one| one.path.starts_with(&path)) {
            continue;
        }
        if let Err(error) = Config::deserialize(Deserializer::from(unit)) {
            // What is missing has no place; its table has.
            let at = error.span().map(|span| span.start).filter(|at| *at > 0);
            let at = at.unwrap_or_else(|| start(&table, &path));
            found.push((
                at,
                format!("`{}`: {}", path.join("."), said(error.message())),
            ));
        }
    }
    found
}

/// A message of the parser; of an unknown setting it says what was probably meant.
fn said(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let typed = names.next().unwrap_or_default();
    let alike = |name: &&str| strsim::jaro_winkler(typed, name) >= SIMILARITY_MIN;
    let near: Vec<String> = names
        .filter(alike)
        .map(|name| format!("`{name}`"))
        .collect();
    if !message.starts_with("unknown field") || near.is_empty() {
        return message.to_owned();
    }
    format!(
        "unknown field `{typed}`; did you mean {}?",
        near.join(" or ")
    )
}

type Table<'a> = Spanned<DeTable<'a>>;

/// Parts of the file that are right or wrong by themselves: a plain setting, a table that needs all
/// of its settings, one of several tables of a kind.
fn units<'a>(table: &Table<'a>, schema: &Value) -> Vec<(Vec<String>, Table<'a>)> {
    let alone = |key, value| Spanned::new(table.span(), DeTable::from_iter([(key, value)]));
    let mut units = Vec::new();
    for (key, value) in table.get_ref() {
        let name = key.get_ref().to_string();
        let below = schema.pointer(&format!("/properties/{name}"));
        let is_divisible = below.is_some_and(|below| {
            below.get("properties").is_some() || below.get("additionalProperties").is_some()
        });
        match value.get_ref() {
            DeValue::Table(parts) if is_divisible => {
                for (inner, part) in parts {
                    let part = DeTable::from_iter([(inner.clone(), part.clone())]);
                    let part = Spanned::new(value.span(), DeValue::Table(part));
                    let path = vec![name.clone(), inner.get_ref().to_string()];
                    units.push((path, alone(key.clone(), part)));
                }
            }
            _ => units.push((vec![name], alone(key.clone(), value.clone()))),
        }
    }
    units
}

/// Where a setting stands: its name, or that of the innermost table that has one.
fn start(table: &Table<'_>, path: &[String]) -> usize {
    let mut at = 0;
    let mut current = Some(table.get_ref());
    for name in path {
        let found = current.and_then(|table| table.iter().find(|(key, _)| key.get_ref() == name));
        let Some((key, value)) = found else { break };
        at = key.span().start;
        current = value.get_ref().as_table();
    }
    at
}
