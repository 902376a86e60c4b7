//! `sequence` from history: the steps that nearly every session takes in the same order.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::id::SessionUid;

use super::is_work;
use crate::document::{Comments, DescribedStep, List, Sequence, Step};
use crate::subject::{Subject, cut};

/// Sessions of which an order is learned.
const SESSIONS_MIN: usize = 5;
/// Nearly every session: so many of ten.
const OF_TEN: usize = 9;
/// Most steps proposed.
const STEPS_MAX: usize = 16;

pub(super) fn learn(history: &[Subject<'_>], comments: &mut Comments) -> Option<Sequence> {
    let mut sessions = BTreeMap::<SessionUid, Vec<String>>::new();
    for subject in history.iter().filter(|subject| is_work(subject.event)) {
        if let Some(session) = subject.event.session_uid {
            let operation = cut(&subject.event.mapped.operation, 100);
            sessions.entry(session).or_default().push(operation);
        }
    }
    let sessions: Vec<Vec<String>> = sessions.into_values().collect();
    if sessions.len() < SESSIONS_MIN {
        return None;
    }
    let nearly_all = |count: usize| count * 10 >= sessions.len() * OF_TEN;
    let mut counts = BTreeMap::<&String, usize>::new();
    for session in &sessions {
        for operation in session.iter().collect::<BTreeSet<_>>() {
            *counts.entry(operation).or_default() += 1;
        }
    }
    let usual: BTreeSet<&String> = counts
        .into_iter()
        .filter(|(operation, count)| nearly_all(*count) && !operation.is_empty())
        .map(|(operation, _)| operation)
        .collect();
    if usual.len() < 2 || usual.len() > STEPS_MAX {
        return None;
    }
    // The order in which each is first done; that of most sessions is the order.
    let mut orders = BTreeMap::<Vec<&String>, usize>::new();
    for session in &sessions {
        let mut order = Vec::new();
        for operation in session.iter().filter(|operation| usual.contains(operation)) {
            if !order.contains(&operation) {
                order.push(operation);
            }
        }
        *orders.entry(order).or_default() += 1;
    }
    let (order, count) = orders
        .into_iter()
        .max_by(|a, b| (a.1, &b.0).cmp(&(b.1, &a.0)))?;
    if !nearly_all(count) || order.len() != usual.len() {
        return None;
    }
    let last = order.last().map(|operation| operation.as_str());
    let ends = sessions
        .iter()
        .filter(|session| session.last().map(String::as_str) == last);
    let ends = nearly_all(ends.count());
    comments.push((
        "sequence",
        format!("The order of {count} of {} sessions.", sessions.len()),
    ));
    Some(Sequence {
        must_end_with: last.filter(|_| ends).map(str::to_owned),
        steps: order.into_iter().map(|operation| step(operation)).collect(),
        strict: false,
        idle: None,
    })
}

fn step(operation: &str) -> Step {
    Step::Described(DescribedStep {
        name: operation.to_owned(),
        operation: List(vec![operation.to_owned()]),
        ..DescribedStep::default()
    })
}
