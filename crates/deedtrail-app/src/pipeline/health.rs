//! Health of each source, counted from the log.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{Event, EvidenceGrade};
use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::log::StoredEntry;
use deedtrail_core::port::store::{Store, StoreError};
use deedtrail_detect::Detector;

/// Counters of every source, and which of them changed since the last save.
#[derive(Debug, Default)]
pub(super) struct Health {
    sources: BTreeMap<Key, SourceHealth>,
    changed: Vec<Key>,
    /// The hour under way when it was last looked at what detection knows of all of them.
    hour: Option<i64>,
}

type Key = (TenantId, SourceName);

impl Health {
    pub(super) fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let sources = store.source_health()?;
        Ok(Self {
            sources: sources
                .into_iter()
                .map(|health| ((health.tenant.clone(), health.source.clone()), health))
                .collect(),
            ..Self::default()
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
        let health = self.of(&entry.entry.tenant, source);
        health.records += 1;
        health.bytes += bytes;
        health.conflicts += u64::from(entry.id_conflict);
        let received = entry.entry.received;
        health.first_received = health.first_received.or(Some(received));
        health.last_received = health.last_received.max(Some(received));
        health.hours.count(received);
    }

    /// Counts records that were sent again.
    pub(super) fn again(&mut self, tenant: &TenantId, source: &SourceName, records: u64) {
        self.of(tenant, source).duplicates += records;
    }

    /// Counts a record that waits in quarantine.
    pub(super) fn quarantine(&mut self, tenant: &TenantId, source: &SourceName) {
        self.of(tenant, source).quarantined += 1;
    }

    /// Takes a record out of quarantine.
    pub(super) fn release(&mut self, tenant: &TenantId, source: &SourceName) {
        let health = self.of(tenant, source);
        health.quarantined = health.quarantined.saturating_sub(1);
    }

    /// A record that waited waits no longer.
    pub(super) fn dismiss(&mut self, tenant: &TenantId, source: &SourceName) {
        let health = self.of(tenant, source);
        health.quarantined = health.quarantined.saturating_sub(1);
        health.dismissed += 1;
    }

    /// A record that was dismissed waits again.
    pub(super) fn restore(&mut self, tenant: &TenantId, source: &SourceName) {
        let health = self.of(tenant, source);
        health.dismissed = health.dismissed.saturating_sub(1);
        health.quarantined += 1;
    }

    /// Counts one derived event.
    pub(super) fn event(&mut self, event: &Event) {
        let missing = event.mapped.missing_facts(event.source_uid.as_ref());
        let health = self.of(&event.tenant, &event.source);
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
        let plane = event.mapped.plane.name();
        health.count_plane(&event.mapped.system, plane, event.time_received);
    }

    /// What changed since the last call, with what `detector` knows of it. As time passes, that
    /// changes of every source: with an hour, or with a tick.
    pub(super) fn take_changed(&mut self, detector: &Detector, ticked: bool) -> Vec<SourceHealth> {
        let mut changed: BTreeSet<Key> = std::mem::take(&mut self.changed).into_iter().collect();
        if ticked || self.hour != detector.hour() {
            self.hour = detector.hour();
            let moved = self.sources.iter().filter(|((tenant, source), health)| {
                health.watched != detector.watched(tenant, source)
            });
            changed.extend(moved.map(|(key, _)| key.clone()));
        }
        let mut healths = Vec::with_capacity(changed.len());
        for key in changed {
            if let Some(health) = self.sources.get_mut(&key) {
                health.watched = detector.watched(&key.0, &key.1);
                healths.push(health.clone());
            }
        }
        healths
    }

    fn of(&mut self, tenant: &TenantId, source: &SourceName) -> &mut SourceHealth {
        let key = (tenant.clone(), source.clone());
        if self.changed.last() != Some(&key) {
            self.changed.push(key.clone());
        }
        let new = || SourceHealth::new(tenant.clone(), source.clone());
        self.sources.entry(key).or_insert_with(new)
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
