//! Sources: one folder per log, a declarative mapping each, and the engine that reads them.
//!
//! A mapping is data (`sources/<vendor>.<log>/mapping.toml`, docs/reference/mapping-format.md).
//! It is checked and compiled once; a record is then parsed in one pass that keeps only what a
//! path of the mapping leads to. Mapping a record is a pure function of its bytes.

mod framing;
mod lazy_regex;
mod map;
mod mapping;
mod output;
mod recognize;
mod record;
mod registry;
mod sensitive;

pub use mapping::MappingError;
pub use mapping::spec;
pub use output::{Coverage, DetectedRow, MappedRow, RowsError};
pub use registry::{LoadError, Registry};
pub use sensitive::sensitive;

/// The JSON Schema of `mapping.toml`, as published in docs/reference/mapping.schema.json.
pub fn mapping_schema() -> serde_json::Value {
    schemars::schema_for!(spec::MappingFile).to_value()
}
