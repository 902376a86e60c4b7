//! Events and archives for the tests.

use std::collections::BTreeMap;

use deedtrail_archive::DeltaArchive;
use deedtrail_core::action::Action;
use deedtrail_core::event::{
    ActorKind, Alias, Change, CredentialKind, Delegation, DeviceTrust, Environment, Event,
    EventKind, EvidenceGrade, MappedEvent, OutcomeClass, Plane, PolicyDecision, Provenance,
    Sensitivity, TimeQuality, ToolArgument, Verdict,
};
use deedtrail_core::id::{
    AliasUid, CredentialUid, EventUid, FindingId, Id, ReferenceUid, SessionUid, SourceName,
    TenantId,
};
use deedtrail_core::port::archive::{Archive as _, EventFilter, OutputFormat, QueryBudget};
use deedtrail_core::port::log::Sequence;
use deedtrail_core::time::Timestamp;
use tempfile::TempDir;

pub(crate) const ORIGIN: &str = "example.com/log";
/// 2026-11-18T00:00:00Z.
pub(crate) const START_US: i64 = 1_794_960_000_000_000;

pub(crate) fn archive() -> (TempDir, DeltaArchive) {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(&folder);
    (folder, archive)
}

pub(crate) fn open(folder: &TempDir) -> DeltaArchive {
    DeltaArchive::open(folder.path(), ORIGIN).unwrap()
}

pub(crate) fn alias(value: &str) -> Alias {
    Alias {
        namespace: "email".into(),
        value: value.into(),
    }
}

pub(crate) fn alias_uid(value: &str) -> AliasUid {
    AliasUid::of(&TenantId::default(), "email", value)
}

/// An event with nothing but what is mandatory, one second after its predecessor.
pub(crate) fn event(sequence: Sequence) -> Event {
    let at = Timestamp::from_micros(START_US + i64::try_from(sequence).unwrap() * 1_000_000);
    Event {
        event_uid: EventUid::derive(&[&sequence.to_be_bytes()]),
        log_origin: ORIGIN.into(),
        log_seq: sequence,
        ordinal: 0,
        mapping_version: "00".into(),
        derived_at: sequence,
        tenant: TenantId::default(),
        source: SourceName::new("test.log").unwrap(),
        source_uid: None,
        time_received: at,
        time_effective: at,
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
        mapped: MappedEvent::default(),
    }
}

/// An event by an actor.
pub(crate) fn event_by(sequence: Sequence, actor: &str) -> Event {
    let mut event = event(sequence);
    event.actor_alias_uid = Some(alias_uid(actor));
    event.mapped.actor_ref = Some(actor.into());
    event.mapped.actor_aliases = vec![alias(actor)];
    event.mapped.operation = "GetObject".into();
    event.mapped.action = Action::Read;
    event.mapped.outcome = OutcomeClass::Success;
    event
}

pub(crate) fn events(range: std::ops::Range<Sequence>) -> Vec<Event> {
    range
        .map(|sequence| event_by(sequence, &format!("user{}@example.com", sequence % 7)))
        .collect()
}

/// An event with every field set to something that is not its default.
pub(crate) fn full_event() -> Event {
    Event {
        source_uid: Some("vendor-1".into()),
        ordinal: 3,
        derived_at: 99,
        time_quality: TimeQuality::Suspicious,
        actor_alias_uid: Some(alias_uid("jo@example.com")),
        on_behalf_of_uid: Some(Id::from_bytes([2; 16])),
        credential_uid: Some(CredentialUid::derive(&[b"key"])),
        session_uid: Some(SessionUid::derive(&[b"session"])),
        target_uid: Some(ReferenceUid::derive(&[b"bucket"])),
        device_uid: Some(Id::from_bytes([3; 16])),
        message_uid: Some(Id::from_bytes([4; 16])),
        link_uid: Some(Id::from_bytes([5; 16])),
        risk_decision: Some(FindingId::from_bytes([6; 16])),
        id_conflict: true,
        evidence_grade: EvidenceGrade::B,
        mapped: full_mapped(),
        ..event(42)
    }
}

fn full_mapped() -> MappedEvent {
    MappedEvent {
        kind: EventKind::ToolCall,
        plane: Plane::Agent,
        class_uid: 6003,
        activity_id: 2,
        time: Some(Timestamp::from_micros(START_US - 5)),
        system: "aws".into(),
        account: Some("111122223333".into()),
        duration_ms: Some(12),
        actor_ref: Some("arn:aws:iam::111122223333:user/jo".into()),
        actor_name: Some("Jo \"=x\", Ünïcode\n".into()),
        actor_kind: ActorKind::AiAgent,
        actor_aliases: vec![alias("jo@example.com"), alias("")],
        delegation: vec![Delegation {
            relation: "on_behalf_of".into(),
            alias: alias("al@example.com"),
        }],
        credential_kind: Some(CredentialKind::AccessKey),
        credential_ref: Some("AKIAEXAMPLE".into()),
        session_ref: Some("s-1".into()),
        operation: "s3:GetObject".into(),
        action: Action::SecretRead,
        permission: Some("s3:GetObject".into()),
        command: Some("aws s3 cp ***".into()),
        tool_arguments: vec![
            ToolArgument {
                name: "url".into(),
                provenance: Provenance::ToolOutput,
                value_hash: "ab".into(),
                entities: vec!["url".into(), "host".into()],
            },
            ToolArgument {
                name: "n".into(),
                provenance: Provenance::Unknown,
                value_hash: "cd".into(),
                entities: Vec::new(),
            },
        ],
        approver: Some("boss@example.com".into()),
        change_ticket: Some("CHG-1".into()),
        workload: Some("github-actions".into()),
        meaningful: true,
        ..full_target()
    }
}

/// The second half of the fields.
fn full_target() -> MappedEvent {
    MappedEvent {
        target_kind: Some("bucket".into()),
        target_ref: Some("arn:aws:s3:::payroll".into()),
        target_name: Some("payroll".into()),
        target_aliases: vec![alias("payroll@example.com")],
        target_environment: Environment::Production,
        target_sensitivity: Sensitivity::Secret,
        changes: vec![
            Change {
                path: "a".into(),
                before: None,
                after: Some("".into()),
            },
            Change {
                path: "b".into(),
                before: Some("x".into()),
                after: None,
            },
        ],
        audience_count: Some(i64::MAX),
        bytes_out: Some(0),
        object_count: Some(-1),
        outcome: OutcomeClass::Denied,
        outcome_detail: Some("AccessDenied".into()),
        src_ip: Some("2001:db8::1".into()),
        src_asn: Some(36459),
        src_country: Some("DE".into()),
        src_port: Some(443),
        user_agent: Some("curl/8".into()),
        client_fingerprint: Some("t13d".into()),
        device_ref: Some("laptop-1".into()),
        device_trust: DeviceTrust::Unmanaged,
        message_ref: Some("<m@example.com>".into()),
        link_ref: Some("l-1".into()),
        url_domain: Some("example.net".into()),
        url_hash: Some("ff".into()),
        verdict: Some(Verdict::Block),
        verdict_detail: Some("engine a: bad".into()),
        threat: Some("phish".into()),
        policy_decision: Some(PolicyDecision {
            allowed: false,
            policy_id: Some("p-1".into()),
        }),
        trace_uid: Some("t".into()),
        span_uid: Some("s".into()),
        parent_uid: Some("p".into()),
        labels: BTreeMap::from([("team".into(), "red".into()), ("empty".into(), "".into())]),
        unmapped: vec!["a.b".into(), "c[0]".into()],
        ..MappedEvent::default()
    }
}

pub(crate) fn all() -> EventFilter {
    EventFilter::default()
}

pub(crate) fn other_tenant() -> TenantId {
    TenantId::new("other").unwrap()
}

pub(crate) fn csv(archive: &DeltaArchive, sql: &str) -> String {
    let mut out = Vec::new();
    archive
        .query(
            &TenantId::default(),
            sql,
            OutputFormat::Csv,
            QueryBudget::default(),
            &mut out,
        )
        .unwrap();
    String::from_utf8(out).unwrap()
}

/// Count and number of different uids of all rows a query sees.
pub(crate) fn counts(archive: &DeltaArchive) -> (u64, u64) {
    let text = csv(
        archive,
        "SELECT count(*), count(DISTINCT event_uid) FROM events",
    );
    let (rows, uids) = text.lines().nth(1).unwrap().split_once(',').unwrap();
    (rows.parse().unwrap(), uids.parse().unwrap())
}
