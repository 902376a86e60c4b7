//! From one record to canonical events, by a compiled mapping.

mod argument;
mod audience;
mod event;
mod mention;
mod misfit;
mod read;
mod tools;
pub(crate) mod value;

pub(crate) use event::{map, view_of};
pub(crate) use read::Reader;
