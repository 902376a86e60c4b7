//! Fakes of ports and contract suites; only tests use this crate.

mod clock;
mod entropy;
mod fake_archive;
mod fake_log;
mod fake_mapper;
mod fake_tables;
mod memory_store;
pub mod mishap;
pub mod python;
pub mod sample;
pub mod store_contract;
pub mod timestamp;
mod transmitter;

pub use clock::FakeClock;
pub use entropy::SeededEntropy;
pub use fake_archive::FakeArchive;
pub use fake_log::{FakeLog, Refusal};
pub use fake_mapper::FakeMapper;
pub use fake_tables::FakeTables;
pub use memory_store::MemoryStore;
pub use transmitter::Transmitter;
