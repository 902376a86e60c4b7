//! Figures about the running product, for `/metrics`, `/readyz` and `doctor`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use deedtrail_core::health::SourceHealth;
use deedtrail_core::port::archive::ArchiveFigures;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::StoreError;

use crate::App;

/// Counters since start.
#[derive(Debug, Default)]
pub struct Counters {
    pub records: AtomicU64,
    pub duplicates: AtomicU64,
    pub quarantined: AtomicU64,
    pub refused: AtomicU64,
}

/// Counters of one listener since start.
#[derive(Debug, Default)]
pub struct ListenerCounters {
    /// Messages that are durable, those that came again included.
    pub records: AtomicU64,
    /// Bytes of those.
    pub bytes: AtomicU64,
    /// Messages refused at a limit, or that came in part.
    pub refused: AtomicU64,
    /// Connections and datagrams of senders that may not send.
    pub denied: AtomicU64,
    pub connections: AtomicU64,
    /// Connections that are open now.
    pub open: AtomicU64,
    /// Datagrams that the system dropped, as far as it tells.
    pub lost: AtomicU64,
}

/// A snapshot of where everything stands.
#[derive(Clone, Debug)]
pub struct Figures {
    /// One past the newest durable entry.
    pub log_end: Sequence,
    /// One past the newest entry whose results are stored.
    pub processed: Sequence,
    /// One past the newest entry whose events are in the archive.
    pub archived: Sequence,
    pub archive: ArchiveFigures,
    pub sources: Vec<SourceHealth>,
    /// What is wrong with the log, if anything.
    pub damage: Option<String>,
    /// Entries that were damaged when they were derived: what rests on them may be missing
    /// ([`App::passed_over`]).
    pub passed_over: u64,
    /// What keeps entries from being processed, or their events from being archived, if anything does.
    pub stopped: Option<String>,
    /// Identities and findings are being derived anew and are incomplete so far.
    pub is_rebuilding: bool,
}

impl App {
    /// The counters of the listener of that name; none are shown of an unknown one.
    pub fn listener_counters(&self, name: &str) -> Arc<ListenerCounters> {
        self.listeners.get(name).cloned().unwrap_or_default()
    }

    pub fn figures(&self) -> Result<Figures, StoreError> {
        Ok(Figures {
            log_end: self.ports.log.end(),
            processed: self.ports.store.processed()?,
            archived: self.ports.archive.covered(),
            archive: self.ports.archive.figures(),
            sources: self.ports.store.source_health()?,
            damage: self.ports.log.damage(),
            passed_over: self.passed_over_entries()?,
            stopped: self.processing.trouble(),
            is_rebuilding: self.processing.is_rebuilding(),
        })
    }
}
