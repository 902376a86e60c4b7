//! What the benchmarks of learned behaviour share.

pub mod measure;
