//! Exceptions to rules: which matches are held back, and how many they were.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_charter::Glob;
use deedtrail_core::charter::Signed;
use deedtrail_core::exception::{ExceptionCondition, RuleException};
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::id::TenantId;
use serde::{Deserialize, Serialize};

use crate::detector::{CodeDetector, DETECTORS};
use crate::field::{self, FIELDS, FieldValue, View};
use crate::limits::{EXCEPTION_CONDITIONS_MAX, EXCEPTIONS_MAX};

/// Names of conditions that stand for several fields.
const SHORT_NAMES: [(&str, &[&str]); 2] = [
    (
        "actor",
        &["actor_name", "actor_ref", "actor_aliases", "identity"],
    ),
    ("resource", &["target_name", "target_ref", "target_aliases"]),
];

/// What is wrong with a condition of an exception.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    #[error(
        "no condition is called `{name}`{}; write actor, resource, source or a field of \
         docs/reference/rule-fields.md",
        suggestion.map(|it| format!("; did you mean `{it}`?")).unwrap_or_default()
    )]
    Unknown {
        name: String,
        suggestion: Option<&'static str>,
    },
    #[error("`{0}` matches everything: leave the condition out, or say what it is about")]
    MatchesAll(String),
    #[error("`{name}`: {reason}")]
    Pattern { name: String, reason: String },
    #[error("an exception has at most {EXCEPTION_CONDITIONS_MAX} conditions; make another one")]
    TooMany,
}

/// Whether exceptions to a code detector can be made: it judges each event when it comes.
pub fn takes_exceptions(detector: &str) -> bool {
    let known = DETECTORS.iter().find(|one| one.id == detector);
    known.is_some_and(CodeDetector::judges_events)
}

/// Checks the conditions of an exception before it is made.
pub fn check_conditions(conditions: &[ExceptionCondition]) -> Result<(), ConditionError> {
    if conditions.len() > EXCEPTION_CONDITIONS_MAX {
        return Err(ConditionError::TooMany);
    }
    for condition in conditions {
        let (name, pattern) = (&condition.field, condition.pattern.as_str());
        let short = SHORT_NAMES.iter().any(|(short, _)| short == name);
        if !short && field::find(name).is_none() {
            return Err(ConditionError::Unknown {
                name: name.to_string(),
                suggestion: nearest(name),
            });
        }
        // An exception holds within its own tenant only.
        if name == "tenant" || pattern.chars().all(|c| c == '*') {
            return Err(ConditionError::MatchesAll(condition.to_string()));
        }
        Glob::new(pattern).map_err(|reason| ConditionError::Pattern {
            name: name.to_string(),
            reason,
        })?;
    }
    Ok(())
}

/// The condition whose name is nearest.
fn nearest(name: &str) -> Option<&'static str> {
    let short = SHORT_NAMES.iter().map(|(short, _)| *short);
    field::nearest(name, short.chain(FIELDS.iter().map(|field| field.name)))
}

/// Every exception that is known, as a part of the detector's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Exceptions {
    /// By number.
    by_tenant: BTreeMap<TenantId, BTreeMap<u32, RuleException>>,
    /// The number given last.
    numbers: BTreeMap<TenantId, u32>,
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
        if check_conditions(&exception.conditions).is_err() || known.values().any(same) {
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

    /// Those that changed since this was last called.
    pub(crate) fn take(&mut self) -> Vec<RuleException> {
        let changed = std::mem::take(&mut self.changed);
        let known = changed
            .iter()
            .filter_map(|(tenant, number)| self.by_tenant.get(tenant)?.get(number));
        known.cloned().collect()
    }

    /// Takes out of `drafts` what an exception covers, and counts it for the first that does.
    pub(crate) fn hold_back(&mut self, view: &View<'_>, drafts: &mut Vec<FindingDraft>) {
        let event = view.observation.event;
        if drafts.is_empty() {
            return;
        }
        let Some(known) = self.by_tenant.get_mut(&event.tenant) else {
            return;
        };
        drafts.retain(|draft| {
            let covering = known.values_mut().find(|it| {
                it.rule == draft.rule
                    && it.ended.is_none()
                    && event.time_received < it.expires
                    && covers(&it.conditions, view)
            });
            let Some(exception) = covering else {
                return true;
            };
            let effect = &mut exception.effect;
            let at = event.time_effective;
            effect.held_back += 1;
            effect.first = Some(effect.first.map_or(at, |first| first.min(at)));
            effect.last = effect.last.max(Some(at));
            effect.last_event = Some(event.event_uid);
            self.changed
                .insert((event.tenant.clone(), exception.number));
            false
        });
    }
}

/// Of the conditions on one field any must hold, and each field's must.
fn covers(conditions: &[ExceptionCondition], view: &View<'_>) -> bool {
    conditions.iter().all(|condition| {
        let same = conditions
            .iter()
            .filter(|other| other.field == condition.field);
        let mut same = same.filter_map(|other| Glob::new(&other.pattern).ok());
        same.any(|glob| holds(&condition.field, &glob, view))
    })
}

fn holds(name: &str, glob: &Glob, view: &View<'_>) -> bool {
    let short = SHORT_NAMES.iter().find(|(short, _)| *short == name);
    let one = [name];
    let fields = short.map_or(&one[..], |(_, fields)| fields);
    let mut values = fields.iter().filter_map(|field| view.get(field));
    values.any(|value| fits(&value, glob))
}

fn fits(value: &FieldValue<'_>, glob: &Glob) -> bool {
    match value {
        FieldValue::Text(text) => glob.matches(text),
        FieldValue::Integer(number) => glob.matches(&number.to_string()),
        FieldValue::Decimal(number) => glob.matches(&number.to_string()),
        FieldValue::Boolean(value) => glob.matches(&value.to_string()),
        FieldValue::List(items) => items.iter().any(|item| fits(item, glob)),
        FieldValue::Null | FieldValue::Map(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use deedtrail_core::exception::ExceptionEffect;
    use deedtrail_core::time::Timestamp;

    use super::*;

    fn check(field: &str, pattern: &str) -> Result<(), String> {
        let condition = ExceptionCondition {
            field: field.into(),
            pattern: pattern.into(),
        };
        check_conditions(&[condition]).map_err(|error| error.to_string())
    }

    #[test]
    fn a_condition_says_what_is_wrong_with_it() {
        assert_eq!(check("actor", "ci-*"), Ok(()));
        assert_eq!(check("source", "aws.cloudtrail"), Ok(()));
        let error = check("actor_nam", "x").unwrap_err();
        assert!(error.contains("did you mean `actor_name`?"), "{error}");
        for everything in ["*", "**", ""] {
            let error = check("actor", everything).unwrap_err();
            assert!(error.contains("matches everything"), "{error}");
        }
        assert!(check("tenant", "default").is_err());
        assert!(check("actor", &"x".repeat(100_000)).is_err());
    }

    #[test]
    fn what_is_not_taken_has_a_number_all_the_same() {
        let at = |day: i64| Timestamp::from_micros(day * Timestamp::DAY_US);
        let made = |day: i64, pattern: &str| RuleException {
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
        };
        let mut exceptions = Exceptions::default();
        assert!(exceptions.make(made(1, "ci-*")));
        assert!(!exceptions.make(made(2, "ci-*")), "says the same");
        assert!(!exceptions.make(made(2, "*")), "matches everything");
        assert!(exceptions.make(made(11, "ci-*")), "the first is over");
        let numbers: Vec<u32> = exceptions.take().iter().map(|it| it.number).collect();
        assert_eq!(numbers, [1, 4]);
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
