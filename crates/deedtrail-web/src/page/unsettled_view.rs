//! Findings that speak against taking what was done for what should be done.

use deedtrail_app::unsettled::Unsettled;
use deedtrail_core::finding::Severity;

use crate::view::Shown;

/// Findings shown; the API has all.
const FINDINGS_MAX: usize = 20;

#[derive(Debug)]
pub(super) struct UnsettledView {
    pub(super) id: String,
    pub(super) class: &'static str,
    pub(super) severity: &'static str,
    pub(super) kind: String,
    pub(super) title: Shown,
    /// `open`, `acknowledged`, or what a closed one was found to be.
    pub(super) state: Shown,
}

impl UnsettledView {
    pub(super) fn of(all: &[Unsettled]) -> Vec<Self> {
        all.iter().take(FINDINGS_MAX).map(Self::one).collect()
    }

    fn one(finding: &Unsettled) -> Self {
        let state = finding.disposition.as_deref();
        Self {
            id: finding.id.to_string(),
            class: match finding.severity {
                Severity::Critical | Severity::High => "high",
                Severity::Medium => "med",
                Severity::Low => "low",
                Severity::Info => "info",
            },
            severity: finding.severity.name(),
            kind: finding.kind.to_string(),
            title: Shown::cut(&finding.title, 200),
            state: Shown::cut(state.unwrap_or(finding.status.name()), 40),
        }
    }
}
