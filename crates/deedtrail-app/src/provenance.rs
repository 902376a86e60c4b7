//! Where each field of an event comes from: the raw path it was read at, or who else gave it.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::mapping::FieldPaths;
use deedtrail_core::port::store::Scope;
use serde::Serialize;
use serde_json::Value;

use crate::App;
use crate::access::{Denied, Principal};
use crate::timeline::EventFile;

/// Fields that are made from another field, and from which; the first that is filled counts.
const DERIVED: [(&str, &str); 14] = [
    ("action", "operation"),
    ("class_uid", "action"),
    ("activity_id", "action"),
    ("time_effective", "time"),
    ("time_quality", "time"),
    ("actor_alias_uid", "actor_aliases"),
    ("on_behalf_of_uid", "delegation"),
    ("credential_uid", "credential_ref"),
    ("session_uid", "session_ref"),
    ("target_uid", "target_ref"),
    ("target_uid", "target_name"),
    ("device_uid", "device_ref"),
    ("message_uid", "message_ref"),
    ("link_uid", "link_ref"),
];

/// Fields that no record holds: they are given on receipt.
const RECEIPT: [&str; 14] = [
    "event_uid",
    "log_origin",
    "log_seq",
    "ordinal",
    "mapping_version",
    "derived_at",
    "tenant",
    "source",
    "time_received",
    "time_effective",
    "time_quality",
    "risk_decision",
    "id_conflict",
    "evidence_grade",
];

/// How a field came by its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Read from the record at `paths`.
    Record,
    /// Made from the field `from`.
    Derived,
    /// A constant or a decision of the source's mapping.
    Mapping,
    /// Given on receipt: place, ids, times of ours.
    Receipt,
}

/// One filled field and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldOrigin {
    pub field: String,
    pub value: Value,
    pub rule: Rule,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<&'static str>,
    /// Paths of the raw record; for a derived field those of the field it is made from.
    pub paths: Vec<String>,
}

/// Where the fields of one event come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Provenance {
    /// The mapping in force, whose paths these are; `None` when the source is no longer there.
    pub mapping_version: Option<Text>,
    /// Why that mapping does not read the record, if so; no path is known then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Every filled field: those read from the record first.
    pub fields: Vec<FieldOrigin>,
}

impl App {
    /// Maps the record of an event once more and says where each of its fields comes from.
    pub fn provenance(
        &self,
        principal: &Principal,
        file: &EventFile,
    ) -> Result<Provenance, Denied> {
        principal.require(Scope::Read)?;
        let event = &file.event;
        let mapper = &self.ports.mapper;
        let facts = mapper.sources();
        let facts = facts.iter().find(|facts| facts.name == event.source);
        let mapped = mapper.provenance(&event.source, &file.record);
        let problem = mapped.as_ref().err().map(ToString::to_string);
        let ordinal = usize::try_from(event.ordinal).unwrap_or(usize::MAX);
        let paths = mapped.unwrap_or_default().into_iter().nth(ordinal);
        let values = match serde_json::to_value(event) {
            Ok(Value::Object(values)) => values,
            _ => serde_json::Map::new(),
        };
        Ok(Provenance {
            mapping_version: facts.map(|facts| facts.mapping_version.as_str().into()),
            problem,
            fields: origins(&values, paths.unwrap_or_default()),
        })
    }
}

fn origins(values: &serde_json::Map<String, Value>, rows: FieldPaths) -> Vec<FieldOrigin> {
    let mut paths: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (field, path) in rows {
        let known = paths.entry(field).or_default();
        if !known.contains(&path) {
            known.push(path);
        }
    }
    let filled = |field: &str| values.get(field).is_some_and(|value| !is_empty(value));
    let given = values.iter().filter(|(name, value)| {
        // The list of unused paths is itself about the raw record.
        *name != "unmapped"
            && !is_empty(value)
            && (paths.contains_key(*name) || value.as_str() != Some("unknown"))
    });
    let mut origins: Vec<FieldOrigin> = given
        .map(|(name, value)| origin(name, value, &paths, &filled))
        .collect();
    origins.sort_by(|left, right| (left.rule, &left.field).cmp(&(right.rule, &right.field)));
    origins
}

fn origin(
    field: &str,
    value: &Value,
    paths: &BTreeMap<String, Vec<String>>,
    filled: &dyn Fn(&str) -> bool,
) -> FieldOrigin {
    let from = derived_from(field, filled);
    let (rule, from, paths) = if let Some(own) = paths.get(field) {
        (Rule::Record, None, own.clone())
    } else if let Some(from) = from {
        let first = derived_from(from, filled).filter(|_| !paths.contains_key(from));
        let inherited = paths.get(first.unwrap_or(from)).cloned();
        (Rule::Derived, Some(from), inherited.unwrap_or_default())
    } else if RECEIPT.contains(&field) {
        (Rule::Receipt, None, Vec::new())
    } else {
        (Rule::Mapping, None, Vec::new())
    };
    FieldOrigin {
        field: field.to_owned(),
        value: value.clone(),
        rule,
        from,
        paths,
    }
}

fn derived_from(field: &str, filled: &dyn Fn(&str) -> bool) -> Option<&'static str> {
    let row = DERIVED
        .iter()
        .find(|(made, from)| *made == field && filled(from));
    row.map(|(_, from)| *from)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
