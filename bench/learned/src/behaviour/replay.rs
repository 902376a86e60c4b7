//! Sessions of symbols as canonical events of one identity, through the engine's public interface.

use std::time::Instant;

use deedtrail_behaviour::{Assessment, Behaviour, Settings, Step, Subject};
use deedtrail_core::event::{
    ActorKind, Event, EvidenceGrade, MappedEvent, OutcomeClass, TimeQuality,
};
use deedtrail_core::id::{EventUid, IdentityId, SessionUid, SourceName, TenantId};
use deedtrail_core::time::Timestamp;

/// Between the starts of two sessions.
pub const SESSION_GAP_US: i64 = 2 * Timestamp::MINUTE_US;

/// One identity whose sessions come one after the other.
pub struct Replay {
    pub engine: Behaviour,
    event: Event,
    identity: IdentityId,
    sessions: u64,
    events: u64,
}

impl Replay {
    pub fn new(settings: Settings) -> Self {
        Self {
            engine: Behaviour::new(settings),
            event: template(),
            identity: IdentityId::from_bytes([1; 16]),
            sessions: 0,
            events: 0,
        }
    }

    pub fn identity(&self) -> IdentityId {
        self.identity
    }

    /// Observes and ends one session.
    pub fn session(&mut self, operations: &[String]) -> Assessment {
        let session = self.begin();
        for operation in operations {
            self.observe(session, operation);
        }
        self.engine.end(session).expect("the session was open")
    }

    /// The same, with the nanoseconds of each event added to `each`.
    pub fn timed_session(&mut self, operations: &[String], each: &mut Vec<u64>) {
        let session = self.begin();
        for operation in operations {
            let start = Instant::now();
            self.observe(session, operation);
            each.push(start.elapsed().as_nanos() as u64);
        }
        self.engine.end(session);
    }

    fn begin(&mut self) -> SessionUid {
        self.sessions += 1;
        let at = 1_700_000_000_000_000 + SESSION_GAP_US * self.sessions as i64;
        self.event.time_effective = Timestamp::from_micros(at);
        self.event.time_received = self.event.time_effective;
        SessionUid::from_bytes(u128::from(self.sessions).to_be_bytes())
    }

    fn observe(&mut self, session: SessionUid, operation: &str) {
        self.events += 1;
        self.event.event_uid = EventUid::from_bytes(u128::from(self.events).to_be_bytes());
        self.event.mapped.operation = operation.into();
        let subject = Subject {
            identity: self.identity,
            kind: ActorKind::Workload,
            peer_group: "",
            declared_tools: &[],
        };
        self.engine.observe(&Step {
            event: &self.event,
            session,
            subject,
        });
    }
}

fn template() -> Event {
    Event {
        event_uid: EventUid::from_bytes([0; 16]),
        log_origin: "bench".into(),
        log_seq: 0,
        ordinal: 0,
        mapping_version: "1".into(),
        derived_at: 0,
        tenant: TenantId::default(),
        source: SourceName::new("bench.log").expect("a name"),
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
