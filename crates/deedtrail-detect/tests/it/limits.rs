//! State stays within its limits, whatever an identity does; hostile values harm nothing.

use std::sync::Arc;

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, Alias, OutcomeClass};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::limits::PROFILE_BYTES_MAX;
use deedtrail_detect::{Detector, Settings};

use crate::builder::{Step, at, identity, logged, observe, rules, run};

#[test]
fn profile_of_the_busiest_identity_stays_below_its_limit() {
    let bot = identity("busy", ActorKind::ServiceAccount);
    let actions = [
        Action::Click,
        Action::Authenticate,
        Action::SecretRead,
        Action::CredentialRotate,
        Action::ConfigChange,
        Action::Enumerate,
        Action::CredentialCreate,
        Action::PrivilegeGrant,
        Action::ConsentGrant,
        Action::LoggingChange,
        Action::Read,
    ];
    let long = "x".repeat(5000);
    let step = |n: i64| {
        let action = actions[usize::try_from(n).unwrap() % actions.len()];
        let outcome = if n % 3 == 0 {
            OutcomeClass::Denied
        } else {
            OutcomeClass::Success
        };
        Step::new(
            &bot,
            at(n / 50, n),
            action,
            &format!("InboxRule role {n} {long}"),
        )
        .on(&format!("{n}/{long}"))
        .kind_of_target(&format!("kind {n} {long}"))
        .ended(outcome)
        .from(&format!("10.{}.{}.1", n % 250, n / 250), n)
        .in_session(&format!("session {n}"))
        .with(|mapped| mapped.user_agent = Some(long.as_str().into()))
    };
    let mut detector = Detector::new(rules(&[]), Settings::default());
    for step in logged((0..4000).map(step).collect()) {
        observe(&mut detector, &step);
    }
    let profile = detector.profile(bot.id).unwrap();
    let bytes = postcard::to_allocvec(&profile).unwrap().len();
    assert!(bytes <= PROFILE_BYTES_MAX, "{bytes} bytes");
    assert!(
        bytes > PROFILE_BYTES_MAX / 4,
        "{bytes} bytes: the test fills the profile"
    );
}

#[test]
fn forgotten_targets_are_no_longer_called_new() {
    let bot = identity("crawler", ActorKind::ServiceAccount);
    let read = |n: i64| Step::new(&bot, at(0, n), Action::Read, "Get").on(&format!("t{n}"));
    let rule = r"
title: New target
logsource:
    product: deedtrail
detection:
    selection:
        first_time_target: true
    condition: selection
";
    let rules = rules(&[("x/new.yml", rule)]);
    let mut detector = Detector::new(Arc::clone(&rules), Settings::default());
    let mut said = Vec::new();
    for (n, step) in logged((0..700).map(read).collect()).iter().enumerate() {
        if !observe(&mut detector, step).is_empty() {
            said.push(n);
        }
    }
    assert_eq!(said, (0..=256).collect::<Vec<_>>());
}

#[test]
fn event_without_an_identity_is_still_judged() {
    let nobody = identity("nobody", ActorKind::Unknown);
    let rule = "title: Any\nlogsource:\n    product: deedtrail\ndetection:\n    s:\n        action: read\n    condition: s\n";
    let rules = rules(&[("x/any.yml", rule)]);
    let mut step = Step::new(&nobody, at(0, 0), Action::Read, "Get");
    step.identity = None;
    step.event.actor_alias_uid = None;
    let mut detector = Detector::new(rules, Settings::default());
    let drafts = observe(&mut detector, &step);
    assert_eq!(drafts.len(), 1);
}

#[test]
fn hostile_values_harm_nothing() {
    let bot = identity("a\u{202e}\n\0", ActorKind::AiAgent);
    let extreme = [i64::MIN, -1, 0, i64::MAX];
    let mut steps = Vec::new();
    for value in extreme {
        for action in [
            Action::Click,
            Action::Authenticate,
            Action::SecretRead,
            Action::CredentialRotate,
            Action::Enumerate,
            Action::CodeChange,
        ] {
            let mut step = Step::new(
                &bot,
                Timestamp::from_micros(value),
                action,
                "\u{0}{actor_name}",
            )
            .on("")
            .from("999.999.999.999", value)
            .using("\n", Timestamp::from_micros(value))
            .record("{\"a\":[[[[1e400]]]]}");
            step.event.mapped.bytes_out = Some(value);
            step.event.mapped.audience_count = Some(value);
            step.event.mapped.target_aliases = vec![Alias {
                namespace: "".into(),
                value: "".into(),
            }];
            steps.push(step);
        }
    }
    let drafts = run(steps);
    assert!(
        drafts
            .iter()
            .all(|draft| !draft.title.contains('\n') && !draft.title.contains('\0'))
    );
}
