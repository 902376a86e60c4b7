//! What exceptions would hold back, measured while a log is read once more.

use std::ops::Range;

use deedtrail_core::exception::{ExceptionEffect, RuleException};
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::time::Timestamp;

use super::condition::Conditions;
use super::note;
use crate::field::View;

/// One exception and its figures.
#[derive(Clone, Debug)]
pub struct MeasuredException {
    /// With what it would have held back, had it been in force throughout, as its effect.
    pub exception: RuleException,
    /// Matches that it did hold back, as it was in force when they came.
    pub held_back: u64,
}

/// Exceptions that are compared with every match of a range of time; they hold nothing back
/// themselves.
#[derive(Debug)]
pub struct ExceptionMeasure {
    within: Range<Timestamp>,
    measured: Vec<(Conditions, MeasuredException)>,
}

impl ExceptionMeasure {
    /// Counts matches of events whose time is within the range.
    pub fn new(exceptions: Vec<RuleException>, within: Range<Timestamp>) -> Self {
        let measured = exceptions.into_iter().map(|exception| {
            let conditions = Conditions::new(&exception.conditions);
            let measured = MeasuredException {
                exception: RuleException {
                    effect: ExceptionEffect::default(),
                    ..exception
                },
                held_back: 0,
            };
            (conditions, measured)
        });
        Self {
            within,
            measured: measured.collect(),
        }
    }

    /// Takes note of the matches of one event, before anything is held back.
    pub(crate) fn matched(&mut self, view: &View<'_>, drafts: &[FindingDraft]) {
        let event = view.observation.event;
        if !self.within.contains(&event.time_effective) {
            return;
        }
        for (conditions, measured) in &mut self.measured {
            let exception = &mut measured.exception;
            for draft in drafts {
                let is_its = exception.tenant == event.tenant && exception.rule == draft.rule;
                if is_its && conditions.cover(view) {
                    note(exception, view, draft);
                }
            }
        }
    }

    /// Takes note of what was held back of them.
    pub(crate) fn held_back(&mut self, view: &View<'_>, numbers: &[u32]) {
        let event = view.observation.event;
        if !self.within.contains(&event.time_effective) {
            return;
        }
        for (_, measured) in &mut self.measured {
            let exception = &measured.exception;
            if exception.tenant == event.tenant {
                let its = numbers.iter().filter(|it| **it == exception.number);
                measured.held_back += its.count() as u64;
            }
        }
    }

    /// The figures, in the order the exceptions were given.
    pub fn figures(self) -> Vec<MeasuredException> {
        let figures = self.measured.into_iter();
        figures.map(|(_, measured)| measured).collect()
    }
}
