//! Fakes of ports and contract suites; only tests use this crate.

mod clock;
mod entropy;
mod memory_store;
pub mod store_contract;

pub use clock::FakeClock;
pub use entropy::SeededEntropy;
pub use memory_store::MemoryStore;
