//! What exceptions to rules held back of an identity, as its evidence says it.

use std::ops::Range;

use deedtrail_core::Text;
use deedtrail_core::charter::Signed;
use deedtrail_core::exception::{HeldBack, RuleException};
use deedtrail_core::id::IdentityId;
use deedtrail_core::port::store::Scope;
use deedtrail_core::time::Timestamp;
use serde::Serialize;

use crate::App;
use crate::access::Principal;
use crate::timeline::ReadingError;

/// Matches of one exception that a statement names; the others are counted.
const NAMED_MAX: usize = 20;

/// What one exception held back of an identity in a range of time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeldBackStatement {
    /// The statement in words, for people; the members below are what it rests on.
    pub says: String,
    /// Number of the exception.
    pub exception: u32,
    pub rule: Text,
    /// Its conditions, in words.
    pub covers: String,
    /// Who answers for it, and why.
    pub owner: Text,
    pub reason: Text,
    pub made: Signed,
    pub expires: Timestamp,
    /// When somebody ended it before that.
    pub ended: Option<Signed>,
    /// Matches of the identity in the range, among those that are kept of the exception.
    pub matches: u64,
    /// Everything it held back, of whomever and whenever.
    pub held_back: u64,
    /// How many of these are kept with whose they were; older ones are only counted.
    pub kept: u64,
    /// The newest of `matches`, the newest first.
    pub newest: Vec<HeldBack>,
}

impl HeldBackStatement {
    /// `None` when nothing of the identity was held back, as far as that is known.
    fn of(exception: RuleException, whose: IdentityId, within: &Range<Timestamp>) -> Option<Self> {
        let effect = &exception.effect;
        let kept = effect.newest.len() as u64;
        let its = effect.newest.iter();
        let its = its.filter(|held| held.identity == whose && within.contains(&held.at));
        let matches = its.clone().count() as u64;
        // What is only counted may have been anybody's.
        let times = effect.first.zip(effect.last);
        let maybe = effect.held_back > kept
            && times.is_some_and(|(first, last)| first < within.end && last >= within.start);
        if matches == 0 && !maybe {
            return None;
        }
        let newest = its.take(NAMED_MAX).cloned().collect();
        let mut statement = Self {
            says: String::new(),
            exception: exception.number,
            covers: exception.covers(),
            rule: exception.rule,
            owner: exception.owner,
            reason: exception.reason,
            made: exception.made,
            expires: exception.expires,
            ended: exception.ended,
            matches,
            held_back: exception.effect.held_back,
            kept,
            newest,
        };
        statement.says = statement.words();
        Some(statement)
    }

    fn words(&self) -> String {
        let until = match &self.ended {
            Some(ended) => format!("ended {} by {}", ended.at, ended.by),
            None => format!("until {}", self.expires),
        };
        let (rule, number) = (&self.rule, self.exception);
        let words = format!(
            "{} of {rule} were held back by exception {number} (owner {}, {until}): they are no findings",
            match self.matches {
                1 => "1 match".to_owned(),
                count => format!("{count} matches"),
            },
            self.owner
        );
        if self.held_back <= self.kept {
            return words;
        }
        format!(
            "{words}; older ones are only counted ({}), and may be of this identity too",
            self.held_back - self.kept
        )
    }
}

impl App {
    /// What exceptions held back of an identity, the newest exception first.
    pub(crate) fn held_back_within(
        &self,
        principal: &Principal,
        whose: IdentityId,
        within: &Range<Timestamp>,
    ) -> Result<Vec<HeldBackStatement>, ReadingError> {
        principal.require(Scope::Read)?;
        let known = self.ports.store.exceptions(&principal.tenant)?.into_iter();
        let told = known.filter_map(|it| HeldBackStatement::of(it, whose, within));
        Ok(told.collect())
    }
}
