//! Every mistake of a configuration file, with its line.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize as _;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue, Deserializer};

use super::Config;
use super::range::{OutOfRange, out_of_range};

/// Names of settings this similar to what was written are suggested (0 to 1, Jaro-Winkler).
const SIMILARITY_MIN: f64 = 0.85;
/// Mistakes told of one part of the file, a table for instance; beyond it, and after those are mended,
/// the next ones are.
const PART_MISTAKES_MAX: usize = 100;
/// Tables and settings that others lean on: where one of them is wrong, what is said of the others
/// would be wrong too.
const LEANT_ON: [&str; 5] = ["data", "sources", "tls", "witness", "witnesses"];

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mistake {
    /// Byte of the file.
    at: usize,
    text: String,
    /// The part of the file that is wrong; of none where it is no TOML.
    part: Vec<String>,
}

/// Every mistake of a file, setting by setting, as `file:line: what`. A missing file has none.
pub(super) fn of_file(path: &Path) -> Vec<String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![at_line(path, 1, &error.to_string())],
    };
    let found = of_text(&text).into_iter();
    found
        .map(|mistake| at_line(path, line(&text, mistake.at), &mistake.text))
        .collect()
}

/// What stands in a file besides its mistakes; `None` where that says nothing by itself.
pub(super) fn sound(path: &Path) -> Option<toml::Table> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut table: toml::Table = toml::from_str(&text).ok()?;
    for mistake in of_text(&text) {
        let (first, rest) = mistake.part.split_first()?;
        if LEANT_ON.contains(&first.as_str()) {
            return None;
        }
        let inner = table.get_mut(first).and_then(toml::Value::as_table_mut);
        match (inner, rest) {
            (Some(inner), [name, ..]) => inner.remove(name),
            _ => table.remove(first),
        };
    }
    Some(table)
}

/// A sentence about a setting, which it begins with, with the place of that setting in the file; as it
/// is where the file does not name it.
pub(super) fn placed(path: &Path, sentence: String) -> String {
    let setting = sentence
        .strip_prefix('`')
        .and_then(|rest| rest.split_once('`'));
    let Some((setting, _)) = setting else {
        return sentence;
    };
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let Ok(table) = DeTable::parse(&text) else {
        return sentence;
    };
    let names: Vec<String> = setting.split('.').map(str::to_owned).collect();
    match start(&table, &names) {
        Some(at) => at_line(path, line(&text, at), &sentence),
        None => sentence,
    }
}

fn at_line(path: &Path, line: usize, text: &str) -> String {
    format!("{}:{line}: {}", path.display(), text.trim_end())
}

fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    before.split(|byte| *byte == b'\n').count()
}

/// Mistakes in the order in which they stand.
fn of_text(text: &str) -> Vec<Mistake> {
    let mut found = match DeTable::parse(text) {
        Ok(table) => of_table(&table, text),
        Err(_) => of_broken(text),
    };
    found.sort();
    found.dedup();
    found
}

/// Mistakes of what is no TOML: one for each line that is none, and what is wrong before the first of
/// them.
fn of_broken(text: &str) -> Vec<Mistake> {
    let (_, errors) = DeTable::parse_recoverable(text);
    let mut lines = BTreeSet::new();
    let mut found: Vec<Mistake> = errors
        .iter()
        .map(|error| Mistake {
            at: error.span().map_or(0, |span| span.start),
            text: error.message().to_owned(),
            part: Vec::new(),
        })
        .filter(|mistake| lines.insert(line(text, mistake.at)))
        .collect();
    let first = found.iter().map(|mistake| mistake.at).min().unwrap_or(0);
    let before = text.get(..first).unwrap_or_default();
    let before = before.rsplit_once('\n').map_or("", |(lines, _)| {
        before.get(..=lines.len()).unwrap_or_default()
    });
    if let Ok(table) = DeTable::parse(before) {
        let mut before = of_table(&table, before);
        // The table that is cut short may have it further on.
        before.retain(|mistake| !mistake.text.contains("missing field"));
        found.extend(before);
    }
    found
}

fn of_table(table: &Table<'_>, text: &str) -> Vec<Mistake> {
    let schema = Config::schema();
    let values: Value = toml::from_str(text).unwrap_or_default();
    let numbers = out_of_range(&values, &schema);
    let mut found: Vec<Mistake> = numbers
        .iter()
        .map(|number| Mistake {
            at: start(table, &number.path).unwrap_or(0),
            text: number.to_string(),
            part: number.path.clone(),
        })
        .collect();
    for part in parts(table, &schema) {
        found.extend(part.mistakes(&numbers, &schema));
    }
    without_mistyped(found)
}

/// Leaves out that a setting is missing where another one is told to be meant for it.
fn without_mistyped(mut found: Vec<Mistake>) -> Vec<Mistake> {
    let meant: Vec<(Vec<String>, String)> = found
        .iter()
        .filter_map(|mistake| {
            let (_, name) = mistake.text.split_once("; did you mean `")?;
            let (name, _) = name.split_once('`')?;
            Some((mistake.part.clone(), format!("missing field `{name}`")))
        })
        .collect();
    let is_told = |mistake: &Mistake| {
        let same = |(part, says): &(Vec<String>, String)| {
            *part == mistake.part && mistake.text.ends_with(says)
        };
        meant.iter().any(same)
    };
    found.retain(|mistake| !is_told(mistake));
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
type Key<'a> = Spanned<DeString<'a>>;
type Setting<'a> = Spanned<DeValue<'a>>;

/// A part of the file that is right or wrong by itself: a plain setting, a table that needs all of its
/// settings, one of several tables of a kind.
struct Part<'a> {
    path: Vec<String>,
    /// Where it begins, bytes.
    at: usize,
    /// A file of this part alone.
    alone: Table<'a>,
}

impl Part<'_> {
    /// What is wrong in it. The parser stops at the first mistake: that is taken out, or put in where
    /// it is missing, until it finds none.
    fn mistakes(mut self, numbers: &[OutOfRange], schema: &Value) -> Vec<Mistake> {
        let mut taken_out = BTreeSet::new();
        for number in numbers {
            let Some(rest) = number.path.strip_prefix(&*self.path) else {
                continue;
            };
            let [name] = rest else { return Vec::new() };
            let is_it = |key: &Key<'_>, _: &Setting<'_>| key.get_ref() == name;
            taken_out.extend(self.settings(&mut |settings| without(settings, &is_it)));
        }
        let mut found = Vec::new();
        while let Err(error) = Config::deserialize(Deserializer::from(self.alone.clone())) {
            let missing = error.message().strip_prefix("missing field `");
            let missing = missing.map(|name| name.trim_end_matches('`').to_owned());
            let is_told = missing.as_ref().is_some_and(|it| taken_out.contains(it));
            let at = error.span().map(|span| span.start).filter(|at| *at > 0);
            if !is_told {
                found.push(Mistake {
                    // What is missing has no place; its table has.
                    at: at.filter(|_| missing.is_none()).unwrap_or(self.at),
                    text: format!("`{}`: {}", self.path.join("."), said(error.message())),
                    part: self.path.clone(),
                });
            }
            let is_mended = match missing {
                Some(name) => self.put_in(&name, schema),
                None => self.take_out(at, &mut taken_out),
            };
            if !is_mended || found.len() >= PART_MISTAKES_MAX {
                break;
            }
        }
        found
    }

    /// Does something to its settings.
    fn settings<R>(&mut self, act: &mut impl FnMut(&mut DeTable<'_>) -> R) -> R {
        within(self.alone.get_mut(), &self.path, act)
    }

    /// Takes the setting out that stands at a place; `false` where there is none.
    fn take_out(&mut self, at: Option<usize>, taken_out: &mut BTreeSet<String>) -> bool {
        let Some(at) = at else { return false };
        let is_it = |key: &Key<'_>, value: &Setting<'_>| {
            key.span().contains(&at) || value.span().contains(&at)
        };
        let out = self.settings(&mut |settings| without(settings, &is_it));
        let is_one = !out.is_empty();
        taken_out.extend(out);
        is_one
    }

    /// Puts a setting in with its example; `false` where it has none or is there already.
    fn put_in(&mut self, name: &str, schema: &Value) -> bool {
        let example = schema_of(schema, &self.path)
            .and_then(|table| table.pointer(&format!("/properties/{name}/examples/0")))
            .and_then(written);
        let Some(example) = example else { return false };
        self.settings(&mut |settings| {
            let key = Spanned::new(0..0, name.to_owned().into());
            let value = Spanned::new(0..0, example.clone());
            settings.insert(key, value).is_none()
        })
    }
}

/// Takes settings out of a table; returns their names.
fn without(
    settings: &mut DeTable<'_>,
    is_it: &impl Fn(&Key<'_>, &Setting<'_>) -> bool,
) -> Vec<String> {
    let (out, kept): (Vec<_>, Vec<_>) = std::mem::take(settings)
        .into_iter()
        .partition(|(key, value)| is_it(key, value));
    *settings = kept.into_iter().collect();
    let names = out
        .into_iter()
        .map(|(key, _)| key.into_inner().into_owned());
    names.collect()
}

/// Does something to the table at a path, or to the last one on the way that there is.
fn within<R>(
    table: &mut DeTable<'_>,
    path: &[String],
    act: &mut impl FnMut(&mut DeTable<'_>) -> R,
) -> R {
    if let Some((name, rest)) = path.split_first() {
        let found = table.iter_mut().find(|(key, _)| key.get_ref() == name);
        let inner = found.and_then(|(_, value)| match value.get_mut() {
            DeValue::Table(inner) => Some(inner),
            DeValue::Array(list) => match list.first_mut()?.get_mut() {
                DeValue::Table(inner) => Some(inner),
                _ => None,
            },
            _ => None,
        });
        if let Some(inner) = inner {
            return within(inner, rest, act);
        }
    }
    act(table)
}

/// The schema of the table at a path.
fn schema_of<'a>(schema: &'a Value, path: &[String]) -> Option<&'a Value> {
    let mut current = schema;
    for name in path {
        let property = current.pointer(&format!("/properties/{name}"));
        let below = property.or_else(|| current.get("additionalProperties"))?;
        let below = below.pointer("/anyOf/0").unwrap_or(below);
        let below = below.get("items").unwrap_or(below);
        let named = below.get("$ref").and_then(Value::as_str);
        let named = named.and_then(|name| schema.pointer(name.strip_prefix('#')?));
        current = named.unwrap_or(below);
    }
    Some(current)
}

/// An example as it is written in the file; of texts and lists of them.
fn written(example: &Value) -> Option<DeValue<'static>> {
    match example {
        Value::String(text) => Some(DeValue::String(text.clone().into())),
        Value::Array(list) => {
            let mut all = DeArray::new();
            for one in list {
                all.push(Spanned::new(0..0, written(one)?));
            }
            Some(DeValue::Array(all))
        }
        _ => None,
    }
}

fn parts<'a>(table: &Table<'a>, schema: &Value) -> Vec<Part<'a>> {
    let alone = |key, value| Spanned::new(table.span(), DeTable::from_iter([(key, value)]));
    let mut parts = Vec::new();
    for (key, value) in table.get_ref() {
        let name = key.get_ref().to_string();
        let below = schema.pointer(&format!("/properties/{name}"));
        let is_divisible = below.is_some_and(|below| {
            below.get("properties").is_some() || below.get("additionalProperties").is_some()
        });
        match value.get_ref() {
            DeValue::Table(settings) if is_divisible => {
                for (inner, setting) in settings {
                    for (at, setting) in each(inner.span().start, setting) {
                        let setting = DeTable::from_iter([(inner.clone(), setting)]);
                        let setting = Spanned::new(value.span(), DeValue::Table(setting));
                        parts.push(Part {
                            path: vec![name.clone(), inner.get_ref().to_string()],
                            at,
                            alone: alone(key.clone(), setting),
                        });
                    }
                }
            }
            _ => parts.push(Part {
                path: vec![name],
                at: key.span().start,
                alone: alone(key.clone(), value.clone()),
            }),
        }
    }
    parts
}

/// A setting; of a list of tables each of them, with where it begins.
fn each<'a>(at: usize, setting: &Spanned<DeValue<'a>>) -> Vec<(usize, Spanned<DeValue<'a>>)> {
    let tables = setting.get_ref().as_array();
    let tables =
        tables.filter(|list| !list.is_empty() && list.iter().all(|it| it.get_ref().is_table()));
    let Some(tables) = tables else {
        return vec![(at, setting.clone())];
    };
    let one = |table: &Spanned<DeValue<'a>>| {
        let mut list = DeArray::new();
        list.push(table.clone());
        let list = Spanned::new(setting.span(), DeValue::Array(list));
        (table.span().start, list)
    };
    tables.iter().map(one).collect()
}

/// Where a setting stands: its name, or that of the innermost table that has one; `None` where even the
/// outermost has none.
fn start(table: &Table<'_>, path: &[String]) -> Option<usize> {
    let mut at = None;
    let mut current = Some(table.get_ref());
    for name in path {
        let found = current.and_then(|table| table.iter().find(|(key, _)| key.get_ref() == name));
        let Some((key, value)) = found else { break };
        at = Some(key.span().start);
        current = value.get_ref().as_table();
    }
    at
}
