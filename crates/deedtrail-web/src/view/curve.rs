//! Trust over time as a line of steps; the same facts stand in a table beside it.

use deedtrail_core::session::{TRUST_THRESHOLDS, Trust, TrustStep};
use deedtrail_core::time::Timestamp;

use super::Moment;

/// Where the curve begins and ends, in the picture's units.
const LEFT: f64 = 28.0;
const RIGHT: f64 = 708.0;
/// Height of a score of 100, and of one of 0.
const TOP: f64 = 10.0;
const FLOOR: f64 = 90.0;

/// A threshold drawn across.
#[derive(Clone, Debug)]
pub(crate) struct Threshold {
    pub(crate) score: u8,
    pub(crate) y: String,
    pub(crate) text_y: String,
}

/// A step on the curve.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) class: &'static str,
    pub(crate) title: String,
}

/// The curve of one session.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    pub(crate) label: String,
    pub(crate) path: String,
    pub(crate) thresholds: Vec<Threshold>,
    pub(crate) points: Vec<Point>,
}

impl Curve {
    /// `None` without steps.
    pub(crate) fn new(trust: &Trust) -> Option<Self> {
        let mut steps: Vec<&TrustStep> = trust.steps.iter().collect();
        steps.sort_by_key(|step| step.at);
        let (first, last) = (steps.first()?, steps.last()?);
        let width = last.at.micros_since(first.at);
        let x_of = |at: Timestamp| {
            let share = ratio(at.micros_since(first.at), width);
            LEFT + share * (RIGHT - LEFT - 12.0)
        };
        let place = |step: &TrustStep| (x_of(step.at), y_of(step.score));
        let (x, y) = place(first);
        let turns = steps.iter().skip(1).map(|step| {
            let (x, y) = place(step);
            format!(" H{x:.1} V{y:.1}")
        });
        let path = format!("M{x:.1} {y:.1}{} H{RIGHT:.1}", turns.collect::<String>());
        let points = steps.iter().map(|step| Point {
            x: format!("{:.1}", x_of(step.at)),
            y: format!("{:.1}", y_of(step.score)),
            class: class(step.score),
            title: format!(
                "{}: {:+} points, {}",
                Moment::new(step.at).full,
                step.points,
                step.score
            ),
        });
        Some(Self {
            label: format!(
                "Trust: {} steps from {} to {}, lowest {}. The table below lists them.",
                steps.len(),
                first.score,
                trust.score,
                trust.lowest
            ),
            path,
            points: points.collect(),
            thresholds: TRUST_THRESHOLDS.map(threshold).into(),
        })
    }
}

/// How a score is marked.
pub(crate) const fn class(score: u8) -> &'static str {
    let [look, act] = TRUST_THRESHOLDS;
    if score < act {
        "crit"
    } else if score < look {
        "med"
    } else {
        "ok"
    }
}

fn threshold(score: u8) -> Threshold {
    let y = y_of(score);
    Threshold {
        score,
        y: format!("{y:.1}"),
        text_y: format!("{:.1}", y + 3.5),
    }
}

fn y_of(score: u8) -> f64 {
    FLOOR - (FLOOR - TOP) * f64::from(score) / 100.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a picture needs no more than 52 bits"
)]
fn ratio(part: i64, whole: i64) -> f64 {
    if whole <= 0 {
        return 0.0;
    }
    (part.max(0) as f64 / whole as f64).min(1.0)
}
