//! The story as its readers see it.

mod shape;
