//! The ten incidents. Each knows its day, adds its records and says what should be found.

mod b10;
mod b11;
mod b12;
mod c12;
mod c13;
mod p11;
mod p12;
mod p9;
mod u12;
mod u18;

use deedtrail_core::time::Timestamp;

use crate::day::Day;
use crate::organisation::machine;
use crate::rhythm;

pub(crate) use u18::profile_sync_at_work;

/// One record of an incident, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub at: Timestamp,
    /// The source whose record shows it.
    pub source: &'static str,
    pub text: String,
}

/// What a reviewer expects to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Acceptance scenario, e.g. `C12`.
    pub id: &'static str,
    pub title: &'static str,
    /// Registry entry of the finding that should name it.
    pub finding_type: &'static str,
    /// Alias (`namespace:value`) of the identity the finding should be on.
    pub alias: String,
    /// In order of time.
    pub facts: Vec<Fact>,
}

/// All ten, by the day order of the acceptance list.
pub(crate) fn all(anchor: i64) -> Vec<Incident> {
    vec![
        c12::incident(anchor),
        c13::incident(anchor),
        p9::incident(anchor),
        p11::incident(anchor),
        p12::incident(anchor),
        b10::incident(anchor),
        b11::incident(anchor),
        b12::incident(anchor),
        u12::incident(anchor),
        u18::incident(anchor),
    ]
}

/// Adds the records of the incidents that lie on this day.
pub(crate) fn tell(day: &mut Day) {
    c12::tell(day);
    c13::tell(day);
    p9::tell(day);
    p11::tell(day);
    p12::tell(day);
    b10::tell(day);
    b11::tell(day);
    b12::tell(day);
    u12::tell(day);
    u18::tell(day);
}

/// The `count`-th workday before the anchor.
fn workday_before(anchor: i64, count: usize) -> i64 {
    (1..)
        .map(|ago| anchor - ago)
        .filter(|day| rhythm::is_workday(*day))
        .nth(count - 1)
        .unwrap_or(anchor - 1)
}

fn fact(day: i64, of_day: i64, source: &'static str, text: &str) -> Fact {
    Fact {
        at: Timestamp::from_micros(day * rhythm::DAY + of_day),
        source,
        text: text.to_owned(),
    }
}

fn alias_of(name: &str) -> String {
    machine(name).first_alias()
}
