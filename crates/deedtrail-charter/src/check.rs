//! A charter run over history: what would have departed from it.

use std::collections::BTreeMap;

use deedtrail_core::id::AliasUid;
use deedtrail_core::time::Timestamp;

use crate::charter::Compiled;
use crate::departure::{Departure, DepartureKind};
use crate::observe::State;
use crate::subject::Subject;

/// Departures shown of each rule.
const EXAMPLES: usize = 3;

/// What a charter says of a history.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Report {
    /// Events of identities that the charter binds.
    pub events: u64,
    /// Those of them that depart from nothing.
    pub covered: u64,
    /// Most departures first.
    pub rules: Vec<RuleReport>,
}

/// What departs from one line of a charter.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct RuleReport {
    pub kind: DepartureKind,
    pub rule: String,
    pub line: u32,
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// The first of them, in words.
    pub examples: Vec<String>,
}

impl Report {
    /// Share of the events that the charter covers, 0 to 1; `None` without events.
    pub fn share(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let share = || self.covered as f64 / self.events as f64;
        (self.events > 0).then(share)
    }

    fn add(&mut self, departure: Departure) {
        let known = self.rules.iter_mut().find(|known| {
            (known.line, &known.rule, known.kind)
                == (departure.line, &departure.rule, departure.kind)
        });
        let at = departure.at;
        match known {
            Some(known) => {
                known.count += 1;
                known.first = known.first.min(at);
                known.last = known.last.max(at);
                if known.examples.len() < EXAMPLES {
                    known.examples.push(format!("{at}: {}", departure.observed));
                }
            }
            None => self.rules.push(RuleReport {
                kind: departure.kind,
                rule: departure.rule,
                line: departure.line,
                count: 1,
                first: at,
                last: at,
                examples: vec![format!("{at}: {}", departure.observed)],
            }),
        }
    }
}

/// Runs a charter over what identities did that it binds, in order of time.
pub fn check<'a>(charter: &Compiled, history: impl IntoIterator<Item = Subject<'a>>) -> Report {
    let mut report = Report::default();
    let mut states = BTreeMap::<Option<AliasUid>, State>::new();
    for subject in history {
        let who = match subject.identity {
            Some(identity) => Some(identity.first_alias),
            None => subject.event.actor_alias_uid,
        };
        let state = states.entry(who).or_default();
        let departures = charter.observe(&subject, state, 0);
        report.events += 1;
        report.covered += u64::from(departures.is_empty());
        for departure in departures {
            report.add(departure);
        }
    }
    for state in states.values_mut() {
        for departure in charter.end(state) {
            report.add(departure);
        }
    }
    report
        .rules
        .sort_by_key(|rule| (std::cmp::Reverse(rule.count), rule.line));
    report
}
