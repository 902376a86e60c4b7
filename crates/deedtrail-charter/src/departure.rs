//! What departs from a charter, in words.

use deedtrail_core::finding::{FindingEvent, Severity};
use deedtrail_core::time::Timestamp;

/// What kind of departure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DepartureKind {
    /// An action, target, tool, time, origin or amount outside the charter.
    Scope,
    /// A step out of order, in between or missing.
    Sequence,
}

/// One departure from one charter.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Departure {
    pub kind: DepartureKind,
    /// Name of the charter and its version; version 0 is a draft.
    pub charter: String,
    pub version: u32,
    /// Line of the charter that was departed from.
    pub line: u32,
    /// That line in words.
    pub rule: String,
    /// Who is to be told.
    pub owner: String,
    /// What the identity is for.
    pub purpose: String,
    /// What makes two departures on one identity the same.
    pub pattern: String,
    /// What was done, to go on after the actor's name.
    pub title: String,
    pub observed: String,
    pub expected: String,
    pub severity: Severity,
    /// What it rests on, in order of time.
    pub events: Vec<FindingEvent>,
    pub at: Timestamp,
}
