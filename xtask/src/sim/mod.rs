//! Whole lives of a log on a simulated machine, each drawn from a seed: clients that send, repeat and
//! contradict themselves, commits of several of them, crashes of process and power at any step of the
//! disk, failing and full disks, clocks that jump, flipped bits, copies and old backups. A seed that
//! fails is printed and fails again the same way.

mod clients;
pub(crate) mod damage;
mod doubles;
mod harm;
mod model;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::process::{Tally, say};
use model::{Broken, Held};
use world::World;

/// Seeds of which at least one must find out that a safeguard is missing.
const CONTROL_SEEDS: u64 = 400;
/// Of this many seeds one is lived twice, and must be the same both times.
const REPEATED_ONE_IN: u64 = 50;
/// Failing seeds that are told.
const TOLD_MAX: usize = 5;

/// What a negative control takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Safeguard {
    /// `fdatasync` and folder syncs do nothing.
    Sync,
    /// Folder syncs do nothing.
    FolderSync,
    /// Clients' idempotency keys do not reach the log.
    Dedupe,
    /// The acknowledged watermark is gone when damage is looked for.
    Watermark,
    /// Check sums fit whatever stands in a frame.
    CheckSums,
    /// The checkpoint store is restored together with an old backup.
    CheckpointStore,
}

const SAFEGUARDS: [Safeguard; 6] = [
    Safeguard::Sync,
    Safeguard::FolderSync,
    Safeguard::Dedupe,
    Safeguard::Watermark,
    Safeguard::CheckSums,
    Safeguard::CheckpointStore,
];

/// What is lived.
pub(crate) struct Plan {
    /// How many seeds.
    pub(crate) seeds: u64,
    /// The first one; alone, its life is told.
    pub(crate) first: u64,
    /// Programs that are cut off at every step of the disk.
    pub(crate) sweeps: u64,
}

/// How one life ended.
struct Life {
    held: Held,
    digest: u64,
    steps: u64,
}

fn live(seed: u64, missing: Option<Safeguard>, says: bool) -> Life {
    let mut world = World::new(seed, missing);
    world.says = says;
    let held = program(&mut world);
    Life {
        held,
        digest: world.digest,
        steps: world.disk.steps(),
    }
}

fn program(world: &mut World) -> Held {
    world.start()?;
    for _ in 0..world.dice.u32(6..22) {
        world.round()?;
    }
    world.finish()
}

pub(crate) fn run(plan: &Plan) -> Tally {
    let mut tally = Tally::default();
    if plan.seeds == 1 {
        let life = live(plan.first, None, true);
        say(told(plan.first, &life.held));
        return Tally::one(life.held.is_ok());
    }
    let begun = Instant::now();
    let (steps, failed) = many(plan);
    say(format_args!(
        "sim: {} seeds from {}, {steps} steps of the disk, {} failed, {:.0} s",
        plan.seeds,
        plan.first,
        failed.len(),
        begun.elapsed().as_secs_f64()
    ));
    for (seed, held) in failed.iter().take(TOLD_MAX) {
        say(told(*seed, held));
    }
    tally.add(Tally::one(failed.is_empty()));
    tally.add(sweep(plan.sweeps));
    for safeguard in SAFEGUARDS {
        tally.add(control(safeguard));
    }
    tally
}

/// Cuts the power at every step of some programs, one step after another.
fn sweep(programs: u64) -> Tally {
    let begun = Instant::now();
    let (next, states) = (AtomicU64::new(1), AtomicU64::new(0));
    let failed = AtomicU64::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > programs {
                        break;
                    }
                    let all = cut(seed, None).steps;
                    for step in 1..=all {
                        states.fetch_add(1, Ordering::Relaxed);
                        if let Err(Broken(why)) = cut(seed, Some(step)).held {
                            failed.fetch_add(1, Ordering::Relaxed);
                            say(format_args!(
                                "program {seed}, power cut at step {step}: {why}"
                            ));
                        }
                    }
                }
            });
        }
    });
    say(format_args!(
        "sim: power cut at each of {} steps of {programs} programs, {} failed, {:.0} s",
        states.load(Ordering::Relaxed),
        failed.load(Ordering::Relaxed),
        begun.elapsed().as_secs_f64()
    ));
    Tally::one(failed.into_inner() == 0)
}

/// A program without other mishaps, and the power cut at one step of its disk.
fn cut(seed: u64, step: Option<u64>) -> Life {
    let mut world = World::new(seed, None);
    world.is_calm = true;
    if let Some(step) = step {
        world.disk.crash_at(step);
    }
    let held = program(&mut world);
    Life {
        held,
        digest: world.digest,
        steps: world.disk.steps(),
    }
}

fn told(seed: u64, held: &Held) -> String {
    match held {
        Ok(()) => format!("seed {seed}: everything held"),
        Err(Broken(why)) => {
            format!("seed {seed}: {why} (again: cargo xtask sim --seeds 1 --seed {seed})")
        }
    }
}

/// Lives all seeds; steps of all disks, and the seeds that failed.
fn many(plan: &Plan) -> (u64, Vec<(u64, Held)>) {
    let (next, steps) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= plan.seeds {
                        break;
                    }
                    let seed = plan.first + at;
                    let life = live(seed, None, false);
                    steps.fetch_add(life.steps, Ordering::Relaxed);
                    let mut held = life.held;
                    if at % REPEATED_ONE_IN == 0 && live(seed, None, false).digest != life.digest {
                        held = Err(Broken("is not the same the second time".to_owned()));
                    }
                    if held.is_err() {
                        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                        failed.push((seed, held));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort_by_key(|(seed, _)| *seed);
    (steps.into_inner(), failed)
}

/// Without a safeguard, some seed must fail.
fn control(missing: Safeguard) -> Tally {
    let found = (1..=CONTROL_SEEDS).find_map(|seed| {
        let life = live(seed, Some(missing), false);
        life.held.err().map(|Broken(why)| (seed, why))
    });
    match &found {
        Some((seed, why)) => say(format_args!(
            "sim without {missing:?}: seed {seed} notices: {why}"
        )),
        None => say(format_args!(
            "sim without {missing:?}: nothing in {CONTROL_SEEDS} seeds notices"
        )),
    }
    Tally::one(found.is_some())
}
