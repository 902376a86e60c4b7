//! Detection: a pure, deterministic function of the log's prefix.
//!
//! The pipeline resolves an event's identity and hands an [`Observation`] to [`Detector::observe`];
//! what comes back are finding drafts. Time comes from events and ticks, never from a clock.
//!
//! Two kinds of detection share one state: Sigma rules ([`rule`]) and code detectors
//! ([`detector`]). Both see the event enriched with what its actor's [`profile`] knows.

use deedtrail_core::event::Event;
use deedtrail_core::identity::{CredentialRecord, Identity};
use deedtrail_core::port::mapper::SourceFacts;

pub mod behaviour;
mod conduct;
pub mod detector;
mod engine;
pub mod exception;
pub mod fact;
pub mod field;
pub mod fill;
pub mod limits;
mod measured;
pub mod profile;
pub mod rule;
pub mod session;
mod settings;
mod source;

pub use behaviour::BehaviourChanges;
pub use engine::{Detector, RestoreError};
pub use rule::{ProblemSeverity, RuleFile, RuleProblem, RuleSet};
pub use session::SessionChanges;
pub use settings::Settings;

/// One event with what is known about its actor at that position of the log.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    pub event: &'a Event,
    /// The resolved actor; `None` when the record names none.
    pub identity: Option<&'a Identity>,
    /// The credential used, if the record names one.
    pub credential: Option<&'a CredentialRecord>,
    /// The record as received, for rules on vendor field names. For a record of several events,
    /// the same bytes come with each of them; rules on vendor names run once, with the first.
    pub record: &'a [u8],
    pub source: &'a SourceFacts,
}
