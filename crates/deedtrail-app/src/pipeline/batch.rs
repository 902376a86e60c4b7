//! One step of the pipeline: entries in, rows and progress out.

use std::collections::BTreeMap;
use std::sync::Arc;

use deedtrail_core::Text;
use deedtrail_core::event::Event;
use deedtrail_core::finding::{Finding, FindingDraft};
use deedtrail_core::id::{FindingId, SourceName};
use deedtrail_core::mapping::{MapError, MappedRecord};
use deedtrail_core::port::log::{EntryKind, NewEntry, ReadError, Sequence, StoredEntry};
use deedtrail_core::port::mapper::SourceFacts;
use deedtrail_core::port::store::{Progress, Quarantined};
use deedtrail_detect::Observation;
use deedtrail_detect::detector::entitlement::unentitled;

use super::ahead::Mapped;
use super::snapshot::State;
use super::{Pipeline, PipelineError};
use crate::configuration;
use crate::custody;
use crate::identity::{Place, seal_event};

/// What a step has gathered so far.
pub(super) struct Batch<'p> {
    pub(super) pipeline: &'p mut Pipeline,
    rows: Vec<Event>,
    findings: BTreeMap<FindingId, Finding>,
    pub(super) progress: Progress,
    /// A tick is among the entries.
    ticked: bool,
}

impl<'p> Batch<'p> {
    pub(super) fn new(pipeline: &'p mut Pipeline) -> Self {
        Self {
            pipeline,
            rows: Vec::new(),
            findings: BTreeMap::new(),
            progress: Progress::default(),
            ticked: false,
        }
    }

    /// Processes one entry.
    pub(super) fn take(&mut self, mapped: Mapped) -> Result<(), PipelineError> {
        let entry = &mapped.entry;
        match entry.entry.kind {
            EntryKind::Record => mapped
                .record
                .map_or(Ok(()), |record| self.record(entry, record)),
            EntryKind::Quarantined => self.quarantined(entry),
            EntryKind::Remap => self.remap(entry),
            EntryKind::Tick => {
                let detector = &mut self.pipeline.state.detector;
                let drafts = if entry.entry.note == configuration::REST {
                    detector.rest()
                } else {
                    self.ticked = true;
                    detector.advance(entry.entry.received)
                };
                self.conclude(self.is_fresh(entry), drafts)
            }
            EntryKind::Configuration => self.configuration(entry),
            EntryKind::Audit => {
                self.progress.custody.extend(custody::of_entry(entry));
                Ok(())
            }
        }
    }

    /// Rows and progress of the step, and whether what sessions became is in it.
    pub(super) fn finish(mut self, through: Sequence) -> (Vec<Event>, Progress, bool) {
        let changes = self.pipeline.state.resolver.take_changes();
        self.progress.through = through;
        self.progress.identities = changes.identities;
        self.progress.aliases = changes.aliases;
        self.progress.credentials = changes.credentials;
        self.progress.merges = changes.merges;
        self.progress.declared = changes.declared;
        self.progress.findings = self.findings.into_values().collect();
        let detector = &mut self.pipeline.state.detector;
        self.progress.exceptions = detector.take_exceptions();
        self.progress.exceptions_over_before = detector.take_exceptions_forgotten();
        let is_news = through > self.pipeline.stored;
        let tells = is_news && self.pipeline.tells(through);
        if tells {
            self.pipeline.told_at = self.pipeline.ports.clock.now();
            let sessions = self.pipeline.state.detector.take_sessions();
            self.progress.sessions = sessions.sessions;
            self.progress.session_joins = sessions.joins;
            self.progress.blind_sessions = sessions.blind;
        }
        if is_news {
            if self.pipeline.is_snapshot_due(through) {
                let known = self.pipeline.state.detector.take_behaviour();
                self.progress.behaviours = known.identities;
                self.progress.forecasts = known.forecasts;
            }
            let (health, state) = (&mut self.pipeline.health, &self.pipeline.state);
            self.progress.sources = health.take_changed(&state.detector, self.ticked);
        }
        (self.rows, self.progress, tells)
    }

    /// Whether the entry's results are not in the store yet.
    pub(super) fn is_fresh(&self, entry: &StoredEntry) -> bool {
        entry.sequence >= self.pipeline.stored
    }

    /// A record understood at intake.
    fn record(
        &mut self,
        entry: &StoredEntry,
        record: Result<MappedRecord, MapError>,
    ) -> Result<(), PipelineError> {
        let Some(source) = &entry.entry.source else {
            return Ok(());
        };
        self.delivered(source, entry, record.is_ok())?;
        match record {
            Ok(record) => self.events(entry, source, record, &entry.bytes()),
            Err(error) => {
                self.set_aside(entry, source, error.code(), error.to_string());
                Ok(())
            }
        }
    }

    fn events(
        &mut self,
        entry: &StoredEntry,
        source: &SourceName,
        record: MappedRecord,
        bytes: &[u8],
    ) -> Result<(), PipelineError> {
        let Some(facts) = self.pipeline.sources.get(source).map(Arc::clone) else {
            return Ok(());
        };
        if let Some(number) = &record.number {
            let received = entry.entry.received;
            let time = record.events.first().and_then(|event| event.time);
            let of = (&entry.entry.tenant, source);
            let detector = &mut self.pipeline.state.detector;
            detector.number(of, number, time.unwrap_or(received), received);
        }
        let source_uid = record.source_uid;
        for (ordinal, mut mapped) in (0_u32..).zip(record.events) {
            self.pipeline.detection.targets.classify(&mut mapped);
            let place = Place {
                log_origin: self.pipeline.ports.log.origin(),
                entry,
                source,
                source_uid: source_uid.clone(),
                mapping_version: record.mapping_version.clone(),
                ordinal,
            };
            let mut event = seal_event(&self.pipeline.event_key, place, mapped);
            self.observe(&mut event, self.is_fresh(entry), bytes, &facts)?;
            self.rows.push(event);
        }
        Ok(())
    }

    /// Resolves and detects one event; what came of it is stored when it is `fresh`.
    fn observe(
        &mut self,
        event: &mut Event,
        fresh: bool,
        bytes: &[u8],
        source: &SourceFacts,
    ) -> Result<(), PipelineError> {
        let pipeline = &mut *self.pipeline;
        let State {
            resolver,
            detector,
            entitled,
            ..
        } = &mut pipeline.state;
        let resolved = resolver.resolve(event);
        for (kept, merged) in resolver.take_merged() {
            detector.merge(kept, merged);
            entitled.merge(kept, merged);
        }
        if fresh {
            pipeline.health.event(event);
        }
        if let Some(trial) = &mut pipeline.trial {
            trial.event(event, resolved.actor);
        }
        let identity = resolved.actor.and_then(|id| resolver.identity(id));
        detector.assign_session(event, identity);
        let observation = Observation {
            event,
            identity,
            credential: event
                .credential_uid
                .and_then(|uid| resolver.credential(uid)),
            record: bytes,
            source,
        };
        let beyond = resolved.actor.and_then(|id| entitled.beyond(event, id));
        let beyond = beyond.map(|beyond| unentitled(&observation, &beyond));
        let drafts = detector.observe_with(&observation, beyond);
        let provenances = detector.take_provenances();
        for (argument, provenance) in event.mapped.tool_arguments.iter_mut().zip(provenances) {
            argument.provenance = provenance;
        }
        // What a session was told of is needed no longer.
        event.mapped.mentions = Vec::new();
        event.risk_decision = drafts.first().map(FindingDraft::id);
        self.conclude(fresh, drafts)
    }

    /// Keeps what came of an entry: in a trial for its report, else when it is not stored yet.
    fn conclude(&mut self, fresh: bool, drafts: Vec<FindingDraft>) -> Result<(), PipelineError> {
        match &mut self.pipeline.trial {
            Some(trial) => trial.take(drafts),
            None if fresh => self.keep(drafts)?,
            None => {}
        }
        Ok(())
    }

    /// Merges drafts into stored findings; repeats add to the day's finding.
    fn keep(&mut self, drafts: Vec<FindingDraft>) -> Result<(), PipelineError> {
        for draft in drafts {
            let id = draft.id();
            let known = match self.findings.remove(&id) {
                Some(finding) => Some(finding),
                None => match self.pipeline.writing.finding(id) {
                    Some(finding) => Some(finding.clone()),
                    None => self.pipeline.ports.store.finding(id)?,
                },
            };
            let finding = match known {
                Some(mut finding) => {
                    finding.absorb(draft);
                    finding
                }
                None => Finding::new(draft),
            };
            self.findings.insert(id, finding);
        }
        Ok(())
    }

    fn quarantined(&mut self, entry: &StoredEntry) -> Result<(), PipelineError> {
        let Some(source) = entry.entry.source.clone() else {
            return Ok(());
        };
        self.delivered(&source, entry, false)?;
        let (code, reason) = entry.entry.note.split_once(": ").unwrap_or(("unknown", ""));
        self.set_aside(entry, &source, code, reason.to_owned());
        Ok(())
    }

    /// A record of `source` came, whatever becomes of it.
    fn delivered(
        &mut self,
        source: &SourceName,
        entry: &StoredEntry,
        understood: bool,
    ) -> Result<(), PipelineError> {
        let NewEntry {
            tenant, received, ..
        } = &entry.entry;
        let detector = &mut self.pipeline.state.detector;
        let drafts = detector.record(tenant, source, *received, understood);
        if self.is_fresh(entry) {
            self.pipeline.health.record(source, entry);
        }
        self.conclude(self.is_fresh(entry), drafts)
    }

    fn set_aside(&mut self, entry: &StoredEntry, source: &SourceName, code: &str, reason: String) {
        self.pipeline.state.set_aside.insert(entry.sequence);
        if !self.is_fresh(entry) {
            return;
        }
        let tenant = &entry.entry.tenant;
        self.pipeline.health.quarantine(tenant, source);
        self.progress.quarantined.push(Quarantined {
            sequence: entry.sequence,
            tenant: tenant.clone(),
            source: source.clone(),
            code: Text::new(code),
            reason: reason.into(),
            received: entry.entry.received,
            bytes: entry
                .entry
                .parts
                .iter()
                .map(|part| part.bytes.len() as u64)
                .sum(),
            dismissal: None,
        });
    }

    /// A quarantined record whose mapping was fixed: processed as if it had come in now. One that
    /// is not in quarantine (any more) has its events already.
    fn remap(&mut self, entry: &StoredEntry) -> Result<(), PipelineError> {
        let Ok(sequence) = entry.entry.note.parse::<Sequence>() else {
            return Ok(());
        };
        if !self.pipeline.state.set_aside.contains(&sequence) {
            return Ok(());
        }
        let original = match self.pipeline.ports.log.read(sequence, 1) {
            Err(ReadError::Damaged { .. }) => {
                tracing::error!(sequence, "a damaged record stays in quarantine");
                return Ok(());
            }
            read => read?.into_iter().next(),
        };
        let Some(original) = original else {
            return Ok(());
        };
        let sources = (original.entry.source.clone(), entry.entry.source.clone());
        let (Some(waited_as), Some(source)) = sources else {
            return Ok(());
        };
        // The replay may have told another source than the protocol it waited as, and have taken
        // the record out of a shipper's document.
        let bytes = entry.bytes();
        let mapped: Result<MappedRecord, MapError> =
            self.pipeline.ports.mapper.map(&source, &bytes);
        let Ok(record) = mapped else { return Ok(()) };
        self.pipeline.state.set_aside.remove(&sequence);
        if self.is_fresh(entry) {
            let tenant = &entry.entry.tenant;
            self.pipeline.health.release(tenant, &waited_as);
            self.progress.released.push(sequence);
        }
        self.events(
            &StoredEntry {
                sequence: entry.sequence,
                entry: NewEntry {
                    source: Some(source.clone()),
                    parts: entry.entry.parts.clone(),
                    ..original.entry
                },
                ..original
            },
            &source,
            record,
            &bytes,
        )
    }
}
