//! Acceptance scenarios: one test each, through the binary, with records as vendors write them.

mod behavioural;
mod post_authentication;
mod record;
mod stage;
mod standing;
mod together;
