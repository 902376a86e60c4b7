//! Hour, network, client, credential, volume, bursts: each with its negative control.

use deedtrail_behaviour::{Assessment, TermKind};
use deedtrail_core::event::{Event, TimeQuality};
use deedtrail_core::id::{CredentialUid, ReferenceUid};
use deedtrail_core::time::Timestamp;

use crate::builder::{Told, guarded};

/// An event as the office's deploy key sends it.
fn at_work(event: &mut Event) {
    event.time_quality = TimeQuality::Vendor;
    event.mapped.time = Some(event.time_effective);
    event.mapped.src_ip = Some("192.0.2.10".into());
    event.mapped.src_asn = Some(64_500);
    event.mapped.src_country = Some("DE".into());
    event.mapped.user_agent = Some("runner/2.311.0".into());
    event.credential_uid = Some(CredentialUid::from_bytes([1; 16]));
    event.target_uid = Some(ReferenceUid::from_bytes([1; 16]));
    event.mapped.bytes_out = Some(4_096);
}

/// Sixty working days of three sessions each, at 9, 12 and 15. Counts are halved twice meanwhile.
fn employed() -> Told {
    let mut told = Told::new(guarded(0.01));
    for day in 0..84 {
        if day % 7 < 5 {
            for hour in [0, 3, 6] {
                told.at = at(day, hour);
                told.session_with(1, &["checkout", "build", "deploy"], at_work);
            }
        }
    }
    told.at = at(84, 0);
    told
}

fn at(day: i64, hour: i64) -> Timestamp {
    let start = Timestamp::from_micros(crate::builder::START_US);
    start.plus_micros(day * Timestamp::DAY_US + hour * Timestamp::HOUR_US)
}

/// The kinds told beside sequence and shape, and the sentence of the first.
fn told_of(assessment: &Assessment) -> (Vec<TermKind>, String) {
    let besides = |kind: TermKind| !matches!(kind, TermKind::Sequence | TermKind::Shape);
    let terms: Vec<_> = assessment
        .terms
        .iter()
        .filter(|term| besides(term.kind))
        .collect();
    let kinds = terms.iter().map(|term| term.kind).collect();
    (
        kinds,
        terms
            .first()
            .map_or_else(String::new, |term| term.sentence.clone()),
    )
}

fn work(told: &mut Told, change: impl Fn(&mut Event)) -> Assessment {
    told.session_with(1, &["checkout", "build", "deploy"], |event| {
        at_work(event);
        change(event);
    })
}

#[test]
fn usual_circumstances_say_nothing() {
    let mut told = employed();
    let assessment = work(&mut told, |_| {});
    assert_eq!(told_of(&assessment).0, []);
    // A new version of the client, another host of the same network: nothing new.
    let assessment = work(&mut told, |event| {
        event.mapped.user_agent = Some("runner/2.312.1".into());
        event.mapped.src_ip = Some("192.0.2.99".into());
    });
    assert_eq!(told_of(&assessment).0, []);
}

#[test]
fn unusual_hour_is_told() {
    let mut told = employed();
    told.at = at(89, 18);
    let (kinds, sentence) = told_of(&work(&mut told, |_| {}));
    assert_eq!(kinds, [TermKind::Hour]);
    assert_eq!(
        sentence,
        "Sunday 03:00 UTC: never in 105 hours with activity"
    );
}

#[test]
fn time_of_receipt_says_nothing_about_hours_or_volume() {
    let mut told = employed();
    told.at = at(89, 18);
    let receipt = |event: &mut Event| {
        event.time_quality = TimeQuality::Receipt;
        event.mapped.time = None;
        event.mapped.bytes_out = Some(i64::MAX);
    };
    assert_eq!(told_of(&work(&mut told, receipt)).0, []);
}

#[test]
fn new_country_costs_more_than_a_new_network_of_the_known_provider() {
    let mut told = employed();
    let nats = |assessment: &Assessment| -> f64 {
        let network = assessment
            .terms
            .iter()
            .filter(|term| term.kind == TermKind::Network);
        network.map(|term| term.nats).sum()
    };
    let near = told.engine.clone();
    let abroad = work(&mut told, |event| {
        event.mapped.src_ip = Some("198.51.100.7".into());
        event.mapped.src_asn = Some(64_999);
        event.mapped.src_country = Some("KP".into());
    });
    told.engine = near;
    let beside = work(&mut told, |event| {
        event.mapped.src_ip = Some("192.0.3.7".into());
    });
    assert!(
        nats(&abroad) > nats(&beside) + 2.0,
        "{abroad:#?} {beside:#?}"
    );
    let (kinds, sentence) = told_of(&abroad);
    assert_eq!(kinds, [TermKind::Network]);
    assert_eq!(
        sentence,
        "network 198.51.100.0/24: never in 98 sessions, KP: never in 98 sessions, \
         AS64999: never in 98 sessions"
    );
}

#[test]
fn new_client_and_new_credential_are_told() {
    let mut told = employed();
    let assessment = work(&mut told, |event| {
        event.mapped.user_agent = Some("curl/8.5".into());
        event.credential_uid = Some(CredentialUid::from_bytes([2; 16]));
    });
    let (mut kinds, _) = told_of(&assessment);
    kinds.sort_unstable();
    assert_eq!(kinds, [TermKind::Client, TermKind::Credential]);
}

#[test]
fn large_transfer_is_told_with_what_is_usual() {
    let mut told = employed();
    let assessment = work(&mut told, |event| event.mapped.bytes_out = Some(500 << 20));
    let (kinds, sentence) = told_of(&assessment);
    assert!(kinds.contains(&TermKind::Volume), "{assessment:#?}");
    assert!(sentence.contains("KiB out"), "{sentence}");
}

#[test]
fn many_targets_within_seconds_are_a_burst() {
    let mut told = employed();
    let session = told.begin();
    let mut last = None;
    for number in 0..300_u16 {
        let event = told.event("read", |event| {
            at_work(event);
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            event.target_uid = Some(ReferenceUid::from_bytes(bytes));
        });
        last = told.observe(1, session, &event).or(last);
        told.at = told.at.plus_micros(25_000);
    }
    let ended = told.engine.end(session).unwrap();
    let (kinds, _) = told_of(&ended);
    assert!(kinds.contains(&TermKind::Burst), "{ended:#?}");
    assert!(last.is_some(), "told while it goes on");
}
