//! Detection as the pipeline sees it: observations in, finding drafts out.

mod builder;
mod click;
mod determinism;
mod reference;
mod rules;
mod usage;
