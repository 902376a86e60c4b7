//! The archive: canonical events in a Delta Lake table, the rows not yet stored beside it, and
//! read-only SQL over both. The only crate that knows DataFusion, Delta Lake and Parquet.
//!
//! [`ParquetTables`] reads what others write in Parquet. [`DeltaArchive`] implements the port [`Archive`](deedtrail_core::port::archive::Archive).
//! Every column is declared once, in [`columns`]; rows, schema, statistics, Bloom filters and the
//! reference page follow from it.

mod archive;
mod column;
mod compact;
mod engine;
mod evolve;
mod generation;
mod hot;
mod needle;
mod newest;
mod output;
mod prune;
mod query;
mod reference;
mod rows;
mod statement;
mod sums;
mod table;
mod timeline;
mod view;
mod writer;

pub use archive::{DeltaArchive, OpenError, ReadBack};
pub use column::{Column, Kind, columns};
pub use reference::reference;
pub use table::ParquetTables;
