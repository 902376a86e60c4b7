//! RELP, version 0: syslog whose sender is told when a message is durable.

mod framer;
pub(crate) mod session;

pub use framer::{Broken, Frame, Framer};
