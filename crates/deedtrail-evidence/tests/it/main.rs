//! Integration tests of the evidence log.

mod append;
mod support;
