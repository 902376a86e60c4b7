//! Behavioural telemetry: what identities did, and what their steps make together.

mod agent;
mod feed;
mod history;
mod machine;
mod record;
mod rights;
