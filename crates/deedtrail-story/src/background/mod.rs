//! Ordinary life: what everybody does on a normal day, harmless look-alikes of the incidents
//! included.

mod agents;
mod apps;
mod batch;
mod clicks;
mod cluster;
mod delivery;
mod history;
mod people;
mod twins;
mod workers;

use crate::day::Day;
use crate::organisation::Person;

pub(crate) use batch::{bot_push, data_call, rotate, token_act, vault_act};
pub(crate) use clicks::click;
pub(crate) use delivery::{ci_call, release, roll_out};
pub(crate) use people::{session_of, whereabouts};

/// Days told in full before the anchor; older days are sparse.
pub(crate) const DENSE_DAYS: i64 = 60;
/// Days told at all.
pub(crate) const DAYS: i64 = 200;

/// A push by a person, which the build pipeline follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pushed {
    /// Microseconds after midnight.
    of_day: i64,
    person: &'static Person,
    repository: &'static str,
}

/// Adds the background of one day.
pub(crate) fn tell(day: &mut Day) {
    if day.ago() > DENSE_DAYS {
        history::tell(day);
        return;
    }
    let pushes = people::tell(day);
    delivery::tell(day, &pushes);
    clicks::tell(day);
    batch::tell(day);
    batch::ledger_sync(day);
    workers::tell(day);
    cluster::tell(day);
    apps::tell(day);
    agents::tell(day);
    twins::tell(day);
}
