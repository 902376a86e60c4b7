//! The fields a rule on `product: deedtrail` may name: of the event, of its actor, and of what the
//! actor was known by just before. docs/reference/rule-fields.md is printed from it.

mod of_actor;
mod of_event;
mod told;
mod words;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::LazyLock;

use deedtrail_core::Text;

use crate::Observation;
use crate::profile::Facts;
pub use told::told_as;
pub use words::{range_of, words_of};

pub(crate) use of_actor::actor_kind;

/// Every field: those of the event, then those of the actor, each sorted by name.
pub static FIELDS: &[Field] = &joined::<{ of_event::FIELDS.len() + of_actor::FIELDS.len() }>();

const fn joined<const N: usize>() -> [Field; N] {
    let mut all = [of_event::FIELDS[0]; N];
    let mut place = 0;
    while place < N {
        all[place] = match place.checked_sub(of_event::FIELDS.len()) {
            Some(place) => of_actor::FIELDS[place],
            None => of_event::FIELDS[place],
        };
        place += 1;
    }
    all
}

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

/// Slots of the table of names; a power of two well above the number of fields.
const SLOTS: usize = 512;

/// Name -> place in [`FIELDS`]. Rules ask for dozens of fields per event, so this is a hot path: a
/// search over sorted names cost a sixth of all time.
static PLACES: LazyLock<[Option<u8>; SLOTS]> = LazyLock::new(|| {
    let mut slots = [None; SLOTS];
    for (place, field) in FIELDS.iter().enumerate() {
        let mut slot = slot_of(field.name);
        while slots[slot].is_some() {
            slot = (slot + 1) % SLOTS;
        }
        slots[slot] = u8::try_from(place).ok();
    }
    slots
});

/// Where a name's search begins: its length, first, middle and last byte tell names apart.
fn slot_of(name: &str) -> usize {
    let bytes = name.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().map_or(0, usize::from);
    let last = byte(bytes.len().saturating_sub(1));
    let middle = byte(bytes.len() / 2);
    (bytes.len() * 31 + byte(0) * 7 + middle * 61 + last * 131) % SLOTS
}

/// The field of that name.
pub fn find(name: &str) -> Option<&'static Field> {
    let mut slot = slot_of(name);
    while let Some(place) = PLACES[slot] {
        let field = &FIELDS[usize::from(place)];
        if field.name == name {
            return Some(field);
        }
        slot = (slot + 1) % SLOTS;
    }
    None
}

/// The field whose name is nearest to `name`, if any is near enough to be meant.
pub fn suggest(name: &str) -> Option<&'static str> {
    nearest(name, FIELDS.iter().map(|field| field.name))
}

/// What to write instead of a name that no field has.
pub(crate) fn instead_of(name: &str) -> String {
    suggest(name).map_or_else(
        || "docs/reference/rule-fields.md lists them".to_owned(),
        |near| format!("did you mean `{near}`?"),
    )
}

/// Shortest word that is looked for among the parts of candidates, bytes.
const PART_BYTES_MIN: usize = 4;

/// The candidate at most three edits away from `name`, the nearest first. A single word is also near a
/// candidate of which it is a part, but for one edit: `creat` to `identity_create`.
pub fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let name = name.to_lowercase();
    let ranked = candidates.filter_map(|candidate| {
        let (edits, is_part) = distance(&name, candidate)?;
        let left_over = if is_part { candidate.len() } else { 0 };
        let pairs = name.bytes().zip(candidate.bytes());
        let alike = pairs.take_while(|(a, b)| a == b).count();
        Some((edits, is_part, left_over, Reverse(alike), candidate))
    });
    ranked.min().map(|(.., candidate)| candidate)
}

/// Edits from a name to a candidate, and whether only to a part of it; `None` when it is far.
fn distance(name: &str, candidate: &str) -> Option<(usize, bool)> {
    let far = 3.min(name.len() / 2);
    let whole = edits(name, &candidate.to_lowercase());
    let is_word = name.len() >= PART_BYTES_MIN && name.bytes().all(|it| it.is_ascii_alphabetic());
    let parts = candidate.split('_').filter(|_| is_word);
    let part = parts.map(|part| edits(name, part)).filter(|it| *it <= 1);
    let part = part.map(|edits| (edits, true));
    let whole = (whole <= far).then_some((whole, false));
    part.chain(whole).min()
}

/// Edits that make one name the other: a byte more, less or another, or two neighbours changed about
/// (optimal string alignment). For names of at most 64 bytes; longer ones are far from all.
pub(crate) fn edits(left: &str, right: &str) -> usize {
    if left.len().max(right.len()) > 64 {
        return usize::MAX;
    }
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut before = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, from) in left.iter().enumerate() {
        let mut next = vec![line + 1];
        for (column, to) in right.iter().enumerate() {
            let replaced = row[column] + usize::from(from != to);
            let least = replaced.min(row[column + 1] + 1).min(next[column] + 1);
            let is_turned =
                line > 0 && column > 0 && *from == right[column - 1] && left[line - 1] == *to;
            let turned = is_turned.then(|| before[column - 1] + 1);
            next.push(turned.map_or(least, |turned: usize| turned.min(least)));
        }
        before = std::mem::replace(&mut row, next);
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
    let mut fields: Vec<&Field> = FIELDS.iter().collect();
    fields.sort_unstable_by_key(|field| field.name);
    let rows = fields.into_iter().map(|field| {
        format!(
            "| `{}` | {} | {} |\n",
            field.name,
            field.kind.name(),
            meaning(field)
        )
    });
    page.extend(rows);
    page
}

/// What the field means, and the words it may have where they are a closed list.
fn meaning(field: &Field) -> String {
    let meaning = field.meaning;
    match words_of(field.name) {
        None => meaning.to_owned(),
        Some(_) if field.name == "action" => format!("{meaning} One of the [actions](actions.md)."),
        Some(words) => format!("{meaning} One of `{}`.", words.join("`, `")),
    }
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

fn owned(items: impl Iterator<Item = String>) -> Option<FieldValue<'static>> {
    let items = items
        .map(|item| FieldValue::Text(Cow::Owned(item)))
        .collect::<Vec<_>>();
    (!items.is_empty()).then_some(FieldValue::List(items))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_the_page_is_sorted() {
        for group in [of_event::FIELDS, of_actor::FIELDS] {
            assert!(group.is_sorted_by(|a, b| a.name < b.name));
        }
        assert_eq!(
            find("days_since_use").map(|f| f.kind),
            Some(FieldType::Integer)
        );
        assert!(find("days since use").is_none() && find("").is_none());
        for field in FIELDS {
            assert_eq!(find(field.name).map(|found| found.name), Some(field.name));
        }
    }

    #[test]
    fn suggests_the_field_that_was_meant() {
        assert_eq!(suggest("days_since_used"), Some("days_since_use"));
        assert_eq!(suggest("actoin"), Some("action"));
        assert_eq!(suggest("Outcome"), Some("outcome"));
        assert_eq!(suggest("country"), Some("src_country"));
        assert_eq!(suggest("CommandLine"), None);
        assert_eq!(suggest(&"x".repeat(10_000)), None);
    }
    #[test]
    fn suggests_the_word_that_was_meant() {
        for (field, word, expected) in [
            ("action", "creat", Some("identity_create")),
            ("action", "red", Some("read")),
            ("action", "raed", Some("read")),
            ("action", "delet", Some("delete")),
            ("action", "credential_craete", Some("credential_create")),
            ("action", "grant", Some("consent_grant")),
            ("action", "x", None),
            ("outcome", "sucess", Some("success")),
            ("outcome", "DENYED", Some("denied")),
            ("actor_kind", "robot", None),
        ] {
            let words = words_of(field).unwrap();
            assert_eq!(nearest(word, words.into_iter()), expected, "{word}");
        }
    }

    #[test]
    fn edits_are_counted() {
        for (left, right, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("read", "raed", 1),
            ("read", "red", 1),
            ("creat", "read", 2),
            ("creat", "create", 1),
            ("abc", "cab", 2),
        ] {
            assert_eq!(edits(left, right), expected, "{left} {right}");
            assert_eq!(edits(right, left), expected, "{right} {left}");
        }
        assert_eq!(edits(&"x".repeat(65), "x"), usize::MAX);
    }
}
