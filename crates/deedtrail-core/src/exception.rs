//! Exceptions to rules: matches that somebody answers for until a day, counted and not told.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::charter::Signed;
use crate::id::{EventUid, IdentityId, TenantId};
use crate::time::Timestamp;

/// One condition of an exception.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExceptionCondition {
    /// `actor`, `resource`, or a field of docs/reference/rule-fields.md.
    pub field: Text,
    /// Value with `*` for anything; case is ignored.
    pub pattern: Text,
}

impl fmt::Display for ExceptionCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.field, self.pattern)
    }
}

/// Matches that an exception held back of which more is kept than their number; older ones are only
/// counted.
pub const HELD_BACK_MAX: usize = 100;

/// So long after its end an exception is kept, with what it held back; then it is removed. Days.
pub const EXCEPTION_KEPT_DAYS: i64 = 400;

/// A match that an exception held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    /// Whose deed it was; the rule is that of the exception.
    pub identity: IdentityId,
    /// Time of the event.
    pub at: Timestamp,
    /// The event that matched, or completed the match.
    pub event: EventUid,
    /// What the finding would have said.
    pub title: String,
}

/// What an exception has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionEffect {
    /// Matches that it kept from being findings.
    pub held_back: u64,
    /// Time of the first and of the latest event of such a match.
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// The event of the match that was held back last.
    pub last_event: Option<EventUid>,
    /// The newest of these in the order of the log, the newest first: at most [`HELD_BACK_MAX`].
    #[serde(default)]
    pub newest: Vec<HeldBack>,
}

/// Whether an exception has an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionStatus {
    InForce,
    /// Its day has come.
    Expired,
    /// Somebody ended it before.
    Ended,
}

impl ExceptionStatus {
    pub const fn name(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::Expired => "expired",
            Self::Ended => "ended",
        }
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::Expired => "expired",
            Self::Ended => "ended",
        }
    }
}

/// An exception to a rule or code detector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleException {
    pub tenant: TenantId,
    /// Counted from 1 for each tenant.
    pub number: u32,
    /// Name of the rule or code detector.
    pub rule: Text,
    /// Of those on one field any must hold, and each field's must; none covers every match.
    pub conditions: Vec<ExceptionCondition>,
    /// Who answers for it.
    pub owner: Text,
    pub reason: Text,
    pub made: Signed,
    /// What is received from then on is told again.
    pub expires: Timestamp,
    pub ended: Option<Signed>,
    pub effect: ExceptionEffect,
}

impl RuleException {
    pub fn status(&self, now: Timestamp) -> ExceptionStatus {
        if self.ended.is_some() {
            ExceptionStatus::Ended
        } else if now >= self.expires {
            ExceptionStatus::Expired
        } else {
            ExceptionStatus::InForce
        }
    }

    /// When it has no effect any more: on its day, or when somebody ended it before.
    pub fn over(&self) -> Timestamp {
        let ended = self.ended.as_ref().map(|ended| ended.at);
        ended.map_or(self.expires, |ended| ended.min(self.expires))
    }

    /// Its conditions in words: `actor=a or actor=b, and resource=c`.
    pub fn covers(&self) -> String {
        if self.conditions.is_empty() {
            return "every match".to_owned();
        }
        let mut by_field: Vec<(&Text, String)> = Vec::new();
        for condition in &self.conditions {
            match by_field
                .iter_mut()
                .find(|(field, _)| **field == condition.field)
            {
                Some((_, words)) => {
                    words.push_str(" or ");
                    words.push_str(&condition.to_string());
                }
                None => by_field.push((&condition.field, condition.to_string())),
            }
        }
        let words: Vec<String> = by_field.into_iter().map(|(_, words)| words).collect();
        words.join(", and ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_ends_on_its_day_or_when_somebody_ends_it() {
        let signed = Signed {
            by: "ana".into(),
            at: Timestamp::from_micros(1),
        };
        let mut exception = RuleException {
            tenant: TenantId::default(),
            number: 1,
            rule: "a/b".into(),
            conditions: Vec::new(),
            owner: "ana".into(),
            reason: "nightly job".into(),
            made: signed.clone(),
            expires: Timestamp::from_micros(10),
            ended: None,
            effect: ExceptionEffect::default(),
        };
        let status = |it: &RuleException, at| it.status(Timestamp::from_micros(at));
        assert_eq!(status(&exception, 9), ExceptionStatus::InForce);
        assert_eq!(status(&exception, 10), ExceptionStatus::Expired);
        assert_eq!(exception.over(), exception.expires);
        assert_eq!(exception.covers(), "every match");
        exception.ended = Some(signed);
        assert_eq!(status(&exception, 9), ExceptionStatus::Ended);
        assert_eq!(exception.over(), Timestamp::from_micros(1));
        exception.conditions.push(ExceptionCondition {
            field: "actor".into(),
            pattern: "ci-*".into(),
        });
        assert_eq!(exception.covers(), "actor=ci-*");
        for (field, pattern) in [("resource", "scratch"), ("actor", "bot")] {
            exception.conditions.push(ExceptionCondition {
                field: field.into(),
                pattern: pattern.into(),
            });
        }
        assert_eq!(
            exception.covers(),
            "actor=ci-* or actor=bot, and resource=scratch"
        );
    }
}
