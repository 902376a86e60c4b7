//! The real binary, driven as a user drives it.

#![expect(
    clippy::doc_markdown,
    clippy::format_push_string,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that cannot go on says where"
)]

mod backup;
mod bad_input;
mod command;
mod configuration;
mod damage;
mod data_folder;
mod demo;
#[cfg(test)]
mod encrypted;
mod first_steps;
mod listeners;
mod people;
mod pullers;
mod reference;
mod rsyslog;
mod rule_craft;
mod rule_folder;
#[cfg(test)]
mod scenario;
mod server;
mod shippers;
mod signals;
mod timestamp;
mod unlabelled;
#[cfg(test)]
mod witness;
