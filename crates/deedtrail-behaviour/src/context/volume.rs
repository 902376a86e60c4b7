//! How much within a window of time: events, distinct targets, bytes, people reached.

use std::collections::BTreeSet;

use deedtrail_core::event::Event;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::assessment::{TermKind, Terms};
use crate::context::tail;
use crate::limits::WINDOW_TARGETS_MAX;

pub(super) const HOUR_US: i64 = Timestamp::HOUR_US;
pub(super) const SUDDEN_US: i64 = 10 * Timestamp::SECOND_US;

/// Windows below which nothing is said.
const WINDOWS_MIN: f64 = 20.0;
/// Nats of what comes in one of ten windows; only what is rarer counts.
const USUAL_NATS: f64 = std::f64::consts::LN_10;
/// A window is learned as no more than this many standard deviations above the mean, so that one
/// flood makes nothing usual.
const LEARNED_DEVIATIONS_MAX: f64 = 4.0;
const MEASURES: [&str; 4] = ["events", "different targets", "KiB out", "people reached"];
const BYTES_A_UNIT: f64 = 1024.0;

/// What one event adds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    target: Option<u32>,
    units_out: f64,
    audience: f64,
}

impl Flow {
    pub(super) fn of(event: &Event) -> Self {
        let target = event.target_uid.map(|uid| {
            let [a, b, c, d, ..] = uid.to_bytes();
            u32::from_be_bytes([a, b, c, d])
        });
        let amount = |value: Option<i64>| value.unwrap_or(0).max(0) as f64;
        Self {
            target,
            units_out: amount(event.mapped.bytes_out) / BYTES_A_UNIT,
            audience: amount(event.mapped.audience_count),
        }
    }
}

/// What windows came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Moments {
    windows: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn mean(&self) -> f64 {
        self.sum / self.windows.max(1.0)
    }

    fn variance(&self) -> f64 {
        (self.squares / self.windows.max(1.0) - self.mean().powi(2)).max(0.0)
    }

    fn learn(&mut self, value: f64) {
        let mut value = value;
        if self.windows >= WINDOWS_MIN {
            let limit = self.mean() + LEARNED_DEVIATIONS_MAX * self.variance().sqrt().max(1.0);
            value = value.min(limit);
        }
        self.windows += 1.0;
        self.sum += value;
        self.squares += value * value;
    }
}

/// One window length: what windows came to, and the one that is open.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Volume {
    moments: [Moments; 4],
    window: i64,
    now: [f64; 4],
    targets: BTreeSet<u32>,
}

impl Volume {
    /// Counts an event; what the window before it came to, when this one opens another.
    pub(super) fn count(&mut self, at: i64, length: i64, flow: &Flow) -> Option<[f64; 4]> {
        let window = at.div_euclid(length);
        // What comes late counts in the window that is open.
        let ended = (window > self.window).then(|| {
            self.window = window;
            self.targets.clear();
            std::mem::take(&mut self.now)
        });
        let ended = ended.filter(|ended| ended[0] > 0.0);
        if let Some(ended) = ended {
            self.learn(ended);
        }
        self.now[0] += 1.0;
        if let Some(target) = flow.target
            && self.targets.len() < WINDOW_TARGETS_MAX
            && self.targets.insert(target)
        {
            self.now[1] += 1.0;
        }
        self.now[2] += flow.units_out;
        self.now[3] += flow.audience;
        ended
    }

    /// Learns what one window came to.
    pub(super) fn learn(&mut self, window: [f64; 4]) {
        for (moments, value) in self.moments.iter_mut().zip(window) {
            moments.learn(value);
        }
    }

    pub(super) fn judge(
        &self,
        peers: Option<&Self>,
        kind: TermKind,
        span: &str,
        terms: &mut Terms,
    ) {
        let (mut most, mut which) = (0.0, 0);
        for measure in 0..MEASURES.len() {
            let nats = self.surprise(peers, measure);
            if nats > most {
                (most, which) = (nats, measure);
            }
        }
        terms.add(kind, most, || {
            let moments = self.known(peers, which).copied().unwrap_or_default();
            format!(
                "{:.0} {} {span}: usually {:.1}, give or take {:.1}",
                self.now[which],
                MEASURES[which],
                moments.mean(),
                moments.variance().sqrt()
            )
        });
    }

    pub(super) fn halve(&mut self) {
        for moments in &mut self.moments {
            moments.windows /= 2.0;
            moments.sum /= 2.0;
            moments.squares /= 2.0;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.moments.iter_mut().zip(&other.moments) {
            mine.windows += theirs.windows;
            mine.sum += theirs.sum;
            mine.squares += theirs.squares;
        }
    }

    fn known<'a>(&'a self, peers: Option<&'a Self>, measure: usize) -> Option<&'a Moments> {
        let own = Some(&self.moments[measure]);
        let peers = peers.map(|peers| &peers.moments[measure]);
        [own, peers]
            .into_iter()
            .flatten()
            .find(|moments| moments.windows >= WINDOWS_MIN)
    }

    fn surprise(&self, peers: Option<&Self>, measure: usize) -> f64 {
        let Some(moments) = self.known(peers, measure) else {
            return 0.0;
        };
        let now = self.now[measure];
        if now <= 2.0 * moments.mean() + 1.0 {
            return 0.0;
        }
        let p = tail::gamma_poisson(now, moments.mean(), moments.variance(), moments.windows);
        (-p.ln() - USUAL_NATS).max(0.0)
    }
}
