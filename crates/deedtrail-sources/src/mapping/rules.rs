//! Ordered rules, with an index over the value most of them ask for.

use std::collections::BTreeMap;

use super::plan::{Condition, Value};
use crate::record::KeyTable;

/// Rules in order. `candidates` leaves out those whose condition on the key cannot hold.
#[derive(Debug)]
pub(crate) struct Rules<R> {
    ordered: Vec<R>,
    key: Option<Value>,
    values: KeyTable,
    by_value: Vec<Vec<u16>>,
    without_key: Vec<u16>,
}

/// Rule numbers and the values each asks for exactly, if it does.
type Asked = Vec<(u16, Option<Vec<String>>)>;

impl<R> Rules<R> {
    pub(crate) fn new(rules: Vec<R>, when: impl Fn(&R) -> Option<&Condition>) -> Self {
        let key = common_key(rules.iter().filter_map(&when));
        let asked: Asked = rules
            .iter()
            .enumerate()
            .map(|(index, rule)| {
                let values = key.as_ref().and_then(|key| exact(when(rule)?, key));
                (u16::try_from(index).unwrap_or(u16::MAX), values)
            })
            .collect();
        let mut values = KeyTable::default();
        for name in asked.iter().flat_map(|(_, some)| some.iter().flatten()) {
            values.insert(name);
        }
        let of = |name: Option<&str>| -> Vec<u16> {
            let fits = |some: &Option<Vec<String>>| match some {
                None => true,
                Some(names) => name.is_some_and(|name| names.iter().any(|one| one == name)),
            };
            let fitting = asked.iter().filter(|(_, some)| fits(some));
            fitting.map(|(index, _)| *index).collect()
        };
        let by_value = values.names().map(|name| of(Some(name))).collect();
        Self {
            without_key: of(None),
            by_value,
            values,
            key: key.map(|(_, value)| value),
            ordered: rules,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ordered.is_empty()
    }

    /// What [`Rules::candidates`] wants to know.
    pub(crate) fn key(&self) -> Option<&Value> {
        self.key.as_ref()
    }

    pub(crate) fn candidates<'s>(
        &'s self,
        key: Option<&str>,
    ) -> impl Iterator<Item = &'s R> + use<'s, R> {
        let list = key
            .and_then(|key| self.values.find(key.as_bytes()))
            .map_or(&self.without_key, |index| &self.by_value[index as usize]);
        list.iter().map(|index| &self.ordered[usize::from(*index)])
    }
}

/// The value most conditions compare with exact texts, with a name for it.
fn common_key<'c>(conditions: impl Iterator<Item = &'c Condition>) -> Option<(String, Value)> {
    let mut counts: BTreeMap<String, (usize, &Value)> = BTreeMap::new();
    for (value, patterns) in conditions.flat_map(|condition| &condition.fields) {
        if let (Some(name), Some(_)) = (name_of(value), patterns.exact_values()) {
            counts.entry(name).or_insert((0, value)).0 += 1;
        }
    }
    let (name, (_, value)) = counts.into_iter().max_by_key(|(_, (count, _))| *count)?;
    Some((name, value.clone()))
}

fn name_of(value: &Value) -> Option<String> {
    match value {
        Value::Path(path) => Some(path.text.to_string()),
        Value::Named(index) => Some(format!("${index}")),
        _ => None,
    }
}

fn exact(condition: &Condition, key: &(String, Value)) -> Option<Vec<String>> {
    let mut fields = condition.fields.iter();
    let (_, patterns) = fields.find(|(value, _)| name_of(value).as_ref() == Some(&key.0))?;
    let values = patterns.exact_values()?;
    Some(values.into_iter().map(str::to_owned).collect())
}
