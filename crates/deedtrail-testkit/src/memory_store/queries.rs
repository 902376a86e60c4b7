//! Questions to the tables that are more than looking something up.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::behaviour::IdentityBehaviour;
use deedtrail_core::finding::{Finding, FindingStatus};
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::store::{
    BehaviourOrder, QuarantineFilter, QuarantineReason, Quarantined, RuleFigures,
};

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
