//! Tests of the engine through its public interface.

#![expect(
    clippy::unwrap_used,
    reason = "what a test needs is there, or the test fails"
)]

mod builder;
mod circumstances;
mod explanation;
mod feedback;
mod hostile;
mod learning;
mod model;
mod state;
