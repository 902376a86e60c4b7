//! Exceptions to rules: which matches are held back, and how many they were.

mod condition;
mod measure;

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::charter::Signed;
use deedtrail_core::exception::{EXCEPTION_KEPT_DAYS, HELD_BACK_MAX, HeldBack, RuleException};
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::id::TenantId;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::detector::{CodeDetector, DETECTORS};
use crate::fact;
use crate::field::View;
use crate::limits::EXCEPTIONS_MAX;
pub use condition::{ConditionError, check_conditions, condition_names};
use condition::{Conditions, check_form};
pub use measure::{ExceptionMeasure, MeasuredException};

/// Longest title kept of what is held back, bytes; a longer one is cut.
const TITLE_BYTES_MAX: usize = 200;

/// Whether exceptions to a code detector can be made: it judges each event when it comes.
pub fn takes_exceptions(detector: &str) -> bool {
    let known = DETECTORS.iter().find(|one| one.id == detector);
    known.is_some_and(CodeDetector::judges_events)
}

/// Conditions as they are compared, made once for each exception; derived, not part of the state.
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    by_tenant: BTreeMap<TenantId, BTreeMap<u32, Conditions>>,
}

impl Compiled {
    /// Conditions never change once an exception has its number.
    fn of(&mut self, tenant: &TenantId) -> &mut BTreeMap<u32, Conditions> {
        if !self.by_tenant.contains_key(tenant) {
            self.by_tenant.insert(tenant.clone(), BTreeMap::new());
        }
        self.by_tenant.entry(tenant.clone()).or_default()
    }
}

/// Every exception that is known, as a part of the detector's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Exceptions {
    /// By number.
    by_tenant: BTreeMap<TenantId, BTreeMap<u32, RuleException>>,
    /// The number given last.
    numbers: BTreeMap<TenantId, u32>,
    /// Those that were over before then are forgotten: midnight UTC.
    over_before: Timestamp,
    /// That time went on since it was taken.
    #[serde(skip)]
    forgot: bool,
    /// Those that changed since they were taken.
    #[serde(skip)]
    changed: BTreeSet<(TenantId, u32)>,
}

impl Exceptions {
    /// Takes a new one, whatever number it has; false when there is no room for it, when one in force
    /// says the same, or when its conditions make no sense. The oldest that has no effect any more
    /// makes room. Each gets a number, so that those of later ones do not depend on what this version
    /// takes.
    pub(crate) fn make(&mut self, mut exception: RuleException) -> bool {
        self.forget(exception.made.at);
        let tenant = exception.tenant.clone();
        let number = self.numbers.entry(tenant.clone()).or_default();
        *number += 1;
        exception.number = *number;
        let known = self.by_tenant.entry(tenant.clone()).or_default();
        let at = exception.made.at;
        let same = |it: &RuleException| {
            let is_in_force = it.ended.is_none() && at < it.expires;
            is_in_force && it.rule == exception.rule && it.conditions == exception.conditions
        };
        if check_form(&exception.conditions).is_err() || known.values().any(same) {
            return false;
        }
        if known.len() >= EXCEPTIONS_MAX {
            let over = |it: &&RuleException| it.ended.is_some() || at >= it.expires;
            let oldest = known.values().find(over).map(|it| it.number);
            let Some(oldest) = oldest else { return false };
            known.remove(&oldest);
        }
        known.insert(*number, exception);
        self.changed.insert((tenant, *number));
        true
    }

    /// Ends one; false when there is none in force of that number.
    pub(crate) fn end(&mut self, tenant: &TenantId, number: u32, ended: Signed) -> bool {
        let known = self.by_tenant.get_mut(tenant);
        let exception = known.and_then(|known| known.get_mut(&number));
        let Some(exception) = exception.filter(|it| it.ended.is_none()) else {
            return false;
        };
        exception.ended = Some(ended);
        self.changed.insert((tenant.clone(), number));
        true
    }

    /// Forgets those that were over [`EXCEPTION_KEPT_DAYS`] before this day, by time of receipt.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        let kept = EXCEPTION_KEPT_DAYS * Timestamp::DAY_US;
        let before = now.as_micros().saturating_sub(kept);
        let before = before.div_euclid(Timestamp::DAY_US) * Timestamp::DAY_US;
        let before = Timestamp::from_micros(before);
        if before <= self.over_before {
            return;
        }
        self.over_before = before;
        self.forgot = true;
        for known in self.by_tenant.values_mut() {
            known.retain(|_, it| it.over() >= before);
        }
    }

    /// Before when an exception was over that is forgotten, if that went on since this was last called.
    pub(crate) fn take_forgotten(&mut self) -> Option<Timestamp> {
        std::mem::take(&mut self.forgot).then_some(self.over_before)
    }

    /// Those that changed since this was last called.
    pub(crate) fn take(&mut self) -> Vec<RuleException> {
        let changed = std::mem::take(&mut self.changed);
        let known = changed
            .iter()
            .filter_map(|(tenant, number)| self.by_tenant.get(tenant)?.get(number));
        known.cloned().collect()
    }

    /// Takes out of `drafts` what an exception covers, and counts it for the first that does. Answers
    /// with the numbers of these.
    pub(crate) fn hold_back(
        &mut self,
        compiled: &mut Compiled,
        view: &View<'_>,
        drafts: &mut Vec<FindingDraft>,
    ) -> Vec<u32> {
        let event = view.observation.event;
        let mut held = Vec::new();
        if drafts.is_empty() {
            return held;
        }
        let Some(known) = self.by_tenant.get_mut(&event.tenant) else {
            return held;
        };
        let compiled = compiled.of(&event.tenant);
        // Those that detection forgot make room.
        if compiled.len() > 2 * EXCEPTIONS_MAX {
            compiled.retain(|number, _| known.contains_key(number));
        }
        drafts.retain(|draft| {
            let covering = known.values_mut().find(|it| {
                it.rule == draft.rule
                    && it.ended.is_none()
                    && event.time_received < it.expires
                    && compiled
                        .entry(it.number)
                        .or_insert_with(|| Conditions::new(&it.conditions))
                        .cover(view)
            });
            let Some(exception) = covering else {
                return true;
            };
            note(exception, view, draft);
            held.push(exception.number);
            let key = (event.tenant.clone(), exception.number);
            self.changed.insert(key);
            false
        });
        held
    }
}

/// Counts a match that is held back.
fn note(exception: &mut RuleException, view: &View<'_>, draft: &FindingDraft) {
    let event = view.observation.event;
    let (effect, at) = (&mut exception.effect, event.time_effective);
    effect.held_back += 1;
    effect.first = Some(effect.first.map_or(at, |first| first.min(at)));
    effect.last = effect.last.max(Some(at));
    effect.last_event = Some(event.event_uid);
    effect.newest.insert(
        0,
        HeldBack {
            identity: draft.identity,
            at,
            event: event.event_uid,
            title: fact::cut(&draft.title, TITLE_BYTES_MAX),
        },
    );
    effect.newest.truncate(HELD_BACK_MAX);
}

#[cfg(test)]
mod tests {
    use deedtrail_core::exception::{ExceptionCondition, ExceptionEffect};

    use super::*;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_micros(day * Timestamp::DAY_US)
    }

    /// In force for ten days.
    fn made(day: i64, pattern: &str) -> RuleException {
        RuleException {
            number: 0,
            tenant: TenantId::default(),
            rule: "code/burst".into(),
            conditions: vec![ExceptionCondition {
                field: "actor".into(),
                pattern: pattern.into(),
            }],
            owner: "lead".into(),
            reason: "known".into(),
            made: Signed {
                by: "local".into(),
                at: at(day),
            },
            expires: at(day + 10),
            ended: None,
            effect: ExceptionEffect::default(),
        }
    }

    #[test]
    fn what_is_not_taken_has_a_number_all_the_same() {
        let mut exceptions = Exceptions::default();
        assert!(exceptions.make(made(1, "ci-*")));
        assert!(!exceptions.make(made(2, "ci-*")), "says the same");
        assert!(!exceptions.make(made(2, "*")), "matches everything");
        assert!(exceptions.make(made(11, "ci-*")), "the first is over");
        let numbers: Vec<u32> = exceptions.take().iter().map(|it| it.number).collect();
        assert_eq!(numbers, [1, 4]);
    }

    #[test]
    fn what_is_over_for_long_is_forgotten() {
        let mut exceptions = Exceptions::default();
        assert!(exceptions.make(made(1_000, "expires")));
        assert!(exceptions.make(made(1_000, "ended")));
        let ended = Signed {
            by: "lead".into(),
            at: at(1_003),
        };
        assert!(exceptions.end(&TenantId::default(), 2, ended));
        exceptions.take_forgotten();
        let left = |exceptions: &Exceptions| -> Vec<u32> {
            let known = exceptions.by_tenant.values().flat_map(BTreeMap::keys);
            known.copied().collect()
        };
        let mut forgets = |now: Timestamp, expected: &[u32], before: Option<i64>| {
            exceptions.forget(now);
            assert_eq!(left(&exceptions), expected, "{now}");
            assert_eq!(exceptions.take_forgotten(), before.map(at), "{now}");
        };
        forgets(at(1_403), &[1, 2], Some(1_003));
        forgets(at(1_404).plus_micros(-1), &[1, 2], None);
        forgets(at(1_404).plus_micros(5), &[1], Some(1_004));
        forgets(at(1_300), &[1], None);
        forgets(at(1_410), &[1], Some(1_010));
        forgets(at(1_411), &[], Some(1_011));
        forgets(Timestamp::from_micros(0), &[], None);
        // What held something back before it was forgotten is told no more.
        let numbers: Vec<u32> = exceptions.take().iter().map(|it| it.number).collect();
        assert_eq!(numbers, Vec::<u32>::new());
        assert!(exceptions.make(made(1_411, "expires")), "numbers go on");
        assert_eq!(exceptions.take().first().map(|it| it.number), Some(3));
    }

    #[test]
    fn only_what_judges_events_takes_exceptions() {
        assert!(takes_exceptions("code/dormant"), "judges each event");
        for waits in [
            "code/secret",
            "code/behaviour",
            "code/charter",
            "code/unknown",
        ] {
            assert!(!takes_exceptions(waits), "{waits}");
        }
    }
}
