//! Questions to the tables that are more than looking something up.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::behaviour::IdentityBehaviour;
use deedtrail_core::entitlement::Entitlement;
use deedtrail_core::finding::{Finding, FindingStatus};
use deedtrail_core::id::{AliasUid, SourceName, TenantId};
use deedtrail_core::port::store::{
    BehaviourOrder, QuarantineFilter, QuarantineReason, Quarantined, RuleFigures, SessionFilter,
};
use deedtrail_core::session::Session;

use super::tables::Derived;

pub(super) fn is_asked(record: &Quarantined, filter: &QuarantineFilter) -> bool {
    record.tenant == filter.tenant
        && filter.source.as_ref().is_none_or(|it| record.source == *it)
        && filter.code.as_ref().is_none_or(|it| record.code == *it)
        && record.dismissal.is_some() == filter.dismissed
}

pub(super) fn quarantine_reasons(
    derived: &Derived,
    filter: &QuarantineFilter,
) -> Vec<QuarantineReason> {
    let mut reasons: BTreeMap<(SourceName, Text), QuarantineReason> = BTreeMap::new();
    let asked = derived.quarantine.values();
    for record in asked.filter(|record| is_asked(record, filter)) {
        let reason = reasons.entry((record.source.clone(), record.code.clone()));
        let reason = reason.or_insert_with(|| QuarantineReason {
            source: record.source.clone(),
            code: record.code.clone(),
            records: 0,
            newest: record.sequence,
            received: record.received,
        });
        reason.records += 1;
        reason.newest = record.sequence;
        reason.received = record.received;
    }
    let mut reasons: Vec<_> = reasons.into_values().collect();
    reasons.sort_by_key(|reason| Reverse(reason.newest));
    reasons
}

pub(super) fn behaviours(
    derived: &Derived,
    tenant: &TenantId,
    order: BehaviourOrder,
    limit: usize,
) -> Vec<IdentityBehaviour> {
    let all = derived.behaviours.values();
    let mut list: Vec<IdentityBehaviour> = all
        .filter(|known| known.tenant == *tenant)
        .cloned()
        .collect();
    match order {
        BehaviourOrder::Newest => list.sort_by_key(|known| Reverse(known.at)),
        BehaviourOrder::Drifting => {
            let score = |known: &IdentityBehaviour| {
                let drift = known.drift.as_ref().filter(|drift| drift.departs());
                drift.map_or(-1.0, |drift| drift.score)
            };
            list.retain(|known| score(known) >= 0.0);
            list.sort_by(|one, other| score(other).total_cmp(&score(one)));
        }
    }
    list.truncate(limit);
    list
}
/// Findings summed up by rule.
pub(super) fn rule_figures(findings: &[Finding]) -> Vec<RuleFigures> {
    let mut rules: BTreeMap<Text, RuleFigures> = BTreeMap::new();
    for finding in findings {
        let rule = &finding.draft.rule;
        let sum = rules.entry(rule.clone()).or_insert_with(|| RuleFigures {
            rule: rule.clone(),
            last: finding.last_time,
            ..RuleFigures::default()
        });
        sum.findings += 1;
        sum.matches += u64::from(finding.repeats);
        sum.open += u64::from(finding.status != FindingStatus::Closed);
        sum.last = sum.last.max(finding.last_time);
        if let Some(disposition) = &finding.disposition {
            *sum.dispositions.entry(disposition.clone()).or_default() += 1;
        }
    }
    rules.into_values().collect()
}

pub(super) fn sessions(derived: &Derived, filter: &SessionFilter, limit: usize) -> Vec<Session> {
    let shown = |session: &&Session| {
        session.tenant == filter.tenant
            && filter
                .identity
                .is_none_or(|head| derived.is_family(session.identity, head))
            && filter.verdict.is_none_or(|it| session.verdict == it)
            && filter.trust_below.is_none_or(|it| session.trust.score < it)
            && (!filter.departing || !session.departures.is_empty())
    };
    let mut list: Vec<_> = derived.sessions.values().filter(shown).cloned().collect();
    list.sort_by_key(|it| (Reverse(it.last), it.uid, it.part));
    if filter.departing {
        list.sort_by(|one, other| other.departs_one_in().total_cmp(&one.departs_one_in()));
    }
    list.into_iter().skip(filter.offset).take(limit).collect()
}

/// Those held by any of these, with no other holder.
pub(super) fn entitlements_of(
    derived: &Derived,
    tenant: &TenantId,
    holders: &[AliasUid],
) -> Vec<Entitlement> {
    let said = derived.entitlements.values();
    let of_tenant = said.filter(|said| said.tenant == *tenant);
    let mut found = Vec::new();
    for entitlement in of_tenant.flat_map(|said| &said.entitlements) {
        let mut entitlement = entitlement.clone();
        entitlement.grant.holders.retain(|holder| {
            holders.contains(&AliasUid::of(tenant, &holder.namespace, &holder.value))
        });
        if !entitlement.grant.holders.is_empty() {
            found.push(entitlement);
        }
    }
    found
}
