//! Behavioural telemetry: what identities did, and what their steps make together.

mod agent;
pub(super) mod delivery;
mod feed;
mod history;
mod machine;
mod rights;
