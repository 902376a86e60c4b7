//! What rules would have found: the log once more through mapping, identities and detection, on a
//! state of its own. Nothing of it is stored, and a finding here is the finding it would have been.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use deedtrail_core::Text;
use deedtrail_core::event::Event;
use deedtrail_core::exception::{HeldBack, RuleException};
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::id::{FindingId, IdentityId};
use deedtrail_core::port::log::{ReadError, Sequence};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::exception::{ExceptionMeasure, MeasuredException};
use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::commit::Beside;
use super::health::Health;
use super::pace::Pace;
use super::passed_over::Ranges;
use super::snapshot::State;
use super::writing::Writing;
use super::{Detection, Pipeline, PipelineError, facts_by_name};
use crate::Ports;
use crate::retention::Retention;

/// Findings shown in full; the others are counted.
pub const BACKTEST_EXAMPLES_MAX: usize = 5;

/// Longest list of identities and of values in a report.
pub const BACKTEST_LISTED_MAX: usize = 10;

/// Findings that a backtest tells apart; what comes of others is only counted.
pub const BACKTEST_FINDINGS_MAX: usize = 200_000;

/// Identities that a backtest counts; further ones are left out of the shares.
pub const BACKTEST_IDENTITIES_MAX: usize = 500_000;

/// Damaged ranges of the log that a report names; the others are only counted.
pub const BACKTEST_DAMAGE_MAX: usize = 20;

/// What is put to the test.
#[derive(Clone, Debug)]
pub struct BacktestPlan {
    /// Rules whose findings count, by name; empty for all, code detectors among them.
    pub rules: BTreeSet<Text>,
    /// Findings of events within it count. What was before is read too: rules compare with it.
    pub within: Range<Timestamp>,
    /// Findings that are told apart, e.g. [`BACKTEST_FINDINGS_MAX`].
    pub findings_max: usize,
    /// Exceptions that are measured on the way.
    pub exceptions: Vec<RuleException>,
}

/// One finding a rule would have made.
#[derive(Clone, Debug, Serialize)]
pub struct BacktestExample {
    pub id: FindingId,
    pub rule: Text,
    pub at: Timestamp,
    pub title: String,
    /// Ids of its events, as the archive has them.
    pub events: Vec<String>,
}

/// A name and how often it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    pub name: String,
    pub findings: u64,
}

/// Entries of the log that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DamagedRange {
    pub first: Sequence,
    pub last: Sequence,
}

impl DamagedRange {
    /// How many they are.
    pub const fn entries(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

/// What an exception does to the matches of a backtest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExceptionInTrial {
    pub number: u32,
    pub rule: Text,
    /// Its conditions in words.
    pub covers: String,
    /// Matches that it held back, as it was in force when they came: they are in no figure.
    pub held_back: u64,
    /// Matches that it would hold back, had it been in force throughout: held back ones among them.
    pub would_hold_back: u64,
    /// The newest of these.
    pub newest: Vec<HeldBack>,
}

/// What rules would have found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Backtest {
    /// The whole log was read. Otherwise it was given up before its end: figures tell of what was
    /// read.
    pub complete: bool,
    /// Exceptions that cover a match, and those that were asked about.
    pub exceptions: Vec<ExceptionInTrial>,
    /// Entries of the log that were left out because they are damaged.
    pub damaged_entries: u64,
    /// Where they are, at most [`BACKTEST_DAMAGE_MAX`].
    pub damaged: Vec<DamagedRange>,
    /// Matches that were not compared with others, as [`BacktestPlan::findings_max`] findings were
    /// told apart already; each may be a repeat. 0 when everything was counted.
    pub matches_beyond: u64,
    /// Events whose actor was not counted, as [`BACKTEST_IDENTITIES_MAX`] were already.
    pub events_beyond: u64,
    /// Events within the range.
    pub events: u64,
    /// Identities that acted within the range.
    pub identities: u64,
    /// Time of the first and last event within the range.
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Repeats on one day are one finding, as in the list of findings.
    pub findings: u64,
    /// UTC days from that of the first event to that of the last, those without a finding among them.
    pub days: u64,
    pub findings_per_day: f64,
    /// Findings by UTC day, `YYYY-MM-DD`.
    pub by_day: BTreeMap<String, u64>,
    /// Identities with a finding.
    pub identities_touched: u64,
    /// Those of them that acted within the range, of [`Self::identities`]; 0 to 1.
    pub share_touched: f64,
    /// Most findings first, at most [`BACKTEST_LISTED_MAX`].
    pub by_identity: Vec<Counted>,
    pub by_rule: Vec<Counted>,
    /// What tells findings of one type and identity apart, most frequent first.
    pub by_pattern: Vec<Counted>,
    /// The first, at most [`BACKTEST_EXAMPLES_MAX`].
    pub examples: Vec<BacktestExample>,
}

/// What a backtest gathers while the log is read.
#[derive(Debug)]
pub(super) struct Trial {
    plan: BacktestPlan,
    findings: BTreeMap<FindingId, Noted>,
    /// The first findings by time, with all that is told of them.
    examples: BTreeMap<(Timestamp, FindingId), BacktestExample>,
    actors: BTreeSet<IdentityId>,
    report: Backtest,
}

/// What is remembered of one finding.
#[derive(Debug)]
struct Noted {
    at: Timestamp,
    rule: Text,
    identity: IdentityId,
    pattern: Text,
}

impl Trial {
    pub(super) fn event(&mut self, event: &Event, actor: Option<IdentityId>) {
        let time = event.time_effective;
        if !self.plan.within.contains(&time) {
            return;
        }
        self.report.events += 1;
        if let Some(actor) = actor {
            if self.actors.len() < BACKTEST_IDENTITIES_MAX || self.actors.contains(&actor) {
                self.actors.insert(actor);
            } else {
                self.report.events_beyond += 1;
            }
        }
        let first = self.report.first.get_or_insert(time);
        *first = time.min(*first);
        let last = self.report.last.get_or_insert(time);
        *last = time.max(*last);
    }

    pub(super) fn take(&mut self, drafts: Vec<FindingDraft>) {
        for draft in drafts {
            let asked = self.plan.rules.is_empty() || self.plan.rules.contains(&draft.rule);
            if asked && self.plan.within.contains(&draft.at) {
                self.note(&draft);
            }
        }
    }

    fn note(&mut self, draft: &FindingDraft) {
        let id = draft.id();
        if self.findings.contains_key(&id) {
            return;
        }
        if self.findings.len() >= self.plan.findings_max {
            self.report.matches_beyond += 1;
            return;
        }
        let noted = Noted {
            at: draft.at,
            rule: draft.rule.clone(),
            identity: draft.identity,
            pattern: draft.pattern.clone(),
        };
        self.findings.insert(id, noted);
        let last = self.examples.last_key_value().map(|(key, _)| *key);
        let full = self.examples.len() >= BACKTEST_EXAMPLES_MAX;
        if !full || Some((draft.at, id)) < last {
            self.examples.insert((draft.at, id), example(id, draft));
            if self.examples.len() > BACKTEST_EXAMPLES_MAX {
                self.examples.pop_last();
            }
        }
    }

    /// Events within the range, and entries that could not be read.
    pub(super) const fn read(&self) -> (u64, u64) {
        (self.report.events, self.report.damaged_entries)
    }

    fn damaged(&mut self, range: DamagedRange) {
        let report = &mut self.report;
        report.damaged_entries += range.entries();
        if report.damaged.len() < BACKTEST_DAMAGE_MAX {
            report.damaged.push(range);
        }
    }

    fn report(self, state: &State) -> Backtest {
        // Identities that acted or were found before they turned out to be another count as that.
        let known = |id: IdentityId| state.resolver.identity(id).map_or(id, |known| known.id);
        let name = |noted: &Noted| {
            let known = state.resolver.identity(noted.identity);
            known.map_or_else(|| noted.identity.to_string(), |it| it.name.to_string())
        };
        let noted = || self.findings.values();
        let actors: BTreeSet<_> = self.actors.iter().map(|id| known(*id)).collect();
        let touched: BTreeSet<_> = noted().map(|noted| known(noted.identity)).collect();
        let mut by_day = BTreeMap::new();
        for noted in noted() {
            *by_day.entry(day(noted.at)).or_insert(0) += 1;
        }
        let (findings, identities) = (self.findings.len() as u64, actors.len() as u64);
        let days = match (self.report.first, self.report.last) {
            (Some(first), Some(last)) => last.utc_day().saturating_sub(first.utc_day()) + 1,
            _ => 0,
        };
        let days = u64::try_from(days).unwrap_or(0);
        Backtest {
            findings,
            identities,
            days,
            findings_per_day: ratio(findings, days),
            identities_touched: touched.len() as u64,
            share_touched: ratio(touched.intersection(&actors).count() as u64, identities),
            by_identity: most(noted().map(name)),
            by_rule: most(noted().map(|noted| noted.rule.to_string())),
            by_pattern: most(noted().map(|noted| noted.pattern.to_string())),
            by_day,
            examples: self.examples.into_values().collect(),
            ..self.report
        }
    }
}

fn example(id: FindingId, draft: &FindingDraft) -> BacktestExample {
    let events = draft.events.iter();
    BacktestExample {
        id,
        rule: draft.rule.clone(),
        at: draft.at,
        title: draft.title.clone(),
        events: events.map(|event| event.event_uid.to_string()).collect(),
    }
}

fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

fn ratio(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let ratio = part as f64 / whole.max(1) as f64;
    ratio
}

/// The most frequent, then by name.
fn most(names: impl Iterator<Item = String>) -> Vec<Counted> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let mut counted: Vec<_> = counts
        .into_iter()
        .map(|(name, findings)| Counted { name, findings })
        .collect();
    counted.sort_by(|a, b| b.findings.cmp(&a.findings).then(a.name.cmp(&b.name)));
    counted.truncate(BACKTEST_LISTED_MAX);
    counted
}

/// Reads the log with `detection` and tells what it would have found, the whole of it unless
/// `goes_on` says no between two steps. Neither store nor archive is written, and what is in force goes
/// on undisturbed.
pub fn backtest(
    ports: Ports,
    detection: Detection,
    event_key: [u8; 32],
    plan: BacktestPlan,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Backtest, PipelineError> {
    let measure = ExceptionMeasure::new(plan.exceptions.clone(), plan.within.clone());
    let mut pipeline = Pipeline::on_trial(ports, detection, event_key, plan);
    pipeline.state.detector.measure_exceptions(measure);
    let complete = pipeline.try_all(goes_on)?;
    let measured = pipeline.state.detector.take_measured();
    let Some(trial) = pipeline.trial.take() else {
        return Ok(Backtest::default());
    };
    Ok(Backtest {
        complete,
        exceptions: measured.into_iter().map(in_trial).collect(),
        ..trial.report(&pipeline.state)
    })
}

fn in_trial(measured: MeasuredException) -> ExceptionInTrial {
    let MeasuredException {
        exception,
        held_back,
    } = measured;
    ExceptionInTrial {
        number: exception.number,
        covers: exception.covers(),
        rule: exception.rule,
        held_back,
        would_hold_back: exception.effect.held_back,
        newest: exception.effect.newest,
    }
}

impl Pipeline {
    /// A consumer at the first entry whose results go nowhere but into its trial: as if all of them
    /// were stored already.
    pub(super) fn on_trial(
        ports: Ports,
        detection: Detection,
        event_key: [u8; 32],
        plan: BacktestPlan,
    ) -> Self {
        let trial = Trial {
            plan,
            findings: BTreeMap::new(),
            examples: BTreeMap::new(),
            actors: BTreeSet::new(),
            report: Backtest::default(),
        };
        let pace = Pace::default();
        Self {
            health: Health::default(),
            sources: facts_by_name(&ports),
            ahead: None,
            writing: Writing::new(pace.beside, 0),
            committing: Beside::new("archive-commit", pace.beside),
            compacting: Beside::new("archive-compact", pace.beside),
            uncompacted: 0,
            retention: Retention::default(),
            retained_on: i64::MIN,
            committed_at: ports.clock.now(),
            told_at: ports.clock.now(),
            stored: Sequence::MAX,
            state: State::new(&detection),
            detection,
            handover: Arc::default(),
            event_key,
            pace,
            position: 0,
            hot_rows: 0,
            hot_text_bytes: 0,
            snapshot_at: 0,
            ports,
            damaged: 0,
            passed_over: Ranges::default(),
            refills: None,
            overdue: None,
            trial: Some(Box::new(trial)),
        }
    }

    /// Reads the log as far as it went when this began; false when it was given up before.
    pub(super) fn try_all(
        &mut self,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<bool, PipelineError> {
        let end = self.ports.log.end();
        while self.position < end && self.trial_step()? {
            if self.position < end && !goes_on() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One step of a trial; false at the end of the log.
    fn trial_step(&mut self) -> Result<bool, PipelineError> {
        let entries = match self.read_from(self.position).entries {
            Err(ReadError::Damaged { last, .. }) => {
                let first = self.position;
                if let Some(trial) = &mut self.trial {
                    trial.damaged(DamagedRange { first, last });
                }
                self.position = last + 1;
                return Ok(true);
            }
            entries => entries?,
        };
        let Some(last) = entries.last() else {
            return Ok(false);
        };
        let through = last.entry.sequence + 1;
        let mut batch = Batch::new(self);
        for mapped in entries {
            batch.take(mapped)?;
        }
        batch.finish(through);
        // What a step tells of behaviour and sessions is for the store.
        self.state.detector.take_behaviour();
        self.state.detector.take_sessions();
        self.position = through;
        Ok(true)
    }
}
