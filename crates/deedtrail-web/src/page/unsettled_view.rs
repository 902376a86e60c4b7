//! Findings that speak against taking what was done for what should be done.

use deedtrail_app::unsettled::{Unsettled, not_looked_at_in_words};
use deedtrail_core::finding::Severity;

use crate::view::Shown;

/// Findings shown; that there are more is said.
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

/// Findings with what is not among them.
#[derive(Debug, Default)]
pub(super) struct UnsettledList {
    pub(super) rows: Vec<UnsettledView>,
    /// How many more there are.
    pub(super) more: usize,
    /// That older ones were not looked at.
    pub(super) not_looked_at: Option<String>,
}

impl UnsettledList {
    /// `older`: findings that were not looked at.
    pub(super) fn of(all: &[Unsettled], older: u64) -> Self {
        let rows = all.iter().take(FINDINGS_MAX);
        Self {
            rows: rows.map(UnsettledView::one).collect(),
            more: all.len().saturating_sub(FINDINGS_MAX),
            not_looked_at: not_looked_at_in_words(older),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.not_looked_at.is_none()
    }
}

impl UnsettledView {
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
