//! Histories that show what a sequence finds and what it does not: one event a line, as JSON.

use deedtrail_core::Text;
use deedtrail_core::event::{
    ActorKind, Alias, Event, EventKind, EvidenceGrade, MappedEvent, OutcomeClass, TimeQuality,
};
use deedtrail_core::id::{
    AliasUid, CredentialUid, EventUid, IdentityId, SessionUid, SourceName, TenantId,
};
use deedtrail_core::identity::{Declared, Identity, IdentityStatus};
use deedtrail_core::time::Timestamp;
use serde::Deserialize;

use super::{Library, Match, Memo, Planted, Watch};
use crate::document::Problem;
use crate::subject::{Subject, cut};

/// One line as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// Minutes since the first event.
    minute: i64,
    /// Name of the identity that acts.
    who: Text,
    #[serde(default)]
    kind: ActorKind,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    session: Option<Text>,
    #[serde(default)]
    new_network: Option<bool>,
    /// Fields of the canonical event (docs/reference/events.md).
    event: MappedEvent,
}

/// One event of a history, with who acted.
#[derive(Clone, Debug)]
pub struct Fixture {
    pub event: Event,
    pub identity: Identity,
    pub network_seen_before: Option<bool>,
}

/// Reads a history. Events are meaningful, successful and acted in `aws` unless they say otherwise.
pub fn events_of(file: &str, text: &str) -> Result<Vec<Fixture>, Problem> {
    let lines = (1_u32..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    let read = |(number, line): (u32, &str)| {
        let problem = |column: usize, message: String| Problem {
            file: file.to_owned(),
            line: number,
            column: u32::try_from(column).unwrap_or(u32::MAX),
            message,
        };
        let line = serde_json::from_str(line)
            .map_err(|error| problem(error.column(), error.to_string()))?;
        let source = SourceName::new("history").map_err(|error| problem(1, error.to_string()))?;
        Ok(fixture(u64::from(number), source, line))
    };
    lines.map(read).collect()
}

fn fixture(number: u64, source: SourceName, line: Line) -> Fixture {
    let start = Timestamp::from_micros(1_772_442_000_000_000);
    let time = start.plus_micros(line.minute.saturating_mul(Timestamp::MINUTE_US));
    let tenant = TenantId::default();
    let alias = AliasUid::of(&tenant, "name", &line.who);
    let mut mapped = line.event;
    mapped.time = Some(time);
    mapped.meaningful = true;
    mapped.actor_name = Some(line.who.clone());
    mapped.actor_kind = line.kind;
    mapped.actor_aliases = vec![Alias {
        namespace: "name".into(),
        value: line.who.clone(),
    }];
    if mapped.outcome == OutcomeClass::Unknown {
        mapped.outcome = OutcomeClass::Success;
    }
    if mapped.system.is_empty() {
        mapped.system = "aws".into();
    }
    if line.kind == ActorKind::AiAgent {
        mapped.kind = EventKind::ToolCall;
    }
    let of = |text: &Option<Text>| {
        text.as_ref()
            .map(|text| CredentialUid::derive(&[text.as_bytes()]))
    };
    Fixture {
        network_seen_before: line.new_network.map(|new| !new),
        identity: identity(&line.who, line.kind, line.read_only, alias),
        event: Event {
            event_uid: EventUid::derive(&[&number.to_le_bytes()]),
            log_origin: "log".into(),
            log_seq: number,
            ordinal: 0,
            mapping_version: "1".into(),
            derived_at: number,
            tenant,
            source,
            source_uid: None,
            time_received: time,
            time_effective: time,
            time_quality: TimeQuality::Vendor,
            actor_alias_uid: Some(alias),
            on_behalf_of_uid: None,
            credential_uid: of(&mapped.credential_ref),
            session_uid: line
                .session
                .map(|text| SessionUid::derive(&[text.as_bytes()])),
            target_uid: None,
            device_uid: None,
            message_uid: None,
            link_uid: None,
            risk_decision: None,
            id_conflict: false,
            evidence_grade: EvidenceGrade::A,
            mapped,
        },
    }
}

fn identity(name: &Text, kind: ActorKind, read_only: bool, alias: AliasUid) -> Identity {
    Identity {
        id: IdentityId::discovered(alias),
        tenant: TenantId::default(),
        kind,
        name: name.clone(),
        status: IdentityStatus::Active,
        discovered: false,
        first_alias: alias,
        created: None,
        first_seen: None,
        last_seen: None,
        declared: Declared {
            read_only,
            ..Declared::default()
        },
    }
}

impl Fixture {
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            event: &self.event,
            identity: Some(&self.identity),
            network_seen_before: self.network_seen_before,
            describe,
        }
    }
}

fn describe(event: &Event) -> String {
    let mapped = &event.mapped;
    let target = mapped.target_name.as_ref().or(mapped.target_ref.as_ref());
    format!(
        "{} on {}",
        mapped.operation,
        cut(target.map_or("nothing", |target| target.as_str()), 80)
    )
}

impl Library {
    /// What it finds in a history.
    pub fn run(&self, history: &[Fixture]) -> Vec<Match> {
        let mut watches = std::collections::BTreeMap::<IdentityId, Watch>::new();
        let (mut planted, mut memo) = (Planted::default(), Memo::default());
        let found = history.iter().flat_map(|fixture| {
            let watch = watches.entry(fixture.identity.id).or_default();
            self.observe(&fixture.subject(), watch, &mut planted, &mut memo)
        });
        found.collect()
    }
}
