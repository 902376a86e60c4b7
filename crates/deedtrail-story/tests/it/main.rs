//! The story as its readers see it.

mod findings;
mod mapping;
mod shape;
