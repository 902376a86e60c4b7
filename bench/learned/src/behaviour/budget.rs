//! Q6: alerts as a share of sessions while what is usual changes, against a threshold that stays.

use deedtrail_behaviour::{Budget, Learning, Settings};
use serde::Serialize;

use crate::replay::Replay;
use crate::sets::Set;
use deedtrail_bench_learned::measure::Seeded;

/// Sessions that are known to be good.
const BASELINE: usize = 1_000;
/// Sessions of a window.
const WINDOW: usize = 500;
/// A step is added, the last step is left out, the first step is renamed.
const CHANGES: usize = 3;
/// Orders and places of the changes that are tried.
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

/// What one budget gave.
#[derive(Serialize)]
pub struct Kept {
    /// Alerts wanted, as a share of sessions.
    pub budget: f64,
    /// Sessions of each stream.
    pub sessions: usize,
    /// Alerts as a share of sessions, stream by stream.
    pub shares: Vec<f64>,
    /// The most alerts in any 500 sessions one after the other, as a share, stream by stream.
    pub worst_windows: Vec<f64>,
    /// Scores of the same streams above the threshold of the baseline, which stays as it was.
    pub shares_static: Vec<f64>,
    pub seeds: [u64; 5],
}

pub fn measure(set: &Set) -> Vec<Kept> {
    let one = |budget: f64| {
        let streams: Vec<_> = SEEDS
            .iter()
            .map(|seed| keep(&drifted(set, *seed), set, budget))
            .collect();
        Kept {
            budget,
            sessions: set.train.len() - BASELINE + set.normal.len(),
            shares: streams.iter().map(|stream| stream.share).collect(),
            worst_windows: streams.iter().map(|stream| stream.worst_window).collect(),
            shares_static: streams.iter().map(|stream| stream.share_static).collect(),
            seeds: SEEDS,
        }
    };
    [0.01, 0.05].into_iter().map(one).collect()
}

/// What one stream gave.
struct Stream {
    share: f64,
    worst_window: f64,
    share_static: f64,
}

fn keep(sessions: &[Vec<String>], set: &Set, budget: f64) -> Stream {
    let settings = |learning| Settings {
        budget: Budget::Share(budget),
        learning,
        floor_nats: 1.0,
    };
    let mut replay = Replay::new(settings(Learning::Everything));
    let baseline = set.train[..BASELINE].iter();
    let before: Vec<f64> = baseline
        .map(|session| replay.session(session).score_nats)
        .collect();
    // The first of them are scored by a model that knows next to nothing.
    let mut before = before[BASELINE / 5..].to_vec();
    before.sort_by(f64::total_cmp);
    let fixed = before[((1.0 - budget) * before.len() as f64) as usize];
    replay.engine.set(settings(Learning::Guarded));
    let (mut alerts, mut above) = (Vec::new(), 0);
    for session in sessions {
        let assessment = replay.session(session);
        alerts.push(usize::from(assessment.alerts));
        above += usize::from(assessment.score_nats > fixed);
    }
    let worst = alerts
        .windows(WINDOW)
        .map(|window| window.iter().sum::<usize>())
        .max();
    Stream {
        share: alerts.iter().sum::<usize>() as f64 / alerts.len() as f64,
        worst_window: worst.unwrap_or(0) as f64 / WINDOW as f64,
        share_static: above as f64 / alerts.len() as f64,
    }
}

/// The remaining normal sessions in random order. In each third of them one change becomes usual:
/// the share of sessions that show it grows from nothing to a half.
fn drifted(set: &Set, seed: u64) -> Vec<Vec<String>> {
    let mut seeded = Seeded(seed);
    let later = set.train[BASELINE..].iter().chain(&set.normal);
    let mut sessions: Vec<_> = later.cloned().collect();
    seeded.shuffle(&mut sessions);
    let part = sessions.len().div_ceil(CHANGES);
    for (at, session) in sessions.iter_mut().enumerate() {
        let progress = (at % part) as f64 / part as f64;
        if seeded.below(1_000) as f64 > 500.0 * progress {
            continue;
        }
        match at / part {
            0 => session.insert(session.len() / 2, "added".to_owned()),
            1 => session.truncate(session.len() - 1),
            _ => session[0] = "renamed".to_owned(),
        }
    }
    sessions
}
