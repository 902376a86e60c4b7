//! Learned behaviour: how far a session departs from what its identity and its peers do, in nats,
//! with the reasons as sentences. Formulas and limits: docs/reference/behaviour.md.
//!
//! Pure and deterministic: no I/O, no clock, no random number. Time comes from events and ticks.
//! Everything is scored before it is learned, so that every score is out of sample.

#![expect(
    clippy::cast_precision_loss,
    reason = "what is counted here stays far below 2^52"
)]

mod argument;
mod assessment;
mod budget;
mod calibration;
mod context;
mod dictionary;
mod drift;
mod engine;
mod explanation;
mod forecast;
pub mod hashed;
pub mod kept;
pub mod limits;
mod model;
mod part;
mod scope;
mod sequence;
mod session;
mod settings;
mod shape;
mod step;
mod subject;
mod table;

pub use assessment::{Assessment, Deployment, Expected, Moment, Term, TermKind};
pub use engine::{Behaviour, Disposition, RestoreError};
pub use model::{Model, Surprise, depth};
pub use settings::{Budget, Learning, Settings};
pub use step::{Step, Subject};
