//! Limits of the pullers, with their units and what happens at them.

use std::time::Duration;

/// Bytes after which a part of a file is cut; the line that reaches it is its last.
pub const PART_BYTES: usize = 4 << 20;
/// Longest row of a table with newlines between quotes, bytes. At a longer one the quote is taken
/// for an ordinary character.
pub const TABLE_ROW_BYTES_MAX: usize = 64 << 10;
/// Most bytes that each byte of a compressed input may unpack to, beyond 64 MiB. At more reading ends,
/// which is told as long as the input is there: it may be put there unpacked.
pub const UNPACKED_RATIO_MAX: u64 = 200;
/// As [`UNPACKED_RATIO_MAX`], of Parquet as lines: names of columns, which it has once, are in each.
pub const TABLE_RATIO_MAX: u64 = 1_000;
/// Parts of one file taken before the next file has its turn.
pub const PARTS_PER_TURN: usize = 16;
/// Files of one folder that are looked at; those behind them by name are left, which is told.
pub const FILES_MAX: usize = 100_000;
/// Files of one folder kept open, so that what is written before they are renamed away is seen.
pub const OPEN_FILES_MAX: usize = 256;
/// Different contents of records without an id that are remembered over all files of a folder; of
/// files that were not read for longest they are found again by reading.
pub const CONTENTS_KEPT: usize = 4_000_000;
/// First bytes of a file that tell of what kind it is.
pub const HEAD_BYTES: usize = 64 << 10;
/// How long a file must not have changed to be taken as complete.
pub const SETTLED: Duration = Duration::from_secs(5);
/// How long a file that is gone is remembered, hours.
pub const REMEMBERED_H: i64 = 7 * 24;
/// Contents of files that were overwritten and are remembered, to know their copies; the oldest go.
pub const FORMER_MAX: usize = 1_000;
/// Time from one look at a folder to the next; longer where a look takes long.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Progress is stored at most this often while there is much to take.
pub const SAVE_EVERY: Duration = Duration::from_secs(1);
/// Objects of a bucket fetched at a time.
pub const FETCHES_MAX: usize = 8;
/// Bytes of objects held at a time, KiB; further ones wait.
pub const FETCHED_KIB_MAX: usize = 256 << 10;
/// Largest object, bytes as it is stored. A larger one is refused: told with key, size and hash.
pub const OBJECT_BYTES_MAX: u64 = 128 << 20;
/// Objects of one prefix remembered as taken; beyond it the look-back is shorter, which is told.
pub const TAKEN_MAX: usize = 500_000;
/// Objects that could not be read and are tried again; beyond it further ones wait unlisted.
pub const FAILING_MAX: usize = 10_000;
/// Shortest and longest time until an object is tried again.
pub const RETRY_OBJECT: [Duration; 2] = [Duration::from_secs(30), Duration::from_hours(1)];
/// Shortest and longest pause after a failure.
pub const RETRY_PAUSE: [Duration; 2] = [Duration::from_millis(500), Duration::from_mins(1)];
/// Trying a file again that cannot be read takes at most one part in this many of the time.
pub const RETRY_SHARE: u32 = 20;
/// Most messages of a queue taken with one append.
pub const MESSAGES_PER_BATCH: usize = 1_000;
/// Most bytes of messages asked for at a time: more than NATS lets one message have.
pub const MESSAGE_BYTES_PER_BATCH: usize = 80 << 20;
/// How often a queue is asked how much waits in it.
pub const PENDING_EVERY: Duration = Duration::from_secs(5);
