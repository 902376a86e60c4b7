//! What rules would have found: the log once more through mapping, identities and detection, on a
//! state of its own. Nothing of it is stored, and a finding here is the finding it would have been.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use deedtrail_core::Text;
use deedtrail_core::event::Event;
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::id::{FindingId, IdentityId};
use deedtrail_core::port::log::{ReadError, Sequence};
use deedtrail_core::time::Timestamp;
use serde::Serialize;

use super::ahead::Ahead;
use super::batch::Batch;
use super::commit::Beside;
use super::health::Health;
use super::snapshot::State;
use super::{Detection, Pipeline, PipelineError, facts_by_name};
use crate::Ports;

/// Findings shown in full; the others are counted.
pub const BACKTEST_EXAMPLES_MAX: usize = 5;

/// Longest list of identities and of values in a report.
pub const BACKTEST_LISTED_MAX: usize = 10;

/// What is put to the test.
#[derive(Clone, Debug)]
pub struct BacktestPlan {
    /// Rules whose findings count, by name; empty for all, code detectors among them.
    pub rules: BTreeSet<Text>,
    /// Findings of events within it count. What was before is read too: rules compare with it.
    pub within: Range<Timestamp>,
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

/// What rules would have found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Backtest {
    /// Events within the range.
    pub events: u64,
    /// Identities that acted within the range.
    pub identities: u64,
    /// Time of the first and last event within the range.
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Repeats on one day are one finding, as in the list of findings.
    pub findings: u64,
    /// Days from the first to the last event, those without a finding among them.
    pub days: u64,
    pub findings_per_day: f64,
    /// Findings by UTC day, `YYYY-MM-DD`.
    pub by_day: BTreeMap<String, u64>,
    /// Identities with a finding.
    pub identities_touched: u64,
    /// Of [`Self::identities`], 0 to 1.
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
    findings: BTreeMap<FindingId, FindingDraft>,
    actors: BTreeSet<IdentityId>,
    report: Backtest,
}

impl Trial {
    pub(super) fn event(&mut self, event: &Event, actor: Option<IdentityId>) {
        let time = event.time_effective;
        if !self.plan.within.contains(&time) {
            return;
        }
        self.report.events += 1;
        self.actors.extend(actor);
        let first = self.report.first.get_or_insert(time);
        *first = time.min(*first);
        let last = self.report.last.get_or_insert(time);
        *last = time.max(*last);
    }

    pub(super) fn take(&mut self, drafts: Vec<FindingDraft>) {
        let plan = &self.plan;
        let counts = |draft: &FindingDraft| {
            plan.within.contains(&draft.at)
                && (plan.rules.is_empty() || plan.rules.contains(&draft.rule))
        };
        for draft in drafts.into_iter().filter(counts) {
            self.findings.entry(draft.id()).or_insert(draft);
        }
    }

    fn report(self, state: &State) -> Backtest {
        let mut drafts: Vec<_> = self.findings.into_iter().collect();
        drafts.sort_by_key(|(id, draft)| (draft.at, *id));
        let name = |draft: &FindingDraft| {
            let known = state.resolver.identity(draft.identity);
            known.map_or_else(
                || draft.identity.to_string(),
                |known| known.name.to_string(),
            )
        };
        let of = |value: &dyn Fn(&FindingDraft) -> String| {
            most(drafts.iter().map(|(_, draft)| value(draft)))
        };
        let touched: BTreeSet<_> = drafts.iter().map(|(_, draft)| draft.identity).collect();
        let mut by_day = BTreeMap::new();
        for (_, draft) in &drafts {
            *by_day.entry(day(draft.at)).or_insert(0) += 1;
        }
        let (findings, identities) = (drafts.len() as u64, self.actors.len() as u64);
        let days = match (self.report.first, self.report.last) {
            (Some(first), Some(last)) => last.micros_since(first) / Timestamp::DAY_US + 1,
            _ => 0,
        };
        let days = u64::try_from(days).unwrap_or(0);
        Backtest {
            findings,
            identities,
            days,
            findings_per_day: ratio(findings, days),
            identities_touched: touched.len() as u64,
            share_touched: ratio(touched.len() as u64, identities),
            by_identity: of(&name),
            by_rule: of(&|draft| draft.rule.to_string()),
            by_pattern: of(&|draft| draft.pattern.to_string()),
            by_day,
            examples: drafts
                .iter()
                .take(BACKTEST_EXAMPLES_MAX)
                .map(|(id, draft)| example(*id, draft))
                .collect(),
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

/// Reads the whole log with `detection` and tells what it would have found. Neither store nor
/// archive is written, and what is in force goes on undisturbed.
pub fn backtest(
    ports: Ports,
    detection: Detection,
    event_key: [u8; 32],
    plan: BacktestPlan,
) -> Result<Backtest, PipelineError> {
    let end = ports.log.end();
    let mut pipeline = Pipeline::on_trial(ports, detection, event_key, plan);
    while pipeline.position < end && pipeline.trial_step()? {}
    let trial = pipeline.trial.take();
    Ok(trial.map_or_else(Backtest::default, |trial| trial.report(&pipeline.state)))
}

impl Pipeline {
    /// A consumer at the first entry whose results go nowhere but into its trial: as if all of them
    /// were stored already.
    fn on_trial(
        ports: Ports,
        detection: Detection,
        event_key: [u8; 32],
        plan: BacktestPlan,
    ) -> Self {
        let trial = Trial {
            plan,
            findings: BTreeMap::new(),
            actors: BTreeSet::new(),
            report: Backtest::default(),
        };
        Self {
            health: Health::default(),
            sources: facts_by_name(&ports),
            ahead: None,
            committing: Beside::new("archive-commit"),
            compacting: Beside::new("archive-compact"),
            uncompacted: 0,
            committed_at: ports.clock.now(),
            stored: Sequence::MAX,
            state: State::new(&detection),
            detection,
            handover: Arc::default(),
            event_key,
            position: 0,
            hot_rows: 0,
            hot_text_bytes: 0,
            snapshot_at: 0,
            ports,
            trial: Some(Box::new(trial)),
        }
    }

    /// One step of a trial; false at the end of the log.
    fn trial_step(&mut self) -> Result<bool, PipelineError> {
        let entries = match Ahead::read(&self.ports, &self.handover, self.position).entries {
            Err(ReadError::Damaged { last, .. }) => {
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
        // What a step tells of behaviour is for the store.
        self.state.detector.take_behaviour();
        self.position = through;
        Ok(true)
    }
}
