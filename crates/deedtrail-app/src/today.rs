//! Today: what needs a look first.

use deedtrail_core::finding::{Finding, FindingStatus, Severity};
use deedtrail_core::port::store::{FindingFilter, IdentityFilter, Scope};
use deedtrail_core::time::Timestamp;

use crate::App;
use crate::access::Principal;
use crate::figures::Figures;
use crate::listing::SourceReport;
use crate::timeline::ReadingError;

/// Most open findings that are counted by severity; beyond it the count is a lower bound.
pub const OPEN_FINDINGS_MAX: usize = 10_000;

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
        let mut urgent = self.open_findings()?;
        let open_by_severity = count_by_severity(&urgent);
        urgent.sort_by_key(|f| std::cmp::Reverse((f.draft.severity, f.last_time, f.id)));
        urgent.truncate(urgent_max);
        let unowned = IdentityFilter {
            unowned: true,
            ..IdentityFilter::default()
        };
        Ok(Today {
            now: self.ports.clock.now(),
            open_by_severity,
            urgent,
            identities: store.identity_count(&IdentityFilter::default())?,
            unowned: store.identity_count(&unowned)?,
            sources: self.sources(principal)?,
            figures: self.figures()?,
        })
    }

    /// Findings that nobody has closed or acknowledged.
    pub(crate) fn open_findings(&self) -> Result<Vec<Finding>, ReadingError> {
        let open = FindingFilter {
            status: Some(FindingStatus::Open),
            ..FindingFilter::default()
        };
        Ok(self.ports.store.findings(&open, OPEN_FINDINGS_MAX)?)
    }

    /// Open findings by severity, in the order of [`Severity::ALL`]; for metrics and navigation.
    pub fn open_by_severity(&self, principal: &Principal) -> Result<[u64; 5], ReadingError> {
        principal.require(Scope::Read)?;
        Ok(count_by_severity(&self.open_findings()?))
    }
}

fn count_by_severity(findings: &[Finding]) -> [u64; 5] {
    Severity::ALL.map(|severity| {
        let same = findings.iter().filter(|f| f.draft.severity == severity);
        same.count() as u64
    })
}
