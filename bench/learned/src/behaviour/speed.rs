//! S9: how fast sessions are scored and learned on one core, and how much is kept of them.

use std::hint::black_box;
use std::time::Instant;

use deedtrail_behaviour::{Behaviour, Budget, Learning, Model, Settings};
use serde::Serialize;

use crate::replay::Replay;
use crate::sets::Set;
use deedtrail_bench_learned::measure::Seeded;

/// Rounds of each measurement; the median is told.
const ROUNDS: usize = 7;
/// Depth of a program's contexts.
const DEPTH: usize = 4;
/// Identities in the measurement of size.
const IDENTITIES: usize = 200;

#[derive(Serialize)]
pub struct Speed {
    /// Symbols scored and learned a second by the model alone.
    pub core_symbols_per_second: f64,
    /// Of these, scoring only.
    pub core_scored_symbols_per_second: f64,
    /// Sessions scored a second by the model alone (next actions and shape).
    pub core_scored_sessions_per_second: f64,
    /// Sessions scored and learned a second by the model alone.
    pub core_sessions_per_second: f64,
    /// Events a second through the public interface, dictionary, calibration and reasons included.
    pub events_per_second: f64,
    /// 99th percentile of one event through the public interface, microseconds.
    pub event_us_p99: f64,
    /// Bytes an identity, in memory: median, 95th percentile, largest.
    pub identity_bytes: [usize; 3],
    /// Bytes of the busiest identity: all of the training sessions, in memory.
    pub busiest_bytes: usize,
}

pub fn measure(set: &Set) -> Speed {
    let numbered = numbered(set);
    let symbols: usize = numbered.iter().map(|session| session.len() + 1).sum();
    let scored = rounds(|| score(&numbered));
    let both = rounds(|| score_and_learn(&numbered));
    let (events_per_second, event_us_p99) = events(set);
    let (identity_bytes, busiest_bytes) = sizes(set);
    Speed {
        core_symbols_per_second: symbols as f64 / both,
        core_scored_symbols_per_second: symbols as f64 / scored,
        core_scored_sessions_per_second: numbered.len() as f64 / scored,
        core_sessions_per_second: numbered.len() as f64 / both,
        events_per_second,
        event_us_p99,
        identity_bytes,
        busiest_bytes,
    }
}

fn numbered(set: &Set) -> Vec<Vec<u32>> {
    let number = |symbol: &String| symbol.parse::<u32>().unwrap_or(0) + 4;
    set.train
        .iter()
        .map(|session| session.iter().map(number).collect())
        .collect()
}

fn rounds(mut once: impl FnMut() -> f64) -> f64 {
    let mut seconds: Vec<f64> = (0..ROUNDS).map(|_| once()).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[ROUNDS / 2]
}

fn trained(sessions: &[Vec<u32>]) -> Model {
    let mut model = Model::default();
    for session in sessions {
        model.learn(session, DEPTH, 20_000);
    }
    model
}

fn score(sessions: &[Vec<u32>]) -> f64 {
    let model = trained(sessions);
    let mut scratch = Vec::new();
    let start = Instant::now();
    for session in sessions {
        black_box(model.score(session, DEPTH, &mut scratch));
    }
    start.elapsed().as_secs_f64()
}

fn score_and_learn(sessions: &[Vec<u32>]) -> f64 {
    let mut model = trained(sessions);
    let mut scratch = Vec::new();
    let start = Instant::now();
    for session in sessions {
        black_box(model.score(session, DEPTH, &mut scratch));
        model.learn(session, DEPTH, 20_000);
    }
    start.elapsed().as_secs_f64()
}

fn events(set: &Set) -> (f64, f64) {
    let mut replay = Replay::new(Settings::default());
    let start = Instant::now();
    let mut events = 0;
    for session in &set.train {
        black_box(replay.session(session));
        events += session.len();
    }
    let rate = events as f64 / start.elapsed().as_secs_f64();
    let mut each = Vec::with_capacity(events);
    for session in &set.train {
        replay.timed_session(session, &mut each);
    }
    each.sort_unstable();
    (rate, each[each.len() * 99 / 100] as f64 / 1000.0)
}

/// Identities that each do a random part of what the training sessions do, from a few sessions to
/// a tenth of them.
fn sizes(set: &Set) -> ([usize; 3], usize) {
    let settings = Settings {
        budget: Budget::PerDay(5.0),
        learning: Learning::Everything,
        floor_nats: 0.0,
    };
    let mut seeded = Seeded(9);
    let mut sizes: Vec<usize> = (0..IDENTITIES)
        .map(|_| {
            let mut replay = Replay::new(settings);
            for _ in 0..10 + seeded.below(set.train.len() / 10) {
                replay.session(&set.train[seeded.below(set.train.len())]);
            }
            kept(replay)
        })
        .collect();
    sizes.sort_unstable();
    let told = [
        sizes[IDENTITIES / 2],
        sizes[IDENTITIES * 95 / 100],
        sizes[IDENTITIES - 1],
    ];
    let mut replay = Replay::new(settings);
    for session in &set.train {
        replay.session(session);
    }
    (told, kept(replay))
}

/// As after a restart, when tables are as large as they need to be.
fn kept(replay: Replay) -> usize {
    let identity = replay.identity();
    let snapshot = replay.engine.snapshot();
    Behaviour::restore(&snapshot).map_or(0, |engine| engine.bytes(identity))
}
