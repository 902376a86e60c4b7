//! Whole lives of a log on a simulated machine, each drawn from a seed: clients that send, repeat and
//! contradict themselves, commits of several of them, crashes of process and power at any step of the
//! disk, failing and full disks, clocks that jump, flipped bits, copies and old backups. A seed that
//! fails is printed and fails again the same way.

mod clients;
pub(crate) mod damage;
mod doubles;
mod harm;
mod model;
pub(crate) mod pipeline;
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
/// Figures of a life.
const FIGURES: usize = 5;

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
    /// What is counted of it; the steps of its disk come first.
    figures: [u64; FIGURES],
}

impl Life {
    /// One that did not begin.
    fn broken(why: &str) -> Self {
        Self {
            held: Err(Broken(why.to_owned())),
            digest: 0,
            figures: [0; FIGURES],
        }
    }

    fn of(world: &World, held: Held) -> Self {
        Self {
            held,
            digest: world.digest,
            figures: [world.disk.steps(), 0, 0, 0, 0],
        }
    }
}

fn live(seed: u64, missing: Option<Safeguard>, says: bool) -> Life {
    let mut world = World::new(seed, missing);
    world.says = says;
    let held = program(&mut world);
    Life::of(&world, held)
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
        say(told(plan.first, &life.held, "sim"));
        return Tally::one(life.held.is_ok());
    }
    let begun = Instant::now();
    let ([steps, ..], failed) = many(plan, &|seed| live(seed, None, false));
    say(format_args!(
        "sim: {} seeds from {}, {steps} steps of the disk, {} failed, {:.0} s",
        plan.seeds,
        plan.first,
        failed.len(),
        begun.elapsed().as_secs_f64()
    ));
    for (seed, held) in failed.iter().take(TOLD_MAX) {
        say(told(*seed, held, "sim"));
    }
    tally.add(Tally::one(failed.is_empty()));
    tally.add(sweep(plan.sweeps));
    for missing in SAFEGUARDS {
        let lives = |seed| live(seed, Some(missing), false);
        tally.add(control(
            &format!("sim without {missing:?}"),
            CONTROL_SEEDS,
            &lives,
        ));
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
                    let [all, ..] = cut(seed, None).figures;
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
    Life::of(&world, held)
}

fn told(seed: u64, held: &Held, command: &str) -> String {
    match held {
        Ok(()) => format!("seed {seed}: everything held"),
        Err(Broken(why)) => {
            format!("seed {seed}: {why} (again: cargo xtask {command} --seeds 1 --seed {seed})")
        }
    }
}

/// Lives all seeds; the sums of their figures, and the seeds that failed.
fn many(plan: &Plan, live: &(dyn Fn(u64) -> Life + Sync)) -> ([u64; FIGURES], Vec<(u64, Held)>) {
    let next = AtomicU64::new(0);
    let outcome = Mutex::new(([0; FIGURES], Vec::new()));
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
                    let life = live(seed);
                    let mut held = life.held;
                    if at.is_multiple_of(REPEATED_ONE_IN) && live(seed).digest != life.digest {
                        held = Err(Broken("is not the same the second time".to_owned()));
                    }
                    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                    for (sum, figure) in outcome.0.iter_mut().zip(life.figures) {
                        *sum += figure;
                    }
                    if held.is_err() {
                        outcome.1.push((seed, held));
                    }
                }
            });
        }
    });
    let outcome = outcome.into_inner();
    let (figures, mut failed) = outcome.unwrap_or_else(PoisonError::into_inner);
    failed.sort_by_key(|(seed, _)| *seed);
    (figures, failed)
}

/// Without a safeguard, one of so many seeds must fail.
fn control(what: &str, seeds: u64, live: &dyn Fn(u64) -> Life) -> Tally {
    let found = (1..=seeds).find_map(|seed| {
        let Broken(why) = live(seed).held.err()?;
        Some((seed, why))
    });
    match &found {
        Some((seed, why)) => say(format_args!("{what}: seed {seed} notices: {why}")),
        None => say(format_args!("{what}: nothing in {seeds} seeds notices")),
    }
    Tally::one(found.is_some())
}
