//! Health of each source, counted from the log.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{Event, EvidenceGrade};
use deedtrail_core::health::{SourceHealth, Watched};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::log::StoredEntry;
use deedtrail_core::port::store::{Store, StoreError};

/// Counters of every source, and which of them changed since the last save.
#[derive(Debug, Default)]
pub(super) struct Health {
    sources: BTreeMap<SourceName, SourceHealth>,
    changed: Vec<SourceName>,
}

impl Health {
    pub(super) fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let sources = store.source_health()?;
        Ok(Self {
            sources: sources
                .into_iter()
                .map(|health| (health.source.clone(), health))
                .collect(),
            changed: Vec::new(),
        })
    }

    /// Counts a record of `source`.
    pub(super) fn record(&mut self, source: &SourceName, entry: &StoredEntry) {
        let bytes: u64 = entry
            .entry
            .parts
            .iter()
            .map(|part| part.bytes.len() as u64)
            .sum();
        let health = self.of(source);
        health.records += 1;
        health.bytes += bytes;
        health.conflicts += u64::from(entry.id_conflict);
        let received = entry.entry.received;
        health.first_received = health.first_received.or(Some(received));
        health.last_received = health.last_received.max(Some(received));
        health.hours.count(received);
    }

    /// Counts a record that waits in quarantine.
    pub(super) fn quarantine(&mut self, source: &SourceName) {
        self.of(source).quarantined += 1;
    }

    /// Takes a record out of quarantine.
    pub(super) fn release(&mut self, source: &SourceName) {
        let health = self.of(source);
        health.quarantined = health.quarantined.saturating_sub(1);
    }

    /// Counts one derived event.
    pub(super) fn event(&mut self, event: &Event) {
        let missing = event.mapped.missing_facts(event.source_uid.as_ref());
        let health = self.of(&event.source);
        health.events += 1;
        health.last_event = health.last_event.max(event.mapped.time);
        health.grades[grade_place(event.evidence_grade)] += 1;
        health.other_actions += u64::from(event.mapped.action == Action::Other);
        for fact in missing {
            *health.missing.entry(Text::new_static(fact)).or_default() += 1;
        }
        if let Some(time) = event.mapped.time {
            health.first_event = Some(health.first_event.map_or(time, |first| first.min(time)));
            health.lag.count(event.time_received.micros_since(time));
        }
        health.count_plane(&event.mapped.system, event.mapped.plane.name());
    }

    /// What changed since the last call, with what detection knows of it.
    pub(super) fn take_changed(
        &mut self,
        watched: impl Fn(&SourceName) -> Watched,
    ) -> Vec<SourceHealth> {
        let mut names = std::mem::take(&mut self.changed);
        names.sort_unstable();
        names.dedup();
        let mut changed = Vec::with_capacity(names.len());
        for name in names {
            if let Some(health) = self.sources.get_mut(&name) {
                health.watched = watched(&name);
                changed.push(health.clone());
            }
        }
        changed
    }

    fn of(&mut self, source: &SourceName) -> &mut SourceHealth {
        if self.changed.last() != Some(source) {
            self.changed.push(source.clone());
        }
        self.sources
            .entry(source.clone())
            .or_insert_with(|| SourceHealth::new(source.clone()))
    }
}

const fn grade_place(grade: EvidenceGrade) -> usize {
    match grade {
        EvidenceGrade::A => 0,
        EvidenceGrade::B => 1,
        EvidenceGrade::C => 2,
        EvidenceGrade::D => 3,
    }
}
