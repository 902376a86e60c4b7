//! Whole lives of the server's pipeline, each drawn from a seed: intake, log, mapping, identities,
//! detection, control plane and archive, with calls that fail and a process that dies between any
//! two calls. In the end everything derived must be what a run without mishaps makes of that log.

mod derived;
mod ending;
mod log;
mod records;
mod said;
mod world;

use std::time::Instant;

use super::model::Broken;
use super::{Life, Plan, TOLD_MAX, control, many, told};
use crate::process::{Tally, say};
use derived::Derived;
use records::MATERIAL;
use world::World;

/// How a seed is lived again.
const COMMAND: &str = "sim --pipeline";

/// Seeds of which at least one must find out that a safeguard is missing.
const CONTROL_SEEDS: u64 = 100;

/// What a negative control takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Safeguard {
    /// The archive forgets at a restart how far it covers the log.
    ArchivePosition,
    /// The archive counts rows as stored that were only hot.
    HotRows,
    /// Clients' idempotency keys do not reach the log.
    Dedupe,
    /// The store's position is ahead of its results.
    Progress,
    /// The snapshot says that it covers more than it does.
    Snapshot,
}

const SAFEGUARDS: [Safeguard; 5] = [
    Safeguard::ArchivePosition,
    Safeguard::HotRows,
    Safeguard::Dedupe,
    Safeguard::Progress,
    Safeguard::Snapshot,
];

fn live(seed: u64, missing: Option<Safeguard>, says: bool) -> Life {
    let material = match &*MATERIAL {
        Ok(material) => material,
        Err(why) => return Life::broken(why),
    };
    let mut world = World::new(seed, material, missing);
    world.says = says;
    let made = program(&mut world);
    let [events, findings, identities, sessions] = *made.as_ref().unwrap_or(&[0; 4]);
    Life {
        held: made.map(drop),
        digest: world.digest,
        figures: [world.struck, events, findings, identities, sessions],
    }
}

/// Lives, and compares; how many events, findings, identities and sessions there are in the end.
fn program(world: &mut World) -> Result<[u64; 4], Broken> {
    for _ in 0..world.dice.u32(10..50) {
        world.round()?;
    }
    world.finish()?;
    world.each_once()?;
    let derived = Derived::of(&*world.store, world.archive())?;
    let (store, archive) = world.calmly()?;
    derived.ensure_is(&Derived::of(&*store, &archive)?)?;
    world.digest(derived.bytes());
    Ok(derived.size())
}

pub(crate) fn run(plan: &Plan) -> Tally {
    if plan.seeds == 1 {
        let life = live(plan.first, None, true);
        say(told(plan.first, &life.held, COMMAND));
        return Tally::one(life.held.is_ok());
    }
    let begun = Instant::now();
    let (figures, failed) = many(plan, &|seed| live(seed, None, false));
    let [mishaps, events, findings, identities, sessions] = figures;
    say(format_args!(
        "sim of the pipeline: {} seeds from {}, {mishaps} mishaps, {events} events, {findings} \
         findings, {identities} identities, {sessions} sessions, {} failed, {:.0} s",
        plan.seeds,
        plan.first,
        failed.len(),
        begun.elapsed().as_secs_f64()
    ));
    for (seed, held) in failed.iter().take(TOLD_MAX) {
        say(told(*seed, held, COMMAND));
    }
    let mut tally = Tally::one(failed.is_empty());
    for missing in SAFEGUARDS {
        let what = format!("{COMMAND} without {missing:?}");
        let lives = |seed| live(seed, Some(missing), false);
        tally.add(control(&what, CONTROL_SEEDS, &lives));
    }
    tally
}
