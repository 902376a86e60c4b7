//! Tries rules on records without a log, a store or an archive: the fixtures of a rule's folder,
//! and whole files of records.
//!
//! Records go through mapping, identities and detection as they would live, in their order; the
//! time of receipt is the record's own time, so that a result never depends on the clock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use sonic_rs::LazyValue;

use deedtrail_core::Text;
use deedtrail_core::event::MappedEvent;
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::mapping::MapError;
use deedtrail_core::port::log::{EntryKind, NewEntry, Sequence, StoredEntry};
use deedtrail_core::port::mapper::{Encoding, FrameError, Mapper, SourceFacts};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::{Detector, Observation, RuleSet, Settings};

use crate::identity::{Place, Resolver, parse_import_rows, seal_event};

/// Key of event ids in trials; nothing made here is ever stored.
const EVENT_KEY: [u8; 32] = *b"deedtrail rule trial, no secret.";

/// One line of a fixture: a record of a source, or what an import declares of an identity.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FixtureLine<'a> {
    source: Option<SourceName>,
    #[serde(borrow)]
    record: Option<LazyValue<'a>>,
    #[serde(borrow)]
    identity: Option<LazyValue<'a>>,
}

/// Why a fixture or file cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    #[error(
        "line {line}: {message}; write {{\"source\": …, \"record\": …}} or {{\"identity\": …}}"
    )]
    Line { line: usize, message: String },
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("cannot read {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// What came of a trial.
#[derive(Debug, Default)]
pub struct Trial {
    pub events: u64,
    /// Records that could not be mapped, with their 1-based line or element.
    pub unmapped: Vec<(u64, MapError)>,
    /// In the order they were made; repeats are not merged.
    pub drafts: Vec<FindingDraft>,
}

impl Trial {
    /// Tries the lines of a fixture.
    pub fn of_fixture(
        mapper: &dyn Mapper,
        rules: &Arc<RuleSet>,
        fixture: &[u8],
    ) -> Result<Self, TrialError> {
        let mut run = Run::new(mapper, rules);
        for (index, line) in fixture.split(|byte| *byte == b'\n').enumerate() {
            if !line.iter().all(u8::is_ascii_whitespace) {
                run.line(index + 1, line)?;
            }
        }
        Ok(run.finish())
    }

    /// Tries a file of records of one source, as a feed would deliver it.
    pub fn of_delivery(
        mapper: &dyn Mapper,
        rules: &Arc<RuleSet>,
        source: &SourceName,
        body: &[u8],
    ) -> Result<Self, TrialError> {
        let mut records = mapper
            .frame(source, Encoding::Identity, body)?
            .into_iter()
            .map(|framed| (framed.line, framed.bytes))
            .collect::<Vec<_>>();
        let time = |record: &[u8]| {
            mapper
                .map(source, record)
                .ok()
                .and_then(|m| time_of(&m.events))
        };
        records.sort_by_cached_key(|(_, record)| time(record));
        let mut run = Run::new(mapper, rules);
        for (line, record) in &records {
            run.record(*line, source, record);
        }
        Ok(run.finish())
    }

    /// Tries one record by itself.
    pub fn of_record(
        mapper: &dyn Mapper,
        rules: &Arc<RuleSet>,
        source: &SourceName,
        record: &[u8],
    ) -> Self {
        let mut run = Run::new(mapper, rules);
        run.record(1, source, record);
        run.finish()
    }

    /// The findings of one rule, e.g. `usage/root_account_used`.
    pub fn by_rule(&self, rule: &str) -> impl Iterator<Item = &FindingDraft> {
        self.drafts.iter().filter(move |draft| draft.rule == rule)
    }
}

/// A trial under way.
struct Run<'m> {
    mapper: &'m dyn Mapper,
    facts: BTreeMap<SourceName, SourceFacts>,
    tenant: TenantId,
    resolver: Resolver,
    detector: Detector,
    sequence: Sequence,
    now: Timestamp,
    /// Hash of the first content under each vendor id.
    contents: BTreeMap<(SourceName, Text), blake3::Hash>,
    trial: Trial,
}

impl<'m> Run<'m> {
    fn new(mapper: &'m dyn Mapper, rules: &Arc<RuleSet>) -> Self {
        let sources = mapper.sources().into_iter();
        Self {
            mapper,
            facts: sources.map(|facts| (facts.name.clone(), facts)).collect(),
            tenant: TenantId::default(),
            resolver: Resolver::default(),
            detector: Detector::new(Arc::clone(rules), Settings::default()),
            sequence: 0,
            now: Timestamp::default(),
            contents: BTreeMap::new(),
            trial: Trial::default(),
        }
    }

    fn line(&mut self, line: usize, bytes: &[u8]) -> Result<(), TrialError> {
        let bad = |message: String| TrialError::Line { line, message };
        let parsed: FixtureLine<'_> =
            sonic_rs::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
        match (parsed.source, parsed.record, parsed.identity) {
            (Some(source), Some(record), None) if self.facts.contains_key(&source) => {
                self.record(line as u64, &source, record.as_raw_str().as_bytes());
                Ok(())
            }
            (Some(source), Some(_), None) => Err(bad(format!("no source is called `{source}`"))),
            (None, None, Some(row)) => self.declare(&row).map_err(bad),
            _ => Err(bad("neither a record nor an identity".to_owned())),
        }
    }

    fn declare(&mut self, row: &LazyValue<'_>) -> Result<(), String> {
        let parsed = parse_import_rows(row.as_raw_str().as_bytes());
        if let Some(error) = parsed.errors.first() {
            return Err(error.to_string());
        }
        self.resolver
            .apply_import(&self.tenant, parsed.rows, self.now);
        Ok(())
    }

    fn record(&mut self, line: u64, source: &SourceName, bytes: &[u8]) {
        let mapped = match self.mapper.map(source, bytes) {
            Ok(mapped) => mapped,
            Err(error) => return self.trial.unmapped.push((line, error)),
        };
        let Some(facts) = self.facts.get(source).cloned() else {
            return;
        };
        let Some(id_conflict) = self.conflict(source, mapped.source_uid.as_ref(), bytes) else {
            return;
        };
        self.now = time_of(&mapped.events).map_or(self.now, |time| time.max(self.now));
        let entry = self.entry(source, id_conflict);
        for (ordinal, event) in (0..).zip(mapped.events) {
            let place = Place {
                log_origin: "trial",
                entry: &entry,
                source,
                source_uid: mapped.source_uid.clone(),
                mapping_version: mapped.mapping_version.clone(),
                ordinal,
            };
            self.event(place, event, bytes, &facts);
        }
    }

    /// Whether other content came under the same vendor id before; `None` for a duplicate, which
    /// the log would not store.
    fn conflict(&mut self, source: &SourceName, uid: Option<&Text>, bytes: &[u8]) -> Option<bool> {
        let Some(uid) = uid else { return Some(false) };
        let content = blake3::hash(bytes);
        let key = (source.clone(), uid.clone());
        match self.contents.get(&key) {
            Some(first) if *first == content => None,
            Some(_) => Some(true),
            None => {
                self.contents.insert(key, content);
                Some(false)
            }
        }
    }

    fn event(
        &mut self,
        place: Place<'_>,
        mapped: MappedEvent,
        record: &[u8],
        source: &SourceFacts,
    ) {
        let mut event = seal_event(&EVENT_KEY, place, mapped);
        let resolved = self.resolver.resolve(&mut event);
        let observation = Observation {
            identity: resolved.actor.and_then(|id| self.resolver.identity(id)),
            credential: event
                .credential_uid
                .and_then(|uid| self.resolver.credential(uid)),
            event: &event,
            record,
            source,
        };
        let drafts = self.detector.observe(&observation);
        self.trial.drafts.extend(drafts);
        self.trial.events += 1;
    }

    /// The log entry a record would have.
    fn entry(&mut self, source: &SourceName, id_conflict: bool) -> StoredEntry {
        let sequence = self.sequence;
        self.sequence += 1;
        StoredEntry {
            sequence,
            entry: NewEntry {
                kind: EntryKind::Record,
                tenant: self.tenant.clone(),
                source: Some(source.clone()),
                received: self.now,
                idempotency_key: Some(Text::from(sequence.to_string())),
                note: Text::default(),
                parts: Vec::new(),
            },
            id_conflict,
            revision: u32::from(id_conflict),
        }
    }

    /// Lets a day pass, so that what waits for something that did not come is settled.
    fn finish(mut self) -> Trial {
        let tomorrow = self.now.plus_micros(Timestamp::DAY_US);
        for _ in 0..2 {
            let settled = self.detector.advance(tomorrow);
            self.trial.drafts.extend(settled);
        }
        self.trial
    }
}

fn time_of(events: &[MappedEvent]) -> Option<Timestamp> {
    events.iter().filter_map(|event| event.time).max()
}

/// A rule's folder: `rule.yml`, and records that must and must not fire.
#[derive(Clone, Debug)]
pub struct RuleFolder {
    /// Path below the rules folder, e.g. `usage/root_account_used`.
    pub name: String,
    pub rule: String,
    pub fires: Vec<u8>,
    pub quiet: Vec<u8>,
}

/// What a rule's fixtures show.
#[derive(Debug)]
pub struct RuleCheck {
    pub name: String,
    /// What the rule made of its firing fixture.
    pub fired: Vec<FindingDraft>,
    /// What is wrong, one sentence each; empty when the rule passes.
    pub problems: Vec<String>,
}

impl RuleFolder {
    /// Every rule's folder below `root`, sorted by name.
    pub fn read_all(root: &Path) -> Result<Vec<Self>, TrialError> {
        let mut folders = Vec::new();
        for area in folders_in(root)? {
            for folder in folders_in(&area)? {
                folders.push(Self::read(root, &folder)?);
            }
        }
        Ok(folders)
    }

    fn read(root: &Path, folder: &Path) -> Result<Self, TrialError> {
        let name = folder
            .strip_prefix(root)
            .unwrap_or(folder)
            .display()
            .to_string();
        let rule = read(&folder.join("rule.yml"))?;
        Ok(Self {
            name,
            rule: String::from_utf8_lossy(&rule).into_owned(),
            fires: read(&folder.join("fires.ndjson"))?,
            quiet: read(&folder.join("quiet.ndjson"))?,
        })
    }

    /// Runs both fixtures: the rule must fire on the one, and stay quiet on the other.
    pub fn check(&self, mapper: &dyn Mapper, rules: &Arc<RuleSet>) -> RuleCheck {
        let mut problems = Vec::new();
        let mut trial = |name: &str, fixture: &[u8]| match Trial::of_fixture(mapper, rules, fixture)
        {
            Ok(trial) => {
                if trial.events == 0 {
                    problems.push(format!("{name} holds no record"));
                }
                let unmapped = trial.unmapped.iter();
                problems.extend(unmapped.map(|(line, why)| format!("{name}, line {line}: {why}")));
                Some(trial)
            }
            Err(error) => {
                problems.push(format!("{name}, {error}"));
                None
            }
        };
        let fires = trial("fires.ndjson", &self.fires);
        let quiet = trial("quiet.ndjson", &self.quiet);
        let by_rule = |trial: &Trial| trial.by_rule(&self.name).cloned().collect::<Vec<_>>();
        let fired = fires.as_ref().map(by_rule).unwrap_or_default();
        if fires.is_some() && fired.is_empty() {
            problems.push("the rule does not fire on fires.ndjson".to_owned());
        }
        for draft in quiet.as_ref().map(by_rule).unwrap_or_default() {
            problems.push(format!("the rule fires on quiet.ndjson: {}", draft.title));
        }
        RuleCheck {
            name: self.name.clone(),
            fired,
            problems,
        }
    }
}

fn folders_in(path: &Path) -> Result<Vec<PathBuf>, TrialError> {
    let failed = |source| TrialError::Read {
        path: path.to_owned(),
        source,
    };
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

fn read(path: &Path) -> Result<Vec<u8>, TrialError> {
    std::fs::read(path).map_err(|source| TrialError::Read {
        path: path.to_owned(),
        source,
    })
}
