//! One event compared with one charter.

mod amount;
mod circumstance;
mod flow;
mod scope;

use deedtrail_core::action::Action;
use deedtrail_core::finding::{FindingEvent, Severity};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::charter::Compiled;
use crate::departure::{Departure, DepartureKind};
use crate::subject::Subject;

/// What has to be remembered of one identity for one charter; bounded, and a function of the
/// events it was shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    amounts: amount::Amounts,
    runs: Vec<flow::Run>,
}

impl State {
    /// Whether a run of the sequence has not ended.
    pub const fn waits(&self) -> bool {
        !self.runs.is_empty()
    }
}

impl Compiled {
    /// Compares an event of an identity that the charter binds, in the order of the log; `tick` is
    /// the number of ticks so far.
    pub fn observe(&self, subject: &Subject<'_>, state: &mut State, tick: u64) -> Vec<Departure> {
        let mapped = &subject.event.mapped;
        // Heartbeats are no use, anybody can type a name, and a click is no work.
        if !mapped.meaningful || mapped.is_failed_sign_in() || mapped.action == Action::Click {
            return Vec::new();
        }
        let mut departures = Vec::new();
        departures.extend(self.scope(subject));
        self.circumstances(subject, &mut departures);
        self.amounts(subject, &mut state.amounts, &mut departures);
        if let Some(flow) = &self.flow {
            self.step(flow, subject, (&mut state.runs, tick), &mut departures);
        }
        departures
    }

    /// Ends every run in which nothing happened for so long that nothing will: at a tick after its
    /// newest event arrived.
    pub fn settle(&self, state: &mut State, now: Timestamp, tick: u64) -> Vec<Departure> {
        let Some(flow) = &self.flow else {
            state.runs.clear();
            return Vec::new();
        };
        let (over, rest) = std::mem::take(&mut state.runs)
            .into_iter()
            .partition::<Vec<_>, _>(|run| run.is_over(flow, now, tick));
        state.runs = rest;
        over.iter()
            .filter_map(|run| self.ended(flow, run))
            .collect()
    }

    /// Ends every run, whatever time it is: the history that is looked at is over.
    pub fn end(&self, state: &mut State) -> Vec<Departure> {
        let runs = std::mem::take(&mut state.runs);
        let ended = self.flow.iter().flat_map(|flow| {
            let ended = runs.iter().filter_map(|run| self.ended(flow, run));
            ended.collect::<Vec<_>>()
        });
        ended.collect()
    }

    /// A departure of scope shown by one event.
    fn departs(&self, subject: &Subject<'_>, said: Said) -> Departure {
        let event = subject.finding_event();
        self.departure(DepartureKind::Scope, said, vec![event])
    }

    fn departure(&self, kind: DepartureKind, said: Said, events: Vec<FindingEvent>) -> Departure {
        Departure {
            kind,
            charter: self.name.clone(),
            version: self.version,
            line: said.line,
            rule: said.rule,
            owner: self.owner.clone(),
            purpose: self.purpose.clone(),
            pattern: said.pattern,
            title: said.title,
            observed: said.observed,
            expected: said.expected,
            severity: said.severity,
            at: events.last().map(|event| event.time).unwrap_or_default(),
            events,
        }
    }
}

/// What a departure says of itself.
#[derive(Debug)]
struct Said {
    line: u32,
    rule: String,
    pattern: String,
    title: String,
    observed: String,
    expected: String,
    severity: Severity,
}

impl Default for Said {
    fn default() -> Self {
        Self {
            line: 0,
            rule: String::new(),
            pattern: String::new(),
            title: String::new(),
            observed: String::new(),
            expected: String::new(),
            severity: Severity::Medium,
        }
    }
}
