//! How much the pipeline does at once, and when it commits what it did.

use deedtrail_core::time::Timestamp;

/// Limits of the work between two steps. Results do not depend on it.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Bytes of the log taken in one step.
    pub step_bytes_max: usize,
    /// Hot rows after which the archive is committed.
    pub commit_rows: u64,
    /// Longest time a row stays hot only, µs.
    pub commit_age_us: i64,
    /// Longest time that what sessions became is kept from the store while the log has more, µs.
    pub tell_age_us: i64,
    /// Entries after which the state is snapshotted.
    pub snapshot_entries: u64,
    /// Where results are stored and the archive is committed and compacted.
    pub beside: Where,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            step_bytes_max: 4 << 20,
            commit_rows: 150_000,
            commit_age_us: 30 * Timestamp::SECOND_US,
            tell_age_us: Timestamp::SECOND_US,
            snapshot_entries: 200_000,
            beside: Where::Thread,
        }
    }
}

/// Where work beside the pipeline is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// On a thread of its own.
    Thread,
    /// Within the pipeline's calls, as whole pieces, at moments that follow from this seed.
    #[cfg(feature = "simulation")]
    Stepped(u64),
}
