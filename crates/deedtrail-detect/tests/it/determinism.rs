//! The same log gives the same findings, wherever a snapshot is taken.

use std::sync::Arc;

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, OutcomeClass};
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::id::TenantId;
use deedtrail_core::time::Timestamp;
use deedtrail_detect::{Detector, Settings};
use proptest::prelude::*;

use crate::builder::{Step, at, identity, logged, observe, rules};

const RULES: &str = r"
title: Refused
name: refused
logsource:
    product: deedtrail
detection:
    selection:
        outcome: denied
    condition: selection
---
title: Refused three times
correlation:
    type: value_count
    rules: [refused]
    group-by: [actor_name]
    timespan: 2d
    condition:
        gte: 2
        field: target_name
";

/// Binds two of the three actors; each part of it is departed from by some steps.
const CHARTER: &str = r#"
charter: actors
identities: ["email:actor-1", "email:actor-2"]
purpose: Acts.
owner: owner@example.com
allow:
  - action: [read, enumerate, code_change]
never:
  - action: privilege_grant
when: { hours: "06:00-20:00" }
from: { networks: ["AS64500", "AS64501"] }
limits: { distinct_targets_per_minute: 1, events_per_hour: 2 }
sequence:
  steps: [code_change, config_change, read]
  must_end_with: read
  strict: true
"#;

/// A step out of small numbers, so that patterns do occur.
fn step((who, action, minute, target, outcome, network): (u8, u8, i64, u8, u8, u8)) -> Step {
    let kind = if who == 0 {
        ActorKind::Human
    } else {
        ActorKind::ServiceAccount
    };
    let who = identity(&format!("actor-{who}"), kind);
    let actions = [
        Action::Authenticate,
        Action::Click,
        Action::SecretRead,
        Action::CredentialRotate,
        Action::Read,
        Action::ConfigChange,
        Action::Enumerate,
        Action::CredentialCreate,
        Action::PrivilegeGrant,
        Action::CodeChange,
    ];
    let outcomes = [
        OutcomeClass::Success,
        OutcomeClass::Failure,
        OutcomeClass::Denied,
    ];
    Step::new(
        &who,
        at(0, minute),
        actions[usize::from(action)],
        "ListRoles",
    )
    .on(&format!("portal-{target}"))
    .ended(outcomes[usize::from(outcome)])
    .from(&format!("192.0.{network}.1"), 64500 + i64::from(network))
    .using(&format!("key-{target}"), at(-200, 0))
    .in_session(&format!("session-{target}"))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = (0..3_u8, 0..10_u8, 0..6000_i64, 0..4_u8, 0..3_u8, 0..3_u8);
    proptest::collection::vec(one, 1..120)
        .prop_map(|all| logged(all.into_iter().map(step).collect()))
}

/// Runs the log; at each place in `cuts` the state goes through bytes. A tick follows every
/// tenth event, and every seventh is the last before the log rests. At each place in `packs` those who
/// were quiet are packed.
fn run(steps: &[Step], cuts: &[usize], packs: &[usize]) -> (Vec<FindingDraft>, Vec<u8>) {
    let rules = rules(&[("x/refused.yml", RULES)]);
    let mut detector = Detector::new(Arc::clone(&rules), Settings::default());
    let tenant = TenantId::default();
    detector.approve_charter(&tenant, CHARTER, 1).unwrap();
    let mut drafts = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        if cuts.contains(&place) {
            let bytes = detector.snapshot();
            detector = Detector::restore(Arc::clone(&rules), Settings::default(), &bytes).unwrap();
            assert_eq!(detector.snapshot(), bytes);
        }
        if packs.contains(&place) {
            detector.pack_quiet();
        }
        drafts.extend(observe(&mut detector, step));
        if place % 10 == 9 {
            let now = steps[..=place]
                .iter()
                .map(|s| s.event.time_effective)
                .max()
                .unwrap();
            drafts.extend(detector.advance(now.plus_micros(Timestamp::MINUTE_US)));
        }
        if place % 7 == 6 {
            drafts.extend(detector.rest());
        }
    }
    (drafts, detector.snapshot())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn snapshots_change_nothing(steps in steps(), cuts in proptest::collection::vec(0..120_usize, 0..6)) {
        prop_assert_eq!(run(&steps, &[], &[]), run(&steps, &cuts, &[]));
    }

    #[test]
    fn packing_changes_nothing(steps in steps(), packs in proptest::collection::vec(0..120_usize, 0..40)) {
        prop_assert_eq!(run(&steps, &[], &[]), run(&steps, &[], &packs));
    }

    #[test]
    fn damaged_snapshots_are_refused_or_read_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut snapshot = b"deedtrail.detect.14\n".to_vec();
        snapshot.extend(&bytes);
        let _read = Detector::restore(rules(&[]), Settings::default(), &snapshot);
        let other = Detector::restore(rules(&[]), Settings::default(), &bytes);
        prop_assert!(other.is_err());
    }
}
