//! An archive whose calls fail when they are told to, and whose hot rows die with their process.

use std::io::Write;
use std::sync::Arc;

use deedtrail_core::event::Event;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::archive::{
    ActionCount, Archive, ArchiveError, ArchiveFigures, Bucket, Cursor, Cutoffs, EventFilter,
    Leaving, OutputFormat, QueryBudget, QueryCost,
};
use deedtrail_core::port::log::Sequence;

use super::Mishaps;
use crate::FakeArchive;

type Archived<T> = Result<T, ArchiveError>;

/// The archive of one process.
#[derive(Clone, Debug)]
pub struct FaultyArchive {
    pub archive: Arc<FakeArchive>,
    pub mishaps: Arc<Mishaps>,
}

impl FaultyArchive {
    fn call<T>(&self, work: impl FnOnce(&FakeArchive) -> Archived<T>) -> Archived<T> {
        let failed = || ArchiveError::Failed {
            folder: "memory".to_owned(),
            reason: super::REASON.to_owned(),
        };
        self.mishaps
            .call(|| work(&self.archive))
            .unwrap_or_else(|| Err(failed()))
    }
}

impl Archive for FaultyArchive {
    fn covered(&self) -> Sequence {
        self.archive.covered()
    }

    fn add(&self, events: Vec<Event>, through: Sequence) -> Archived<()> {
        self.call(|archive| archive.add(events, through))
    }

    fn commit(&self) -> Archived<()> {
        self.call(FakeArchive::commit)
    }

    fn compact(&self) -> Archived<()> {
        self.call(FakeArchive::compact)
    }

    fn prune(
        &self,
        cutoffs: &Cutoffs,
        announce: &mut dyn FnMut(&[Leaving]) -> bool,
    ) -> Archived<u64> {
        self.call(|archive| archive.prune(cutoffs, announce))
    }

    fn start_rebuild(&self) -> Archived<()> {
        self.call(FakeArchive::start_rebuild)
    }

    fn finish_rebuild(&self) -> Archived<()> {
        self.call(FakeArchive::finish_rebuild)
    }

    fn events(
        &self,
        filter: &EventFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Archived<Vec<Event>> {
        self.call(|archive| archive.events(filter, cursor, limit))
    }

    fn histogram(&self, filter: &EventFilter, bucket_us: i64) -> Archived<Vec<Bucket>> {
        self.call(|archive| archive.histogram(filter, bucket_us))
    }

    fn actions(&self, filter: &EventFilter) -> Archived<Vec<ActionCount>> {
        self.call(|archive| archive.actions(filter))
    }

    fn query(
        &self,
        tenant: &TenantId,
        sql: &str,
        format: OutputFormat,
        budget: QueryBudget,
        out: &mut (dyn Write + Send),
    ) -> Archived<QueryCost> {
        self.call(|archive| archive.query(tenant, sql, format, budget, out))
    }

    fn figures(&self) -> ArchiveFigures {
        self.archive.figures()
    }
}
