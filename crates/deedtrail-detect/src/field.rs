//! The fields a rule on `product: deedtrail` may name: of the event, of its actor, and of what the
//! actor was known by just before. One table; docs/reference/rule-fields.md is printed from it.

mod table;

use std::borrow::Cow;

use deedtrail_core::Text;

use crate::Observation;
use crate::profile::Facts;

pub use table::FIELDS;

/// A field's value as rules compare it.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue<'a> {
    Text(Cow<'a, str>),
    Integer(i64),
    Decimal(f64),
    Boolean(bool),
    Null,
    List(Vec<FieldValue<'a>>),
    Map(Vec<(Cow<'a, str>, FieldValue<'a>)>),
}

impl FieldValue<'_> {
    /// The value as people read it; lists with commas.
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Decimal(number) => number.to_string(),
            Self::Null => "nothing".to_owned(),
            Self::Map(entries) => {
                let entry = |(name, value): &(Cow<'_, str>, FieldValue<'_>)| {
                    format!("{name}: {}", value.to_text())
                };
                entries.iter().map(entry).collect::<Vec<_>>().join(", ")
            }
            Self::Boolean(true) => "yes".to_owned(),
            Self::Boolean(false) => "no".to_owned(),
            Self::List(items) => items
                .iter()
                .map(Self::to_text)
                .collect::<Vec<_>>()
                .join(", "),
        }
    }
}

/// What kind of value a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    Text,
    Integer,
    Boolean,
    List,
}

impl FieldType {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::List => "list of text",
        }
    }
}

/// An event with what rules may know of its actor.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub observation: Observation<'a>,
    pub facts: &'a Facts,
}

/// One field.
#[derive(Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    pub kind: FieldType,
    /// One sentence; units in it.
    pub meaning: &'static str,
    get: for<'a> fn(&View<'a>) -> Option<FieldValue<'a>>,
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The field of that name.
pub fn find(name: &str) -> Option<&'static Field> {
    FIELDS
        .binary_search_by(|field| field.name.cmp(name))
        .ok()
        .map(|at| &FIELDS[at])
}

/// The field whose name is nearest to `name`, if any is near enough to be meant.
pub fn suggest(name: &str) -> Option<&'static str> {
    nearest(name, FIELDS.iter().map(|field| field.name))
}

/// The candidate at most three edits away from `name`, the nearest first.
pub fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let far = 3.min(name.len() / 2);
    candidates
        .map(|candidate| (edits(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance over bytes, for names of at most 64 bytes; longer ones are far from all.
fn edits(left: &str, right: &str) -> usize {
    if left.len().max(right.len()) > 64 {
        return usize::MAX;
    }
    let mut row = (0..=right.len()).collect::<Vec<_>>();
    for (line, from) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, to) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

impl<'a> View<'a> {
    /// Every text among the fields, for rules that search for words.
    pub fn visit_texts(&self, visit: &mut dyn FnMut(&str)) {
        for field in FIELDS {
            match (field.get)(self) {
                Some(FieldValue::Text(text)) => visit(&text),
                Some(FieldValue::List(items)) => items.iter().for_each(|item| {
                    if let FieldValue::Text(text) = item {
                        visit(text);
                    }
                }),
                _ => {}
            }
        }
    }

    /// The value of a field; `None` when the field is absent or unknown.
    pub fn get(&self, name: &str) -> Option<FieldValue<'a>> {
        find(name).and_then(|field| (field.get)(self))
    }
}

/// The reference page, in Markdown.
pub fn reference_page() -> String {
    let mut page = String::from(
        "# Rule fields\n\n\
         Fields that Sigma rules with the log source `product: deedtrail` may name, for every \
         source alike. Rules of other log sources use the vendor's own field names. A field that \
         does not apply to an event is absent: test it with `field|exists: false`.\n\n\
         Generated from the code; do not edit.\n\n\
         | field | type | meaning |\n|---|---|---|\n",
    );
    let rows = FIELDS.iter().map(|field| {
        format!(
            "| `{}` | {} | {} |\n",
            field.name,
            field.kind.name(),
            field.meaning
        )
    });
    page.extend(rows);
    page
}

const fn field(
    name: &'static str,
    kind: FieldType,
    meaning: &'static str,
    get: for<'a> fn(&View<'a>) -> Option<FieldValue<'a>>,
) -> Field {
    Field {
        name,
        kind,
        meaning,
        get,
    }
}

fn text(value: &str) -> Option<FieldValue<'_>> {
    (!value.is_empty()).then_some(FieldValue::Text(Cow::Borrowed(value)))
}

fn maybe(value: Option<&Text>) -> Option<FieldValue<'_>> {
    value.map(|value| FieldValue::Text(Cow::Borrowed(value.as_str())))
}

fn integer(value: Option<i64>) -> Option<FieldValue<'static>> {
    value.map(FieldValue::Integer)
}

fn boolean(value: Option<bool>) -> Option<FieldValue<'static>> {
    value.map(FieldValue::Boolean)
}

fn list<'a>(values: impl Iterator<Item = &'a str>) -> Option<FieldValue<'a>> {
    let items = values
        .map(|v| FieldValue::Text(Cow::Borrowed(v)))
        .collect::<Vec<_>>();
    (!items.is_empty()).then_some(FieldValue::List(items))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_so_that_names_are_found() {
        assert!(FIELDS.is_sorted_by(|a, b| a.name < b.name));
        assert_eq!(
            find("days_since_use").map(|f| f.kind),
            Some(FieldType::Integer)
        );
        assert!(find("days since use").is_none());
    }

    #[test]
    fn suggests_the_field_that_was_meant() {
        assert_eq!(suggest("days_since_used"), Some("days_since_use"));
        assert_eq!(suggest("CommandLine"), None);
        assert_eq!(suggest(&"x".repeat(10_000)), None);
    }
}
