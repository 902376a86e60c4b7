//! Every limit of the engine, with its unit and what happens at it.

/// Most symbols a tenant's dictionary holds. Further ones all become "something else".
pub const SYMBOLS_MAX: usize = 65_536;
/// Longest key of a symbol, bytes. Longer operations are cut there.
pub const SYMBOL_BYTES_MAX: usize = 256;
/// Deepest context of the next action, symbols.
pub const DEPTH_MAX: usize = 4;
/// Most entries of one table of counts. Beyond it a quarter goes: seen least often, then longest ago.
pub const ENTRIES_MAX: usize = 16_384;
/// Most different shapes of session kept for an identity or group. Beyond it the one seen least
/// often, then longest ago, goes.
pub const SIGNATURES_MAX: usize = 256;
/// Most (symbol, count) pairs over all shapes kept; the same happens beyond it.
pub const SIGNATURE_PAIRS_MAX: usize = 3_072;
/// Most symbols whose numbers a session are kept; further ones are counted as never seen.
pub const SHAPE_SYMBOLS_MAX: usize = 512;
/// Most different numbers a session kept for one symbol. Beyond it the nearest one counts.
pub const SHAPE_NUMBERS_MAX: usize = 48;
/// Most events of one session. At it the session ends, and what follows is a new one.
pub const SESSION_EVENTS_MAX: usize = 16_384;
/// Most open sessions. Beyond it the eighth that has been quiet longest ends.
pub const OPEN_SESSIONS_MAX: usize = 65_536;
/// Most events held over all open sessions; the same happens beyond it.
pub const OPEN_EVENTS_MAX: usize = 8_000_000;
/// Most identities. Beyond it the eighth that was quiet longest is forgotten.
pub const IDENTITIES_MAX: usize = 200_000;
/// Most peer groups. Identities of further ones have no peers.
pub const GROUPS_MAX: usize = 10_000;
/// Longest name of a peer group, bytes. Longer ones are cut there.
pub const GROUP_BYTES_MAX: usize = 128;
/// Most members of a group whose presence is counted for deployments.
pub const MEMBERS_MAX: usize = 10_000;
/// Most patterns on probation for one identity. Beyond it the one seen longest ago goes.
pub const PROBATION_MAX: usize = 64;
/// Most patterns of one identity that are told once a day; others may be told again that day.
pub const TOLD_MAX: usize = 64;
/// Most patterns of one group and day counted for deployments; further ones are not.
pub const PATTERNS_MAX: usize = 256;
/// Most sessions an analyst's answer can still change what was learned of. Beyond it the oldest go.
pub const ANSWERABLE_MAX: usize = 1_024;
/// Most events of such a session that are kept; a longer one is kept without its end.
pub const ANSWERABLE_EVENTS_MAX: usize = 1_024;
/// Most circumstances (hours, networks, clients, credentials) learned of one session; further ones
/// are judged and not learned.
pub const SESSION_PLACES_MAX: usize = 256;
/// Most targets told apart within an hour; more count as this many.
pub const WINDOW_TARGETS_MAX: usize = 1_024;
/// Open sessions of one identity that end when their source goes on without them; further ones end
/// with ticks alone.
pub const STREAM_SESSIONS_MAX: usize = 32;
/// Most assessments of sessions that ended by themselves and were not asked for yet. Beyond it only
/// alerts are kept.
pub const ENDED_MAX: usize = 4_096;
