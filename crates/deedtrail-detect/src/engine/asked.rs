//! What somebody asks of the detector beside judging events: exceptions, and measures.

use deedtrail_core::charter::Signed;
use deedtrail_core::exception::RuleException;
use deedtrail_core::id::TenantId;
use deedtrail_core::time::Timestamp;

use super::Detector;
use crate::exception::{ExceptionMeasure, MeasuredException};
use crate::fill::FieldFill;

impl Detector {
    /// Puts an exception to a rule in force from the next event on; false when there is no room for it.
    pub fn except(&mut self, exception: RuleException) -> bool {
        self.state.exceptions.make(exception)
    }

    /// Ends an exception; false when there is none of that number, or it has ended.
    pub fn end_exception(&mut self, tenant: &TenantId, number: u32, ended: Signed) -> bool {
        self.state.exceptions.end(tenant, number, ended)
    }

    /// Exceptions that are new, or held something back, since this was last called.
    pub fn take_exceptions(&mut self) -> Vec<RuleException> {
        self.state.exceptions.take()
    }

    /// Before when an exception was over that is known no more, if that changed since this was last
    /// called.
    pub fn take_exceptions_forgotten(&mut self) -> Option<Timestamp> {
        self.state.exceptions.take_forgotten()
    }

    /// Measures from here on what exceptions would hold back.
    pub fn measure_exceptions(&mut self, measure: ExceptionMeasure) {
        self.measure = Some(Box::new(measure));
    }

    /// What was measured since; nothing is measured any more.
    pub fn take_measured(&mut self) -> Vec<MeasuredException> {
        let measure = self.measure.take();
        measure.map_or_else(Vec::new, |measure| measure.figures())
    }

    /// Counts from here on how often events fill the fields that rules name.
    pub fn count_fields(&mut self, fill: FieldFill) {
        self.fill = Some(Box::new(fill));
    }

    /// What was counted since; nothing is counted any more.
    pub fn take_fields(&mut self) -> Option<FieldFill> {
        self.fill.take().map(|fill| *fill)
    }
}
