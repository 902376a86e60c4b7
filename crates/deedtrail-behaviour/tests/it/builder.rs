//! Sessions of one identity, event by event.

use deedtrail_behaviour::{Assessment, Behaviour, Budget, Learning, Settings, Step, Subject};
use deedtrail_core::event::{
    ActorKind, Event, EvidenceGrade, MappedEvent, OutcomeClass, TimeQuality,
};
use deedtrail_core::id::{EventUid, IdentityId, SessionUid, SourceName, TenantId};
use deedtrail_core::time::Timestamp;

/// Monday, 2 November 2026, 09:00 UTC.
pub(crate) const START_US: i64 = 1_793_610_000_000_000;
/// What the pipeline of the tests does.
pub(crate) const USUAL: [&str; 5] = ["checkout", "build", "test", "deploy", "verify"];

pub(crate) fn identity(number: u8) -> IdentityId {
    IdentityId::from_bytes([number; 16])
}

pub(crate) fn guarded(share: f64) -> Settings {
    Settings {
        budget: Budget::Share(share),
        learning: Learning::Guarded,
        floor_nats: 3.0,
    }
}

/// An engine and what it was told last.
pub(crate) struct Told {
    pub(crate) engine: Behaviour,
    pub(crate) at: Timestamp,
    pub(crate) group: &'static str,
    pub(crate) kind: ActorKind,
    sessions: u64,
    events: u64,
}

impl Told {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            engine: Behaviour::new(settings),
            at: Timestamp::from_micros(START_US),
            group: "",
            kind: ActorKind::Workload,
            sessions: 0,
            events: 0,
        }
    }

    /// An engine that has seen `count` usual sessions of identity 1, one every ten minutes.
    pub(crate) fn trained(settings: Settings, count: usize) -> Self {
        let mut told = Self::new(settings);
        for _ in 0..count {
            told.session(1, &USUAL);
        }
        told
    }

    pub(crate) fn begin(&mut self) -> SessionUid {
        self.sessions += 1;
        SessionUid::from_bytes(u128::from(self.sessions).to_be_bytes())
    }

    /// An event of now; `change` sets what the test is about.
    pub(crate) fn event(&mut self, operation: &str, change: impl FnOnce(&mut Event)) -> Event {
        self.events += 1;
        let mut event = blank();
        event.event_uid = EventUid::from_bytes(u128::from(self.events).to_be_bytes());
        event.time_received = self.at;
        event.time_effective = self.at;
        event.mapped.operation = operation.into();
        change(&mut event);
        event
    }

    pub(crate) fn observe(
        &mut self,
        who: u8,
        session: SessionUid,
        event: &Event,
    ) -> Option<Assessment> {
        let subject = Subject {
            identity: identity(who),
            kind: self.kind,
            peer_group: self.group,
            declared_tools: &[],
        };
        self.engine.observe(&Step {
            event,
            session,
            subject,
        })
    }

    /// Observes a session and ends it; the next one comes ten minutes later.
    pub(crate) fn session(&mut self, who: u8, operations: &[&str]) -> Assessment {
        self.session_with(who, operations, |_| {})
    }

    pub(crate) fn session_with(
        &mut self,
        who: u8,
        operations: &[&str],
        change: impl Fn(&mut Event),
    ) -> Assessment {
        let session = self.begin();
        for operation in operations {
            let event = self.event(operation, &change);
            self.observe(who, session, &event);
            self.at = self.at.plus_micros(Timestamp::SECOND_US);
        }
        self.at = self.at.plus_micros(10 * Timestamp::MINUTE_US);
        self.engine.end(session).unwrap()
    }

    pub(crate) fn next_day(&mut self) {
        self.at = self.at.plus_micros(Timestamp::DAY_US);
    }
}

fn blank() -> Event {
    Event {
        event_uid: EventUid::from_bytes([0; 16]),
        log_origin: "test".into(),
        log_seq: 0,
        ordinal: 0,
        mapping_version: "1".into(),
        derived_at: 0,
        tenant: TenantId::default(),
        source: SourceName::new("test.log").unwrap(),
        source_uid: None,
        time_received: Timestamp::default(),
        time_effective: Timestamp::default(),
        time_quality: TimeQuality::Receipt,
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
        evidence_grade: EvidenceGrade::D,
        mapped: MappedEvent {
            outcome: OutcomeClass::Success,
            ..MappedEvent::default()
        },
    }
}

/// The sentences of an assessment.
pub(crate) fn sentences(assessment: &Assessment) -> Vec<&str> {
    assessment
        .terms
        .iter()
        .map(|term| term.sentence.as_str())
        .collect()
}
