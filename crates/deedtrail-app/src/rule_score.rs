//! How each rule does: matches, findings, what was decided about them, what exceptions hold back,
//! and what to tune.

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::exception::{ExceptionStatus, RuleException};
use deedtrail_core::port::store::RuleFigures;
use deedtrail_core::time::Timestamp;
use serde::Serialize;

use crate::App;
use crate::access::Principal;
use crate::rule_coverage::{Delivery, RuleStanding};
use crate::timeline::ReadingError;

/// Findings with a conclusion from which on their share says something.
pub const DECIDED_MIN: u64 = 5;
/// Share of benign ones among them from which on a rule is to be narrowed.
pub const BENIGN_SHARE_MAX: f64 = 0.8;
/// Share of matches held back from which on the rule itself is to be changed.
pub const HELD_BACK_SHARE_MAX: f64 = 0.9;
/// Matches from which on that share says something.
const MATCHES_MIN: u64 = 10;
/// Open findings without any conclusion from which on somebody should look.
const UNDECIDED_MAX: u64 = 20;
/// Days that its sources tell of from which on it means something that a rule never matched.
pub const UNMATCHED_DAYS_MIN: i64 = 30;
/// Days after which an exception that held nothing back is to be ended.
const IDLE_EXCEPTION_DAYS: i64 = 30;

/// How a rule, code detector or unsafe sequence does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleScore {
    pub rule: Text,
    /// Whether what it looks at comes in; `None` for one that is no longer in force, and for a
    /// charter.
    pub delivery: Option<Delivery>,
    /// Times it fired, with those that exceptions held back.
    pub matches: u64,
    /// One per day and what tells findings apart.
    pub findings: u64,
    /// Findings that are not closed.
    pub open: u64,
    /// Findings concluded to be benign.
    pub benign: u64,
    /// Findings concluded to be an intrusion, misuse, coerced or a control gap.
    pub true_positives: u64,
    /// Findings concluded to be drift: something changed for good.
    pub drift: u64,
    /// Of the findings with a conclusion, 0 to 1; `None` without any.
    pub share_benign: Option<f64>,
    /// Exceptions in force.
    pub exceptions: u64,
    /// Matches that exceptions held back, those over among them.
    pub held_back: u64,
    /// Time of the newest event that it matched, told or held back.
    pub last: Option<Timestamp>,
    /// It never matched although a source that it looks at delivers, and tells of at least
    /// [`UNMATCHED_DAYS_MIN`] days.
    pub never_matched: bool,
    /// What to tune, a sentence each.
    pub advice: Vec<String>,
}

impl App {
    /// One score for each rule in force, and for what else has findings; by name.
    pub fn rule_scores(&self, principal: &Principal) -> Result<Vec<RuleScore>, ReadingError> {
        let now = self.ports.clock.now();
        let standings = self.rule_standings(principal)?;
        let mut standings: BTreeMap<Text, RuleStanding> = standings
            .into_iter()
            .map(|standing| (standing.rule.clone(), standing))
            .collect();
        let figures = self.ports.store.rule_figures(&principal.tenant)?;
        let mut figures: BTreeMap<Text, RuleFigures> = figures
            .into_iter()
            .map(|figures| (figures.rule.clone(), figures))
            .collect();
        let mut exceptions: BTreeMap<Text, Vec<RuleException>> = BTreeMap::new();
        for exception in self.ports.store.exceptions(&principal.tenant)? {
            let of_rule = exceptions.entry(exception.rule.clone()).or_default();
            of_rule.push(exception);
        }
        let names = standings.keys().chain(figures.keys());
        let mut names: Vec<Text> = names.chain(exceptions.keys()).cloned().collect();
        names.sort();
        names.dedup();
        // What these find is filed under the name of each charter and sequence.
        let of_others = ["code/charter", "code/unsafe-sequence"];
        names.retain(|name| !of_others.contains(&name.as_str()));
        let scores = names.into_iter().map(|rule| {
            let standing = standings.remove(&rule);
            let known = figures.remove(&rule).unwrap_or_default();
            let exceptions = exceptions.remove(&rule).unwrap_or_default();
            score(rule, standing.as_ref(), &known, (&exceptions, now))
        });
        Ok(scores.collect())
    }
}

fn score(
    rule: Text,
    standing: Option<&RuleStanding>,
    known: &RuleFigures,
    (exceptions, now): (&[RuleException], Timestamp),
) -> RuleScore {
    let said = |names: &[&str]| -> u64 {
        let counts = names
            .iter()
            .filter_map(|name| known.dispositions.get(*name));
        counts.sum()
    };
    let benign = said(&["benign"]);
    let decided: u64 = known.dispositions.values().sum();
    let held_back: u64 = exceptions.iter().map(|it| it.effect.held_back).sum();
    let in_force = |it: &&RuleException| it.status(now) == ExceptionStatus::InForce;
    let told = (known.findings > 0).then_some(known.last);
    let held = exceptions.iter().filter_map(|it| it.effect.last);
    let matches = known.matches + held_back;
    let delivers = standing
        .is_some_and(|it| it.delivery == Delivery::Delivering && it.days >= UNMATCHED_DAYS_MIN);
    let mut score = RuleScore {
        delivery: standing.map(|it| it.delivery),
        matches,
        findings: known.findings,
        open: known.open,
        benign,
        true_positives: said(&["intrusion", "misuse", "coerced", "control_gap"]),
        drift: said(&["drift"]),
        share_benign: (decided > 0).then(|| share(benign, decided)),
        exceptions: exceptions.iter().filter(in_force).count() as u64,
        held_back,
        last: held.chain(told).max(),
        never_matched: delivers && matches == 0,
        advice: Vec::new(),
        rule,
    };
    score.advice = advice(&score, decided);
    let idle = exceptions.iter().filter(in_force).filter(|it| {
        let age = now.micros_since(it.made.at);
        it.effect.held_back == 0 && age >= IDLE_EXCEPTION_DAYS * Timestamp::DAY_US
    });
    let idle = idle.map(|it| {
        format!(
            "exception {} held nothing back in {IDLE_EXCEPTION_DAYS} days: end it with `deedtrail \
             rule end-exception {}`",
            it.number, it.number
        )
    });
    score.advice.extend(idle);
    score
}

fn advice(score: &RuleScore, decided: u64) -> Vec<String> {
    let (rule, mut told) = (&score.rule, Vec::new());
    if decided >= DECIDED_MIN
        && let Some(share) = score.share_benign
        && share >= BENIGN_SHARE_MAX
    {
        told.push(format!(
            "{} of {decided} findings that were decided were benign: narrow it, or except what is \
             usual (`deedtrail rule except {rule} --help`)",
            score.benign
        ));
    }
    if score.matches >= MATCHES_MIN && share(score.held_back, score.matches) >= HELD_BACK_SHARE_MAX
    {
        told.push(format!(
            "exceptions hold back {} of {} matches: change the rule instead",
            score.held_back, score.matches
        ));
    }
    if decided == 0 && score.open >= UNDECIDED_MAX {
        told.push(format!(
            "{} findings are open and none was decided: `deedtrail finding list`",
            score.open
        ));
    }
    told
}

/// 0 to 1.
fn share(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let share = part.min(whole) as f64 / whole.max(1) as f64;
    share
}

#[cfg(test)]
mod tests {
    use deedtrail_core::charter::Signed;
    use deedtrail_core::exception::ExceptionEffect;
    use deedtrail_core::id::TenantId;

    use super::*;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_micros(number * Timestamp::DAY_US)
    }

    fn standing(delivery: Delivery, days: i64) -> RuleStanding {
        RuleStanding {
            rule: "a/b".into(),
            title: String::new(),
            techniques: Vec::new(),
            delivery,
            sources: Vec::new(),
            days,
        }
    }

    fn exception(held_back: u64, made: i64, expires: i64) -> RuleException {
        RuleException {
            tenant: TenantId::default(),
            number: 7,
            rule: "a/b".into(),
            conditions: Vec::new(),
            owner: "ana".into(),
            reason: "nightly".into(),
            made: Signed {
                by: "ana".into(),
                at: day(made),
            },
            expires: day(expires),
            ended: None,
            effect: ExceptionEffect {
                held_back,
                last: (held_back > 0).then(|| day(9)),
                ..ExceptionEffect::default()
            },
        }
    }

    fn figures(findings: u64, said: &[(&'static str, u64)]) -> RuleFigures {
        let said = said
            .iter()
            .map(|(name, count)| (Text::new_static(name), *count));
        RuleFigures {
            rule: "a/b".into(),
            findings,
            matches: findings * 2,
            open: 0,
            dispositions: said.collect(),
            last: day(5),
        }
    }

    fn scored(known: &RuleFigures, exceptions: &[RuleException], days: i64) -> RuleScore {
        let standing = standing(Delivery::Delivering, days);
        score("a/b".into(), Some(&standing), known, (exceptions, day(100)))
    }

    #[test]
    fn what_was_decided_and_held_back_makes_the_score() {
        let known = figures(6, &[("benign", 4), ("drift", 1), ("misuse", 1)]);
        let one = scored(&known, &[exception(108, 0, 50)], 90);
        assert_eq!((one.matches, one.findings, one.held_back), (120, 6, 108));
        assert_eq!((one.benign, one.true_positives, one.drift), (4, 1, 1));
        assert_eq!(one.exceptions, 0, "it has expired");
        assert_eq!(one.last, Some(day(9)), "held back later than told");
        let share = one.share_benign.unwrap();
        assert!((share - 4.0 / 6.0).abs() < 1e-9, "{share}");
        assert!(
            one.advice[0].contains("hold back 108 of 120"),
            "{:?}",
            one.advice
        );
        assert_eq!(one.advice.len(), 1);
    }

    #[test]
    fn advice_is_given_where_figures_say_something() {
        let benign = scored(&figures(5, &[("benign", 5)]), &[], 90);
        assert!(benign.advice[0].contains("5 of 5"), "{:?}", benign.advice);
        let few = scored(&figures(4, &[("benign", 4)]), &[], 90);
        assert_eq!(few.advice, Vec::<String>::new());
        let never = scored(&RuleFigures::default(), &[], 30);
        assert!(never.never_matched && never.advice.is_empty());
        let young = scored(&RuleFigures::default(), &[], 29);
        assert!(!young.never_matched);
        let idle = scored(&figures(1, &[]), &[exception(0, 60, 120)], 90);
        assert!(idle.advice[0].contains("exception 7 held nothing back"));
        let undecided = RuleFigures {
            open: 20,
            ..figures(20, &[])
        };
        assert!(scored(&undecided, &[], 90).advice[0].contains("20 findings are open"));
    }

    #[test]
    fn a_rule_whose_source_is_silent_is_not_called_idle() {
        let silent = standing(Delivery::Silent, 90);
        let known = RuleFigures::default();
        let one = score("a/b".into(), Some(&silent), &known, (&[], day(100)));
        assert!(!one.never_matched);
        assert_eq!((one.last, one.share_benign), (None, None));
        let gone = score("a/b".into(), None, &figures(1, &[]), (&[], day(100)));
        assert_eq!(gone.delivery, None);
    }
}
