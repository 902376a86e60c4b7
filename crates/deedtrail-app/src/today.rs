//! Today: what needs a look first.

use std::collections::BTreeMap;

use deedtrail_core::event::ActorKind;
use deedtrail_core::finding::{Finding, FindingStatus, Severity};
use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::IdentityId;
use deedtrail_core::port::store::{FindingFilter, IdentityFilter, Scope};
use deedtrail_core::time::Timestamp;
use serde::Serialize;

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
    pub unattributed: Unattributed,
    pub non_human: NonHumanShare,
}

/// How many events name nobody who acted: no finding, session or timeline has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unattributed {
    pub events: u64,
    pub without_identity: u64,
}

impl Unattributed {
    /// More than one in a hundred names nobody.
    pub const fn is_many(self) -> bool {
        self.without_identity.saturating_mul(100) > self.events
    }

    /// The share in per cent with two digits, rounded up: none is `0`.
    pub fn percent(self) -> String {
        if self.without_identity == 0 {
            return "0".to_owned();
        }
        let parts = self.without_identity.saturating_mul(10_000);
        let parts = parts.div_ceil(self.events.max(1));
        format!("{}.{:02}", parts / 100, parts % 100)
    }

    /// Over these sources.
    pub fn of<'a>(sources: impl Iterator<Item = &'a SourceHealth>) -> Self {
        sources.fold(Self::default(), |sum, health| Self {
            events: sum.events + health.events,
            without_identity: sum.without_identity
                + health.missing.get("actor").copied().unwrap_or(0),
        })
    }
}

/// A published share of breaches by non-human identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Benchmark {
    pub percent: u64,
    pub says: &'static str,
    pub source: &'static str,
    /// Day on which the source was updated.
    pub date: &'static str,
}

/// What [`NonHumanShare`] is set beside.
pub const BENCHMARK: Benchmark = Benchmark {
    percent: 80,
    says: "of identity breaches involved compromised non-human identities",
    source: "NHI Mgmt Group, Post-authentication telemetry",
    date: "2026-06-27",
};

/// Days over which [`NonHumanShare`] counts.
pub const SHARE_DAYS: i64 = 30;
/// Findings that [`NonHumanShare`] counts at most, the newest.
const SHARE_FINDINGS_MAX: usize = 10_000;

/// How many of this organisation's high and critical findings of the last days are about non-human
/// identities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NonHumanShare {
    pub findings: u64,
    pub non_human: u64,
    /// Of identities of which it is not known what they are.
    pub unknown: u64,
}

impl NonHumanShare {
    /// Of those of known kind; `None` without any.
    pub fn percent(self) -> Option<u64> {
        let known = self.findings.saturating_sub(self.unknown);
        (self.non_human.saturating_mul(100) + known / 2).checked_div(known)
    }
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
        let (sources, figures) = (self.sources(principal)?, self.figures()?);
        let healths = sources.iter().filter_map(|source| source.health.as_ref());
        Ok(Today {
            now: self.ports.clock.now(),
            unattributed: Unattributed::of(healths),
            non_human: self.non_human_share(principal)?,
            urgent: self.urgent(principal, open_by_severity, urgent_max)?,
            open_by_severity,
            identities: store.identity_count(&IdentityFilter::default())?,
            unowned: store.identity_count(&unowned)?,
            sources,
            figures,
        })
    }

    fn non_human_share(&self, principal: &Principal) -> Result<NonHumanShare, ReadingError> {
        let store = &self.ports.store;
        let since = self.ports.clock.now();
        let since = since.plus_micros(-SHARE_DAYS * Timestamp::DAY_US);
        let filter = FindingFilter {
            tenant: principal.tenant.clone(),
            severity_min: Some(Severity::High),
            updated_since: Some(since),
            ..FindingFilter::default()
        };
        let found = store.findings(&filter, SHARE_FINDINGS_MAX)?;
        let mut kinds: BTreeMap<IdentityId, ActorKind> = BTreeMap::new();
        let mut share = NonHumanShare::default();
        for finding in found.iter().filter(|finding| finding.draft.at >= since) {
            let who = finding.draft.identity;
            let kind = match kinds.get(&who) {
                Some(kind) => *kind,
                None => store
                    .identity(who)?
                    .map_or(ActorKind::Unknown, |it| it.kind),
            };
            kinds.insert(who, kind);
            share.findings += 1;
            share.unknown += u64::from(kind == ActorKind::Unknown);
            let non_human = !matches!(kind, ActorKind::Human | ActorKind::Unknown);
            share.non_human += u64::from(non_human);
        }
        Ok(share)
    }

    /// Open findings by severity, in the order of [`Severity::ALL`].
    pub fn open_by_severity(&self, principal: &Principal) -> Result<[u64; 5], ReadingError> {
        principal.require(Scope::Read)?;
        Ok(self.ports.store.finding_counts(&open(principal))?)
    }

    /// The most severe open findings, the newest first within a severity.
    fn urgent(
        &self,
        principal: &Principal,
        open_counts: [u64; 5],
        max: usize,
    ) -> Result<Vec<Finding>, ReadingError> {
        let mut urgent = Vec::new();
        for (severity, count) in Severity::ALL.into_iter().zip(open_counts).rev() {
            if count == 0 || urgent.len() >= max {
                continue;
            }
            let filter = FindingFilter {
                severity_min: Some(severity),
                ..open(principal)
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
fn open(principal: &Principal) -> FindingFilter {
    FindingFilter {
        tenant: principal.tenant.clone(),
        status: Some(FindingStatus::Open),
        ..FindingFilter::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_what_is_known() {
        let share = |findings, non_human, unknown| NonHumanShare {
            findings,
            non_human,
            unknown,
        };
        assert_eq!(share(0, 0, 0).percent(), None);
        assert_eq!(share(2, 0, 2).percent(), None);
        assert_eq!(share(5, 2, 2).percent(), Some(67));
        let unattributed = |events, without_identity| Unattributed {
            events,
            without_identity,
        };
        assert_eq!(unattributed(0, 0).percent(), "0");
        assert_eq!(unattributed(30_000, 1).percent(), "0.01");
        assert_eq!(unattributed(8, 1).percent(), "12.50");
        assert!(!unattributed(100, 1).is_many());
        assert!(unattributed(99, 1).is_many());
    }
}
