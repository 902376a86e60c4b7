//! What analysts say changes what is learned, and can be taken back.

use deedtrail_behaviour::Disposition;
use deedtrail_core::id::SessionUid;

use crate::builder::{Told, guarded, identity};

const NEW: [&str; 4] = ["checkout", "build", "publish", "verify"];

fn trained() -> Told {
    Told::trained(guarded(0.01), 300)
}

#[test]
fn benign_is_learned_and_its_pattern_from_then_on() {
    let mut told = trained();
    let alert = told.session(1, &NEW);
    assert!(alert.alerts);
    assert!(
        told.engine
            .feedback(alert.session, Some(Disposition::Benign))
    );
    assert_eq!(told.engine.readiness(identity(1)).sessions, 301);
    told.session(1, &NEW);
    assert_eq!(told.engine.readiness(identity(1)).sessions, 302);
}

#[test]
fn misuse_never_becomes_usual_by_itself() {
    let mut told = trained();
    let alert = told.session(1, &NEW);
    assert!(
        told.engine
            .feedback(alert.session, Some(Disposition::Misuse))
    );
    for _ in 0..5 {
        told.next_day();
        told.session(1, &NEW);
    }
    assert_eq!(told.engine.readiness(identity(1)).sessions, 300);
}

#[test]
fn taking_an_answer_back_restores_what_was_learned() {
    for said in [Disposition::Benign, Disposition::Misuse, Disposition::Drift] {
        let mut told = trained();
        let alert = told.session(1, &NEW);
        let before = told.engine.model(identity(1));
        assert!(told.engine.feedback(alert.session, Some(said)));
        assert!(
            told.engine.feedback(alert.session, Some(said)),
            "saying it twice is allowed"
        );
        assert!(told.engine.feedback(alert.session, None));
        assert_eq!(told.engine.model(identity(1)), before, "{said:?}");
    }
}

#[test]
fn other_sessions_cannot_be_answered() {
    let mut told = trained();
    let before = told.engine.clone();
    let unknown = SessionUid::from_bytes([7; 16]);
    assert!(!told.engine.feedback(unknown, Some(Disposition::Misuse)));
    assert_eq!(told.engine, before);
}
