//! `sequence`: the order in which it is done, as an automaton over steps with a run per session.

use deedtrail_core::action::Action;
use deedtrail_core::finding::{FindingEvent, Severity};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Said;
use crate::charter::{Compiled, Flow, FlowStep};
use crate::departure::{Departure, DepartureKind};
use crate::limits::{RUN_EVENTS_MAX, RUNS_MAX};
use crate::matcher::Unknown;
use crate::subject::{Subject, key};

/// One passage through the steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    session: u64,
    /// Place of the step taken last.
    place: u32,
    newest: Timestamp,
    /// Number of ticks when its newest event arrived.
    arrived: u64,
    events: Vec<FindingEvent>,
}

impl Run {
    /// Whether nothing will come any more.
    pub(super) fn is_over(&self, flow: &Flow, now: Timestamp, tick: u64) -> bool {
        tick > self.arrived && now.micros_since(self.newest) > flow.idle_us
    }

    fn note(&mut self, subject: &Subject<'_>, tick: u64) {
        self.newest = self.newest.max(subject.event.time_effective);
        self.arrived = tick;
        self.events.push(subject.finding_event());
        if self.events.len() > RUN_EVENTS_MAX {
            self.events.remove(0);
        }
    }

    fn at(&self) -> usize {
        usize::try_from(self.place).unwrap_or(usize::MAX)
    }

    fn go_to(&mut self, place: usize) {
        self.place = u32::try_from(place).unwrap_or(u32::MAX);
    }
}

impl FlowStep {
    fn is(&self, subject: &Subject<'_>) -> bool {
        let named = self
            .pattern
            .as_ref()
            .is_some_and(|pattern| pattern.matches(&subject.event.mapped.operation));
        named || !self.matcher.is_empty() && self.matcher.matches(subject, Unknown::Matches)
    }
}

impl Flow {
    /// Names of the steps between two places that may not be left out.
    fn required(&self, from: usize, to: usize) -> Vec<&str> {
        let between = self.steps.get(from..to).unwrap_or_default();
        let required = between.iter().filter(|step| !step.optional);
        required.map(|step| step.name.as_str()).collect()
    }

    fn names(&self) -> String {
        let names = self.steps.iter().map(|step| step.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }

    /// Which step an event is, seen from the one taken last: the same again, else one that may
    /// follow, else an earlier one, else a later one.
    fn place(&self, matching: &[usize], at: usize) -> Option<usize> {
        let follows = |place: &&usize| **place > at && self.required(at + 1, **place).is_empty();
        let here = matching.iter().find(|place| **place == at);
        let next = || matching.iter().find(follows);
        let earlier = || matching.iter().rev().find(|place| **place < at);
        here.or_else(next)
            .or_else(earlier)
            .or(matching.first())
            .copied()
    }
}

/// The session an event belongs to; without one the identity's own, cut by pauses.
fn session(subject: &Subject<'_>) -> u64 {
    let event = subject.event;
    match (event.session_uid, &event.mapped.trace_uid) {
        (Some(session), _) => key(&[&session.to_bytes()]),
        (None, Some(trace)) => key(&[trace.as_bytes()]),
        (None, None) => 0,
    }
}

impl Compiled {
    pub(super) fn step(
        &self,
        flow: &Flow,
        subject: &Subject<'_>,
        (runs, tick): (&mut Vec<Run>, u64),
        to: &mut Vec<Departure>,
    ) {
        let action = subject.event.mapped.action;
        // What did not come about is no step.
        if subject.refused() || action == Action::Authenticate {
            return;
        }
        let steps = flow.steps.iter().enumerate();
        let matching = steps
            .filter(|(_, step)| step.is(subject))
            .map(|(place, _)| place);
        let matching: Vec<usize> = matching.collect();
        let (session, time) = (session(subject), subject.event.time_effective);
        let known = runs.iter().position(|run| run.session == session);
        let paused = |run: &Run| time.micros_since(run.newest) > flow.idle_us;
        let known = match known {
            Some(place) if paused(&runs[place]) => {
                to.extend(self.ended(flow, &runs.remove(place)));
                None
            }
            known => known,
        };
        let Some(place) = known else {
            if let Some(first) = matching.first().copied() {
                to.extend(self.begin(flow, subject, (runs, tick), (session, first)));
                to.extend(overfull(runs).and_then(|run| self.ended(flow, &run)));
            }
            return;
        };
        let run = &mut runs[place];
        // What arrives late was taken before: it is no step back.
        let late = time < run.newest;
        run.note(subject, tick);
        if late {
            return;
        }
        let at = run.at();
        match flow.place(&matching, at) {
            None if flow.strict && action != Action::SessionChange => {
                let said = self.between(flow, subject, at);
                to.push(self.departure(DepartureKind::Sequence, said, run.events.clone()));
            }
            None => {}
            Some(0) if at > 0 => {
                // From the beginning again: the run before has ended with what came before.
                let mut over = runs.remove(place);
                over.events.pop();
                to.extend(self.ended(flow, &over));
                to.extend(self.begin(flow, subject, (runs, tick), (session, 0)));
            }
            Some(next) => {
                let said = self.out_of_order(flow, at, next);
                run.go_to(next);
                let events = || run.events.clone();
                to.extend(said.map(|said| self.departure(DepartureKind::Sequence, said, events())));
            }
        }
    }

    /// The first step of a run, which should be the first of the sequence.
    fn begin(
        &self,
        flow: &Flow,
        subject: &Subject<'_>,
        (runs, tick): (&mut Vec<Run>, u64),
        (session, first): (u64, usize),
    ) -> Option<Departure> {
        let mut run = Run {
            session,
            place: 0,
            newest: subject.event.time_effective,
            arrived: tick,
            events: Vec::new(),
        };
        run.note(subject, tick);
        run.go_to(first);
        let skipped = flow.required(0, first);
        let departure = (!skipped.is_empty()).then(|| {
            let said = self.skipped(flow, &skipped, first, "began");
            self.departure(DepartureKind::Sequence, said, run.events.clone())
        });
        runs.push(run);
        departure
    }

    fn out_of_order(&self, flow: &Flow, at: usize, next: usize) -> Option<Said> {
        if next < at {
            return flow.strict.then(|| self.stepped_back(flow, at, next));
        }
        let skipped = flow.required(at + 1, next);
        (next > at && !skipped.is_empty()).then(|| self.skipped(flow, &skipped, next, "went on"))
    }

    fn skipped(&self, flow: &Flow, skipped: &[&str], next: usize, went: &str) -> Said {
        let (step, skipped) = (&flow.steps[next].name, skipped.join(", "));
        Said {
            pattern: format!("step {step} without {skipped}"),
            title: format!(
                "{went} with `{step}` without `{skipped}`, against the order of its charter {}",
                self.name
            ),
            observed: format!("`{step}` without `{skipped}` before it"),
            ..Self::in_order(flow)
        }
    }

    fn stepped_back(&self, flow: &Flow, at: usize, next: usize) -> Said {
        let (after, step) = (&flow.steps[at].name, &flow.steps[next].name);
        Said {
            pattern: format!("step {step} after {after}"),
            title: format!(
                "took `{step}` after `{after}`, against the order of its charter {}",
                self.name
            ),
            observed: format!("`{step}` after `{after}`"),
            ..Self::in_order(flow)
        }
    }

    fn between(&self, flow: &Flow, subject: &Subject<'_>, at: usize) -> Said {
        let after = &flow.steps[at].name;
        let sentence = (subject.describe)(subject.event);
        let operation = crate::subject::cut(&subject.event.mapped.operation, 60);
        Said {
            pattern: format!("between {operation}"),
            title: format!(
                "did something between the steps of its charter {}: {sentence}",
                self.name
            ),
            observed: format!("after `{after}`: {sentence}"),
            ..Self::in_order(flow)
        }
    }

    fn in_order(flow: &Flow) -> Said {
        let strictly = if flow.strict { ", strictly" } else { "" };
        Said {
            line: flow.line,
            rule: format!("sequence: {}{strictly}", flow.names()),
            expected: format!("in order{strictly}: {}", flow.names()),
            ..Said::default()
        }
    }

    /// What is missing at the end of a run.
    pub(super) fn ended(&self, flow: &Flow, run: &Run) -> Option<Departure> {
        let last = flow.last?;
        if run.at() == last {
            return None;
        }
        let (last, at) = (&flow.steps[last].name, flow.steps.get(run.at()));
        let at = at.map_or("nothing", |step| step.name.as_str());
        let said = Said {
            line: flow.line_end,
            rule: format!("sequence: must end with {last}"),
            pattern: format!("end without {last}"),
            title: format!(
                "ended with `{at}`, without the `{last}` that its charter {} requires",
                self.name
            ),
            observed: format!(
                "the last step was `{at}`, and the run ended (idle after {} min)",
                flow.idle_us / Timestamp::MINUTE_US
            ),
            expected: format!("every run ends with `{last}`"),
            severity: Severity::Medium,
        };
        Some(self.departure(DepartureKind::Sequence, said, run.events.clone()))
    }
}

/// The run with the oldest news when there are too many.
fn overfull(runs: &mut Vec<Run>) -> Option<Run> {
    if runs.len() <= RUNS_MAX {
        return None;
    }
    let oldest = (0..runs.len()).min_by_key(|place| runs[*place].newest)?;
    Some(runs.remove(oldest))
}
