//! Windows over several matches: counts, values and orders, in event time.
//!
//! A match that comes late is put where it belongs, and every window that contains it is looked at
//! again; so the order of arrival changes when a correlation fires, not what it counts.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::finding::FindingEvent;
use deedtrail_core::id::TenantId;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::{CORRELATION_GROUPS_MAX, CORRELATION_MATCHES_MAX, LATENESS_US_MAX};

/// What a correlation measures in its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    EventCount,
    ValueCount,
    ValueSum,
    ValueAverage,
    /// Rank in percent; 50 is the median.
    ValuePercentile(u64),
    Temporal,
    TemporalOrdered,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    Below(f64),
    AtMost(f64),
    Above(f64),
    AtLeast(f64),
    Equal(f64),
    Unequal(f64),
}

impl Comparison {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::Below(limit) => value < limit,
            Self::AtMost(limit) => value <= limit,
            Self::Above(limit) => value > limit,
            Self::AtLeast(limit) => value >= limit,
            Self::Equal(limit) => (value - limit).abs() < f64::EPSILON,
            Self::Unequal(limit) => (value - limit).abs() >= f64::EPSILON,
        }
    }
}

/// A condition over which inputs were seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Seen(String),
}

impl Expression {
    /// The names it speaks of.
    pub(super) fn names(&self, names: &mut BTreeSet<String>) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|p| p.names(names)),
            Self::Not(part) => part.names(names),
            Self::Seen(name) => {
                names.insert(name.clone());
            }
        }
    }

    fn holds(&self, seen: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(seen)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(seen)),
            Self::Not(part) => !part.holds(seen),
            Self::Seen(name) => seen(name),
        }
    }
}

/// What to measure over which window, and when it is enough.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub measure: Measure,
    /// Names of the inputs; a match carries its place among them.
    pub inputs: Vec<String>,
    /// Length, microseconds.
    pub length_us: i64,
    pub comparisons: Vec<Comparison>,
    pub expression: Option<Expression>,
}

/// One match of an input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Match {
    pub time: Timestamp,
    pub input: u16,
    /// Value of the field measured.
    pub value: Option<String>,
    pub event: FindingEvent,
}

/// The matches of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Group {
    /// In order of time.
    matches: Vec<Match>,
    newest: Timestamp,
    /// End of the window that fired last, and its value.
    fired: Option<(Timestamp, f64)>,
}

/// A window that is complete.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fired {
    pub value: f64,
    pub events: Vec<FindingEvent>,
}

/// Groups of every correlation, by (correlation, tenant, group).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CorrelationState {
    groups: BTreeMap<GroupKey, Group>,
}

/// Correlation (a hash of its name and of what it says), tenant, and the values it groups by.
pub(super) type GroupKey = (u64, TenantId, Vec<Option<String>>);

impl CorrelationState {
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Adds a match and says whether a window that contains it is complete.
    ///
    /// A window fires once; it fires again when its measure has doubled since.
    pub(super) fn add(&mut self, key: GroupKey, window: &Window, found: Match) -> Option<Fired> {
        if self.groups.len() >= CORRELATION_GROUPS_MAX && !self.groups.contains_key(&key) {
            self.forget_stalest();
        }
        let group = self.groups.entry(key).or_default();
        group.newest = group.newest.max(found.time);
        let at = found.time;
        let place = group.matches.partition_point(|known| known.time <= at);
        group.matches.insert(place, found);
        let horizon = group
            .newest
            .plus_micros(-LATENESS_US_MAX)
            .plus_micros(-window.length_us);
        let stale = group.matches.partition_point(|known| known.time < horizon);
        let over = group.matches.len().saturating_sub(CORRELATION_MATCHES_MAX);
        group.matches.drain(..stale.max(over));
        group.look(window, at)
    }

    /// Drops the tenth of the groups that are unseen for longest.
    fn forget_stalest(&mut self) {
        let mut ages = self
            .groups
            .iter()
            .map(|(key, group)| (group.newest, key))
            .collect::<Vec<_>>();
        ages.sort_unstable();
        let count = (ages.len() / 10).max(1);
        let stalest = ages
            .into_iter()
            .take(count)
            .map(|(_, key)| key.clone())
            .collect::<Vec<_>>();
        for key in stalest {
            self.groups.remove(&key);
        }
    }

    /// Drops the groups of every correlation but these.
    pub(crate) fn keep(&mut self, correlations: &BTreeSet<u64>) {
        let is_kept = |key: &GroupKey| correlations.contains(&key.0);
        self.groups.retain(|key, _| is_kept(key));
    }

    /// Drops groups whose newest match no window can reach any more.
    pub(crate) fn expire(&mut self, now: Timestamp, window_us_of: impl Fn(u64) -> Option<i64>) {
        self.groups.retain(|(correlation, _, _), group| {
            window_us_of(*correlation).is_some_and(|window_us| {
                now.micros_since(group.newest) <= window_us.saturating_add(LATENESS_US_MAX)
            })
        });
    }
}

impl Group {
    /// Looks at every window that ends at a match in `at..=at + window` and begins before `at`.
    fn look(&mut self, window: &Window, at: Timestamp) -> Option<Fired> {
        let last_end = at.plus_micros(window.length_us);
        let first = self.matches.partition_point(|m| m.time < at);
        let mut best: Option<(Timestamp, f64, Vec<FindingEvent>)> = None;
        for place in first..self.matches.len() {
            let end = self.matches[place].time;
            if end > last_end {
                break;
            }
            // Only the last match at one instant ends a window.
            if self
                .matches
                .get(place + 1)
                .is_some_and(|next| next.time == end)
            {
                continue;
            }
            let begin = end.plus_micros(-window.length_us);
            let from = self.matches.partition_point(|m| m.time < begin);
            let inside = &self.matches[from..=place];
            if let Some(value) = window.complete(inside)
                && best.as_ref().is_none_or(|(_, known, _)| value > *known)
            {
                best = Some((end, value, inside.iter().map(|m| m.event.clone()).collect()));
            }
        }
        let (end, value, events) = best?;
        let rests = self.fired.is_some_and(|(fired, before)| {
            end.micros_since(fired).abs() < window.length_us.max(1) && value < 2.0 * before
        });
        if rests {
            return None;
        }
        self.fired = Some((end, value));
        Some(Fired { value, events })
    }
}

impl Window {
    /// The measure over `inside`, if it is enough.
    fn complete(&self, inside: &[Match]) -> Option<f64> {
        match self.measure {
            Measure::Temporal => self.complete_temporal(inside),
            Measure::TemporalOrdered => self.complete_ordered(inside),
            measure => {
                let value = value_of(measure, inside)?;
                self.comparisons
                    .iter()
                    .all(|c| c.holds(value))
                    .then_some(value)
            }
        }
    }

    fn complete_temporal(&self, inside: &[Match]) -> Option<f64> {
        let seen = inside
            .iter()
            .map(|m| usize::from(m.input))
            .collect::<BTreeSet<_>>();
        let named = |name: &str| {
            self.inputs
                .iter()
                .position(|input| input == name)
                .is_some_and(|at| seen.contains(&at))
        };
        let count = count(seen.len());
        let enough = match &self.expression {
            Some(expression) => expression.holds(&named),
            None if self.comparisons.is_empty() => seen.len() == self.inputs.len(),
            None => self
                .comparisons
                .iter()
                .all(|comparison| comparison.holds(count)),
        };
        enough.then_some(count)
    }

    /// Each input in the order of the rule, gaps allowed.
    fn complete_ordered(&self, inside: &[Match]) -> Option<f64> {
        let mut next = 0;
        for found in inside {
            if usize::from(found.input) == next {
                next += 1;
            }
        }
        (next == self.inputs.len()).then_some(count(next))
    }
}

fn value_of(measure: Measure, inside: &[Match]) -> Option<f64> {
    let numbers = || {
        let numbers = inside
            .iter()
            .filter_map(|m| m.value.as_ref()?.parse::<f64>().ok());
        numbers
            .filter(|number| number.is_finite())
            .collect::<Vec<_>>()
    };
    match measure {
        Measure::EventCount => Some(count(inside.len())),
        Measure::ValueCount => {
            let values = inside.iter().filter_map(|m| m.value.as_ref());
            Some(count(values.collect::<BTreeSet<_>>().len()))
        }
        Measure::ValueSum => Some(numbers().iter().sum()),
        Measure::ValueAverage => {
            let numbers = numbers();
            (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / count(numbers.len()))
        }
        Measure::ValuePercentile(rank) => {
            let mut numbers = numbers();
            numbers.sort_by(f64::total_cmp);
            let rank = usize::try_from(rank).unwrap_or(100);
            let place = numbers.len().saturating_sub(1) * rank / 100;
            numbers.get(place).copied()
        }
        Measure::Temporal | Measure::TemporalOrdered => None,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts are at most CORRELATION_MATCHES_MAX"
)]
const fn count(number: usize) -> f64 {
    number as f64
}
