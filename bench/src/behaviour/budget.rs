//! Q6: alerts as a share of sessions while what is usual changes, against a threshold that stays.

use deedtrail_behaviour::{Budget, Learning, Settings};
use serde::Serialize;

use crate::measure::Seeded;
use crate::replay::Replay;
use crate::sets::Set;

/// Sessions that are known to be good.
const BASELINE: usize = 1_000;
/// Sessions of a window.
const WINDOW: usize = 500;
/// What one more step, one step less and one new step become usual with.
const CHANGES: [&str; 3] = ["step added", "step left out", "step renamed"];
const SEED: u64 = 6;

/// What one budget gave.
#[derive(Serialize)]
pub struct Kept {
    /// Alerts wanted, as a share of sessions.
    pub budget: f64,
    pub sessions: usize,
    pub alerts: usize,
    pub share: f64,
    /// The most alerts in any 500 sessions one after the other, as a share.
    pub worst_window: f64,
    /// The same sessions with everything learned, but the threshold of the first 1,000.
    pub share_static: f64,
    pub seed: u64,
}

pub fn measure(set: &Set) -> Vec<Kept> {
    [0.01, 0.05]
        .into_iter()
        .map(|budget| keep(set, budget))
        .collect()
}

fn keep(set: &Set, budget: f64) -> Kept {
    let settings = |learning| Settings {
        budget: Budget::Share(budget),
        learning,
        floor_nats: 1.0,
    };
    let mut replay = Replay::new(settings(Learning::Everything));
    let mut before = Vec::new();
    for session in &set.train[..BASELINE] {
        before.push(replay.session(session).score_nats);
    }
    let mut later: Vec<f64> = before.split_off(BASELINE / 5);
    later.sort_by(f64::total_cmp);
    let fixed = later[((1.0 - budget) * later.len() as f64) as usize];
    replay.engine.set(settings(Learning::Guarded));
    let (mut alerts, mut above) = (Vec::new(), 0);
    for session in drifted(set) {
        let assessment = replay.session(&session);
        alerts.push(usize::from(assessment.alerts));
        above += usize::from(assessment.score_nats > fixed);
    }
    let sessions = alerts.len();
    let total: usize = alerts.iter().sum();
    let worst = alerts
        .windows(WINDOW)
        .map(|window| window.iter().sum::<usize>())
        .max();
    Kept {
        budget,
        sessions,
        alerts: total,
        share: total as f64 / sessions as f64,
        worst_window: worst.unwrap_or(0) as f64 / WINDOW as f64,
        share_static: above as f64 / sessions as f64,
        seed: SEED,
    }
}

/// The remaining normal sessions in random order. In each third of them one change becomes usual:
/// the share of sessions that show it grows from nothing to a half.
fn drifted(set: &Set) -> Vec<Vec<String>> {
    let mut seeded = Seeded(SEED);
    let mut sessions: Vec<_> = set.train[BASELINE..]
        .iter()
        .chain(&set.normal)
        .cloned()
        .collect();
    seeded.shuffle(&mut sessions);
    let part = sessions.len() / CHANGES.len();
    for (at, session) in sessions.iter_mut().enumerate() {
        let change = at / part;
        let progress = (at % part) as f64 / part as f64;
        let shows = seeded.below(1_000) as f64 <= 500.0 * progress;
        if shows {
            match change {
                0 => session.insert(session.len() / 2, "added".to_owned()),
                1 => session.truncate(session.len() - 1),
                _ => session[0] = "renamed".to_owned(),
            }
        }
    }
    sessions
}
