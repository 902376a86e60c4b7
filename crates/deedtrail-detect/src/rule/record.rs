//! A vendor's record as rules on its own field names see it.

use std::borrow::Cow;

use sonic_rs::{JsonContainerTrait as _, JsonNumberTrait as _, Value, ValueRef};

use crate::field::FieldValue;

/// Levels a walk over a record descends; the intake refuses records deeper than 128.
const DEPTH_MAX: usize = 128;

/// A parsed record with the source's aliases for field names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) value: &'a Value,
    /// (name in public rules, path in the record).
    pub(crate) aliases: &'a [(String, String)],
}

impl<'a> Record<'a> {
    /// The value at a field name: the alias's path if there is one; a key of just that name; else
    /// the dotted path, following every element of an array on the way (`[n]` picks one).
    pub(crate) fn get(&self, name: &str) -> Option<FieldValue<'a>> {
        let alias = self.aliases.iter().find(|(from, _)| from == name);
        if let Some((_, path)) = alias
            && let Some(value) = self.at(path)
        {
            return Some(value);
        }
        self.at(name)
    }

    fn at(&self, path: &str) -> Option<FieldValue<'a>> {
        let root = self.value.as_object()?;
        if let Some(value) = root.get(&path) {
            return Some(field_value(value, 0));
        }
        if !path.contains(['.', '[']) {
            return None;
        }
        let first = path.split(['.', '[']).next()?;
        root.get(&first)?;
        let mut found = Vec::new();
        follow(self.value, &steps(path), &mut found);
        match found.len() {
            0 | 1 => found.pop(),
            _ => Some(FieldValue::List(found)),
        }
    }

    /// Every string in the record.
    pub(super) fn visit_texts(&self, visit: &mut dyn FnMut(&str)) {
        visit_texts(self.value, visit, 0);
    }

    /// Names at the top of the record; `false` when it is no object.
    pub(super) fn visit_keys(&self, visit: &mut dyn FnMut(&str)) -> bool {
        let Some(root) = self.value.as_object() else {
            return false;
        };
        root.iter().for_each(|(name, _)| visit(name));
        // Aliased names are reached through other roots, so the index must not skip them.
        self.aliases
            .iter()
            .for_each(|(name, _)| visit(name.split('.').next().unwrap_or(name)));
        true
    }
}

enum Step<'p> {
    Key(&'p str),
    Element(usize),
}

/// `a.b[0].c` as key a, key b, element 0, key c.
fn steps(path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let mut pieces = part.split('[');
        if let Some(name) = pieces.next().filter(|name| !name.is_empty()) {
            steps.push(Step::Key(name));
        }
        for piece in pieces {
            if let Ok(element) = piece.trim_end_matches(']').parse() {
                steps.push(Step::Element(element));
            }
        }
    }
    steps
}

fn follow<'a>(value: &'a Value, steps: &[Step<'_>], found: &mut Vec<FieldValue<'a>>) {
    let Some((step, rest)) = steps.split_first() else {
        found.push(field_value(value, 0));
        return;
    };
    match (step, value.as_ref()) {
        (Step::Key(name), ValueRef::Object(object)) => {
            if let Some(inner) = object.get(name) {
                follow(inner, rest, found);
            }
        }
        (Step::Key(_), ValueRef::Array(items)) => {
            items.iter().for_each(|item| follow(item, steps, found));
        }
        (Step::Element(place), ValueRef::Array(items)) => {
            if let Some(item) = items.get(*place) {
                follow(item, rest, found);
            }
        }
        _ => {}
    }
}

fn field_value(value: &Value, depth: usize) -> FieldValue<'_> {
    if depth > DEPTH_MAX {
        return FieldValue::Null;
    }
    match value.as_ref() {
        ValueRef::Null => FieldValue::Null,
        ValueRef::Bool(truth) => FieldValue::Boolean(truth),
        ValueRef::Number(number) => match number.as_i64() {
            Some(integer) => FieldValue::Integer(integer),
            None => FieldValue::Decimal(number.as_f64().unwrap_or(f64::NAN)),
        },
        ValueRef::String(text) => FieldValue::Text(Cow::Borrowed(text)),
        ValueRef::Array(items) => FieldValue::List(
            items
                .iter()
                .map(|item| field_value(item, depth + 1))
                .collect(),
        ),
        ValueRef::Object(object) => FieldValue::Map(
            object
                .iter()
                .map(|(name, inner)| (Cow::Borrowed(name), field_value(inner, depth + 1)))
                .collect(),
        ),
    }
}

fn visit_texts(value: &Value, visit: &mut dyn FnMut(&str), depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    match value.as_ref() {
        ValueRef::String(text) => visit(text),
        ValueRef::Array(items) => {
            items
                .iter()
                .for_each(|item| visit_texts(item, visit, depth + 1));
        }
        ValueRef::Object(object) => {
            object
                .iter()
                .for_each(|(_, inner)| visit_texts(inner, visit, depth + 1));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(json: &str, name: &str) -> Option<String> {
        let value = sonic_rs::from_str::<Value>(json).unwrap();
        let aliases = [("who".to_owned(), "user.name".to_owned())];
        let record = Record {
            value: &value,
            aliases: &aliases,
        };
        record.get(name).map(|v| v.to_text())
    }

    #[test]
    fn follows_paths_through_objects_and_arrays() {
        let json = r#"{"user":{"name":"a"},"x.y":1,"list":[{"id":1},{"id":2}]}"#;
        assert_eq!(get(json, "user.name").as_deref(), Some("a"));
        assert_eq!(get(json, "who").as_deref(), Some("a"));
        assert_eq!(get(json, "x.y").as_deref(), Some("1"));
        assert_eq!(get(json, "list.id").as_deref(), Some("1, 2"));
        assert_eq!(get(json, "list[1].id").as_deref(), Some("2"));
        assert_eq!(get(json, "user.nothing"), None);
        assert_eq!(get("[1]", "a.b"), None);
    }
}
