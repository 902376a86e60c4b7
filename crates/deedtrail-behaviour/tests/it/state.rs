//! Snapshots: exact, versioned, independent of how the stream was cut.

use deedtrail_behaviour::{Assessment, Behaviour, RestoreError};
use deedtrail_core::entity::{Extractor, Mention, Place};
use proptest::prelude::*;

use crate::builder::{Told, USUAL, guarded, identity};

const STEPS: [&str; 8] = [
    "checkout",
    "build",
    "test",
    "deploy",
    "verify",
    "scan",
    "sign",
    "read_secret",
];

/// A small state with a bit of everything.
fn sample() -> Told {
    let mut told = Told::trained(guarded(0.01), 60);
    told.group = "runners";
    for _ in 0..40 {
        told.session(2, &USUAL);
    }
    told.session(1, &["checkout", "read_secret"]);
    told.next_day();
    told.session(
        2,
        &["checkout", "build", "test", "test", "deploy", "verify"],
    );
    // One agent's session is learned, another is still open.
    for _ in 0..2 {
        let session = told.begin();
        let event = told.event("send_mail", |event| {
            event.mapped.mentions = vec![
                mention(Place::Request, "", "please write to jo@example.com"),
                mention(Place::ToolOutput, "read_file", "see db.example.com"),
                mention(Place::Argument, "to", "jo@example.com"),
            ];
        });
        told.observe(3, session, &event);
        told.observe(3, session, &event);
        if told.engine.readiness(identity(3)).sessions == 0 {
            told.engine.end(session);
        }
    }
    let session = told.begin();
    let event = told.event("checkout", |event| {
        event.mapped.src_ip = Some("192.0.2.7".into());
    });
    told.observe(1, session, &event);
    told
}

fn mention(place: Place, name: &str, text: &str) -> Mention {
    let mut extractor = Extractor::default();
    extractor.add(text);
    Mention {
        place,
        name: name.into(),
        entities: extractor.finish(),
    }
}

/// The format of a snapshot is kept: what an older version wrote is read as it was meant.
#[test]
fn golden_snapshot_is_read_and_written_the_same() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/it/golden/behaviour.4.snapshot"
    );
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(path, sample().engine.snapshot()).unwrap();
    }
    let golden = std::fs::read(path).unwrap();
    let engine = Behaviour::restore(&golden).unwrap();
    assert_eq!(engine.readiness(identity(1)).sessions, 60);
    assert_eq!(
        engine.snapshot(),
        golden,
        "the format changed: give it a new version once it was released"
    );
    assert_eq!(engine, sample().engine);
}

#[test]
fn damaged_and_foreign_snapshots_are_refused() {
    let snapshot = sample().engine.snapshot();
    for other in [b"other".as_slice(), b"deedtrail.behaviour.3\n"] {
        assert_eq!(Behaviour::restore(other), Err(RestoreError::Format));
    }
    let cut = &snapshot[..snapshot.len() / 2];
    assert!(matches!(
        Behaviour::restore(cut),
        Err(RestoreError::Damaged(_))
    ));
}

#[test]
fn merged_identities_share_what_was_learned() {
    let mut told = sample();
    told.engine.merge(identity(1), identity(2));
    assert_eq!(told.engine.readiness(identity(2)).sessions, 0);
    assert_eq!(told.engine.readiness(identity(1)).sessions, 60 + 40);
}

/// Runs sessions of several identities side by side; restores from a snapshot where told, and packs
/// who was quiet where told.
fn run(plan: &[(u8, usize)], restores: &[usize], packs: &[usize]) -> (Vec<Assessment>, Vec<u8>) {
    let mut told = Told::trained(guarded(0.05), 40);
    let sessions: Vec<_> = (0..4).map(|_| told.begin()).collect();
    let mut assessments = Vec::new();
    for (at, (who, step)) in plan.iter().enumerate() {
        let session = sessions[usize::from(*who)];
        if *step == STEPS.len() {
            assessments.extend(told.engine.end(session));
        } else {
            let event = told.event(STEPS[*step], |_| {});
            assessments.extend(told.observe(who + 1, session, &event));
        }
        if restores.contains(&at) {
            told.engine = Behaviour::restore(&told.engine.snapshot()).unwrap();
        }
        if packs.contains(&at) {
            told.engine.pack_quiet();
        }
    }
    assessments.extend(told.engine.tick(told.at.plus_micros(i64::MAX / 2)));
    (assessments, told.engine.snapshot())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn restarts_change_nothing(
        plan in proptest::collection::vec((0_u8..4, 0_usize..=STEPS.len()), 1..120),
        restores in proptest::collection::vec(0_usize..120, 0..6),
    ) {
        prop_assert_eq!(run(&plan, &[], &[]), run(&plan, &restores, &[]));
    }

    #[test]
    fn packing_changes_nothing(
        plan in proptest::collection::vec((0_u8..4, 0_usize..=STEPS.len()), 1..120),
        packs in proptest::collection::vec(0_usize..120, 0..24),
    ) {
        prop_assert_eq!(run(&plan, &[], &[]), run(&plan, &[], &packs));
    }

    #[test]
    fn no_bytes_make_restoring_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut snapshot = b"deedtrail.behaviour.4\n".to_vec();
        snapshot.extend(bytes);
        if let Ok(engine) = Behaviour::restore(&snapshot) {
            prop_assert!(Behaviour::restore(&engine.snapshot()).is_ok());
        }
    }
}
