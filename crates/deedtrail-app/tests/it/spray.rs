//! A spray of invented user names finds its target, and makes nobody up.

use deedtrail_app::pipeline::Pipeline;
use deedtrail_core::id::{AliasUid, SourceName, TenantId};
use deedtrail_core::port::archive::{Archive as _, EventFilter};
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _, NewEntry, Part, PartClass};
use deedtrail_core::port::store::{FindingFilter, IdentityFilter, Store as _};
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::sample::Sample;

use crate::installation::{detection_with, ports};
use crate::rules::built_in;

/// 2026-11-18T12:00:00Z.
const START: Timestamp = Timestamp::from_micros(1_795_003_200_000_000);

/// A sign-in as Okta logs it: the name as it was typed, the id only of accounts that exist.
fn sign_in(second: i64, who: (&str, &str), worked: bool, from: &str) -> NewEntry {
    let at = START.plus_micros(second * Timestamp::SECOND_US);
    let (id, login) = who;
    let result = if worked { "SUCCESS" } else { "FAILURE" };
    let record = serde_json::json!({
        "uuid": format!("{login}-{second}"),
        "published": at.to_rfc3339_millis(),
        "eventType": "user.session.start",
        "actor": { "id": id, "type": "User", "alternateId": login, "displayName": login },
        "client": { "ipAddress": from },
        "outcome": { "result": result },
    });
    NewEntry {
        kind: EntryKind::Record,
        tenant: TenantId::default(),
        source: SourceName::new("okta.system").ok(),
        received: at,
        idempotency_key: Some(format!("{login}-{second}").into()),
        note: "".into(),
        parts: vec![Part {
            class: PartClass::Plain,
            key_id: 0,
            bytes: record.to_string().into_bytes(),
        }],
    }
}

fn run(sample: &Sample, entries: Vec<NewEntry>) {
    sample.log.append(entries).unwrap();
    let detection = detection_with(built_in());
    let mut pipeline = Pipeline::open(ports(sample), detection, [7; 32]).unwrap();
    while pipeline.step().unwrap() {}
    pipeline.close().unwrap();
}

#[test]
fn a_spray_of_invented_names_makes_nobody_up_and_the_guessed_account_is_found() {
    let sample = Sample::empty();
    let ana = ("00u1ana", "ana@example.com");
    let mut entries = vec![sign_in(0, ana, true, "198.51.100.7")];
    for second in 1..=600 {
        let invented = format!("user{second}@example.com");
        entries.push(sign_in(
            second,
            ("unknown", &invented),
            false,
            "203.0.113.9",
        ));
        if second > 590 {
            entries.push(sign_in(second, ana, false, "203.0.113.9"));
        }
    }
    entries.push(sign_in(601, ana, true, "203.0.113.9"));
    let events = entries.len();
    run(&sample, entries);

    let everyone = sample.store.identities(&IdentityFilter::default()).unwrap();
    assert_eq!(everyone.len(), 1, "{everyone:#?}");
    let kept = sample.archive.events(&EventFilter::default(), None, 9_999);
    assert_eq!(kept.unwrap().len(), events, "every attempt is kept");
    let findings = sample.store.findings(&FindingFilter::default(), 9).unwrap();
    let guessed = findings.iter().find(|f| f.draft.kind == "password_guessed");
    let guessed = guessed.unwrap_or_else(|| panic!("{findings:#?}"));
    assert_eq!(guessed.draft.identity, everyone[0].id);
    let made_up = findings.iter().find(|f| f.draft.identity != everyone[0].id);
    assert_eq!(made_up, None);
}

#[test]
fn who_failed_at_first_is_discovered_at_the_first_success_with_all_attempts() {
    let sample = Sample::empty();
    let bob = ("00u2bob", "bob@example.com");
    let entries = vec![
        sign_in(0, bob, false, "198.51.100.7"),
        sign_in(9, bob, true, "198.51.100.7"),
    ];
    run(&sample, entries);
    let everyone = sample.store.identities(&IdentityFilter::default()).unwrap();
    let [bob] = everyone.as_slice() else {
        panic!("{everyone:#?}");
    };
    let aliases = sample.store.aliases_of(bob.id).unwrap();
    let aliases: Vec<AliasUid> = aliases.iter().map(|alias| alias.uid).collect();
    let filter = EventFilter {
        aliases,
        ..EventFilter::default()
    };
    assert_eq!(sample.archive.events(&filter, None, 9).unwrap().len(), 2);
}
