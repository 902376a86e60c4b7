//! How often events fill the fields that rules name: a rule whose field is never filled does not
//! match, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use deedtrail_core::Text;
use deedtrail_core::event::EventKind;
use deedtrail_core::id::SourceName;
use deedtrail_core::time::Timestamp;
use serde::Serialize;
use sonic_rs::Value;

use crate::field::{FIELDS, FieldValue, View};
use crate::limits::FILL_KINDS_MAX;
use crate::rule::{Record, Rule, RuleSet};

/// Events of one kind, and how many of them fill each field.
#[derive(Clone, Debug, Default)]
struct Filled {
    events: u64,
    /// In the order of [`FIELDS`].
    fields: Vec<u64>,
}

/// Records of one source, and how many of them fill each field that a vendor rule names.
#[derive(Clone, Debug, Default)]
struct FilledRecords {
    mapping_version: String,
    records: u64,
    fields: BTreeMap<String, u64>,
}

/// Counts over the events of a range of time.
#[derive(Clone, Debug)]
pub struct FieldFill {
    within: Range<Timestamp>,
    canonical: BTreeMap<(SourceName, Text, EventKind), Filled>,
    vendor: BTreeMap<SourceName, FilledRecords>,
    /// Matches by the place of the rule in its set: a file may hold several.
    matches: BTreeMap<usize, u64>,
    /// Events of kinds beyond [`FILL_KINDS_MAX`].
    beyond: u64,
}

/// A field that a rule names, and how many of the events that the rule looks at fill it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldShare {
    pub name: String,
    pub filled: u64,
}

/// What one rule of a file looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleFill {
    /// Sources whose events it looked at.
    pub sources: Vec<SourceName>,
    /// Events (of a rule on vendor names: records) that it looked at.
    pub events: u64,
    pub fields: Vec<FieldShare>,
}

impl FieldFill {
    /// Counts events whose time is within the range.
    pub const fn new(within: Range<Timestamp>) -> Self {
        Self {
            within,
            canonical: BTreeMap::new(),
            vendor: BTreeMap::new(),
            matches: BTreeMap::new(),
            beyond: 0,
        }
    }

    pub(crate) fn note(&mut self, view: &View<'_>, rules: &RuleSet) {
        let observation = &view.observation;
        let event = observation.event;
        if !self.within.contains(&event.time_effective) {
            return;
        }
        let (system, kind) = (event.mapped.system.clone(), event.mapped.kind);
        let key = (event.source.clone(), system, kind);
        let known = self.canonical.len();
        match self.canonical.get_mut(&key) {
            Some(filled) => filled.note(view),
            None if known < FILL_KINDS_MAX => self.canonical.entry(key).or_default().note(view),
            None => self.beyond += 1,
        }
        // Rules on vendor names see the record, once.
        if event.ordinal != 0 {
            return;
        }
        let source = observation.source;
        let records = self.vendor.entry(event.source.clone()).or_default();
        if records.mapping_version != source.mapping_version {
            records.mapping_version.clone_from(&source.mapping_version);
            for name in rules.vendor_fields(source) {
                records.fields.entry(name).or_default();
            }
        }
        records.records += 1;
        if !records.fields.is_empty()
            && let Ok(value) = sonic_rs::from_slice::<Value>(observation.record)
        {
            let aliases = &source.field_aliases;
            let record = Record {
                value: &value,
                aliases,
            };
            for (name, count) in &mut records.fields {
                *count += u64::from(record.get(name).is_some_and(is_something));
            }
        }
    }

    /// Takes note of the rules that one event matched, by their places.
    pub(crate) fn matched(&mut self, view: &View<'_>, places: impl Iterator<Item = usize>) {
        if self.within.contains(&view.observation.event.time_effective) {
            for place in places {
                *self.matches.entry(place).or_default() += 1;
            }
        }
    }

    /// Matches of the rule at that place of the set, repeats among them.
    pub fn matches(&self, place: usize) -> u64 {
        self.matches.get(&place).copied().unwrap_or(0)
    }

    /// Events that were not told apart: of more kinds than are kept.
    pub const fn beyond(&self) -> u64 {
        self.beyond
    }

    /// What a rule looked at; `None` for a correlation, which looks at what other rules match.
    pub fn of(&self, rule: &Rule, sources: &BTreeSet<SourceName>) -> Option<RuleFill> {
        let logsource = rule.logsource.as_ref()?;
        let mut looked_at = BTreeSet::new();
        let mut fill = RuleFill {
            sources: Vec::new(),
            events: 0,
            fields: rule.fields.iter().map(|name| share_of_none(name)).collect(),
        };
        if rule.is_canonical() {
            let fits = |wanted: &Option<String>, given: &str| {
                let wanted = wanted.as_ref();
                wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(given))
            };
            for ((source, system, kind), filled) in &self.canonical {
                if fits(&logsource.service, system) && fits(&logsource.category, kind.name()) {
                    looked_at.insert(source.clone());
                    fill.events += filled.events;
                    for field in &mut fill.fields {
                        field.filled += filled.of(&field.name);
                    }
                }
            }
        } else {
            for (source, records) in self
                .vendor
                .iter()
                .filter(|(name, _)| sources.contains(*name))
            {
                looked_at.insert(source.clone());
                fill.events += records.records;
                for field in &mut fill.fields {
                    field.filled += records.fields.get(&field.name).copied().unwrap_or(0);
                }
            }
        }
        fill.sources = looked_at.into_iter().collect();
        Some(fill)
    }
}

impl Filled {
    fn note(&mut self, view: &View<'_>) {
        self.events += 1;
        self.fields.resize(FIELDS.len(), 0);
        for (count, field) in self.fields.iter_mut().zip(FIELDS) {
            *count += u64::from(view.get(field.name).is_some_and(is_something));
        }
    }

    fn of(&self, name: &str) -> u64 {
        let place = FIELDS.iter().position(|field| field.name == name);
        let count = place.and_then(|place| self.fields.get(place));
        count.copied().unwrap_or(0)
    }
}

fn share_of_none(name: &str) -> FieldShare {
    FieldShare {
        name: name.to_owned(),
        filled: 0,
    }
}

fn is_something(value: FieldValue<'_>) -> bool {
    match value {
        FieldValue::Null => false,
        FieldValue::Text(text) => !text.is_empty(),
        FieldValue::List(items) => !items.is_empty(),
        _ => true,
    }
}
