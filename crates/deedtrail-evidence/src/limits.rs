//! Limits of the log, each with its unit and what happens at it.

/// Longest idempotency key, bytes. Longer: `AppendError::OverLimit`.
pub const KEY_BYTES_MAX: usize = 512;
/// Longest note, bytes. Longer: `AppendError::OverLimit`.
pub const NOTE_BYTES_MAX: usize = 4 << 10;
/// Most parts of a record. More: `AppendError::OverLimit`.
pub const PARTS_MAX: usize = 256;
/// Record bytes collected into one commit; a larger single append is a commit of its own.
pub const COMMIT_BYTES: usize = 4 << 20;
/// Record bytes of one compressed block; a longer record is a block of its own.
pub const BLOCK_BYTES: usize = 256 << 10;
/// Most bytes of a block once decompressed. A stored block that claims more is damaged.
pub const BLOCK_BYTES_MAX: usize = deedtrail_core::limits::RECORD_BYTES_MAX + (64 << 10);
/// Most bytes of a frame's body. A stored frame that claims more is damaged.
pub const FRAME_BYTES_MAX: usize = 160 << 20;
/// Record bytes waiting for a commit. Beyond it: `AppendError::Busy`.
pub const QUEUE_BYTES_MAX: usize = 128 << 20;
/// Appends waiting for a commit. Beyond it: `AppendError::Busy`.
pub const QUEUE_APPENDS_MAX: usize = 4096;
