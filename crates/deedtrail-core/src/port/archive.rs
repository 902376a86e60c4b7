//! The archive: canonical events in an open table format, plus the rows not yet flushed.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use crate::event::Event;
use crate::id::{AliasUid, EventUid, SourceName, TenantId};
use crate::port::log::Sequence;
use crate::time::Timestamp;

/// Which events a timeline shows. All filters must hold; empty means "any".
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Whose events: there is no "any". Use cases set it from the principal.
    pub tenant: TenantId,
    /// Actor, on-behalf-of or target alias is one of these.
    pub aliases: Vec<AliasUid>,
    /// Only where one of `aliases` is the actor or the one it acts for, not the target.
    pub acting: bool,
    pub uids: Vec<EventUid>,
    /// `source` equals.
    pub source: Option<String>,
    /// `action` equals.
    pub action: Option<String>,
    /// `time_effective` at or after.
    pub from: Option<Timestamp>,
    /// `time_effective` before.
    pub to: Option<Timestamp>,
    /// Case-insensitive substring of operation, actor, target or source IP.
    pub text: Option<String>,
}

/// Which events leave the archive: those whose UTC day of `time_effective` is before the first day
/// that stays, days since the epoch. `None`: all stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cutoffs {
    pub sources: BTreeMap<SourceName, Option<i64>>,
    /// Of sources that are not named.
    pub others: Option<i64>,
}

impl Cutoffs {
    /// First day that stays of a source's events.
    pub fn of(&self, source: &SourceName) -> Option<i64> {
        self.sources.get(source).copied().unwrap_or(self.others)
    }

    /// Whether an event is to leave, or not to come in.
    pub fn is_due(&self, event: &Event) -> bool {
        let day = event.time_effective.utc_day();
        self.of(&event.source).is_some_and(|first| day < first)
    }
}

/// Events of a tenant and source that are about to leave the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    pub tenant: TenantId,
    pub source: SourceName,
    /// They are of days before this one, days since the epoch.
    pub before_day: i64,
    pub events: u64,
}

/// Where a page of a list starts: after this (time, uid), newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub time_effective: Timestamp,
    pub event_uid: EventUid,
}

/// Events of one bucket of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub start: Timestamp,
    pub count: u64,
}

/// Count of events of one actor alias by action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionCount {
    pub action: String,
    pub count: u64,
    pub last: Timestamp,
}

/// What a query prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    #[default]
    Table,
    /// NDJSON: one object per row.
    Json,
    Csv,
    Parquet,
}

/// What a query may use; beyond it the query ends with a clear error.
#[derive(Clone, Copy, Debug)]
pub struct QueryBudget {
    pub memory_bytes_max: usize,
    pub time_max: Duration,
    pub rows_max: usize,
}

impl Default for QueryBudget {
    fn default() -> Self {
        Self {
            memory_bytes_max: 512 << 20,
            time_max: Duration::from_secs(30),
            rows_max: 1_000_000,
        }
    }
}

/// What a query cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryCost {
    pub rows: u64,
    pub elapsed: Duration,
    /// Table version the query was pinned to, and hot rows it saw beside it.
    pub version: i64,
    pub hot_rows: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("the query is not allowed: {0}; only a single SELECT over `events` is")]
    NotAllowed(String),
    #[error("the query is not understood: {0}")]
    BadQuery(String),
    #[error(
        "the query needs more than {limit_bytes} bytes of memory, and what it does cannot be put aside on disk; narrow the time range, select fewer columns or raise --memory (`query_memory_mib`)"
    )]
    OverMemory { limit_bytes: usize },
    #[error(
        "what queries put aside on disk because it does not fit into {memory_bytes} bytes of memory reaches its limit, or the disk is full; narrow the time range, select fewer columns, raise --memory or the setting `query_spill_mib`"
    )]
    OverSpill { memory_bytes: usize },
    #[error("the query ran longer than {limit_s} s; narrow the time range or raise --timeout")]
    OverTime { limit_s: u64 },
    #[error(
        "the query yields more than {limit} rows; add LIMIT, narrow the time range or raise --rows"
    )]
    OverRows { limit: usize },
    #[error(
        "the archive at {folder} failed: {reason}; `deedtrail rebuild` makes it anew from the log"
    )]
    Failed { folder: String, reason: String },
    /// A file is not what was written to it.
    #[error(
        "{damage}; `deedtrail rebuild` makes the archive anew from the log, `deedtrail doctor` reads all of it back"
    )]
    Damaged {
        /// The file, and what is wrong with it.
        damage: String,
    },
    #[error("the output cannot be written: {0}")]
    Output(std::io::Error),
}

/// Figures for health pages and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArchiveFigures {
    pub version: i64,
    pub files: u64,
    pub bytes: u64,
    pub rows: u64,
    pub hot_rows: u64,
}

/// Canonical events, stored and hot. Every query sees one pinned version plus the hot rows after
/// it: no row twice, none missing.
pub trait Archive: Send + Sync + std::fmt::Debug {
    /// Log position the committed table covers: every sequence below it is stored.
    fn covered(&self) -> Sequence;
    /// Adds derived rows to the hot table; `through` is one past the newest sequence they cover.
    /// Rows of sequences that an earlier call covered, or `covered()`, are ignored, so replay is
    /// harmless. After an error nothing was added and the same call may be made again.
    fn add(&self, events: Vec<Event>, through: Sequence) -> Result<(), ArchiveError>;
    /// Commits all hot rows and the position they cover in one transaction. No-op without news.
    fn commit(&self) -> Result<(), ArchiveError>;
    /// Rewrites small files into large sorted ones, keeps their indexes whole and removes what
    /// nothing refers to; never blocks `commit`.
    fn compact(&self) -> Result<(), ArchiveError>;
    /// Removes the stored events that are due, in whole rows. `announce` hears first what leaves;
    /// when it says no, nothing does. Returns how many left; after an error some may have, and the
    /// same call removes the rest.
    fn prune(
        &self,
        cutoffs: &Cutoffs,
        announce: &mut dyn FnMut(&[Leaving]) -> bool,
    ) -> Result<u64, ArchiveError>;
    /// Starts an empty table generation next to the live one; the next `commit`s fill it until
    /// `finish_rebuild` swaps it in. Queries keep seeing the live one.
    fn start_rebuild(&self) -> Result<(), ArchiveError>;
    /// Swaps the rebuilt generation in.
    fn finish_rebuild(&self) -> Result<(), ArchiveError>;
    /// Newest first, at most `limit`, after `cursor`.
    fn events(
        &self,
        filter: &EventFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Result<Vec<Event>, ArchiveError>;
    /// Counts per bucket of `bucket_us` microseconds; buckets without events are left out.
    fn histogram(&self, filter: &EventFilter, bucket_us: i64) -> Result<Vec<Bucket>, ArchiveError>;
    /// Counts per action, most first.
    fn actions(&self, filter: &EventFilter) -> Result<Vec<ActionCount>, ArchiveError>;
    /// Read-only SQL over the table `events`, which has the rows of `tenant`.
    fn query(
        &self,
        tenant: &TenantId,
        sql: &str,
        format: OutputFormat,
        budget: QueryBudget,
        out: &mut (dyn Write + Send),
    ) -> Result<QueryCost, ArchiveError>;
    fn figures(&self) -> ArchiveFigures;
}
