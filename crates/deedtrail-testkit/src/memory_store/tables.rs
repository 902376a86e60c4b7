//! The tables of the store in memory, and what of them matches.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::behaviour::{BaselineRecord, Forecast, IdentityBehaviour};
use deedtrail_core::charter::CharterRecord;
use deedtrail_core::custody::CustodyEntry;
use deedtrail_core::entitlement::{Entitlement, ImportName};
use deedtrail_core::exception::RuleException;
use deedtrail_core::finding::{Decision, Finding, FindingStatus};
use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::{
    AliasUid, CredentialUid, FindingId, IdentityId, SessionUid, SourceName, TenantId,
};
use deedtrail_core::identity::{AliasRecord, CredentialRecord, Declared, Identity, Merge};
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{
    DepartureDay, DepartureFilter, FindingFilter, IdentityFilter, ImportedEntitlements, Progress,
    Quarantined, SignInLink, StoreError, TokenRecord, WebSession,
};
use deedtrail_core::session::{BlindSession, JoinBy, Session, SessionJoin};

#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) derived: Derived,
    pub(super) declared: BTreeMap<IdentityId, Declared>,
    /// Each with the position it covers.
    pub(super) decisions: BTreeMap<FindingId, (Decision, Sequence)>,
    pub(super) tokens: BTreeMap<Text, TokenRecord>,
    pub(super) sign_in_links: BTreeMap<Text, SignInLink>,
    pub(super) sessions: BTreeMap<Text, WebSession>,
    pub(super) settings: BTreeMap<String, String>,
}

/// What a rebuild forgets.
#[derive(Clone, Debug, Default)]
pub(super) struct Derived {
    pub(super) processed: Sequence,
    pub(super) identities: BTreeMap<IdentityId, Identity>,
    pub(super) aliases: BTreeMap<AliasUid, AliasRecord>,
    pub(super) credentials: BTreeMap<CredentialUid, CredentialRecord>,
    pub(super) merges: BTreeMap<(IdentityId, IdentityId), Merge>,
    pub(super) findings: BTreeMap<FindingId, Finding>,
    pub(super) entitlements: BTreeMap<(TenantId, ImportName), ImportedEntitlements>,
    pub(super) sources: BTreeMap<(SourceName, TenantId), SourceHealth>,
    pub(super) quarantine: BTreeMap<Sequence, Quarantined>,
    pub(super) custody: BTreeSet<CustodyEntry>,
    pub(super) custody_due: BTreeSet<Sequence>,
    pub(super) charters: BTreeMap<(TenantId, Text, u32), CharterRecord>,
    pub(super) exceptions: BTreeMap<(TenantId, u32), RuleException>,
    pub(super) behaviours: BTreeMap<(TenantId, IdentityId), IdentityBehaviour>,
    pub(super) forecasts: BTreeMap<TenantId, Forecast>,
    pub(super) baselines: BTreeMap<(TenantId, IdentityId, u32), BaselineRecord>,
    pub(super) snapshots: BTreeMap<String, (Sequence, Vec<u8>)>,
    pub(super) sessions: BTreeMap<(SessionUid, Sequence), Session>,
    pub(super) joins: BTreeMap<(SessionUid, SessionUid, JoinBy), SessionJoin>,
    pub(super) blind: BTreeMap<(TenantId, IdentityId, Text), BlindSession>,
}

impl Derived {
    fn save_behaviour(&mut self, progress: &Progress) {
        for merge in &progress.merges {
            let merged = merge.merged;
            self.behaviours
                .retain(|(_, identity), _| *identity != merged);
        }
        for known in &progress.behaviours {
            let key = (known.tenant.clone(), known.identity);
            self.behaviours.insert(key, known.clone());
        }
        for forecast in &progress.forecasts {
            self.forecasts
                .insert(forecast.tenant.clone(), forecast.clone());
        }
        for approval in &progress.baselines {
            let whose = |(tenant, identity, _): &&(TenantId, IdentityId, u32)| {
                *tenant == approval.tenant && *identity == approval.identity
            };
            let numbers = self.baselines.keys().filter(whose);
            let version = numbers.map(|(.., version)| *version).max().unwrap_or(0) + 1;
            let key = (approval.tenant.clone(), approval.identity, version);
            let record = BaselineRecord {
                version,
                ..approval.clone()
            };
            self.baselines.insert(key, record);
        }
        for said in &progress.baselines_withdrawn {
            let key = (said.tenant.clone(), said.identity, said.version);
            if let Some(record) = self.baselines.get_mut(&key) {
                let withdrawn = || said.withdrawal.clone();
                record.withdrawn.get_or_insert_with(withdrawn);
            }
        }
    }

    /// What people said of identities and rules.
    fn save_said(&mut self, progress: &Progress) {
        for charter in &progress.charters {
            let key = (
                charter.tenant.clone(),
                charter.name.clone(),
                charter.version,
            );
            self.charters.insert(key, charter.clone());
        }
        for exception in &progress.exceptions {
            let key = (exception.tenant.clone(), exception.number);
            self.exceptions.insert(key, exception.clone());
        }
        if let Some(before) = progress.exceptions_over_before {
            self.exceptions.retain(|_, it| it.over() >= before);
        }
    }

    pub(super) fn save(&mut self, progress: &Progress) {
        self.processed = progress.through;
        for identity in &progress.identities {
            self.identities.insert(identity.id, identity.clone());
        }
        for alias in &progress.aliases {
            self.aliases.insert(alias.uid, alias.clone());
        }
        for credential in &progress.credentials {
            self.credentials.insert(credential.uid, credential.clone());
        }
        for merge in &progress.merges {
            self.merges
                .insert((merge.merged, merge.kept), merge.clone());
        }
        for finding in &progress.findings {
            self.findings.insert(finding.id, finding.clone());
        }
        for said in &progress.entitlements {
            self.replace(said);
        }
        for health in &progress.sources {
            let key = (health.source.clone(), health.tenant.clone());
            self.sources.insert(key, health.clone());
        }
        for session in &progress.sessions {
            self.sessions
                .insert((session.uid, session.part), session.clone());
        }
        for join in &progress.session_joins {
            self.joins
                .insert((join.from, join.to, join.by), join.clone());
        }
        for row in &progress.blind_sessions {
            let key = (row.tenant.clone(), row.identity, row.system.clone());
            self.blind.insert(key, row.clone());
        }
        self.custody.extend(progress.custody.iter().cloned());
        for sequence in &progress.custody_derived {
            self.custody_due.remove(sequence);
        }
        for record in &progress.quarantined {
            self.quarantine.insert(record.sequence, record.clone());
        }
        for sequence in &progress.released {
            self.quarantine.remove(sequence);
        }
        for (sequence, dismissal) in &progress.dismissed {
            if let Some(record) = self.quarantine.get_mut(sequence) {
                record.dismissal = Some(dismissal.clone());
            }
        }
        self.save_behaviour(progress);
        self.save_said(progress);
        for sequence in &progress.restored {
            if let Some(record) = self.quarantine.get_mut(sequence) {
                record.dismissal = None;
            }
        }
    }

    /// What was there under the same id keeps the time it was first imported.
    fn replace(&mut self, said: &ImportedEntitlements) {
        let name = (said.tenant.clone(), said.import.clone());
        let before = self.entitlements.remove(&name);
        let before: Vec<Entitlement> = before.map_or_else(Vec::new, |said| said.entitlements);
        let mut said = said.clone();
        for entitlement in &mut said.entitlements {
            let same = before.iter().find(|known| known.id == entitlement.id);
            let first = same.map_or(entitlement.first_imported, |known| known.first_imported);
            entitlement.first_imported = first;
        }
        said.entitlements
            .sort_by(|left, right| left.grant.key.cmp(&right.grant.key));
        self.entitlements.insert(name, said);
    }

    /// An alias or credential that leads nowhere is refused.
    pub(super) fn has_loose_end(&self) -> bool {
        let loose = |id: &IdentityId| !self.identities.contains_key(id);
        self.aliases.values().any(|alias| loose(&alias.identity))
            || self
                .credentials
                .values()
                .any(|credential| loose(&credential.identity))
    }

    pub(super) fn kept_for(&self, id: IdentityId) -> Option<IdentityId> {
        let standing = |merge: &&Merge| merge.merged == id && merge.undone.is_none();
        self.merges.values().find(standing).map(|merge| merge.kept)
    }

    pub(super) fn stands_for(&self, id: IdentityId) -> IdentityId {
        self.kept_for(id).map_or(id, |kept| self.stands_for(kept))
    }

    pub(super) fn is_family(&self, member: IdentityId, head: IdentityId) -> bool {
        member == head
            || self
                .kept_for(member)
                .is_some_and(|kept| self.is_family(kept, head))
    }
}

impl Tables {
    pub(super) fn identity(&self, stored: &Identity) -> Identity {
        let declared = self.declared.get(&stored.id).cloned().unwrap_or_default();
        Identity {
            declared,
            ..stored.clone()
        }
    }

    pub(super) fn matching(&self, filter: &IdentityFilter) -> Vec<Identity> {
        let stored = self
            .derived
            .identities
            .values()
            .map(|identity| self.identity(identity));
        let mut list: Vec<_> = stored
            .filter(|identity| self.matches(identity, filter))
            .collect();
        list.sort_by_key(|identity| (Reverse(identity.last_seen), identity.id));
        list
    }

    pub(super) fn matches(&self, identity: &Identity, filter: &IdentityFilter) -> bool {
        let owner = identity.declared.owner.as_deref();
        let kind = filter
            .kind
            .as_ref()
            .is_none_or(|kind| identity.kind.name() == kind);
        let text = filter.text.as_ref().is_none_or(|text| {
            let holds = |value: &str| value.to_lowercase().contains(&text.to_lowercase());
            let of = |alias: &&AliasRecord| alias.identity == identity.id;
            holds(&identity.name)
                || owner.is_some_and(holds)
                || self
                    .derived
                    .aliases
                    .values()
                    .filter(of)
                    .any(|alias| holds(&alias.value))
        });
        let unmerged = filter.merged || self.derived.kept_for(identity.id).is_none();
        kind && text && unmerged && (!filter.unowned || owner.is_none())
    }

    pub(super) fn finding(&self, stored: &Finding) -> Finding {
        let undecided = Finding {
            status: FindingStatus::Open,
            disposition: None,
            analyst: None,
            note: None,
            ..stored.clone()
        };
        match self.decisions.get(&stored.id).cloned() {
            None => undecided,
            Some((decision, covered)) => Finding {
                status: stored.status_now(decision.status, covered),
                disposition: decision.disposition,
                analyst: Some(decision.analyst),
                note: decision.note,
                updated: stored.updated.max(decision.at),
                ..undecided
            },
        }
    }

    /// Newest activity first.
    pub(super) fn findings(&self, filter: &FindingFilter, limit: usize) -> Vec<Finding> {
        let stored = self.derived.findings.values();
        let stored = stored.map(|finding| self.finding(finding));
        let mut list: Vec<_> = stored
            .filter(|finding| self.shows(finding, filter))
            .collect();
        list.sort_by_key(|f| Reverse((f.last_time, f.draft.severity, Reverse(f.id))));
        list.truncate(limit);
        list
    }

    pub(super) fn departures(&self, filter: &DepartureFilter<'_>) -> Vec<DepartureDay> {
        let all = FindingFilter {
            tenant: filter.tenant.clone(),
            ..FindingFilter::default()
        };
        let mut found = self.findings(&all, usize::MAX);
        found.retain(|finding| {
            filter.kinds.contains(&finding.draft.kind.as_str())
                && finding.status != FindingStatus::Closed
                && finding.last_time >= filter.since
        });
        found.truncate(filter.findings_max);
        let mut days: BTreeMap<_, DepartureDay> = BTreeMap::new();
        for Finding {
            draft, last_time, ..
        } in found
        {
            let day = last_time.utc_day();
            let known = days.entry((draft.identity, draft.kind.clone(), day));
            let known = known.or_insert(DepartureDay {
                identity: draft.identity,
                kind: draft.kind,
                day,
                severity: draft.severity,
                findings: 0,
                last: last_time,
            });
            known.severity = known.severity.max(draft.severity);
            known.findings += 1;
            known.last = known.last.max(last_time);
        }
        days.into_values().collect()
    }

    fn shows(&self, finding: &Finding, filter: &FindingFilter) -> bool {
        let draft = &finding.draft;
        let words = format!("{}\n{}\n{}", draft.title, draft.kind, draft.rule).to_lowercase();
        draft.tenant == filter.tenant
            && filter
                .identity
                .is_none_or(|head| self.derived.is_family(draft.identity, head))
            && filter.kind.as_ref().is_none_or(|kind| draft.kind == *kind)
            && filter
                .severity_min
                .is_none_or(|least| draft.severity >= least)
            && filter.status.is_none_or(|status| finding.status == status)
            && filter
                .text
                .as_ref()
                .is_none_or(|text| words.contains(&text.to_lowercase()))
            && filter
                .updated_since
                .is_none_or(|since| finding.updated >= since)
    }
}

/// An error as the disk's.
pub(super) fn refused(reason: &str) -> StoreError {
    StoreError::Failed {
        path: "memory".to_owned(),
        reason: reason.to_owned(),
    }
}
