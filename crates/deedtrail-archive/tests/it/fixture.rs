//! Events and archives for the tests.

use std::collections::BTreeMap;

use deedtrail_archive::DeltaArchive;
use deedtrail_core::Text;
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
pub(crate) const START_US: i64 = 1_795_651_200_000_000;

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

fn some(text: &str) -> Option<Text> {
    Some(text.into())
}

fn id<K>(byte: u8) -> Option<Id<K>> {
    Some(Id::from_bytes([byte; 16]))
}

/// An event with every field set to something that is not its default.
pub(crate) fn full_event() -> Event {
    Event {
        source_uid: some("vendor-1"),
        ordinal: 3,
        derived_at: 99,
        time_quality: TimeQuality::Suspicious,
        actor_alias_uid: Some(alias_uid("jo@example.com")),
        on_behalf_of_uid: id(2),
        credential_uid: Some(CredentialUid::derive(&[b"key"])),
        session_uid: Some(SessionUid::derive(&[b"session"])),
        target_uid: Some(ReferenceUid::derive(&[b"bucket"])),
        device_uid: id(3),
        message_uid: id(4),
        link_uid: id(5),
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
        account: some("111122223333"),
        duration_ms: Some(12),
        actor_ref: some("arn:aws:iam::111122223333:user/jo"),
        actor_name: some("Jo \"=x\", Ünïcode\n"),
        actor_kind: ActorKind::AiAgent,
        actor_aliases: vec![alias("jo@example.com"), alias("")],
        delegation: vec![Delegation {
            relation: "on_behalf_of".into(),
            alias: alias("al@example.com"),
        }],
        credential_kind: Some(CredentialKind::AccessKey),
        credential_ref: some("AKIAEXAMPLE"),
        session_ref: some("s-1"),
        operation: "s3:GetObject".into(),
        action: Action::SecretRead,
        permission: some("s3:GetObject"),
        command: some("aws s3 cp ***"),
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
        approver: some("boss@example.com"),
        change_ticket: some("CHG-1"),
        workload: some("github-actions"),
        meaningful: true,
        target_kind: some("bucket"),
        target_ref: some("arn:aws:s3:::payroll"),
        target_name: some("payroll"),
        target_aliases: vec![alias("payroll@example.com")],
        target_environment: Environment::Production,
        target_sensitivity: Sensitivity::Secret,
        changes: vec![
            Change {
                path: "a".into(),
                before: None,
                after: some(""),
            },
            Change {
                path: "b".into(),
                before: some("x"),
                after: None,
            },
        ],
        audience_count: Some(i64::MAX),
        bytes_out: Some(0),
        object_count: Some(-1),
        outcome: OutcomeClass::Denied,
        outcome_detail: some("AccessDenied"),
        src_ip: some("2001:db8::1"),
        src_asn: Some(36459),
        src_country: some("DE"),
        src_port: Some(443),
        user_agent: some("curl/8"),
        client_fingerprint: some("t13d"),
        device_ref: some("laptop-1"),
        device_trust: DeviceTrust::Unmanaged,
        message_ref: some("<m@example.com>"),
        link_ref: some("l-1"),
        url_domain: some("example.net"),
        url_hash: some("ff"),
        verdict: Some(Verdict::Block),
        verdict_detail: some("engine a: bad"),
        threat: some("phish"),
        policy_decision: Some(PolicyDecision {
            allowed: false,
            policy_id: some("p-1"),
        }),
        trace_uid: some("t"),
        span_uid: some("s"),
        parent_uid: some("p"),
        labels: BTreeMap::from([("team".into(), "red".into()), ("empty".into(), "".into())]),
        unmapped: vec!["a.b".into(), "c[0]".into()],
    }
}

pub(crate) fn all() -> EventFilter {
    EventFilter::default()
}

pub(crate) fn csv(archive: &DeltaArchive, sql: &str) -> String {
    let mut out = Vec::new();
    archive
        .query(sql, OutputFormat::Csv, QueryBudget::default(), &mut out)
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
