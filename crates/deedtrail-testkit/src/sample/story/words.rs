//! Times, facts and deeds of the story, short to write.

use deedtrail_core::action::Action;
use deedtrail_core::event::OutcomeClass;
use deedtrail_core::finding::{FindingEvent, Hypothesis};
use deedtrail_core::time::Timestamp;

use crate::sample::NOW;
use crate::sample::builder::{Deed, Person, Target};

/// `14:02:11` on the day of the story.
pub(super) fn clock(hours: i64, minutes: i64, seconds: i64) -> Timestamp {
    let seconds = hours * 3600 + minutes * 60 + seconds;
    NOW.start_of_day()
        .plus_micros(seconds * Timestamp::SECOND_US)
}

pub(super) fn fact(mut event: FindingEvent, fact: &str) -> FindingEvent {
    fact.clone_into(&mut event.fact);
    event
}

pub(super) fn hypothesis(
    name: &str,
    score: f64,
    facts_for: &[&str],
    against: &[&str],
) -> Hypothesis {
    let owned = |facts: &[&str]| facts.iter().map(|fact| (*fact).to_owned()).collect();
    Hypothesis {
        name: name.into(),
        score,
        facts_for: owned(facts_for),
        facts_against: owned(against),
    }
}

pub(super) fn texts(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// A deed of the afternoon, from the network the intruder uses.
pub(super) fn away<'a>(
    at: Timestamp,
    source: &'a str,
    actor: &'a Person,
    (operation, action): (&'a str, Action),
    target: Option<Target<'a>>,
) -> Deed<'a> {
    Deed {
        at,
        source,
        actor,
        operation,
        action,
        target,
        outcome: OutcomeClass::Success,
        from: Some(("203.0.113.77", 14_061)),
    }
}
