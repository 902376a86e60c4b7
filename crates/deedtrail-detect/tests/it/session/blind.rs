//! Sign-ins into systems that say nothing.

use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, OutcomeClass};
use deedtrail_core::finding::Severity;

use super::{Watch, ana, opens, pushes, reads, robot, signs_in};
use crate::builder::{Step, at, identity, kinds};

#[test]
fn a_sign_in_into_a_system_without_a_feed_is_blind() {
    let mut watch = Watch::over(vec![opens(&ana(), at(0, 0), "Salesforce")]);
    assert_eq!(kinds(&watch.drafts), [""; 0]);
    watch.tick(at(0, 3));
    assert_eq!(kinds(&watch.drafts), ["blind_session"]);
    assert_eq!(watch.drafts[0].severity, Severity::Low);
    assert!(
        watch.drafts[0].title.contains("Salesforce"),
        "{:?}",
        watch.drafts
    );
    let [row] = &watch.blind[..] else {
        panic!("{:?}", watch.blind);
    };
    assert_eq!((row.sign_ins, row.silent_since), (1, None));
    watch.step(opens(&ana(), at(1, 0), "Salesforce"));
    watch.tick(at(1, 3));
    assert_eq!(watch.drafts.len(), 1, "said once in 30 days");
    assert_eq!(watch.blind[0].sign_ins, 2);
    watch.step(opens(&ana(), at(40, 0), "Salesforce"));
    watch.tick(at(40, 3));
    assert_eq!(watch.drafts.len(), 2);
}

#[test]
fn a_sign_in_that_comes_late_does_not_let_a_system_be_told_again() {
    let mut watch = Watch::over(vec![opens(&ana(), at(60, 0), "Salesforce")]);
    watch.tick(at(60, 3));
    assert_eq!(watch.drafts.len(), 1);
    let mut late = opens(
        &identity("bo@example.com", ActorKind::Human),
        at(10, 0),
        "Salesforce",
    );
    late.event.time_received = at(61, 0);
    watch.step(late);
    watch.tick(at(61, 3));
    watch.step(opens(&ana(), at(62, 0), "Salesforce"));
    watch.tick(at(62, 3));
    assert_eq!(watch.drafts.len(), 1, "it was told two days before");
}

#[test]
fn a_row_that_comes_to_weigh_much_is_told_by_name_once() {
    let mut watch = Watch::over(vec![
        opens(&robot(), at(0, 0), "Salesforce"),
        opens(&ana(), at(0, 1), "Salesforce"),
    ]);
    watch.tick(at(0, 30));
    assert_eq!(watch.drafts.len(), 1, "the first of the system");
    let mut admin = ana();
    let tag = ("privileged".into(), "yes".into());
    admin.declared.tags.extend([tag]);
    for day in [1, 2, 25, 50] {
        watch.step(opens(&admin, at(day, 0), "Salesforce"));
        watch.tick(at(day, 30));
        assert_eq!(watch.drafts.len(), 2, "day {day}");
    }
    assert_eq!(watch.drafts[1].severity, Severity::High);
    // Declared as ordinary again, the row still weighs what it did.
    watch.step(opens(&ana(), at(51, 0), "Salesforce"));
    watch.tick(at(51, 30));
    assert_eq!(watch.drafts.len(), 2);
}

#[test]
fn a_system_whose_feed_speaks_is_not_blind_until_it_falls_silent() {
    let mut watch = Watch::over(vec![
        opens(&ana(), at(0, 0), "GitHub Enterprise Cloud"),
        pushes(&robot(), at(0, 1)),
    ]);
    watch.tick(at(0, 3));
    assert_eq!(
        kinds(&watch.drafts),
        [""; 0],
        "it speaks while the sign-in waits"
    );
    watch.step(opens(&ana(), at(3, 0), "GitHub Enterprise Cloud"));
    watch.tick(at(3, 3));
    assert_eq!(kinds(&watch.drafts), ["blind_session"]);
    assert_eq!(watch.blind[0].silent_since, Some(at(0, 1)));
    let mut watch = Watch::over(vec![
        pushes(&robot(), at(0, 0)),
        opens(&ana(), at(0, 5), "github").ended(OutcomeClass::Denied),
        signs_in(&ana(), at(0, 6)),
        opens(&ana(), at(0, 7), "Okta Admin Console"),
    ]);
    watch.tick(at(0, 30));
    assert_eq!(kinds(&watch.drafts), [""; 0]);
}

#[test]
fn a_role_in_an_account_without_a_feed_is_blind_and_weighs_by_its_name() {
    let assume = |account: &str| {
        Step::new(&robot(), at(0, 0), Action::Authenticate, "sts:AssumeRole").with(|mapped| {
            mapped.account = Some("111111111111".into());
            mapped.target_ref = Some(format!("arn:aws:iam::{account}:role/OrgAdmin").into());
        })
    };
    let mut watch = Watch::over(vec![assume("222222222222"), assume("111111111111")]);
    watch.tick(at(0, 3));
    assert_eq!(kinds(&watch.drafts), ["blind_session"]);
    assert_eq!(watch.drafts[0].severity, Severity::High);
    assert!(watch.drafts[0].title.contains("222222222222"));
}

#[test]
fn a_log_at_rest_tells_what_waited_by_the_times_of_its_events() {
    // Taken in at once, long after it happened.
    let received = at(90, 0);
    let late = |step: Step| Step {
        event: deedtrail_core::event::Event {
            time_received: received,
            ..step.event
        },
        ..step
    };
    let history = || {
        vec![
            late(opens(&ana(), at(0, 0), "Salesforce")),
            late(opens(&ana(), at(0, 1), "github")),
            late(pushes(&robot(), at(0, 2))),
            late(reads(&robot(), at(2, 0))),
            late(opens(&ana(), at(2, 0), "Workday")),
        ]
    };
    let mut watch = Watch::over(history());
    assert!(watch.detector.awaits_tick());
    watch.rest();
    assert!(!watch.detector.awaits_tick());
    let systems: Vec<_> = watch.blind.iter().map(|row| row.system.as_str()).collect();
    assert_eq!(systems, ["Salesforce"], "the last event is too new to tell");
    assert_eq!(kinds(&watch.drafts), ["blind_session"]);
    let ended = |watch: &Watch| watch.all()[0].ended;
    assert_eq!(ended(&watch), Some(at(0, 1)), "sessions end by it too");
    watch.rest();
    assert_eq!(watch.drafts.len(), 1, "at rest again nothing is new");

    let mut undated = history();
    undated.retain(|step| step.event.time_effective < at(1, 0));
    undated.push(late(reads(&robot(), at(80, 0)).undated()));
    let mut watch = Watch::over(undated);
    watch.rest();
    assert_eq!(ended(&watch), None, "receipt is no time of an event");
}
