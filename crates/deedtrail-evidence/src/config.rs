//! Where a log lives and how large its pieces are.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Who seals checkpoints and writes index runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upkeep {
    /// Threads of the log; a checkpoint at most this often.
    Every(Duration),
    /// Nobody: the caller calls `Log::upkeep`.
    Manual,
}

/// Where a log lives and how large its pieces are.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Folder of the log itself.
    pub folder: PathBuf,
    /// Lock file of the whole data folder.
    pub lock: PathBuf,
    /// File of the Ed25519 signing key; created (mode 0600) when missing.
    pub signing_key: PathBuf,
    /// Folder of the checkpoint store. It must not be restored together with the data folder.
    pub checkpoint_store: PathBuf,
    /// Origin for a log that is created; `None` makes up a random one.
    pub origin: Option<String>,
    /// Bytes of a segment file.
    pub segment_bytes: u64,
    /// Closed segments checked completely at start, newest first, bytes. Others are checked when
    /// they are read, and by `Log::check_everything`. After a full check that found damage all are.
    pub check_on_open_bytes: u64,
    /// Keyed entries held in memory before they are written as a run of the index.
    pub index_rows_in_memory: usize,
    pub upkeep: Upkeep,
}

impl LogConfig {
    /// The usual places below `data` (`log/`, `keys/`, `LOCK`).
    pub fn new(data: &Path, checkpoint_store: &Path) -> Self {
        Self {
            folder: data.join("log"),
            lock: data.join("LOCK"),
            signing_key: data.join("keys").join("log-signing.key"),
            checkpoint_store: checkpoint_store.to_owned(),
            origin: None,
            segment_bytes: 64 << 20,
            check_on_open_bytes: 128 << 20,
            index_rows_in_memory: 1 << 16,
            upkeep: Upkeep::Every(Duration::from_secs(1)),
        }
    }
}
