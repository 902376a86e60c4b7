//! Ways in that are not HTTP: listeners for syslog (RFC 5424, RFC 3164) over TCP (RFC 6587), TLS
//! (RFC 5425) and UDP (RFC 5426), and for RELP.
//!
//! A listener cuts what arrives into messages, gathers them for a moment, and hands them to
//! [`deedtrail_app::App::ingest_shipped_part`]. While intake is busy nothing more is read: senders
//! wait, nothing is dropped, and memory stays within [`limits`].

mod accept;
mod door;
pub mod limits;
mod listener;
mod pace;
pub mod pull;
pub mod relp;
pub mod signal;
mod stop;
pub mod syslog;
#[cfg(test)]
mod tests;
mod unheard;

pub use listener::{BindError, Listener, Listeners, Protocol};
