//! What people decided and imported, carried out where it stands in the log.

use std::collections::BTreeMap;

use deedtrail_core::behaviour::{BaselineWithdrawal, Withdrawal};
use deedtrail_core::charter::Signed;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::log::{NewEntry, ReadError, Sequence, StoredEntry};
use deedtrail_core::port::store::Dismissal;

use super::PipelineError;
use super::batch::Batch;
use super::snapshot::State;
use crate::behaviour::{BASELINE, BASELINE_WITHDRAWAL, WithdrawalEntry, approval};
use crate::charter::CHARTER;
use crate::configuration::{self, Feedback};
use crate::entitlement;
use crate::exception::{ExceptionChange, RULE_EXCEPTION};
use crate::identity::{IDENTITY_MERGE, parse_import};
use crate::quarantine::{QUARANTINE_DECISION, QuarantineDecision, Verdict};
use crate::rule_set;

impl Batch<'_> {
    pub(super) fn configuration(&mut self, entry: &StoredEntry) -> Result<(), PipelineError> {
        let (at, resolver) = (entry.entry.received, &mut self.pipeline.state.resolver);
        if entry.entry.note == configuration::IDENTITY_IMPORT
            && let Ok(rows) = parse_import(&entry.bytes())
        {
            resolver.apply_import(&entry.entry.tenant, rows, at);
            self.carry_merges();
        } else if entry.entry.note == configuration::ENTITLEMENT_IMPORT {
            self.entitle(entry);
        } else if entry.entry.note == IDENTITY_MERGE {
            resolver.apply_decision(&entry.bytes(), at);
            self.carry_merges();
            let State {
                resolver, entitled, ..
            } = &mut self.pipeline.state;
            entitled.index(resolver);
        } else if entry.entry.note == configuration::QUARANTINE_SETTLED {
            self.settle(entry)?;
        } else if entry.entry.note == QUARANTINE_DECISION
            && let Ok(decision) = serde_json::from_slice(&entry.bytes())
        {
            self.decide(entry, decision);
        } else if entry.entry.note == configuration::FEEDBACK
            && let Ok(said) = serde_json::from_slice::<Feedback>(&entry.bytes())
        {
            let detector = &mut self.pipeline.state.detector;
            detector.feedback(&entry.entry.tenant, said.session, said.disposition);
        } else if entry.entry.note == BASELINE
            && let Some(approved) = approval(&entry.entry)
            && self.is_fresh(entry)
        {
            self.progress.baselines.push(approved);
        } else if entry.entry.note == BASELINE_WITHDRAWAL {
            self.withdraw(entry);
        } else if entry.entry.note == CHARTER {
            self.charter(entry);
        } else if entry.entry.note == configuration::RULE_SET {
            self.take_up_rules(entry);
        } else if entry.entry.note == RULE_EXCEPTION {
            let detector = &mut self.pipeline.state.detector;
            ExceptionChange::apply(&entry.bytes(), &entry.entry.tenant, at, detector);
        } else if entry.entry.note == configuration::REPEATS
            && self.is_fresh(entry)
            && let Ok(repeats) = serde_json::from_slice(&entry.bytes())
        {
            let repeats: BTreeMap<SourceName, u64> = repeats;
            for (source, records) in repeats {
                let health = &mut self.pipeline.health;
                health.again(&entry.entry.tenant, &source, records);
            }
        }
        Ok(())
    }

    /// Goes on with the rules and sequences of an entry. In a trial those count that are tried.
    fn take_up_rules(&mut self, entry: &StoredEntry) {
        if self.pipeline.trial.is_some() {
            return;
        }
        if let Some(own) = rule_set::taken_down(entry) {
            let compiled = self.pipeline.detection.book.compile(&own);
            let state = &mut self.pipeline.state;
            state.detector.replace_rules(compiled.rules);
            state.detector.replace_library(compiled.sequences);
            state.rules_of = Some(entry.sequence);
        }
    }

    /// Takes what was learned of identities along that turned out to be one. What an entry merges is
    /// carried out with that entry: the next event may come after a restart.
    fn carry_merges(&mut self) {
        let State {
            resolver,
            detector,
            entitled,
            ..
        } = &mut self.pipeline.state;
        for (kept, merged) in resolver.take_merged() {
            detector.merge(kept, merged);
            entitled.merge(kept, merged);
        }
    }

    /// Takes over what an import says identities may do.
    fn entitle(&mut self, entry: &StoredEntry) {
        let (tenant, at) = (&entry.entry.tenant, entry.entry.received);
        let Some(said) = entitlement::imported(&entry.bytes(), tenant, at) else {
            return;
        };
        let State {
            resolver, entitled, ..
        } = &mut self.pipeline.state;
        entitlement::hold(resolver, &said);
        entitled.take(entry.sequence, &said, resolver);
        self.carry_merges();
        if self.is_fresh(entry) {
            self.progress.entitlements.push(said);
        }
    }

    /// Notes that somebody withdrew a baseline.
    fn withdraw(&mut self, entry: &StoredEntry) {
        if let Ok(said) = serde_json::from_slice::<WithdrawalEntry>(&entry.bytes())
            && said.tenant == entry.entry.tenant
            && self.is_fresh(entry)
        {
            let signed = Signed {
                by: said.by,
                at: entry.entry.received,
            };
            self.progress.baselines_withdrawn.push(BaselineWithdrawal {
                tenant: said.tenant,
                identity: said.identity,
                version: said.version,
                withdrawal: Withdrawal {
                    signed,
                    reason: said.reason,
                },
            });
        }
    }

    /// Carries out what somebody did to a charter.
    fn charter(&mut self, entry: &StoredEntry) {
        let State {
            charters, detector, ..
        } = &mut self.pipeline.state;
        let NewEntry {
            tenant, received, ..
        } = &entry.entry;
        let changed = charters.apply(tenant, &entry.bytes(), *received, detector);
        if self.is_fresh(entry) {
            self.progress.charters.extend(changed);
        }
    }

    /// Carries out what somebody decided about records in quarantine.
    fn decide(&mut self, entry: &StoredEntry, decision: QuarantineDecision) {
        let (fresh, tenant) = (self.is_fresh(entry), &entry.entry.tenant);
        let QuarantineDecision {
            source,
            sequences,
            by,
            verdict,
        } = decision;
        let State {
            set_aside,
            dismissed,
            ..
        } = &mut self.pipeline.state;
        let (from, to) = match verdict {
            Verdict::Dismissed(_) => (set_aside, dismissed),
            Verdict::Restored => (dismissed, set_aside),
        };
        let (health, progress) = (&mut self.pipeline.health, &mut self.progress);
        for sequence in sequences {
            if !from.remove(&sequence) {
                continue;
            }
            to.insert(sequence);
            if !fresh {
                continue;
            }
            match &verdict {
                Verdict::Dismissed(reason) => {
                    let dismissal = Dismissal {
                        by: by.clone(),
                        at: entry.entry.received,
                        reason: reason.clone(),
                    };
                    health.dismiss(tenant, &source);
                    progress.restored.retain(|restored| *restored != sequence);
                    progress.dismissed.push((sequence, dismissal));
                }
                Verdict::Restored => {
                    health.restore(tenant, &source);
                    progress.dismissed.retain(|(gone, _)| *gone != sequence);
                    progress.restored.push(sequence);
                }
            }
        }
    }

    /// Takes records out of quarantine whose events are there already.
    fn settle(&mut self, entry: &StoredEntry) -> Result<(), PipelineError> {
        let bytes = entry.bytes();
        let lines = str::from_utf8(&bytes).unwrap_or_default().lines();
        for sequence in lines.filter_map(|line| line.parse::<Sequence>().ok()) {
            if !self.pipeline.state.set_aside.remove(&sequence) || !self.is_fresh(entry) {
                continue;
            }
            let original = match self.pipeline.ports.log.read(sequence, 1) {
                Err(ReadError::Damaged { .. }) => None,
                read => read?.into_iter().next(),
            };
            if let Some(source) = original.and_then(|original| original.entry.source) {
                let tenant = &entry.entry.tenant;
                self.pipeline.health.release(tenant, &source);
            }
            self.progress.released.push(sequence);
        }
        Ok(())
    }
}
