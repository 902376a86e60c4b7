//! Tests of the use cases over the real sources and rules.

mod rules;
