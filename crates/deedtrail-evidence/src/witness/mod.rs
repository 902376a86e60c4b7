//! Witnesses (c2sp.org/tlog-witness): others who keep the newest checkpoint they saw of a log and
//! cosign only what continues it, so that a log cannot show different histories to different
//! people unnoticed.
//!
//! [`Server`] is a witness of other logs, [`Client`] has our own log witnessed.

mod client;
mod cosignature;
mod request;
mod server;
#[cfg(test)]
mod tests;

pub use client::{
    Asked, Client, Courier, Policy, Reply, Standing, WITNESSES_MAX, Witness, WitnessFault,
};
pub use cosignature::{Cosigner, WitnessKey};
pub use request::{AddCheckpoint, REQUEST_BYTES_MAX};
pub use server::{Server, ServerError};
