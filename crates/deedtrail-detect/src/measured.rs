//! What is measured on the way, where somebody asked.

use deedtrail_core::finding::FindingDraft;

use crate::exception::{Compiled, ExceptionMeasure, Exceptions};
use crate::field::View;
use crate::fill::FieldFill;
use crate::rule::RuleSet;

/// What somebody asked to be measured while events are judged.
pub(crate) struct Measured<'m> {
    fill: Option<&'m mut FieldFill>,
    exceptions: Option<&'m mut ExceptionMeasure>,
}

impl<'m> Measured<'m> {
    pub(crate) fn new(
        fill: &'m mut Option<Box<FieldFill>>,
        exceptions: &'m mut Option<Box<ExceptionMeasure>>,
    ) -> Self {
        Self {
            fill: fill.as_deref_mut(),
            exceptions: exceptions.as_deref_mut(),
        }
    }

    pub(crate) fn rules(
        &mut self,
        view: &View<'_>,
        rules: &RuleSet,
        matched: &[(usize, FindingDraft)],
    ) {
        if let Some(fill) = &mut self.fill {
            fill.matched(view, matched.iter().map(|(place, _)| *place));
            fill.note(view, rules);
        }
    }

    /// Holds back what exceptions cover. Where fields are measured, they hide nothing.
    pub(crate) fn hold_back(
        &mut self,
        (exceptions, conditions): (&mut Exceptions, &mut Compiled),
        view: &View<'_>,
        drafts: &mut Vec<FindingDraft>,
    ) {
        if self.fill.is_some() {
            return;
        }
        if let Some(measure) = &mut self.exceptions {
            measure.matched(view, drafts);
        }
        let held = exceptions.hold_back(conditions, view, drafts);
        if let Some(measure) = &mut self.exceptions {
            measure.held_back(view, &held);
        }
    }
}
