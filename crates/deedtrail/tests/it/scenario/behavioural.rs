//! Behavioural telemetry: what identities did, and what their steps make together.

mod agent;
mod feed;
mod history;
mod machine;
pub(super) mod record;
mod rights;
