//! What is learned, when, and how many alerts there are.

use deedtrail_behaviour::{Budget, Learning, Settings};
use deedtrail_core::time::Timestamp;

use crate::builder::{Told, USUAL, guarded, identity};

const MISUSE: [&str; 3] = ["checkout", "read_secret", "send"];

#[test]
fn repeating_misuse_within_a_day_teaches_nothing() {
    let mut told = Told::trained(guarded(0.01), 300);
    let first = told.session(1, &MISUSE);
    let mut last = first.clone();
    for _ in 0..50 {
        last = told.session(1, &MISUSE);
    }
    assert!(first.alerts && !first.repeats);
    assert!(!last.alerts);
    assert_eq!(last.terms[0].sentence, first.terms[0].sentence);
}

#[test]
fn what_comes_on_three_days_becomes_usual() {
    let mut told = Told::trained(guarded(0.01), 300);
    for _ in 0..3 {
        told.session(
            1,
            &["checkout", "scan", "build", "test", "deploy", "verify"],
        );
        told.next_day();
    }
    let learned = told.engine.readiness(identity(1)).sessions;
    assert_eq!(learned, 301, "the third is learned, the first two are not");
}

#[test]
fn repeats_of_a_day_are_one_alert_and_the_next_day_another() {
    let mut told = Told::trained(guarded(0.01), 300);
    assert!(told.session(1, &MISUSE).alerts);
    let again = told.session(1, &MISUSE);
    assert!(!again.alerts && again.repeats);
    told.next_day();
    assert!(told.session(1, &MISUSE).alerts);
}

#[test]
fn paused_learning_learns_nothing() {
    let mut told = Told::trained(guarded(0.01), 300);
    told.engine.set(Settings {
        learning: Learning::Paused,
        ..guarded(0.01)
    });
    let before = told.engine.model(identity(1));
    for _ in 0..20 {
        told.session(1, &USUAL);
        told.session(1, &MISUSE);
    }
    assert_eq!(told.engine.model(identity(1)), before);
}

#[test]
fn change_of_a_whole_group_alerts_once() {
    let mut told = Told::new(guarded(0.05));
    told.group = "runners";
    for _ in 0..60 {
        for who in 1..=10 {
            told.session(who, &USUAL);
        }
    }
    let changed = ["checkout", "build", "sign", "test", "deploy", "verify"];
    let assessments: Vec<_> = (1..=10).map(|who| told.session(who, &changed)).collect();
    let with = assessments
        .iter()
        .filter(|one| one.deployment.is_some())
        .count();
    assert_eq!(with, 8, "from the third identity on it is a deployment");
    let deployment = assessments[2].deployment.as_ref().unwrap();
    assert_eq!((deployment.identities, deployment.members), (3, 10));
    assert!(assessments[2].alerts);
    assert!(assessments[3..].iter().all(|one| !one.alerts));
}

#[test]
fn newcomer_is_judged_by_its_peers() {
    let mut told = Told::new(guarded(0.01));
    told.group = "runners";
    for _ in 0..300 {
        told.session(1, &USUAL);
    }
    let usual = told.session(2, &USUAL);
    assert!(!usual.alerts, "{usual:#?}");
    assert!(told.engine.readiness(identity(2)).ready());
    assert!(told.session(2, &MISUSE).alerts);
    // Without peers nothing is known of a newcomer.
    told.group = "";
    assert!(!told.session(3, &MISUSE).alerts);
}

#[test]
fn alerts_stay_within_the_daily_budget_when_everything_changes() {
    let settings = Settings {
        budget: Budget::PerDay(3.0),
        ..guarded(0.0)
    };
    let mut told = Told::trained(settings, 600);
    let mut alerts = 0;
    for round in 0..1_500 {
        let new = format!("step{}", round % 40);
        let session = ["checkout", "build", &new, "test", "verify"];
        alerts += usize::from(told.session(1, &session).alerts);
    }
    let days = 1_500.0 / 144.0;
    assert!(
        f64::from(u32::try_from(alerts).unwrap()) / days < 6.0,
        "{alerts} in {days} days"
    );
    assert!(alerts > 0);
}

#[test]
fn drift_shows_in_the_trend_while_nothing_alerts() {
    let mut told = Told::trained(guarded(0.001), 300);
    let who = identity(1);
    let week = |told: &mut Told, others: usize| {
        for number in 0..40 {
            let last = if number < others { "export" } else { "verify" };
            told.session(1, &["checkout", "build", "test", "deploy", last]);
        }
        told.at = told.at.plus_micros(7 * Timestamp::DAY_US);
    };
    (0..4).for_each(|_| week(&mut told, 0));
    let steady = told.engine.drift(who).unwrap();
    assert!(!steady.departs(), "{steady:?}");
    for others in [4, 10, 18, 28] {
        week(&mut told, others);
    }
    let drift = told.engine.drift(who).unwrap();
    assert!(drift.departs(), "{drift:?}");
    assert_eq!(drift.rising[0].action, "`export`");
    assert_eq!(told.engine.drift(identity(9)), None);
}

#[test]
fn quiet_session_ends_with_the_tick() {
    let mut told = Told::trained(guarded(0.01), 300);
    let session = told.begin();
    for operation in &USUAL[..2] {
        let event = told.event(operation, |_| {});
        told.observe(1, session, &event);
    }
    let soon = told.at.plus_micros(29 * Timestamp::MINUTE_US);
    assert!(told.engine.tick(soon).is_empty());
    let ended = told.engine.tick(soon.plus_micros(Timestamp::MINUTE_US));
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].session, session);
    assert_eq!(told.engine.end(session), None);
}

#[test]
fn pause_in_a_session_makes_two_of_it() {
    let mut told = Told::trained(guarded(0.01), 300);
    let session = told.begin();
    for operation in ["checkout", "build"] {
        let event = told.event(operation, |_| {});
        told.observe(1, session, &event);
        told.at = told.at.plus_micros(31 * Timestamp::MINUTE_US);
    }
    let ended = told.engine.tick(told.at);
    assert_eq!(
        ended.len(),
        2,
        "the first by the gap, the second by the tick"
    );
}
