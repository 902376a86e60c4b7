//! Exceptions to rules: making, listing and ending them. Every change is an entry of the log and
//! takes effect where it stands there.

use std::collections::BTreeSet;
use std::time::Duration;

use deedtrail_charter::Library;
use deedtrail_core::Text;
use deedtrail_core::charter::Signed;
use deedtrail_core::exception::{
    ExceptionCondition, ExceptionEffect, ExceptionStatus, HeldBack, RuleException,
};
use deedtrail_core::id::{IdentityId, TenantId};
use deedtrail_core::limits::NOTE_CHARACTERS_MAX;
use deedtrail_core::port::log::AppendError;
use deedtrail_core::port::store::{Scope, StoreError};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::exception::{ConditionError, check_conditions, takes_exceptions};
use deedtrail_detect::limits::EXCEPTIONS_MAX;
use deedtrail_detect::{Detector, detector};
use serde::{Deserialize, Serialize};

use crate::App;
use crate::access::{Denied, Principal};
use crate::rule_name::UnknownRule;
use crate::timeline::ReadingError;

/// Note of an entry that carries an [`ExceptionChange`] as JSON.
pub const RULE_EXCEPTION: &str = "rule exception";
/// How long a change waits to be carried out, so that whoever looks next sees it.
const SETTLED_WITHIN: Duration = Duration::from_millis(500);
/// Matches held back that a list of exceptions names of each.
const LISTED_NEWEST_MAX: usize = 3;
/// Longest name of an owner, characters.
const OWNER_CHARACTERS_MAX: usize = 200;
/// Longest time an exception can be made for, days: whoever needs it longer looks at it again.
pub const EXCEPTION_DAYS_MAX: i64 = 366;

/// What somebody does to an exception.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ExceptionChange {
    /// It is in force from here on.
    Made {
        rule: Text,
        conditions: Vec<ExceptionCondition>,
        owner: Text,
        reason: Text,
        expires: Timestamp,
        by: Text,
    },
    /// It is in force no longer.
    Ended { number: u32, by: Text },
}

impl ExceptionChange {
    /// Carries out an entry of the log. One that makes no sense (any more) changes nothing.
    pub(crate) fn apply(
        content: &[u8],
        tenant: &TenantId,
        at: Timestamp,
        detector: &mut Detector,
    ) -> bool {
        match serde_json::from_slice(content) {
            Ok(Self::Made {
                rule,
                conditions,
                owner,
                reason,
                expires,
                by,
            }) => detector.except(RuleException {
                tenant: tenant.clone(),
                number: 0,
                rule,
                conditions,
                owner,
                reason,
                made: Signed { by, at },
                expires,
                ended: None,
                effect: ExceptionEffect::default(),
            }),
            Ok(Self::Ended { number, by }) => {
                detector.end_exception(tenant, number, Signed { by, at })
            }
            Err(_) => false,
        }
    }
}

/// An exception as somebody asks for it.
#[derive(Clone, Debug)]
pub struct ExceptionDraft<'a> {
    /// Name or id of a rule, or name of a code detector.
    pub rule: &'a str,
    pub conditions: Vec<ExceptionCondition>,
    pub owner: &'a str,
    pub reason: &'a str,
    pub expires: Timestamp,
}

/// What one exception held back.
#[derive(Clone, Debug)]
pub struct HeldBackBy {
    pub exception: RuleException,
    /// The newest first.
    pub matches: Vec<HeldBackMatch>,
}

/// A match that was held back, with the name of whose deed it was.
#[derive(Clone, Debug)]
pub struct HeldBackMatch {
    pub identity: String,
    pub held: HeldBack,
}

/// What one exception held back of an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldBackOf {
    /// Number of the exception.
    pub number: u32,
    pub rule: Text,
    /// Among the newest that are kept of the exception.
    pub matches: u64,
    /// Time of the event of the newest.
    pub last: Timestamp,
}

/// An exception that can be made.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) rule: Text,
    pub(crate) conditions: Vec<ExceptionCondition>,
    pub(crate) owner: Text,
    pub(crate) reason: Text,
}

#[derive(Debug, thiserror::Error)]
pub enum ExceptionError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Reading(#[from] ReadingError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Condition(#[from] ConditionError),
    #[error(transparent)]
    UnknownRule(#[from] UnknownRule),
    #[error(
        "`{0}` tells of what has not come yet, or of what was declared, so that no single event is \
         excepted: change the charter, the sequence or the settings that it goes by"
    )]
    NotByEvent(String),
    #[error("say who answers for it (at most {OWNER_CHARACTERS_MAX} characters)")]
    Owner,
    #[error("say why (at most {NOTE_CHARACTERS_MAX} characters)")]
    Reason,
    #[error("{expires} has passed: an exception ends on a day to come")]
    Past { expires: Timestamp },
    #[error(
        "{expires} is more than {EXCEPTION_DAYS_MAX} days away: choose an earlier day and look at it \
         again then"
    )]
    TooLong { expires: Timestamp },
    #[error("exception {0} says the same and is in force; end it first, or wait for its day")]
    Double(u32),
    #[error("{EXCEPTIONS_MAX} exceptions are in force already; end one first")]
    Full,
    #[error("there is no exception {0}; `deedtrail rule exceptions` lists them")]
    Unknown(u32),
    #[error("exception {0} has no effect any more: it is {words}", words = .1.words())]
    Over(u32, ExceptionStatus),
}

impl App {
    /// Exceptions, the newest first: to one rule, or all. Those of a rule that is no longer in force
    /// are listed too.
    pub fn rule_exceptions(
        &self,
        principal: &Principal,
        rule: Option<&str>,
    ) -> Result<Vec<RuleException>, ExceptionError> {
        principal.require(Scope::Read)?;
        let mut all = self.ports.store.exceptions(&principal.tenant)?;
        // A list of exceptions is no list of what they held back.
        for exception in &mut all {
            exception.effect.newest.truncate(LISTED_NEWEST_MAX);
        }
        if let Some(rule) = rule {
            let named = self.rules().find(rule).map(|rule| rule.name.clone());
            let name = named.unwrap_or_else(|| Text::new(rule));
            all.retain(|it| it.rule == name);
            if all.is_empty() {
                self.excepted_rule(rule)?;
            }
        }
        Ok(all)
    }

    /// What an exception held back, the newest first; older than the newest
    /// [`deedtrail_core::exception::HELD_BACK_MAX`] are only counted.
    pub fn held_back(
        &self,
        principal: &Principal,
        number: u32,
    ) -> Result<HeldBackBy, ExceptionError> {
        principal.require(Scope::Read)?;
        let known = self.ports.store.exceptions(&principal.tenant)?;
        let exception = known.into_iter().find(|it| it.number == number);
        let exception = exception.ok_or(ExceptionError::Unknown(number))?;
        let held = exception.effect.newest.iter();
        let ids: BTreeSet<IdentityId> = held.clone().map(|held| held.identity).collect();
        let names = self.identity_names(&principal.reading(), ids)?;
        let matches = held.map(|held| HeldBackMatch {
            identity: names
                .get(&held.identity)
                .map_or_else(|| held.identity.to_string(), |it| it.name.to_string()),
            held: held.clone(),
        });
        Ok(HeldBackBy {
            matches: matches.collect(),
            exception,
        })
    }

    /// How many of the matches that are kept exceptions held back of an identity, by exception.
    pub fn held_back_of(
        &self,
        principal: &Principal,
        identity: IdentityId,
    ) -> Result<Vec<HeldBackOf>, ReadingError> {
        principal.require(Scope::Read)?;
        let known = self.ports.store.exceptions(&principal.tenant)?;
        let of = known.into_iter().filter_map(|exception| {
            let newest = &exception.effect.newest;
            let mut its = newest.iter().filter(|held| held.identity == identity);
            let last = its.next()?.at;
            Some(HeldBackOf {
                number: exception.number,
                matches: its.count() as u64 + 1,
                last,
                rule: exception.rule,
            })
        });
        Ok(of.collect())
    }

    /// Exceptions in force to what a finding names as its rule, the newest first.
    pub fn exceptions_to(
        &self,
        principal: &Principal,
        rule: &str,
    ) -> Result<Vec<RuleException>, ReadingError> {
        principal.require(Scope::Read)?;
        let now = self.ports.clock.now();
        let mut all = self.ports.store.exceptions(&principal.tenant)?;
        all.retain(|it| it.rule == rule && it.status(now) == ExceptionStatus::InForce);
        Ok(all)
    }

    /// Makes an exception, in force from the next event on. `None` while the pipeline is behind: it
    /// is listed when that has caught up.
    pub fn except_rule(
        &self,
        principal: &Principal,
        draft: &ExceptionDraft<'_>,
    ) -> Result<Option<RuleException>, ExceptionError> {
        principal.require(Scope::Write)?;
        let Checked {
            rule,
            conditions,
            owner,
            reason,
        } = self.checked_exception(draft)?;
        let (now, expires) = (self.ports.clock.now(), draft.expires);
        let known = self.ports.store.exceptions(&principal.tenant)?;
        let in_force = known
            .iter()
            .filter(|it| it.status(now) == ExceptionStatus::InForce);
        if let Some(same) = in_force
            .clone()
            .find(|it| it.rule == rule && it.conditions == conditions)
        {
            return Err(ExceptionError::Double(same.number));
        }
        if in_force.count() >= EXCEPTIONS_MAX {
            return Err(ExceptionError::Full);
        }
        let change = ExceptionChange::Made {
            rule: rule.clone(),
            conditions: conditions.clone(),
            owner,
            reason,
            expires,
            by: principal.name.clone(),
        };
        let before = known.iter().map(|it| it.number).max();
        self.change_exception(principal, ("rule exception made", &rule), &change)?;
        let known = self.ports.store.exceptions(&principal.tenant)?;
        let mut new = known.into_iter().filter(|it| Some(it.number) > before);
        Ok(new.find(|it| it.rule == rule && it.conditions == conditions))
    }

    /// A draft whose every part can be taken.
    pub(crate) fn checked_exception(
        &self,
        draft: &ExceptionDraft<'_>,
    ) -> Result<Checked, ExceptionError> {
        let rule = self.excepted_rule(draft.rule)?;
        check_conditions(&draft.conditions)?;
        let owner = said(draft.owner, OWNER_CHARACTERS_MAX).ok_or(ExceptionError::Owner)?;
        let reason = said(draft.reason, NOTE_CHARACTERS_MAX).ok_or(ExceptionError::Reason)?;
        let (now, expires) = (self.ports.clock.now(), draft.expires);
        if expires <= now {
            return Err(ExceptionError::Past { expires });
        }
        if expires.micros_since(now) > EXCEPTION_DAYS_MAX * Timestamp::DAY_US {
            return Err(ExceptionError::TooLong { expires });
        }
        let mut conditions = draft.conditions.clone();
        conditions.sort();
        conditions.dedup();
        Ok(Checked {
            rule,
            conditions,
            owner,
            reason,
        })
    }

    /// Ends an exception: from the next event on its rule tells everything again. `None` while the
    /// pipeline is behind: it is listed as ended when that has caught up.
    pub fn end_exception(
        &self,
        principal: &Principal,
        number: u32,
    ) -> Result<Option<RuleException>, ExceptionError> {
        principal.require(Scope::Write)?;
        let one = || -> Result<RuleException, ExceptionError> {
            let known = self.ports.store.exceptions(&principal.tenant)?;
            let one = known.into_iter().find(|it| it.number == number);
            one.ok_or(ExceptionError::Unknown(number))
        };
        let exception = one()?;
        let status = exception.status(self.ports.clock.now());
        if status != ExceptionStatus::InForce {
            return Err(ExceptionError::Over(number, status));
        }
        let change = ExceptionChange::Ended {
            number,
            by: principal.name.clone(),
        };
        let on = format!("{number} ({})", exception.rule);
        self.change_exception(principal, ("rule exception ended", &on), &change)?;
        Ok(Some(one()?).filter(|it| it.ended.is_some()))
    }

    /// Whether exceptions to a rule can be made, by the name that its findings have.
    pub fn takes_exceptions(&self, name: &str) -> bool {
        self.excepted_rule(name).is_ok()
    }

    /// The name under which matches of a rule are filed, if exceptions to it can be made.
    fn excepted_rule(&self, name: &str) -> Result<Text, ExceptionError> {
        if let Some(rule) = self.rules().find(name) {
            return Ok(rule.name.clone());
        }
        let told = ["charter/", "sequence/"];
        let is_detector = detector::DETECTORS.iter().any(|one| one.id == name);
        if takes_exceptions(name) {
            Ok(Text::new(name))
        } else if is_detector || told.iter().any(|prefix| name.starts_with(prefix)) {
            Err(ExceptionError::NotByEvent(name.to_owned()))
        } else {
            // No sequence takes exceptions: none is told as one that may have been meant.
            let unknown = UnknownRule::new(name, &self.rules(), &Library::default());
            Err(unknown.into())
        }
    }

    fn change_exception(
        &self,
        principal: &Principal,
        (what, on): (&str, &str),
        change: &ExceptionChange,
    ) -> Result<(), ExceptionError> {
        self.audit_other(principal, (what, on), &[])?;
        let content = serde_json::json!(change).to_string().into_bytes();
        let end = self.append_plain(principal, RULE_EXCEPTION, content)?;
        self.processing.wait_at_most(end, SETTLED_WITHIN);
        Ok(())
    }
}

/// What was said, without the space around it; `None` when that is nothing or too much.
fn said(text: &str, characters_max: usize) -> Option<Text> {
    let text = text.trim();
    let characters = text.chars().count();
    (1..=characters_max)
        .contains(&characters)
        .then(|| Text::new(text))
}
