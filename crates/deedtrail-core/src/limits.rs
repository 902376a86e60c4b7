//! Every limit of the intake path, with its unit and what happens at it.

use std::time::Duration;

/// Longest time for all headers of a request, which is also the longest a connection may lie idle.
/// Beyond it the connection is closed.
pub const HEADER_TIME_MAX: Duration = Duration::from_secs(30);
/// Longest pause within a request body. Beyond it: 408, nothing stored.
pub const BODY_PAUSE_MAX: Duration = Duration::from_secs(15);
/// Least that has to come of a request body, bytes a second on average, once [`BODY_RATE_GRACE`] is
/// over. Below it: 408, nothing stored.
pub const BODY_BYTES_PER_SECOND_MIN: u64 = 16 << 10;
/// How long a request body may come more slowly than that.
pub const BODY_RATE_GRACE: Duration = Duration::from_secs(10);
/// Largest request body after decompression, bytes. Beyond it: 413, nothing stored.
pub const REQUEST_BYTES_MAX: usize = 64 << 20;
/// Largest single record, bytes. Beyond it the record is refused (413), its path, offset and hash logged.
pub const RECORD_BYTES_MAX: usize = 16 << 20;
/// Deepest nesting of a JSON record. Deeper records are quarantined.
pub const RECORD_DEPTH_MAX: usize = 128;
/// Most canonical events one record may yield. More: the record is quarantined.
pub const EVENTS_PER_RECORD_MAX: usize = 10_000;
/// Most bytes of text that the events of one record may hold together. More: the record is quarantined.
pub const RECORD_TEXT_BYTES_MAX: usize = 32 << 20;
/// Largest ratio of decompressed to compressed bytes. Beyond it: 413.
pub const DECOMPRESSION_RATIO_MAX: usize = 200;
/// Most records in one append batch; a longer delivery is cut into several batches.
pub const BATCH_RECORDS_MAX: usize = 10_000;
/// A vendor time further ahead of ours than this is flagged `suspicious`, never changed; microseconds.
pub const FUTURE_TIME_US_MAX: i64 = 24 * 3600 * 1_000_000;
/// Longest text kept in one canonical column, bytes; longer text is cut there (the raw record keeps it all).
pub const COLUMN_BYTES_MAX: usize = 8 << 10;
/// Most unmapped paths listed per event; the rest are counted.
pub const UNMAPPED_PATHS_MAX: usize = 64;
/// Longest note an analyst writes to a decision, characters; a longer one is refused.
pub const NOTE_CHARACTERS_MAX: usize = 2_000;
/// Most sensitive ranges of one record. More: those closest to each other are joined. With plain
/// parts between them they fit into the parts of one log record.
pub const SENSITIVE_RANGES_MAX: usize = 127;
/// Largest Parquet file, bytes as it is stored. A larger one is not read, which is told.
pub const TABLE_BYTES_MAX: usize = 128 << 20;
/// Longest footer of a Parquet file, bytes. A file with a longer one is not read.
pub const TABLE_FOOTER_BYTES_MAX: u32 = 16 << 20;
/// Most columns of a Parquet file, those above nested ones counted too. A file with more is not read.
pub const TABLE_COLUMNS_MAX: u64 = 10_000;
/// Most rows of a Parquet file. A file with more is not read.
pub const TABLE_ROWS_MAX: u64 = 10_000_000;
/// Most elements in the lists of one row group of a Parquet file, one for each empty list. A file
/// with more is not read.
pub const TABLE_ELEMENTS_MAX: u64 = 32_000_000;
/// Most bytes of unpacked pages of a Parquet file that reading holds at a time: of each column its
/// dictionary and its largest page. A file that needs more is not read.
pub const TABLE_HELD_BYTES_MAX: u64 = 256 << 20;
/// Most bytes of text in one row of a Parquet file. Reading ends at a larger row, which is told.
pub const TABLE_ROW_BYTES_MAX: usize = 4 * RECORD_BYTES_MAX;
/// Most bytes of one text (a request, a tool's output, an argument) that are searched for what they
/// name. What stands beyond is not looked at: a value from there has no known origin.
pub const ENTITY_TEXT_BYTES_MAX: usize = 64 << 10;
/// Longest piece of text that is taken for an address, path or the like, bytes; a longer one is an
/// identifier as a whole.
pub const ENTITY_BYTES_MAX: usize = 2 << 10;
/// Most entities kept of one text; numbers and words give way to references.
pub const ENTITIES_PER_TEXT_MAX: usize = 2_048;
/// Most entities kept of all events of one record. Of texts beyond it nothing is kept.
pub const ENTITIES_PER_RECORD_MAX: usize = 65_536;
