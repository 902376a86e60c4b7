//! What is said and in which words.

use deedtrail_behaviour::{Moment, TermKind};

use crate::builder::{Told, USUAL, guarded, sentences};

#[test]
fn usual_session_does_not_alert() {
    let mut told = Told::trained(guarded(0.01), 300);
    let assessment = told.session(1, &USUAL);
    assert!(!assessment.alerts);
    assert!(assessment.p > 0.2, "{assessment:?}");
}

#[test]
fn new_step_alerts_with_numbers_and_what_was_expected() {
    let mut told = Told::trained(guarded(0.01), 300);
    let assessment = told.session(1, &["checkout", "build", "read_secret", "deploy", "verify"]);
    assert!(assessment.alerts);
    insta::assert_json_snapshot!("new_step", assessment);
}

#[test]
fn missing_step_is_named() {
    let mut told = Told::trained(guarded(0.01), 300);
    let assessment = told.session(1, &USUAL[..4]);
    assert!(assessment.alerts);
    let missing = "`verify` is missing: usually once, in 300 of 300 sessions";
    assert!(sentences(&assessment).contains(&missing), "{assessment:#?}");
}

#[test]
fn repeated_step_is_counted() {
    let mut told = Told::trained(guarded(0.01), 300);
    let mut steps = vec!["checkout", "build", "test"];
    steps.extend(["list_roles"; 14]);
    steps.extend(["deploy", "verify"]);
    let assessment = told.session(1, &steps);
    assert!(assessment.alerts);
    let counted = "`list_roles` 14 times: in none of 300 sessions before";
    assert!(sentences(&assessment).contains(&counted), "{assessment:#?}");
}

#[test]
fn alert_comes_with_the_event_that_makes_it_one() {
    let mut told = Told::trained(guarded(0.01), 300);
    let session = told.begin();
    let first = told.event("checkout", |_| {});
    assert_eq!(told.observe(1, session, &first), None);
    let event = told.event("read_secret", |_| {});
    let assessment = told.observe(1, session, &event).unwrap();
    assert_eq!(assessment.moment, Moment::Event);
    assert!(assessment.alerts);
    assert_eq!(assessment.events[0], event.event_uid);
    assert_eq!(assessment.terms[0].kind, TermKind::Sequence);
    assert!(
        assessment
            .terms
            .iter()
            .all(|term| term.kind != TermKind::Shape)
    );
    let ended = told.engine.end(session).unwrap();
    assert!(ended.alerts && ended.moment == Moment::End);
}

#[test]
fn terms_are_told_largest_first() {
    let mut told = Told::trained(guarded(0.01), 300);
    let assessment = told.session(1, &["build", "read_secret", "verify", "verify"]);
    assert!(assessment.terms.len() > 2);
    assert!(assessment.terms.is_sorted_by(|a, b| a.nats >= b.nats));
}

#[test]
fn nothing_alerts_before_enough_was_learned() {
    let mut told = Told::trained(guarded(0.1), 15);
    assert!(!told.engine.readiness(crate::builder::identity(1)).ready());
    assert!(!told.session(1, &["read_secret"]).alerts);
    let unknown = told.engine.readiness(crate::builder::identity(9));
    assert_eq!((unknown.sessions, unknown.ready()), (0, false));
}
