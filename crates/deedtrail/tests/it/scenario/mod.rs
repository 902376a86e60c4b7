//! Acceptance scenarios: one test each, through the binary, with records as vendors write them.

mod behavioural;
