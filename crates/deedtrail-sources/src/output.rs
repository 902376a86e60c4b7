//! What `deedtrail source map` and `deedtrail source test` print: rows and coverage.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use deedtrail_core::action::Action;
use deedtrail_core::event::MappedEvent;
use deedtrail_core::id::SourceName;
use deedtrail_core::mapping::MappedRecord;
use deedtrail_core::port::mapper::{Encoding, FrameError, Mapper as _, Sorted};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::registry::Registry;

/// Why rows cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    #[error(transparent)]
    Source(#[from] deedtrail_core::mapping::MapError),
}

/// One input record as `source map` prints it.
#[derive(Debug, Serialize)]
pub struct MappedRow {
    /// 1-based line or element number.
    pub line: u64,
    /// Canonical events; times are RFC 3339.
    pub events: Vec<Value>,
    /// Why it is quarantined.
    pub error: Option<String>,
}

/// One input record as `source detect` prints it.
#[derive(Debug, Serialize)]
pub struct DetectedRow {
    /// 1-based line or element number.
    pub line: u64,
    /// What an intake without a label takes it for.
    pub source: Option<SourceName>,
    /// Where it takes it for none: the sources that nothing in the record tells apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<SourceName>,
}

/// Share of events with action `other` above which a mapping needs work.
const OTHER_SHARE_MAX: f64 = 0.05;

/// Fields that a mapping which reads them at all reads from some record of every file.
const ALWAYS_FILLED: [&str; 2] = ["time", "operation"];

/// How much of a log a mapping uses.
#[derive(Debug, Default, Serialize)]
pub struct Coverage {
    pub records: u64,
    pub events: u64,
    /// Records per reason of quarantine.
    pub quarantined: BTreeMap<String, u64>,
    /// Canonical fields: in how many events each is filled.
    pub fields: BTreeMap<String, u64>,
    /// Raw paths that gave a value: in how many events.
    pub used: BTreeMap<String, u64>,
    /// Raw paths the mapping does not use: in how many records.
    pub unmapped: BTreeMap<String, u64>,
    /// Operations whose action is `other`, with their number.
    pub other: BTreeMap<String, u64>,
}

impl Coverage {
    /// Share of events whose action is `other`.
    pub fn other_share(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let share = self.other.values().sum::<u64>() as f64 / self.events.max(1) as f64;
        share
    }

    /// Why a file needs work, one sentence each. `mapped`: the fields that the mapping reads;
    /// `is_refused`: none of its records may map.
    pub fn faults(&self, mapped: &BTreeSet<String>, is_refused: bool) -> Vec<String> {
        let quarantined = self.quarantined.values().sum::<u64>();
        if is_refused {
            let understood = self.records - quarantined;
            let fault = format!("{understood} of its records map, and none should");
            return (understood > 0).then_some(fault).into_iter().collect();
        }
        let mut faults = Vec::new();
        if quarantined > 0 {
            let codes: Vec<&str> = self.quarantined.keys().map(String::as_str).collect();
            faults.push(format!(
                "{quarantined} records do not map ({}); a file whose name begins with `refused` holds those that must not",
                codes.join(", ")
            ));
        }
        let share = self.other_share();
        if share > OTHER_SHARE_MAX {
            faults.push(format!(
                "{:.1} % of the events have no action of their own, at most {:.0} % may",
                share * 100.0,
                OTHER_SHARE_MAX * 100.0
            ));
        }
        let missing = ALWAYS_FILLED.into_iter().filter(|name| {
            self.events > 0 && mapped.contains(*name) && !self.fields.contains_key(*name)
        });
        faults.extend(missing.map(|name| {
            format!("no event has a value for {name}: do its path and format fit the records?")
        }));
        faults
    }
}

impl Registry {
    /// One row per input record, in order; records that stand in one line share its row, and a line
    /// with an empty list of them has one, too.
    pub fn rows(&self, source: &SourceName, body: &[u8]) -> Result<Vec<MappedRow>, RowsError> {
        let outline = self.outline(source)?;
        let mut rows: Vec<MappedRow> = Vec::new();
        let records = self.frame(source, Encoding::Identity, body)?;
        let is_table = outline.framing().csv.is_some();
        for framed in records {
            let mapped = self.map(source, &framed.bytes);
            let (events, error) = match &mapped {
                Ok(record) => (rendered(record), None),
                Err(error) => (Vec::new(), Some(error.to_string())),
            };
            match rows.last_mut() {
                Some(row) if row.line == framed.line => {
                    row.events.extend(events);
                    row.error = row.error.take().or(error);
                }
                _ => rows.push(MappedRow {
                    line: framed.line,
                    events,
                    error,
                }),
            }
        }
        if !is_table {
            self.add_empty(body, &mut rows)?;
        }
        Ok(rows)
    }

    /// Adds a row for each line that holds an envelope with nothing in it.
    fn add_empty(&self, body: &[u8], rows: &mut Vec<MappedRow>) -> Result<(), RowsError> {
        let body = self.unpack(Encoding::Identity, body)?;
        let pieces = self.pieces(&body)?;
        // One document alone is numbered by its records.
        if pieces.len() < 2 && !rows.is_empty() {
            return Ok(());
        }
        let known: BTreeSet<u64> = rows.iter().map(|row| row.line).collect();
        let lines = pieces.iter().map(|piece| piece.line);
        let empty = lines.filter(|line| !known.contains(line));
        rows.extend(empty.map(|line| MappedRow {
            line,
            events: Vec::new(),
            error: None,
        }));
        rows.sort_by_key(|row| row.line);
        Ok(())
    }

    /// Writes the rows as NDJSON.
    pub fn write_rows(
        &self,
        source: &SourceName,
        body: &[u8],
        into: &mut dyn Write,
    ) -> Result<(), RowsError> {
        for row in self.rows(source, body)? {
            serde_json::to_writer(&mut *into, &row).map_err(io::Error::from)?;
            into.write_all(b"\n")?;
        }
        Ok(())
    }

    /// One row per record of a delivery without a label, in order.
    pub fn detect(&self, body: &[u8]) -> Result<Vec<DetectedRow>, FrameError> {
        let body = self.unpack(Encoding::Identity, body)?;
        let sorted = self.frame_unlabelled(&body)?.into_iter();
        let rows = sorted.map(|Sorted { source, record }| DetectedRow {
            line: record.line,
            candidates: match &source {
                Some(_) => Vec::new(),
                None => self
                    .candidates(&record.bytes)
                    .into_iter()
                    .cloned()
                    .collect(),
            },
            source,
        });
        Ok(rows.collect())
    }

    /// The canonical fields that the mapping of a source reads.
    pub fn mapped_fields(&self, source: &SourceName) -> Result<BTreeSet<String>, RowsError> {
        let plan = self.plan(source)?;
        let plain = plan.fields.iter().map(|field| field.name);
        let listed = plan.listed.iter().map(|field| field.name);
        let mut names: BTreeSet<String> = plain.chain(listed).map(str::to_owned).collect();
        names.insert("operation".to_owned());
        if plan.time.is_some() {
            names.insert("time".to_owned());
        }
        if plan.outcome.0.iter().any(|choice| choice.lookup.is_some()) {
            names.insert("outcome".to_owned());
        }
        Ok(names)
    }

    /// The canonical fields that a mapping can fill, those of actor, target and policy among them.
    pub(crate) fn told_fields(&self, source: &SourceName) -> Result<BTreeSet<String>, RowsError> {
        let plan = self.plan(source)?;
        let mut names = self.mapped_fields(source)?;
        let parts = [
            ("actor", !plan.actor.is_empty()),
            ("target", !plan.target.is_empty()),
            ("policy_decision", plan.policy.is_some()),
            ("tool_arguments", plan.tool_arguments.is_some()),
        ];
        let parts = parts.into_iter().filter(|(_, is_there)| *is_there);
        names.extend(parts.map(|(name, _)| name.to_owned()));
        Ok(names)
    }

    /// What of the records in `body` the mapping uses.
    pub fn coverage(&self, source: &SourceName, body: &[u8]) -> Result<Coverage, RowsError> {
        self.outline(source)?;
        let mut coverage = Coverage::default();
        for framed in self.frame(source, Encoding::Identity, body)? {
            coverage.records += 1;
            match self.map(source, &framed.bytes) {
                Ok(record) => {
                    coverage.add(&record);
                    for trace in self.provenance(source, &framed.bytes)? {
                        let paths: BTreeSet<String> =
                            trace.into_iter().map(|(_, path)| path).collect();
                        for path in paths {
                            add(&mut coverage.used, path);
                        }
                    }
                }
                Err(error) => add(&mut coverage.quarantined, error.code().to_owned()),
            }
        }
        Ok(coverage)
    }
}

impl Coverage {
    fn add(&mut self, record: &MappedRecord) {
        for path in record
            .events
            .first()
            .map(|event| &event.unmapped)
            .into_iter()
            .flatten()
        {
            add(&mut self.unmapped, path.to_string());
        }
        for event in &record.events {
            self.events += 1;
            if event.action == Action::Other {
                add(&mut self.other, event.operation.to_string());
            }
            for (name, value) in filled(event) {
                if !is_empty(&value) && name != "unmapped" {
                    add(&mut self.fields, name);
                }
            }
        }
    }
}

fn add(counts: &mut BTreeMap<String, u64>, key: String) {
    *counts.entry(key).or_default() += 1;
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() || text == "unknown",
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn filled(event: &MappedEvent) -> Map<String, Value> {
    match serde_json::to_value(event) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// The events of a record as rows show them: RFC 3339 times cut to milliseconds, `target_uid` the vendor's id.
fn rendered(record: &MappedRecord) -> Vec<Value> {
    let events = record.events.iter().map(|event| {
        let mut map = filled(event);
        map.insert(
            "time".into(),
            json!(
                event
                    .time
                    .map(deedtrail_core::time::Timestamp::to_rfc3339_millis)
            ),
        );
        map.insert("target_uid".into(), json!(event.target_ref));
        map.insert("source_uid".into(), json!(record.source_uid));
        let sequence = record.number.as_ref();
        let sequence = sequence.map(|it| json!({ "value": it.number, "within": it.within }));
        map.insert("sequence".into(), json!(sequence));
        map.insert("mapping_version".into(), json!(record.mapping_version));
        map.retain(|_, value| !matches!(value, Value::Null));
        Value::Object(map)
    });
    events.collect()
}
