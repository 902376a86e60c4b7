//! A deterministic story: two hundred days of an invented company in its vendors' own record
//! formats, with ten incidents and their harmless look-alikes. Used by the demo and by tests.
//!
//! Names, domains, addresses and autonomous systems are reserved for documentation (RFC 2606,
//! RFC 5737, RFC 3849, RFC 5398). The same anchor and seed give the same bytes.

mod accident;
mod background;
mod chance;
mod day;
mod delivery;
mod incident;
mod organisation;
mod record;
mod rhythm;

pub use delivery::{DELIVERY_RECORDS_MAX, Delivery};
pub use incident::{Fact, Incident};

use day::Day;

/// The story as seen on one day.
#[derive(Clone, Debug)]
pub struct Story {
    anchor_day: i64,
    seed: u64,
    incidents: Vec<Incident>,
}

impl Story {
    /// `anchor_day`: UTC day number (days since 1970-01-01) of "today". Everything happens before
    /// its midnight.
    pub fn new(anchor_day: i64, seed: u64) -> Self {
        Self {
            anchor_day,
            seed,
            incidents: incident::all(anchor_day),
        }
    }

    /// Every delivery in order of time, day by day from the oldest; made while iterating.
    pub fn deliveries(&self) -> impl Iterator<Item = Delivery> + '_ {
        (1..=background::DAYS)
            .rev()
            .flat_map(|ago| self.day(self.anchor_day - ago))
    }

    /// What goes wrong on the way on the last day: deliveries of which nothing is understood, and
    /// the last one of the story, sent again.
    pub fn accidents(&self) -> Vec<Delivery> {
        let mut accidents = accident::broken(self.anchor_day);
        accidents.extend(self.day(self.anchor_day - 1).pop());
        accidents
    }

    /// The identity import (CSV) that declares owners, purposes and tools; some identities are
    /// left out on purpose.
    pub fn identities(&self) -> Vec<u8> {
        organisation::identities_csv(self.anchor_day)
    }

    /// What a reviewer expects to be found.
    pub fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    fn day(&self, number: i64) -> Vec<Delivery> {
        let mut day = Day::new(self.anchor_day, number, self.seed);
        background::tell(&mut day);
        incident::tell(&mut day);
        delivery::pack(day.records)
    }
}
