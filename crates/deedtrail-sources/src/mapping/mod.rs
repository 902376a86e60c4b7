//! Mapping files: as written ([`spec`]), checked and compiled ([`plan`]).

mod compile;
mod error;
mod fields;
pub(crate) mod path;
pub(crate) mod pattern;
pub(crate) mod plan;
pub(crate) mod rules;
mod schema;
pub mod spec;
pub(crate) mod time;

pub(crate) use compile::{SharedTables, compile, outline};
pub use error::MappingError;
