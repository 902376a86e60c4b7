//! The evidence log: append-only segments, durable before acknowledged, provable record by record.
//!
//! [`Log`] implements the port `EvidenceLog`. The formats are specified in
//! `docs/reference/evidence-format.md`; [`bundle::verify`] checks an exported
//! bundle with nothing but the file.

mod batch;
pub mod bundle;
mod check;
mod checkpoint_store;
mod config;
mod copy;
pub mod disk;
mod identity;
mod index;
pub mod limits;
mod log;
pub mod merkle;
pub mod note;
mod open;
pub mod proof;
mod queue;
mod receipt;
pub mod record;
pub mod segment;
mod segments;
mod shared;
#[cfg(feature = "simulation")]
pub mod stepped;
mod sync;
pub mod timestamp;
mod tree;
mod watermark;
pub mod witness;
mod writer;

use sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use batch::{BatchHeader, HEADER_BYTES as BATCH_HEADER_BYTES};
pub use check::Checked;
pub use config::{LogConfig, Upkeep};
pub use copy::Copied;
pub use identity::{Adoption, Grounds, Identity, Origin, public_key};
pub use log::Log;
pub use open::OpenError;
pub use receipt::{receipt_text, verify_receipt};
pub use shared::SealError;
pub use tree::tile_path;

/// Locks, also after a panic elsewhere: every critical section leaves its data whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_locked<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write_locked<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
