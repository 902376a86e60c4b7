//! The words every other crate speaks: identifiers, time, limits, the canonical event, the action
//! taxonomy, identities, findings, and the ports (traits) that adapters implement.
//!
//! This crate does no I/O. It reads no clock and draws no random number: both are ports.

pub mod action;
pub mod agent;
pub mod behaviour;
pub mod charter;
pub mod control;
pub mod custody;
pub mod entitlement;
pub mod entity;
pub mod event;
pub mod exception;
pub mod finding;
pub mod health;
pub mod id;
pub mod identity;
pub mod limits;
pub mod mapping;
pub mod namespace;
pub mod port;
pub mod reference;
pub mod session;
pub mod time;
pub mod tools;
pub mod visible;

pub use smol_str::SmolStr as Text;
