//! Every limit of detection, with its unit and what happens at it.

use deedtrail_core::time::Timestamp;

/// How late an event may come and still complete a pattern, microseconds (house contract: 48 h).
pub const LATENESS_US_MAX: i64 = 48 * Timestamp::HOUR_US;
/// Identities whose profile is kept; beyond it the one unseen for longest is forgotten.
pub const PROFILES_MAX: usize = 100_000;
/// Credentials whose profile is kept; beyond it the one unused for longest is forgotten.
pub const CREDENTIALS_MAX: usize = 100_000;
/// Sources whose rhythm is learned; further ones are not watched.
pub const SOURCES_MAX: usize = 1_024;
/// Rotated or revoked credentials remembered; beyond it the oldest rotation is forgotten.
pub const ROTATIONS_MAX: usize = 10_000;
/// Networks remembered per identity; beyond it the one unseen for longest is forgotten.
pub const NETWORKS_MAX: usize = 64;
/// Operations remembered per identity; beyond it "first time" is no longer claimed.
pub const OPERATIONS_MAX: usize = 128;
/// Targets remembered per identity; beyond it "first time" is no longer claimed.
pub const TARGETS_MAX: usize = 256;
/// Classes of (system, action, target) remembered per identity; likewise.
pub const CLASSES_MAX: usize = 128;
/// Of these, as many as a finding names; further ones are numbered.
pub const CLASS_NAMES_MAX: usize = 6;
/// Sessions remembered per identity; beyond it the oldest is forgotten.
pub const SESSIONS_MAX: usize = 4;
/// Largest serialised profile of one identity, bytes (a test holds it).
pub const PROFILE_BYTES_MAX: usize = 32 << 10;
/// Distinct targets of one credential remembered for bursts; a larger burst is counted as this many.
pub const BURST_TARGETS_MAX: usize = 512;
/// Longest text kept from an event inside detection state, bytes; longer text is cut.
pub const TRACE_TEXT_BYTES_MAX: usize = 100;
/// Events one draft lists; further ones are counted in its reasons.
pub const DRAFT_EVENTS_MAX: usize = 50;
/// Largest rule file, bytes. A larger one is a problem and is not loaded.
pub const RULE_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of a rule file: brackets, and words or signs that begin a further level, one in the
/// other.
pub const RULE_DEPTH_MAX: usize = 256;
/// Most regular expressions of one rule: each may take megabytes.
pub const RULE_PATTERNS_MAX: usize = 32;
/// Most rules of one set; the rest are problems and are not loaded.
pub const RULES_MAX: usize = 20_000;
/// Groups kept over all correlations; beyond it the one unseen for longest is forgotten.
pub const CORRELATION_GROUPS_MAX: usize = 100_000;
/// Matches kept per correlation and group; beyond it the oldest is dropped (counts saturate).
pub const CORRELATION_MATCHES_MAX: usize = 512;
/// Deepest nesting of correlations that refer to correlations.
pub const CORRELATION_DEPTH_MAX: usize = 8;
/// Sessions that may still go on; beyond it the tenth idle for longest is forgotten: what comes of
/// them later begins a new part.
pub const TRACKED_SESSIONS_MAX: usize = 20_000;
/// Largest record of one session as the store keeps it, bytes (a test holds it).
pub const SESSION_BYTES_MAX: usize = 48 << 10;
/// Sessions of one actor, credential and client that late events find; beyond it the oldest is not
/// found any more.
pub const SPANS_MAX: usize = 4;
/// Sources and systems a session names; further ones are left out.
pub const PLACES_MAX: usize = 12;
/// Marks (a session at a thing) in one generation of what sessions are joined by; two generations
/// are kept.
pub const MARKS_MAX: usize = 100_000;
/// Sessions remembered per such thing; beyond it the oldest is forgotten.
pub const MARKS_PER_KEY_MAX: usize = 48;
/// Spans of time a mark keeps; beyond it the oldest is forgotten.
pub const MARK_SPANS_MAX: usize = 4;
/// Systems and accounts whose feeds are known; beyond it nothing is called blind for want of one.
pub const FEEDS_MAX: usize = 4_096;
/// Sign-ins that wait for a system's feed to speak; further ones are not judged.
pub const BLIND_PENDING_MAX: usize = 1_024;
/// Blind sessions (identity and system) remembered; beyond it the oldest is forgotten and said anew.
pub const BLIND_ROWS_MAX: usize = 4_096;
/// Exceptions to rules of one tenant; beyond it detection forgets the oldest without effect (the
/// list still has it), and when all are in force a further one is refused.
pub const EXCEPTIONS_MAX: usize = 500;
/// Conditions of one exception; one with more is refused.
pub const EXCEPTION_CONDITIONS_MAX: usize = 32;
/// Kinds of events (source, system, kind of telemetry) whose filled fields are counted apart; events
/// of further kinds are only summed up.
pub const FILL_KINDS_MAX: usize = 1_024;
/// Largest snapshot `Detector::restore` accepts, bytes: 40 KB for each of 200,000 identities.
pub const SNAPSHOT_BYTES_MAX: usize = 8 << 30;
