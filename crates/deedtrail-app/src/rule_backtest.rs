//! Rules and exceptions tried over history, for whoever asks a running server.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use deedtrail_charter::Library;
use deedtrail_core::Text;
use deedtrail_core::charter::Signed;
use deedtrail_core::exception::{ExceptionEffect, ExceptionStatus, RuleException};
use deedtrail_core::port::store::{Scope, StoreError};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::detector::DETECTORS;
use deedtrail_detect::limits::RULE_BYTES_MAX;
use deedtrail_detect::rule::rule_name;
use deedtrail_detect::{RuleFile, RuleSet};

use crate::App;
use crate::access::{Denied, Principal};
use crate::exception::{ExceptionDraft, ExceptionError};
use crate::pipeline::{self, Backtest, BacktestPlan, Detection, ExceptionInTrial, PipelineError};
use crate::rule_name::UnknownRule;
use crate::target::Targets;

/// Findings that a backtest of a server tells apart: fewer than on the command line, as intake and
/// pages share its memory.
pub const SERVED_FINDINGS_MAX: usize = 20_000;
/// Longest time such a backtest reads, seconds; then it tells what it found so far, and says so.
pub const SERVED_SECONDS_MAX: i64 = 45;
/// Longest time for which the effect of an exception is measured before it is made, seconds.
pub const PREVIEW_SECONDS_MAX: i64 = 20;
/// Name of a rule that was pasted, unless it is given one.
const DRAFT: &str = "draft";

/// What a backtest needs beside what everybody has.
pub struct Trials {
    /// What the operator says of targets.
    pub targets: Arc<Targets>,
    /// Key of event ids: examples name events as the archive does.
    event_key: [u8; 32],
    /// One reads the log at a time.
    turn: Mutex<()>,
}

impl fmt::Debug for Trials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trials").finish_non_exhaustive()
    }
}

impl Trials {
    pub const fn new(targets: Arc<Targets>, event_key: [u8; 32]) -> Self {
        Self {
            targets,
            event_key,
            turn: Mutex::new(()),
        }
    }
}

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub enum Tried<'a> {
    /// A rule in force by name or id, a code detector, or `sequence/ID`.
    Known(&'a str),
    /// The text of a file of rules, as if it had this name; exceptions to that name hold for it. A
    /// rule in force may be named in any way that finds it.
    Draft {
        name: Option<&'a str>,
        text: &'a str,
    },
}

/// Events of which time count: at or after the first, before the second.
#[derive(Clone, Copy, Debug, Default)]
pub struct TriedRange {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    #[error(transparent)]
    Exception(#[from] ExceptionError),
    #[error(transparent)]
    Unknown(#[from] UnknownRule),
    #[error(
        "what `{0}` finds is filed under each charter and sequence: try `sequence/ID`, or a charter \
         with `deedtrail charter check`"
    )]
    ByOthers(String),
    #[error("{}", .0.join("\n"))]
    Mistakes(Vec<String>),
    #[error("there is no rule in it whose matches are findings")]
    Empty,
    #[error("the text is over {RULE_BYTES_MAX} bytes")]
    Long,
    #[error("nothing is between {from} and {to}: let `from` be before `to`")]
    Range { from: Timestamp, to: Timestamp },
    #[error("a backtest is under way: one at a time reads the log; try again when it is done")]
    Busy,
    #[error("this process has no data folder to read history from")]
    Nowhere,
}

/// The name that findings of a rule, code detector or unsafe sequence have.
pub fn rule_named(
    rules: &RuleSet,
    sequences: &Library,
    wanted: &str,
) -> Result<Text, BacktestError> {
    if let Some(rule) = rules.find(wanted) {
        return Ok(rule.name.clone());
    }
    if ["code/charter", "code/unsafe-sequence"].contains(&wanted) {
        return Err(BacktestError::ByOthers(wanted.to_owned()));
    }
    let sequence = wanted.strip_prefix("sequence/");
    if sequence.is_some_and(|id| sequences.form(id).is_some())
        || DETECTORS.iter().any(|detector| detector.id == wanted)
    {
        return Ok(Text::new(wanted));
    }
    Err(UnknownRule::new(wanted, rules, sequences).into())
}

impl App {
    /// What a rule would have found in the history of this log, and what exceptions in force do to
    /// it. Given up when `goes_on` says no.
    pub fn backtest_rule(
        &self,
        principal: &Principal,
        tried: Tried<'_>,
        range: TriedRange,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Backtest, BacktestError> {
        principal.require(Scope::Read)?;
        let turn = self.turn()?;
        let in_force = self.in_force();
        let (rules, names) = match tried {
            Tried::Known(name) => {
                let name = rule_named(&in_force.rules, &in_force.sequences, name)?;
                (Arc::clone(&in_force.rules), BTreeSet::from([name]))
            }
            Tried::Draft { name, text } => {
                let known = name.and_then(|name| in_force.rules.find(name.trim()));
                draft(known.map_or(name, |rule| Some(&rule.name)), text)?
            }
        };
        let now = self.ports.clock.now();
        let mut exceptions = self.ports.store.exceptions(&principal.tenant)?;
        exceptions
            .retain(|it| names.contains(&it.rule) && it.status(now) == ExceptionStatus::InForce);
        let plan = plan(names, range, exceptions)?;
        self.read_again((rules, turn), plan, SERVED_SECONDS_MAX, goes_on)
    }

    /// One at a time: waits for nobody.
    fn turn(&self) -> Result<MutexGuard<'_, ()>, BacktestError> {
        let trials = self.trials.as_ref().ok_or(BacktestError::Nowhere)?;
        match trials.turn.try_lock() {
            Ok(turn) => Ok(turn),
            // One that broke off left nothing behind.
            Err(TryLockError::Poisoned(broken)) => Ok(broken.into_inner()),
            Err(TryLockError::WouldBlock) => Err(BacktestError::Busy),
        }
    }

    /// What an exception would hold back of the history of this log, before it is made.
    pub fn preview_exception(
        &self,
        principal: &Principal,
        draft: &ExceptionDraft<'_>,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<ExceptionPreview, BacktestError> {
        principal.require(Scope::Read)?;
        let checked = self.checked_exception(draft)?;
        let rule = checked.rule.clone();
        let exception = RuleException {
            tenant: principal.tenant.clone(),
            number: 0,
            rule: checked.rule,
            conditions: checked.conditions,
            owner: checked.owner,
            reason: checked.reason,
            made: Signed {
                by: principal.name.clone(),
                at: self.ports.clock.now(),
            },
            expires: draft.expires,
            ended: None,
            effect: ExceptionEffect::default(),
        };
        let names = BTreeSet::from([rule]);
        let plan = plan(names, TriedRange::default(), vec![exception])?;
        let rules = (self.rules(), self.turn()?);
        let report = self.read_again(rules, plan, PREVIEW_SECONDS_MAX, goes_on)?;
        let effect = report.exceptions.first().cloned();
        let effect = effect.ok_or(BacktestError::Nowhere)?;
        Ok(ExceptionPreview {
            findings: report.findings,
            first: report.first,
            last: report.last,
            complete: report.complete,
            effect,
        })
    }

    fn read_again(
        &self,
        (rules, _turn): (Arc<RuleSet>, MutexGuard<'_, ()>),
        plan: BacktestPlan,
        seconds_max: i64,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Backtest, BacktestError> {
        let trials = self.trials.as_ref().ok_or(BacktestError::Nowhere)?;
        let detection = Detection {
            rules,
            settings: self.detection.clone(),
            targets: Arc::clone(&trials.targets),
            sequences: self.sequences(),
            book: Arc::clone(&self.book),
        };
        let until = self
            .ports
            .clock
            .now()
            .plus_micros(seconds_max * Timestamp::SECOND_US);
        let mut goes_on = || goes_on() && self.ports.clock.now() < until;
        let (ports, key) = (self.ports.clone(), trials.event_key);
        Ok(pipeline::backtest(
            ports,
            detection,
            key,
            plan,
            &mut goes_on,
        )?)
    }
}

/// What an exception would do.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ExceptionPreview {
    /// Findings of its rule in all of the history, with the exceptions that were in force then.
    pub findings: u64,
    /// Time of the first and last event that was read.
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// False when reading was given up after [`PREVIEW_SECONDS_MAX`].
    pub complete: bool,
    pub effect: ExceptionInTrial,
}

fn plan(
    rules: BTreeSet<Text>,
    range: TriedRange,
    exceptions: Vec<RuleException>,
) -> Result<BacktestPlan, BacktestError> {
    let from = range.from.unwrap_or(Timestamp::from_micros(i64::MIN));
    let to = range.to.unwrap_or(Timestamp::from_micros(i64::MAX));
    if from >= to {
        return Err(BacktestError::Range { from, to });
    }
    Ok(BacktestPlan {
        rules,
        within: from..to,
        findings_max: SERVED_FINDINGS_MAX,
        exceptions,
    })
}

/// The rules of a pasted text alone; a mistake among them is an error.
fn draft(name: Option<&str>, text: &str) -> Result<(Arc<RuleSet>, BTreeSet<Text>), BacktestError> {
    if text.len() > RULE_BYTES_MAX {
        return Err(BacktestError::Long);
    }
    let name = name.map(str::trim).filter(|name| !name.is_empty());
    let (rules, problems) = RuleSet::load(&[RuleFile {
        path: format!("{}.yml", rule_name(name.unwrap_or(DRAFT))),
        text: text.to_owned(),
    }]);
    if !problems.is_empty() {
        let mistakes = problems.iter().map(ToString::to_string);
        return Err(BacktestError::Mistakes(mistakes.collect()));
    }
    let names: BTreeSet<Text> = rules.findings().map(|rule| rule.name.clone()).collect();
    if names.is_empty() {
        return Err(BacktestError::Empty);
    }
    Ok((Arc::new(rules), names))
}
