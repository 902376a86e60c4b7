//! Today: what needs a look first.

use deedtrail_core::finding::{Finding, FindingStatus, Severity};
use deedtrail_core::port::store::{FindingFilter, IdentityFilter, Scope};
use deedtrail_core::time::Timestamp;

use crate::App;
use crate::access::Principal;
use crate::feed_health::SourceReport;
use crate::figures::Figures;
use crate::timeline::ReadingError;

/// What the first page shows.
#[derive(Clone, Debug)]
pub struct Today {
    pub now: Timestamp,
    /// Open findings by severity, in the order of [`Severity::ALL`].
    pub open_by_severity: [u64; 5],
    /// Open findings, the most severe first, then the newest.
    pub urgent: Vec<Finding>,
    pub identities: u64,
    pub unowned: u64,
    pub sources: Vec<SourceReport>,
    pub figures: Figures,
}

impl App {
    /// Counts, the `urgent_max` most urgent open findings, feeds and evidence health.
    pub fn today(&self, principal: &Principal, urgent_max: usize) -> Result<Today, ReadingError> {
        principal.require(Scope::Read)?;
        let store = &self.ports.store;
        let open_by_severity = self.open_by_severity(principal)?;
        let unowned = IdentityFilter {
            unowned: true,
            ..IdentityFilter::default()
        };
        Ok(Today {
            now: self.ports.clock.now(),
            urgent: self.urgent(open_by_severity, urgent_max)?,
            open_by_severity,
            identities: store.identity_count(&IdentityFilter::default())?,
            unowned: store.identity_count(&unowned)?,
            sources: self.sources(principal)?,
            figures: self.figures()?,
        })
    }

    /// Open findings by severity, in the order of [`Severity::ALL`].
    pub fn open_by_severity(&self, principal: &Principal) -> Result<[u64; 5], ReadingError> {
        principal.require(Scope::Read)?;
        Ok(self.ports.store.finding_counts(&open())?)
    }

    /// The most severe open findings, the newest first within a severity.
    fn urgent(&self, open_counts: [u64; 5], max: usize) -> Result<Vec<Finding>, ReadingError> {
        let mut urgent = Vec::new();
        for (severity, count) in Severity::ALL.into_iter().zip(open_counts).rev() {
            if count == 0 || urgent.len() >= max {
                continue;
            }
            let filter = FindingFilter {
                severity_min: Some(severity),
                ..open()
            };
            // Everything more severe is in `urgent` already and may come again.
            let found = self.ports.store.findings(&filter, urgent.len() + max)?;
            let same = found.into_iter().filter(|f| f.draft.severity == severity);
            urgent.extend(same.take(max - urgent.len()));
        }
        Ok(urgent)
    }
}

/// Findings that nobody has closed or acknowledged.
fn open() -> FindingFilter {
    FindingFilter {
        status: Some(FindingStatus::Open),
        ..FindingFilter::default()
    }
}
