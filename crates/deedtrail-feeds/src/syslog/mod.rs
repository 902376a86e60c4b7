//! Syslog: messages on a stream ([`Framer`]) or one in each datagram.

pub(crate) mod datagram;
mod framer;
pub(crate) mod stream;

pub use framer::{Framer, Piece};
