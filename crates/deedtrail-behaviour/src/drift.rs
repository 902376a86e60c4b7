//! Drift: how far what an identity does week by week has moved from what it used to do.

use std::collections::{BTreeMap, VecDeque};

use deedtrail_core::behaviour::{Drift, Rise, WeekDistance};
use serde::{Deserialize, Serialize};

/// Weeks compared with what was before them.
const WEEKS: usize = 8;
/// Most symbols counted a week; further ones are counted together.
const SYMBOLS: usize = 64;
/// Events the past needs before there is something to compare with.
const PAST_EVENTS_MIN: u32 = 100;
/// Events a week needs to be compared.
const WEEK_EVENTS_MIN: u32 = 20;
/// Symbol under which what is beyond `SYMBOLS` is counted.
const REST: u32 = 0;

/// Events by symbol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Mix {
    symbols: BTreeMap<u32, u32>,
    events: u32,
}

impl Mix {
    fn add(&mut self, symbol: u32, events: u32) {
        let known = self.symbols.len() < SYMBOLS || self.symbols.contains_key(&symbol);
        let count = self
            .symbols
            .entry(if known { symbol } else { REST })
            .or_default();
        *count = count.saturating_add(events);
        self.events = self.events.saturating_add(events);
    }

    fn merge(&mut self, other: &Self) {
        for (symbol, events) in &other.symbols {
            self.add(*symbol, *events);
        }
    }

    fn halve(&mut self) {
        self.symbols.retain(|_, events| {
            *events /= 2;
            *events > 0
        });
        self.events = self.symbols.values().sum();
    }

    fn share(&self, symbol: u32) -> f64 {
        let events = self.symbols.get(&symbol).copied().unwrap_or(0);
        f64::from(events) / f64::from(self.events.max(1))
    }
}

/// One identity's weeks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Drifting {
    past: Mix,
    /// (week since 1970, what was done in it), oldest first.
    weeks: VecDeque<(u16, Mix)>,
}

impl Drifting {
    /// Counts a session that ended in `week`.
    pub(crate) fn count(&mut self, session: &[u32], week: u16) {
        let newest = self.weeks.back().map(|(week, _)| *week);
        if newest.is_none_or(|newest| week > newest) {
            self.weeks.push_back((week, Mix::default()));
            while self.weeks.len() > WEEKS || self.settling() {
                self.retire();
            }
        }
        let Some((_, mix)) = self.weeks.back_mut() else {
            return;
        };
        for symbol in session {
            mix.add(*symbol, 1);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.past.merge(&other.past);
        for (_, mix) in &other.weeks {
            self.past.merge(mix);
        }
    }

    /// What is done now is what is usual from now on.
    pub(crate) fn accept(&mut self) {
        while !self.weeks.is_empty() {
            self.retire();
        }
    }

    /// How it drifts; `None` while there is nothing to compare with. `label` names a symbol.
    pub(crate) fn told(&self, label: impl Fn(u32) -> String) -> Option<Drift> {
        let enough = |mix: &Mix| mix.events >= WEEK_EVENTS_MIN;
        let compared = self.weeks.iter().filter(|(_, mix)| enough(mix));
        let weeks: Vec<_> = compared
            .map(|(week, mix)| WeekDistance {
                week: *week,
                distance: distance(&self.past, mix),
            })
            .collect();
        let newest = &self.weeks.iter().rev().find(|(_, mix)| enough(mix))?.1;
        if self.past.events < PAST_EVENTS_MIN {
            return None;
        }
        Some(Drift {
            score: weeks.last()?.distance,
            noise: noise(&self.past, newest),
            trend: slope(&weeks),
            weeks,
            rising: rising(&self.past, newest, label),
        })
    }

    pub(crate) fn bytes(&self) -> usize {
        let mixes = self.weeks.iter().map(|(_, mix)| mix).chain([&self.past]);
        let mixes = mixes
            .map(|mix| size_of::<Mix>() + mix.symbols.len() * 12)
            .sum::<usize>();
        mixes + self.weeks.len() * 2
    }

    /// Whether full weeks still go to build up the past.
    fn settling(&self) -> bool {
        self.past.events < PAST_EVENTS_MIN && self.weeks.len() > 1
    }

    fn retire(&mut self) {
        if let Some((_, mix)) = self.weeks.pop_front() {
            self.past.merge(&mix);
            if self.past.events > 4 * mix.events.max(PAST_EVENTS_MIN) {
                self.past.halve();
            }
        }
    }
}

/// Jensen–Shannon distance (square root of the divergence in bits), 0 to 1.
fn distance(left: &Mix, right: &Mix) -> f64 {
    let symbols = left.symbols.keys().chain(right.symbols.keys());
    let symbols: std::collections::BTreeSet<_> = symbols.copied().collect();
    let mut bits = 0.0;
    for symbol in symbols {
        let (p, q) = (left.share(symbol), right.share(symbol));
        let middle = f64::midpoint(p, q);
        for share in [p, q] {
            if share > 0.0 {
                bits += 0.5 * share * (share / middle).log2();
            }
        }
    }
    bits.clamp(0.0, 1.0).sqrt()
}

/// Distance expected between two samples of one distribution: 2 n ln 2 JSD is about chi-squared
/// with one degree of freedom less than there are symbols (Grosse et al. 2002).
fn noise(past: &Mix, week: &Mix) -> f64 {
    let symbols = past.symbols.len().max(week.symbols.len()) as f64;
    let smaller = f64::from(past.events.min(week.events).max(1));
    (symbols / (4.0 * smaller * std::f64::consts::LN_2))
        .sqrt()
        .min(1.0)
}

/// Least squares of distance over weeks.
fn slope(weeks: &[WeekDistance]) -> f64 {
    let count = weeks.len() as f64;
    let mean_week = weeks.iter().map(|it| f64::from(it.week)).sum::<f64>() / count;
    let mean = weeks.iter().map(|it| it.distance).sum::<f64>() / count;
    let (mut above, mut below) = (0.0, 0.0);
    for it in weeks {
        let from = f64::from(it.week) - mean_week;
        above += from * (it.distance - mean);
        below += from * from;
    }
    if below > 0.0 { above / below } else { 0.0 }
}

fn rising(past: &Mix, week: &Mix, label: impl Fn(u32) -> String) -> Vec<Rise> {
    let change = |symbol: &u32| (*symbol, past.share(*symbol), week.share(*symbol));
    let mut changes: Vec<_> = week.symbols.keys().map(change).collect();
    changes.retain(|(symbol, before, now)| *symbol != REST && now > before);
    changes.sort_by(|a, b| (b.2 - b.1).total_cmp(&(a.2 - a.1)).then(a.0.cmp(&b.0)));
    let told = changes.into_iter().take(3);
    told.map(|(symbol, before, now)| Rise {
        action: label(symbol),
        before,
        now,
    })
    .collect()
}
