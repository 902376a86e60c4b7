//! Acceptance scenarios, each told to the real binary as vendors and users would.

mod post_authentication;
mod record;
mod stage;
mod together;
