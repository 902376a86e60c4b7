//! Our detector: rules chosen once for a source, evaluated on what the pipeline hands it.

use std::sync::Arc;

use deedtrail_core::event::{Event, EvidenceGrade, MappedEvent, TimeQuality};
use deedtrail_core::id::{EventUid, TenantId};
use deedtrail_core::port::mapper::{Mapper as _, SourceFacts};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::{Detector, Observation, RuleFile, RuleSet, Settings};
use deedtrail_sources::Registry;

pub struct Rules {
    set: Arc<RuleSet>,
}

impl Rules {
    /// The rules, and how many files have a mistake that keeps them out.
    pub fn load(files: &[RuleFile]) -> (Self, usize) {
        let (set, problems) = RuleSet::load(files);
        (Self { set: Arc::new(set) }, problems.len())
    }

    pub fn none() -> Self {
        Self {
            set: Arc::default(),
        }
    }

    pub fn count(&self) -> usize {
        self.set.rules().len()
    }

    /// Drafts of findings of a new detector over all records.
    pub fn run(&self, source: &SourceFacts, observed: &[(Event, &[u8])]) -> usize {
        let mut detector = Detector::new(Arc::clone(&self.set), Settings::default());
        let drafts = |(event, record): &(Event, &[u8])| {
            let observation = Observation {
                event,
                identity: None,
                credential: None,
                record,
                source,
            };
            detector.observe(&observation).len()
        };
        observed.iter().map(drafts).sum()
    }
}

/// The first event of each record, with the record.
pub fn observe<'r>(
    registry: &Registry,
    source: &SourceFacts,
    records: &'r [Vec<u8>],
) -> Vec<(Event, &'r [u8])> {
    let mut observed = Vec::with_capacity(records.len());
    for (number, record) in (0..).zip(records) {
        let mapped = registry.map(&source.name, record);
        let first = mapped
            .ok()
            .and_then(|mapped| mapped.events.into_iter().next());
        if let Some(mapped) = first {
            observed.push((event(source, number, mapped), record.as_slice()));
        }
    }
    observed
}

fn event(source: &SourceFacts, number: u64, mapped: MappedEvent) -> Event {
    let time = mapped.time.unwrap_or(Timestamp::from_micros(0));
    Event {
        event_uid: EventUid::derive(&[&number.to_le_bytes()]),
        log_origin: "log".into(),
        log_seq: number,
        ordinal: 0,
        mapping_version: source.mapping_version.as_str().into(),
        derived_at: number,
        tenant: TenantId::default(),
        source: source.name.clone(),
        source_uid: None,
        time_received: time,
        time_effective: time,
        time_quality: TimeQuality::Vendor,
        actor_alias_uid: None,
        on_behalf_of_uid: None,
        credential_uid: None,
        session_uid: None,
        target_uid: None,
        device_uid: None,
        message_uid: None,
        link_uid: None,
        risk_decision: None,
        id_conflict: false,
        evidence_grade: EvidenceGrade::A,
        mapped,
    }
}
