//! One day of the story while it is being told.

use serde_json::Value;

use crate::chance::Chance;
use crate::record::{Record, Source};
use crate::rhythm::{self, DAY, SECOND};

#[derive(Debug)]
pub(crate) struct Day {
    /// UTC day number of "today"; nothing happens on it or later.
    pub(crate) anchor: i64,
    pub(crate) number: i64,
    pub(crate) chance: Chance,
    pub(crate) records: Vec<Record>,
}

impl Day {
    pub(crate) fn new(anchor: i64, number: i64, seed: u64) -> Self {
        Self {
            anchor,
            number,
            chance: Chance::of(seed, number - anchor),
            records: Vec::with_capacity(1600),
        }
    }

    /// Days before the anchor; yesterday is 1.
    pub(crate) fn ago(&self) -> i64 {
        self.anchor - self.number
    }

    pub(crate) fn is_workday(&self) -> bool {
        rhythm::is_workday(self.number)
    }

    /// The instant `of_day` microseconds after this day's midnight, kept within the day.
    pub(crate) fn at(&self, of_day: i64) -> i64 {
        self.number * DAY + of_day.clamp(0, DAY - SECOND)
    }

    /// Adds the record that `body` makes for its instant.
    pub(crate) fn put(
        &mut self,
        source: Source,
        of_day: i64,
        body: impl FnOnce(i64, &mut Chance) -> Value,
    ) {
        let at = self.at(of_day);
        let body = body(at, &mut self.chance);
        self.records.push(Record::new(at, source, &body));
    }
}
