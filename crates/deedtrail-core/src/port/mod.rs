//! Ports: what the use cases need from the outside. Adapters implement them; none knows another.
//!
//! All ports are synchronous. HTTP handlers reach them through blocking tasks; the archive keeps
//! its own runtime. That keeps the pipeline a plain function over positions.

pub mod archive;
pub mod log;
pub mod mapper;
pub mod store;
pub mod table;
pub mod witness;

use crate::time::Timestamp;

/// The only source of "now".
pub trait Clock: Send + Sync + std::fmt::Debug {
    fn now(&self) -> Timestamp;
}

/// The only source of randomness (ids of sessions, tokens, keys).
pub trait Entropy: Send + Sync + std::fmt::Debug {
    /// Fills `buffer` with bytes from a cryptographically secure generator.
    fn fill(&self, buffer: &mut [u8]);
}
