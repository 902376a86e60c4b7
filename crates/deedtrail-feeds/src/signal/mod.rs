//! Transmitters of shared signals: the keys they publish, and polls of their SETs (RFC 8936).

mod client;
mod keys;
mod poll;
#[cfg(test)]
mod tests;

pub use client::{Client, HttpError, address_mistake};
pub use keys::{KeyPlace, PublishedKeys};
pub use poll::{PollSettings, Polls};
