//! Time stamps (RFC 3161): an authority signs that it saw a checkpoint at a time.
//!
//! Who trusts the authority knows that every batch under the checkpoint was there by then, also
//! against the operator. Stamps are kept, so that a bundle holds the earliest that covers its events.

mod client;
mod message;
mod store;
mod token;

pub use client::{
    AUTHORITIES_MAX, Asked, Authority, Carrier, Client, Standing, TimestampFault, is_authority_name,
};
pub use store::{KEPT_MAX, Stamp};
pub use token::{Authorities, Token, TokenError};

/// Largest answer of an authority that is read, bytes.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;
