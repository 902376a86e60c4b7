//! The order of work.

use super::{Difference, Loosened, Other, Tightened, say};
use crate::charter::words;
use crate::document::{Sequence, Step};

/// Key of the charter.
const KEY: &str = "sequence";
/// Minutes without an event after which a run ends, where a charter does not say.
const IDLE_MINUTES: u32 = 60;

/// What two orders of work differ in.
pub(super) fn compare(
    all: &mut Vec<Difference>,
    (old, new): (Option<&Sequence>, Option<&Sequence>),
) {
    match (old, new) {
        (None, Some(new)) => say(
            all,
            Tightened,
            KEY,
            format!("sequence: it works in the order {} now", whole(new)),
        ),
        (Some(old), None) => say(
            all,
            Loosened,
            KEY,
            format!("sequence: in any order now, was {}", whole(old)),
        ),
        (Some(old), Some(new)) => {
            steps(all, &old.steps, &new.steps);
            end(
                all,
                old.must_end_with.as_deref(),
                new.must_end_with.as_deref(),
            );
            rest(all, old, new);
        }
        (None, None) => {}
    }
}

fn steps(all: &mut Vec<Difference>, old: &[Step], new: &[Step]) {
    let names = |steps: &[Step]| steps.iter().map(|step| step.name().to_owned()).collect();
    let (was, is): (Vec<String>, Vec<String>) = (names(old), names(new));
    if was != is {
        let direction = match (is_within(&was, &is), is_within(&is, &was)) {
            (true, false) => Tightened,
            (false, true) => Loosened,
            _ => Other,
        };
        let sentence = format!("sequence: steps were {}, are {}", chain(&was), chain(&is));
        say(all, direction, KEY, sentence);
    }
    for now in new {
        let Some(before) = old.iter().find(|step| step.name() == now.name()) else {
            continue;
        };
        let name = now.name();
        let (was, is) = (described(before), described(now));
        if was != is {
            let sentence = format!("sequence: step {name} was {was}, is {is}");
            say(all, Other, KEY, sentence);
        }
        match (may_be_left_out(before), may_be_left_out(now)) {
            (false, true) => {
                let sentence = format!("sequence: step {name} may be left out now");
                say(all, Loosened, KEY, sentence);
            }
            (true, false) => {
                let sentence = format!("sequence: step {name} may no longer be left out");
                say(all, Tightened, KEY, sentence);
            }
            _ => {}
        }
    }
}

fn end(all: &mut Vec<Difference>, old: Option<&str>, new: Option<&str>) {
    let (direction, sentence) = match (old, new) {
        (None, Some(new)) => (
            Tightened,
            format!("sequence: a run must end with {new} now"),
        ),
        (Some(old), None) => (
            Loosened,
            format!("sequence: a run may end with any step now, was {old}"),
        ),
        (Some(old), Some(new)) if old != new => (
            Other,
            format!("sequence: a run must end with {new}, was {old}"),
        ),
        _ => return,
    };
    say(all, direction, KEY, sentence);
}

fn rest(all: &mut Vec<Difference>, old: &Sequence, new: &Sequence) {
    match (old.strict, new.strict) {
        (false, true) => say(
            all,
            Tightened,
            KEY,
            "sequence: nothing else may happen in between now".to_owned(),
        ),
        (true, false) => say(
            all,
            Loosened,
            KEY,
            "sequence: other events may lie in between now".to_owned(),
        ),
        _ => {}
    }
    let idle = |run: &Sequence| run.idle.unwrap_or(IDLE_MINUTES);
    let (was, is) = (idle(old), idle(new));
    if was != is {
        let sentence =
            format!("sequence: a run ends after {is} minutes without an event, was {was}");
        say(all, Other, KEY, sentence);
    }
}

/// Whether all of `part` stands in `whole` in the same order.
fn is_within(part: &[String], whole: &[String]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|name| rest.any(|other| other == name))
}

fn chain(names: &[String]) -> String {
    names.join(" → ")
}

fn whole(run: &Sequence) -> String {
    let names: Vec<String> = run
        .steps
        .iter()
        .map(|step| step.name().to_owned())
        .collect();
    match &run.must_end_with {
        Some(last) => format!("{}, ending with {last}", chain(&names)),
        None => chain(&names),
    }
}

fn described(step: &Step) -> String {
    match step {
        Step::Name(name) => format!("what is called {name}"),
        Step::Described(step) => words(&step.grant()),
    }
}

fn may_be_left_out(step: &Step) -> bool {
    matches!(step, Step::Described(step) if step.optional)
}
