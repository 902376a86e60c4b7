//! Q1, Q2, Q7, Q8: sessions told apart, with everything learned from the training sessions alone.

use deedtrail_behaviour::{Assessment, Budget, Learning, Settings};
use serde::Serialize;

use crate::replay::Replay;
use crate::sets::{Sessions, Set};
use deedtrail_bench_learned::measure::{auc, f1, interval, share};

/// Share of normal sessions that may be reported.
const ALPHA: f64 = 0.001;
const SEED: u64 = 20_261_121;

/// What one data set gave.
#[derive(Serialize)]
pub struct Detection {
    pub set: String,
    pub trained_on: usize,
    pub alpha: f64,
    pub normal: usize,
    pub false_alerts: usize,
    pub abnormal: usize,
    pub recall: f64,
    /// In the mix that is projected to, or that of the set.
    pub f1: f64,
    pub f1_interval: (f64, f64),
    pub auc: f64,
    pub auc_interval: (f64, f64),
    pub seed: u64,
}

/// Trains on the first `first` sessions, then scores with learning paused. `mix` is how many normal
/// and abnormal sessions there are in truth.
pub fn measure(name: &str, set: &Set, first: usize, mix: Option<(f64, f64)>) -> Detection {
    let settings = |learning| Settings {
        budget: Budget::Share(ALPHA),
        learning,
        floor_nats: 0.0,
    };
    let mut replay = Replay::new(settings(Learning::Everything));
    let trained_on = first.min(set.train.len());
    for session in &set.train[..trained_on] {
        replay.session(session);
    }
    replay.engine.set(settings(Learning::Paused));
    // Rarity: larger is rarer, as the statistics expect.
    let mut rarity = |sessions: &Sessions| -> Vec<f64> {
        let assessed = sessions.iter().map(|session| replay.session(session));
        assessed.map(|Assessment { p, .. }| -p.ln()).collect()
    };
    let (normal, abnormal) = (rarity(&set.normal), rarity(&set.abnormal));
    let reported = |rarity: f64| rarity >= -ALPHA.ln();
    let mix = mix.unwrap_or((normal.len() as f64, abnormal.len() as f64));
    let score = |normal: &[f64], abnormal: &[f64]| {
        f1(
            share(normal, reported),
            share(abnormal, reported),
            mix.0,
            mix.1,
        )
    };
    Detection {
        set: name.to_owned(),
        trained_on,
        alpha: ALPHA,
        normal: normal.len(),
        false_alerts: normal.iter().filter(|rarity| reported(**rarity)).count(),
        abnormal: abnormal.len(),
        recall: share(&abnormal, reported),
        f1: score(&normal, &abnormal),
        f1_interval: interval(&normal, &abnormal, SEED, score),
        auc: auc(&normal, &abnormal),
        auc_interval: interval(&normal, &abnormal, SEED, auc),
        seed: SEED,
    }
}
