//! Tests of the engine through its public interface.

mod builder;
mod circumstances;
mod explanation;
mod feedback;
mod hostile;
mod learning;
mod model;
mod state;
