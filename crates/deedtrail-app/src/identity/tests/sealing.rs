//! Ids, times and grades of sealed events.

use deedtrail_core::event::{EvidenceGrade, MappedEvent, TimeQuality};
use deedtrail_core::id::{AliasUid, TenantId};
use deedtrail_core::time::Timestamp;

use super::events::{acting_for, alias, by, entry, sealed, second, with_key};
use crate::identity::seal;

#[test]
fn an_event_id_depends_on_tenant_source_key_revision_and_ordinal_only() {
    let event = sealed(1, by(&["email:ana@example.com"]));
    let remapped = sealed(1, by(&["email:bob@example.com"]));
    assert_eq!(event.event_uid, remapped.event_uid);
    assert_ne!(event.event_uid, sealed(2, by(&[])).event_uid);
    let mut second_content = entry(1);
    second_content.revision = 1;
    let place = |entry, ordinal| crate::identity::Place {
        log_origin: "elsewhere.example",
        entry,
        source: &event.source,
        source_uid: None,
        mapping_version: "m2".into(),
        ordinal,
    };
    let uid = |entry, key: &[u8; 32], ordinal| {
        seal::seal_event(key, place(entry, ordinal), MappedEvent::default()).event_uid
    };
    let first = entry(1);
    assert_eq!(uid(&first, &super::events::KEY, 0), event.event_uid);
    assert_ne!(
        uid(&second_content, &super::events::KEY, 0),
        event.event_uid
    );
    assert_ne!(uid(&first, &super::events::KEY, 1), event.event_uid);
    assert_ne!(uid(&first, &[8; 32], 0), event.event_uid);
}

#[test]
fn time_is_the_vendors_unless_absent_or_a_day_ahead() {
    let received = second(1_000);
    let check = |time: Option<Timestamp>, effective, quality| {
        let event = sealed(
            1,
            MappedEvent {
                time,
                ..by(&["email:a@b.example"])
            },
        );
        assert_eq!(
            (event.time_effective, event.time_quality),
            (effective, quality)
        );
        assert_eq!(event.mapped.time, time);
    };
    check(None, received, TimeQuality::Receipt);
    check(Some(second(5)), second(5), TimeQuality::Vendor);
    let day_ahead = received.plus_micros(Timestamp::DAY_US);
    check(Some(day_ahead), day_ahead, TimeQuality::Vendor);
    check(
        Some(day_ahead.plus_micros(1)),
        received,
        TimeQuality::Suspicious,
    );
}

#[test]
fn a_shared_name_does_not_file_an_event_when_an_account_id_can() {
    let uid = |text: &str| {
        let alias = alias(text);
        Some(AliasUid::of(
            &TenantId::default(),
            &alias.namespace,
            &alias.value,
        ))
    };
    let event = sealed(1, by(&["name:Ana", "okta.id:00u1", "email:a@b.example"]));
    assert_eq!(event.actor_alias_uid, uid("okta.id:00u1"));
    assert_eq!(
        sealed(1, by(&["name:Ana"])).actor_alias_uid,
        uid("name:Ana")
    );
    assert_eq!(sealed(1, by(&[])).actor_alias_uid, None);
}

#[test]
fn a_session_named_after_a_person_is_theirs() {
    let check = |session: &str, namespace: &str| {
        let role = by(&["aws.arn:arn:aws:iam::1:role/ops"]);
        let event = sealed(1, acting_for(&[("assumed_role", session)], role));
        assert_eq!(
            event.mapped.delegation[0].alias.namespace, namespace,
            "{session}"
        );
    };
    check("aws.role_session:ana@example.com", "email");
    check("aws.role_session:botocore-session-1", "aws.role_session");
    check("aws.role_session:a@b", "aws.role_session");
    check("aws.role_session:a@b@c.example", "aws.role_session");
    check("aws.role_session:@example.com", "aws.role_session");
    check("aws.unique_id:ana@example.com", "aws.unique_id");
}

#[test]
fn an_agent_acts_for_the_person_not_for_its_own_account() {
    let links = [
        ("deployed_as", "gcp.email:bot@x.example"),
        ("on_behalf_of", "email:a@b.example"),
    ];
    let event = sealed(1, acting_for(&links, by(&["agent.id:a1"])));
    assert_eq!(
        event.on_behalf_of_uid,
        Some(AliasUid::of(&event.tenant, "email", "a@b.example"))
    );
    assert_eq!(event.mapped.delegation.len(), 2);
}

#[test]
fn grade_and_credential_come_with_the_seal() {
    let event = sealed(1, with_key("AKIA1", by(&["email:a@b.example"])));
    assert_eq!(event.evidence_grade, EvidenceGrade::B);
    assert_eq!(
        event.credential_uid,
        sealed(9, with_key("AKIA1", by(&[]))).credential_uid
    );
    assert_ne!(
        event.credential_uid,
        sealed(1, with_key("AKIA2", by(&[]))).credential_uid
    );
    assert!(!format!("{:?}", event.credential_uid).contains("AKIA"));
}
