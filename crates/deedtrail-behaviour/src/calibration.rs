//! How rare a score is: histograms of past scores, by stratum.

use serde::{Deserialize, Serialize};

/// Bins of a histogram; logarithmic, 6.7 % wide.
const BINS: usize = 128;
/// Bins for a score that is e times as large.
const BINS_PER_NAT: f64 = 15.4;
/// Scores above this share of all tell how fast the tail falls.
const BODY_SHARE: f64 = 0.98;
/// Scores a histogram holds before it is halved, so that it follows what changes.
const SCORES_MAX: u32 = 16_384;
/// Mean excess of a tail before anything is known of it, nats, and for how many scores that counts.
const PRIOR_EXCESS: f64 = 2.0;
const PRIOR_SCORES: f64 = 2.0;
/// How far a score that alerted may lie beyond the others, bins.
const ALERTED_BINS: usize = 1;
/// Least probability told.
const P_MIN: f64 = 1e-30;

/// Scores seen so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Histogram {
    /// Empty before the first score.
    bins: Vec<u16>,
    scores: u32,
}

impl Histogram {
    pub(crate) fn scores(&self) -> u32 {
        self.scores
    }

    /// Share of scores at least as large: conformal as far as there are scores, exponential beyond.
    pub(crate) fn p(&self, score: f64) -> f64 {
        let bin = bin(score);
        let above: u32 = self
            .bins
            .iter()
            .skip(bin)
            .map(|count| u32::from(*count))
            .sum();
        let p = (f64::from(above) + 1.0) / (f64::from(self.scores) + 1.0);
        if above > 0 {
            return p;
        }
        let (end, excess) = self.tail();
        (p * (-(score - end).max(0.0) / excess).exp()).max(P_MIN)
    }

    /// Adds a score. One that alerted counts as only a little larger than what is already there.
    pub(crate) fn add(&mut self, score: f64, alerted: bool) {
        self.bins.resize(BINS, 0);
        let largest = self
            .bins
            .iter()
            .rposition(|count| *count > 0)
            .unwrap_or(BINS - 1);
        let limit = if alerted {
            largest + ALERTED_BINS
        } else {
            BINS
        };
        let bin = bin(score).min(limit).min(BINS - 1);
        if let Some(count) = self.bins.get_mut(bin) {
            *count = count.saturating_add(1);
            self.scores += 1;
        }
        if self.scores >= SCORES_MAX {
            self.halve();
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.bins.resize(BINS, 0);
        for (mine, theirs) in self.bins.iter_mut().zip(&other.bins) {
            *mine = mine.saturating_add(*theirs);
        }
        self.recount();
        if self.scores >= SCORES_MAX {
            self.halve();
        }
    }

    /// Halves every count; a remainder goes to the next smaller score.
    pub(crate) fn halve(&mut self) {
        let mut carried = 0;
        for count in self.bins.iter_mut().rev() {
            let whole = count.saturating_add(carried);
            carried = whole % 2;
            *count = whole / 2;
        }
        self.recount();
    }

    /// Where the scores end, and the mean excess of the highest of them.
    fn tail(&self) -> (f64, f64) {
        let allowed = (1.0 - BODY_SHARE) * f64::from(self.scores);
        let (mut inside, mut weighted, mut start, mut end) = (0.0, 0.0, 0.0, None);
        for (bin, count) in self
            .bins
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, count)| **count > 0)
        {
            end = end.or(Some(edge(bin + 1)));
            if inside + f64::from(*count) > allowed {
                start = edge(bin + 1);
                break;
            }
            inside += f64::from(*count);
            weighted += f64::from(*count) * middle(bin);
        }
        let excess = weighted - inside * start + PRIOR_SCORES * PRIOR_EXCESS;
        (end.unwrap_or(0.0), excess / (inside + PRIOR_SCORES))
    }

    fn recount(&mut self) {
        self.scores = self.bins.iter().map(|count| u32::from(*count)).sum();
    }
}

/// What is calibrated of each session.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Scores {
    /// Nats of the session's shape.
    pub(crate) shape: f64,
    /// Nats of its most surprising event.
    pub(crate) event: f64,
    /// Mean nats of its actions.
    pub(crate) mean: f64,
    /// Whether just such a shape was seen before.
    pub(crate) repeats: bool,
}

/// The scores of past sessions of one stratum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Calibration {
    shape: Histogram,
    pub(crate) event: Histogram,
    mean: Histogram,
    pub(crate) session: Histogram,
    /// Sessions whose shape was seen before, of all.
    repeats: (u32, u32),
}

impl Calibration {
    pub(crate) fn add(&mut self, scores: &Scores, combined: f64, alerted: bool) {
        self.shape.add(scores.shape, alerted);
        self.event.add(scores.event, alerted);
        self.mean.add(scores.mean, alerted);
        self.session.add(combined, alerted);
        self.repeats.0 += u32::from(scores.repeats);
        self.repeats.1 += 1;
        if self.repeats.1 >= SCORES_MAX {
            self.repeats = (self.repeats.0 / 2, self.repeats.1 / 2);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.shape.merge(&other.shape);
        self.event.merge(&other.event);
        self.mean.merge(&other.mean);
        self.session.merge(&other.session);
        self.repeats.0 += other.repeats.0;
        self.repeats.1 += other.repeats.1;
    }

    /// The session's score from its parts: how rare each is, in nats. Where sessions repeat each
    /// other their shape counts, where they do not the mean of their actions.
    pub(crate) fn combined(&self, scores: &Scores) -> f64 {
        let repeating = (f64::from(self.repeats.0) + 1.0) / (f64::from(self.repeats.1) + 1.0);
        let shape = repeating * -self.shape.p(scores.shape).ln();
        let mean = (1.0 - repeating) * -self.mean.p(scores.mean).ln();
        shape + mean - self.event.p(scores.event).ln()
    }

    pub(crate) fn sessions(&self) -> u32 {
        self.session.scores()
    }

    pub(crate) fn bytes(&self) -> usize {
        let histograms = [&self.shape, &self.event, &self.mean, &self.session];
        histograms
            .iter()
            .map(|histogram| histogram.bins.len() * size_of::<u16>())
            .sum()
    }
}

fn bin(score: f64) -> usize {
    let scaled = BINS_PER_NAT * score.max(0.0).ln_1p();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float becomes the nearest integer of the range, and that is meant"
    )]
    let bin = scaled as usize;
    bin.min(BINS - 1)
}

/// Lower edge of a bin.
fn edge(bin: usize) -> f64 {
    (bin as f64 / BINS_PER_NAT).exp_m1()
}

fn middle(bin: usize) -> f64 {
    f64::midpoint(edge(bin), edge(bin + 1))
}
