//! Which fields the history fills that rules name, read as a backtest reads it.

use std::collections::BTreeSet;
use std::sync::Arc;

use deedtrail_core::Text;
use deedtrail_core::id::SourceName;
use deedtrail_detect::fill::{FieldFill, RuleFill};
use serde::Serialize;

use super::backtest::BacktestPlan;
use super::{Detection, Pipeline, PipelineError};
use crate::Ports;

/// What the history fills of the fields that rules name.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FieldCoverage {
    /// Events within the range.
    pub events: u64,
    /// Events of more kinds than are counted apart: they are in no rule's figures.
    pub events_beyond: u64,
    /// Entries of the log that were left out because they are damaged.
    pub damaged_entries: u64,
    /// By name; those that cannot have matched come first.
    pub rules: Vec<RuleFields>,
}

/// One rule and its fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleFields {
    pub rule: Text,
    pub title: String,
    /// What it looked at, and how many of it fill each field it names.
    #[serde(flatten)]
    pub fill: RuleFill,
    /// Matches within the range; `None` for a rule that only counts for a correlation.
    pub matches: Option<u64>,
    /// Fields it names that nothing fills.
    pub never_filled: Vec<String>,
}

impl RuleFields {
    /// Whether it looked at events, never matched, and names a field that none of them fills.
    pub fn is_suspect(&self) -> bool {
        !self.never_filled.is_empty() && self.matches.unwrap_or(0) == 0
    }
}

/// Reads the whole log with `detection`; the rules of the plan count, or all.
pub fn field_coverage(
    ports: Ports,
    detection: Detection,
    event_key: [u8; 32],
    plan: BacktestPlan,
) -> Result<FieldCoverage, PipelineError> {
    let sources = ports.mapper.sources();
    let (rules, asked_for) = (Arc::clone(&detection.rules), plan.rules.clone());
    let fill = FieldFill::new(plan.within.clone());
    let mut pipeline = Pipeline::on_trial(ports, detection, event_key, plan);
    pipeline.state.detector.count_fields(fill);
    pipeline.try_all(&mut || true)?;
    let fill = pipeline.state.detector.take_fields();
    let (Some(trial), Some(fill)) = (pipeline.trial.take(), fill) else {
        return Ok(FieldCoverage::default());
    };
    let asked = rules.rules().iter().enumerate();
    let asked = asked.filter(|(_, rule)| asked_for.is_empty() || asked_for.contains(&rule.name));
    let fields = asked.filter_map(|(place, rule)| {
        let served = sources.iter().filter(|source| rule.is_served_by(source));
        let served: BTreeSet<SourceName> = served.map(|source| source.name.clone()).collect();
        let filled = fill.of(rule, &served)?;
        let never = filled.fields.iter().filter(|field| field.filled == 0);
        let never = never.map(|field| field.name.clone());
        Some(RuleFields {
            rule: rule.name.clone(),
            title: rule.title.clone(),
            never_filled: never.filter(|_| filled.events > 0).collect(),
            matches: rule.is_alone().then(|| fill.matches(place)),
            fill: filled,
        })
    });
    let mut fields: Vec<RuleFields> = fields.collect();
    fields.sort_by_key(|one| (!one.is_suspect(), one.rule.clone(), one.matches.is_none()));
    let (events, damaged_entries) = trial.read();
    Ok(FieldCoverage {
        events,
        events_beyond: fill.beyond(),
        damaged_entries,
        rules: fields,
    })
}
