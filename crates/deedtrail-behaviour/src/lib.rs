//! Learned behaviour: how far a session departs from what its identity and its peers do, in nats,
//! with the reasons as sentences. Formulas and limits: docs/reference/behaviour.md.
//!
//! Pure and deterministic: no I/O, no clock, no random number. Time comes from events and ticks.
//! Everything is scored before it is learned, so that every score is out of sample.

mod assessment;
mod part;
mod step;

pub use assessment::{Assessment, Expected, Moment, Term, TermKind};
pub use step::{Step, Subject};
