//! Input made to hurt: floods, huge sessions, odd times and names.

use deedtrail_behaviour::{Model, limits};
use deedtrail_core::time::Timestamp;

use crate::builder::{Told, USUAL, guarded, identity};

#[test]
fn flood_of_new_operations_stays_within_limits() {
    let mut told = Told::trained(guarded(0.01), 100);
    for round in 0..60 {
        let names: Vec<String> = (0..1_200).map(|step| format!("{round}-{step}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        told.session(2, &names);
    }
    let model = told.engine.model(identity(2)).unwrap();
    assert!(
        model.entries() <= limits::ENTRIES_MAX,
        "{}",
        model.entries()
    );
    assert!(model.bytes() < 400 << 10, "{}", model.bytes());
    let usual = told.session(1, &USUAL);
    assert!(!usual.alerts, "somebody else's flood changes nothing");
}

#[test]
fn what_is_often_survives_a_flood_of_what_is_new() {
    let mut model = Model::default();
    for _ in 0..100 {
        model.learn(&[4, 5, 6], 4, 20_000);
    }
    let mut scratch = Vec::new();
    let before = model.score(&[4, 5, 6], 4, &mut scratch);
    let flood: Vec<u32> = (10..40_000).collect();
    for part in flood.chunks(500) {
        model.learn(part, 4, 20_001);
    }
    assert!(model.entries() <= limits::ENTRIES_MAX);
    let after = model.score(&[4, 5, 6], 4, &mut scratch);
    assert!(
        after.event_nats < before.event_nats + 2.0,
        "{before:?} {after:?}"
    );
}

#[test]
fn endless_session_is_cut() {
    let mut told = Told::trained(guarded(0.01), 100);
    let session = told.begin();
    for _ in 0..limits::SESSION_EVENTS_MAX + 10 {
        let event = told.event("poll", |_| {});
        told.observe(1, session, &event);
    }
    assert_eq!(
        told.engine.tick(told.at).len(),
        1,
        "the part that was cut off"
    );
    assert!(told.engine.end(session).is_some());
}

#[test]
fn odd_times_and_names_do_no_harm() {
    let mut told = Told::trained(guarded(0.01), 100);
    let long = "x".repeat(10_000);
    for (micros, name) in [
        (i64::MIN, ""),
        (i64::MAX, long.as_str()),
        (0, "\u{1f}\u{1f}"),
        (-1, "é"),
    ] {
        let session = told.begin();
        let event = told.event(name, |event| {
            event.time_effective = Timestamp::from_micros(micros);
            event.time_received = event.time_effective;
            event.mapped.time = Some(event.time_effective);
            event.mapped.bytes_out = Some(micros);
            event.mapped.audience_count = Some(i64::MAX);
            event.mapped.user_agent = Some("é".repeat(200).into());
            event.mapped.src_ip = Some("999.1.1.1".into());
        });
        told.observe(1, session, &event);
        assert!(told.engine.end(session).is_some());
    }
}

#[test]
fn session_under_another_identity_is_another_session() {
    let mut told = Told::trained(guarded(0.01), 100);
    let session = told.begin();
    for who in [1, 2] {
        let event = told.event("checkout", |_| {});
        told.observe(who, session, &event);
    }
    let ended = told.engine.tick(told.at);
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].identity, identity(1));
    assert_eq!(told.engine.end(session).unwrap().identity, identity(2));
}

#[test]
fn many_open_sessions_end_the_quietest() {
    let mut told = Told::new(guarded(0.01));
    for _ in 0..=limits::OPEN_SESSIONS_MAX {
        let session = told.begin();
        let event = told.event("checkout", |_| {});
        told.observe(1, session, &event);
        told.at = told.at.plus_micros(1);
    }
    let ended = told.engine.take_ended().len();
    assert_eq!(ended, limits::ENDED_MAX, "no alerts: the rest is dropped");
    let open = told
        .engine
        .tick(told.at.plus_micros(Timestamp::DAY_US))
        .len();
    assert_eq!(
        open,
        limits::OPEN_SESSIONS_MAX - limits::OPEN_SESSIONS_MAX / 8 + 1
    );
}
