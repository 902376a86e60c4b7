//! The archive against real folders.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod damage;
mod fixture;
mod foreign;
mod layout;
mod limits;
mod needle;
mod newest;
mod prune;
mod query;
mod rebuild;
mod reference;
mod spill;
mod storing;
mod tables;
mod timeline;
mod versions;
