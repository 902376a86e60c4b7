//! Integration tests of the evidence log.

mod append;
mod crash;
mod damage;
mod dedupe;
mod identity;
mod support;
mod trees;
