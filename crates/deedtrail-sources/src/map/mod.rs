//! From one record to canonical events, by a compiled mapping.

mod argument;
mod audience;
mod event;
mod mention;
mod misfit;
mod read;
mod tools;
pub(crate) mod value;
mod view;

pub(crate) use event::map;
pub(crate) use read::Reader;
pub(crate) use view::view_of;
