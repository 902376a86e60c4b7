//! Behavioural telemetry: what identities did, and what their steps make together.

mod agent;
mod history;
mod machine;
mod record;
mod rights;
