//! Every limit of charters and unsafe sequences, with its unit and what happens at it.

/// Largest text of one charter or unsafe sequence, bytes. A larger one is refused.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Longest name of a charter, characters. A longer one is refused.
pub const NAME_CHARACTERS_MAX: usize = 64;
/// Most entries of `allow`, `never` and `tools`. More are refused.
pub const ENTRIES_MAX: usize = 256;
/// Most values of one list inside an entry. More are refused.
pub const VALUES_MAX: usize = 256;
/// Longest pattern, bytes. A longer one is refused.
pub const PATTERN_BYTES_MAX: usize = 512;
/// Most steps of a sequence. More are refused.
pub const STEPS_MAX: usize = 32;
/// Largest `distinct_targets_per_minute`. A larger one is refused.
pub const TARGETS_PER_MINUTE_MAX: u32 = 4_096;
/// Longest `idle` of a sequence, minutes. A longer one is refused.
pub const IDLE_MINUTES_MAX: u32 = 7 * 24 * 60;
/// Longest `within` of an unsafe sequence, minutes. A longer one is refused.
pub const WITHIN_MINUTES_MAX: u32 = 30 * 24 * 60;
/// Largest `count` of a step of an unsafe sequence. A larger one is refused.
pub const COUNT_MAX: u16 = 32;
/// Hours and days whose sums are kept per identity and charter; beyond it the oldest is forgotten.
pub const SUMS_MAX: usize = 48;
/// Runs of a sequence under way per identity and charter; beyond it the oldest counts as ended.
pub const RUNS_MAX: usize = 16;
/// Events of one run that a departure can show; beyond it the oldest are left out.
pub const RUN_EVENTS_MAX: usize = 16;
/// Events kept per identity as steps of unsafe sequences; beyond it the oldest is forgotten.
pub const MARKS_MAX: usize = 64;
/// Events kept per identity, sequence and step beyond the step's count; likewise.
pub const MARKS_PER_STEP: usize = 4;
/// Longest text kept from an event, bytes; longer text is cut.
pub const KEPT_TEXT_BYTES_MAX: usize = 160;
/// First steps kept until what they were about acts; beyond it the oldest is forgotten.
pub const PLANTED_MAX: usize = 4_096;
/// Operations of which is remembered what steps they may be; beyond it all are found anew.
pub const MEMO_MAX: usize = 4_096;
/// Most unsafe sequences of one library. More are refused.
pub const SEQUENCES_MAX: usize = 512;
/// Most events a history may have that is learned from or checked; the newest are taken.
pub const HISTORY_EVENTS_MAX: usize = 1_000_000;
