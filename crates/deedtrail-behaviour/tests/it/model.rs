//! The model alone: merging, forgetting, halving, order.

use deedtrail_behaviour::Model;
use proptest::prelude::*;

const DEPTH: usize = 4;
const DAY: u16 = 20_000;

fn sessions() -> impl Strategy<Value = Vec<Vec<u32>>> {
    // Numbers a session stay at one or two: no symbol turns elastic on the way.
    let session = Just(vec![4_u32, 5, 6, 7, 8, 9])
        .prop_shuffle()
        .prop_flat_map(|symbols| {
            (0..=symbols.len()).prop_map(move |length| symbols[..length].to_vec())
        });
    proptest::collection::vec(session, 0..25)
}

fn learned(sessions: &[Vec<u32>]) -> Model {
    let mut model = Model::default();
    for session in sessions {
        model.learn(session, DEPTH, DAY);
    }
    model
}

proptest! {
    #[test]
    fn merging_is_learning_both(left in sessions(), right in sessions()) {
        let mut merged = learned(&left);
        merged.merge(&learned(&right));
        let both: Vec<_> = left.into_iter().chain(right).collect();
        prop_assert_eq!(merged, learned(&both));
    }

    #[test]
    fn order_of_sessions_does_not_matter(mut some in sessions()) {
        let model = learned(&some);
        some.reverse();
        prop_assert_eq!(model, learned(&some));
    }

    #[test]
    fn forgetting_undoes_learning(some in sessions(), one in sessions()) {
        let before = learned(&some);
        let mut model = before.clone();
        for session in &one {
            model.learn(session, DEPTH, DAY);
        }
        for session in &one {
            model.forget(session, DEPTH);
        }
        prop_assert_eq!(model, before);
    }

    #[test]
    fn what_is_often_is_less_surprising(some in sessions(), symbols in 1_u32..6) {
        let session: Vec<u32> = (0..symbols).map(|symbol| 20 + symbol).collect();
        let mut model = learned(&some);
        let mut scratch = Vec::new();
        let mut last = f64::INFINITY;
        for _ in 0..5 {
            model.learn(&session, DEPTH, DAY);
            let surprise = model.score(&session, DEPTH, &mut scratch);
            prop_assert!(surprise.event_nats <= last && surprise.event_nats >= 0.0);
            last = surprise.event_nats;
        }
    }
}

#[test]
fn old_singles_go_and_recent_ones_stay() {
    let mut model = learned(&vec![vec![4, 5]; 10]);
    model.learn(&[6], DEPTH, DAY);
    model.learn(&[7], DEPTH, DAY + 40);
    model.halve(DAY + 45);
    let mut scratch = Vec::new();
    let [old, recent, usual] =
        [vec![6], vec![7], vec![4, 5]].map(|session| model.score(&session, DEPTH, &mut scratch));
    assert!(old.shape_nats > recent.shape_nats);
    assert!(recent.shape_nats > usual.shape_nats);
    assert!(old.event_nats > recent.event_nats);
}

#[test]
fn memory_goes_when_nothing_comes() {
    let mut model = learned(&vec![vec![4, 5, 6]; 1_000]);
    for month in 1..=40 {
        model.halve(DAY + 30 * month);
    }
    assert_eq!((model.sessions(), model.entries()), (1, 0));
}
