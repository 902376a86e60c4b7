//! Charters: what an identity is for and what normal looks like, as text that its owner approves,
//! and the library of sequences that are unsafe although every step of them is allowed.
//!
//! Pure and deterministic: state is a value, time comes from events.

mod charter;
pub mod check;
mod departure;
mod diff;
pub mod document;
mod glob;
pub mod learn;
pub mod library;
pub mod limits;
mod matcher;
mod observe;
mod subject;

pub use charter::{Compiled, Version};
pub use check::{Report, check};
pub use departure::{Departure, DepartureKind};
pub use diff::{Difference, Direction, diff};
pub use document::{Charter, Problem, Written, parse, schema};
pub use glob::Glob;
pub use learn::{About, Proposal, learn};
pub use library::{Library, Match, Watch};
pub use observe::State;
pub use subject::Subject;
