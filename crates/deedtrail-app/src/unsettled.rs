//! Findings that speak against taking what an identity did for what it should do.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use deedtrail_core::Text;
use deedtrail_core::finding::{FINDING_EVENTS_MAX, Finding, FindingStatus, Severity};
use deedtrail_core::id::{EventUid, FindingId, IdentityId, SessionUid, TenantId};
use deedtrail_core::port::store::{FindingFilter, StoreError};
use deedtrail_core::time::Timestamp;
use serde::Serialize;

use crate::App;

/// Most findings of an identity looked at, the newest of them.
const FINDINGS_MAX: usize = 1_000;
/// Findings named in a sentence; the others are counted.
const NAMED_MAX: usize = 5;
/// What an analyst concludes of deeds that must not become usual.
const HARMFUL: [&str; 3] = ["coerced", "intrusion", "misuse"];

/// A finding that is not settled as harmless, and rests on events of a stretch of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unsettled {
    pub id: FindingId,
    pub kind: Text,
    pub title: String,
    pub severity: Severity,
    pub status: FindingStatus,
    /// Of a closed one: `coerced`, `intrusion` or `misuse`.
    pub disposition: Option<Text>,
    /// The events within that time it rests on.
    #[serde(skip)]
    pub events: BTreeSet<EventUid>,
    /// The session it is about, from its first event to its last: what else was done in that while is
    /// no better.
    #[serde(skip)]
    pub while_in: Option<(SessionUid, RangeInclusive<Timestamp>)>,
}

impl Unsettled {
    /// The finding, if it speaks against learning what was done from `from` on and before `until`.
    fn of(finding: Finding, from: Option<Timestamp>, until: Option<Timestamp>) -> Option<Self> {
        let harmful = |disposition: &Text| HARMFUL.contains(&disposition.as_str());
        if finding.status == FindingStatus::Closed
            && !finding.disposition.as_ref().is_some_and(harmful)
        {
            return None;
        }
        let within = |at: Timestamp| {
            from.is_none_or(|from| at >= from) && until.is_none_or(|until| at < until)
        };
        let events = finding.draft.events.iter();
        let events = events.filter(|event| within(event.time));
        let events: BTreeSet<EventUid> = events.map(|event| event.event_uid).collect();
        // Of a finding with more events than it lists only the span is known.
        let full = finding.draft.events.len() >= FINDING_EVENTS_MAX;
        if events.is_empty() && !(full && within(finding.first_time)) {
            return None;
        }
        Some(Self {
            id: finding.id,
            kind: finding.draft.kind,
            title: finding.draft.title,
            severity: finding.draft.severity,
            status: finding.status,
            disposition: finding.disposition,
            while_in: finding
                .draft
                .session
                .map(|session| (session, finding.first_time..=finding.last_time)),
            events,
        })
    }

    /// One line: severity, kind, id, title.
    pub fn line(&self) -> String {
        let state = self.disposition.as_deref().unwrap_or(self.status.name());
        format!(
            "{} {} ({}, {state}): {}",
            self.severity.name(),
            self.kind,
            self.id,
            self.title
        )
    }
}

/// What is known of the findings of an identity that speak against learning from what it did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The gravest first.
    pub(crate) findings: Vec<Unsettled>,
    /// Older findings that may be among them.
    pub(crate) not_looked_at: u64,
}

/// That not all findings of an identity were looked at, in words; `None` where they were.
pub fn not_looked_at_in_words(older: u64) -> Option<String> {
    (older > 0).then(|| {
        format!(
            "the newest {FINDINGS_MAX} findings of it were looked at, {older} older ones were not: \
             `deedtrail finding list` has them"
        )
    })
}

/// The findings in a sentence, the first by name.
pub(crate) fn sentence(all: &[Unsettled]) -> String {
    let mut named: Vec<String> = all.iter().take(NAMED_MAX).map(Unsettled::line).collect();
    if all.len() > NAMED_MAX {
        named.push(format!("and {} more", all.len() - NAMED_MAX));
    }
    named.join("; ")
}

impl App {
    /// Findings of an identity that are open, or closed as misuse and the like, and rest on what was
    /// done from a time on and before another; the gravest first. The newest [`FINDINGS_MAX`] are
    /// looked at.
    pub(crate) fn unsettled(
        &self,
        (tenant, identity): (&TenantId, IdentityId),
        (from, until): (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<Known, StoreError> {
        let filter = FindingFilter {
            tenant: tenant.clone(),
            identity: Some(identity),
            ..FindingFilter::default()
        };
        let findings = self.ports.store.findings(&filter, FINDINGS_MAX)?;
        let mut not_looked_at = 0;
        // The newest activity comes first: what follows the last may lie within that time unless that
        // one was over before.
        if let Some(oldest) = findings.get(FINDINGS_MAX - 1)
            && from.is_none_or(|from| oldest.last_time >= from)
        {
            let total: u64 = self.ports.store.finding_counts(&filter)?.iter().sum();
            not_looked_at = total.saturating_sub(FINDINGS_MAX as u64);
        }
        let mut all: Vec<Unsettled> = findings
            .into_iter()
            .filter_map(|finding| Unsettled::of(finding, from, until))
            .collect();
        all.sort_by(|one, other| {
            let key = |it: &Unsettled| (std::cmp::Reverse(it.severity), it.kind.clone(), it.id);
            key(one).cmp(&key(other))
        });
        Ok(Known {
            findings: all,
            not_looked_at,
        })
    }
}
