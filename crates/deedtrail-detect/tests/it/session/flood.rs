//! Hostile amounts, and that neither cuts nor restarts change anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, Change, OutcomeClass, Plane};
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::session::{Session, SessionJoin};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::limits::{SESSION_BYTES_MAX, TRACKED_SESSIONS_MAX};
use deedtrail_detect::{Detector, Settings};
use proptest::prelude::*;

use super::{Watch, ana, reads};
use crate::builder::{Step, at, identity, logged, rules};

/// Larger than anything a mapping lets through.
fn monster(number: i64) -> Step {
    let long = |text: &str| format!("{text}-{number}-{}", "x".repeat(8_000));
    let actions = [
        Action::CredentialCreate,
        Action::PrivilegeGrant,
        Action::SecretRead,
        Action::CodeChange,
        Action::Destroy,
        Action::NotifyPeople,
        Action::IdentityCreate,
        Action::MessagePublish,
    ];
    let action = actions[usize::try_from(number).unwrap() % actions.len()];
    Step::new(&ana(), at(0, number % 25), action, &long("operation"))
        .on(&long("target"))
        .with(|mapped| {
            mapped.permission = Some(long("permission").into());
            mapped.approver = Some(long("approver").into());
            mapped.audience_count = Some(i64::MAX);
            mapped.bytes_out = Some(i64::MAX);
            mapped.object_count = Some(-1);
            mapped.src_country = Some(long("country").into());
            mapped.system = long("system").into();
            mapped.changes = (0..50)
                .map(|_| Change {
                    path: long("path").into(),
                    before: Some(long("before").into()),
                    after: None,
                })
                .collect();
        })
        .named_session("one")
}

#[test]
fn a_session_stays_small_whatever_is_in_it() {
    let uid = deedtrail_core::id::SessionUid::derive(&[b"one"]);
    let steps = logged((0..400).map(monster).collect());
    let size = |count: usize| {
        let mut watch = Watch::new();
        for mut step in steps.iter().take(count).cloned() {
            step.event.session_uid = Some(uid);
            watch.step(step);
        }
        watch.take();
        assert_eq!(watch.only().events, count as u64);
        serde_json::to_vec(watch.only()).unwrap().len()
    };
    let full = size(400);
    assert!(full < SESSION_BYTES_MAX, "{full} bytes");
    assert!(size(400) == full && size(8) < full);
}

#[test]
fn a_flood_of_sessions_forgets_the_idle_ones_and_keeps_the_newest() {
    let flood = i64::try_from(TRACKED_SESSIONS_MAX).unwrap() + 500;
    let mut watch = Watch::new();
    let steps = (0..flood).map(|number| {
        let client = format!("client {number}");
        reads(&ana(), at(0, 0).plus_micros(number)).with(|mapped| {
            mapped.user_agent = Some(client.into());
        })
    });
    for step in logged(steps.collect()) {
        watch.step(step);
    }
    watch.take();
    let stored = i64::try_from(watch.sessions.len()).unwrap();
    assert_eq!(stored, flood, "each is stored once");
    let small = watch.detector.snapshot().len() / TRACKED_SESSIONS_MAX;
    assert!(small < 4_096, "{small} bytes each");
    watch.sessions.clear();
    watch.tick(at(3, 0));
    assert!(watch.sessions.len() <= TRACKED_SESSIONS_MAX);
    watch.tick(at(9, 0));
    let left = watch.detector.snapshot().len();
    assert!(left < 16 << 20, "{left} bytes after all were forgotten");
}

/// A step out of small numbers, so that sessions meet.
fn any_step() -> impl Strategy<Value = Step> {
    (
        0..3_usize,
        0..9_usize,
        0..4_000_i64,
        0..4_u8,
        0..3_u8,
        0..3_u8,
    )
        .prop_map(|(who, action, minute, thing, network, outcome)| {
            let kinds = [ActorKind::Human, ActorKind::AiAgent, ActorKind::Workload];
            let actions = [
                Action::Authenticate,
                Action::Read,
                Action::MessagePublish,
                Action::MessageConsume,
                Action::CredentialCreate,
                Action::SecretRead,
                Action::Destroy,
                Action::CodeChange,
                Action::SessionChange,
            ];
            let outcomes = [
                OutcomeClass::Success,
                OutcomeClass::Failure,
                OutcomeClass::Denied,
            ];
            let who = identity(&format!("actor-{who}"), kinds[who]);
            let step = Step::new(&who, at(0, minute), actions[action], "user.session.end")
                .on(&format!("thing-{thing}"))
                .kind_of_target("app")
                .ended(outcomes[usize::from(outcome)])
                .from(&format!("192.0.{network}.1"), 64500 + i64::from(network))
                .with(|mapped| {
                    mapped.system = ["okta", "aws", "kafka"][usize::from(network)].into();
                    if network == 0 {
                        mapped.plane = Plane::IdentityProvider;
                    }
                    if thing == 1 {
                        mapped.trace_uid = Some("0af7651916cd43dd8448eb211c80319c".into());
                    }
                    if thing == 2 {
                        mapped
                            .labels
                            .insert("issued_credential".into(), "key-3".into());
                    }
                });
            let step = step.using(&format!("key-{thing}"), at(-9, 0));
            if thing == 0 {
                step.named_session("session-0000")
            } else {
                step
            }
        })
}

/// Sessions, joins, findings and the state at the end.
type Said = (
    BTreeMap<(String, u64), Session>,
    Vec<SessionJoin>,
    Vec<FindingDraft>,
    Vec<u8>,
);

/// Everything said over a log that is cut at `cuts` into snapshots and at `takes` into steps of the
/// pipeline.
fn said(steps: &[Step], cuts: &[usize], takes: &[usize]) -> Said {
    let none = rules(&[]);
    let mut watch = Watch::new();
    for (place, step) in steps.iter().enumerate() {
        if takes.contains(&place) {
            watch.take();
        }
        if cuts.contains(&place) {
            watch.take();
            let bytes = watch.detector.snapshot();
            watch.detector =
                Detector::restore(Arc::clone(&none), Settings::default(), &bytes).unwrap();
        }
        watch.step(step.clone());
        if place % 7 == 6 {
            let now = steps[..=place]
                .iter()
                .map(|s| s.event.time_effective)
                .max()
                .unwrap();
            watch
                .drafts
                .extend(watch.detector.advance(now.plus_micros(Timestamp::HOUR_US)));
        }
    }
    watch.take();
    let snapshot = watch.detector.snapshot();
    (watch.sessions, watch.joins, watch.drafts, snapshot)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn cuts_and_restarts_change_nothing(
        steps in proptest::collection::vec(any_step(), 1..100),
        cuts in proptest::collection::vec(0..100_usize, 0..5),
        takes in proptest::collection::vec(0..100_usize, 0..20),
    ) {
        let steps = logged(steps);
        let whole = said(&steps, &[], &[]);
        let cut = said(&steps, &cuts, &takes);
        prop_assert_eq!(&whole, &cut);
        let events: u64 = whole.0.values().map(|session| session.events).sum();
        prop_assert!(events <= steps.len() as u64);
        for session in whole.0.values() {
            prop_assert!(session.started <= session.last);
            prop_assert!(session.trust.lowest <= session.trust.score);
            prop_assert!(session.trust.score <= 100);
            prop_assert_eq!(session.trust.steps.last().unwrap().score, session.trust.score);
        }
    }
}
