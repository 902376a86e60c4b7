//! The real binary, driven as a user drives it.

mod bad_input;
mod command;
mod demo;
mod server;
