//! When the archive is committed and compacted, and the state is kept.

use deedtrail_core::port::log::Sequence;

use super::snapshot::Snapshot;
use super::{Pipeline, PipelineError};
use crate::retention;

/// Text in hot rows after which the archive is committed, bytes.
const COMMIT_TEXT_BYTES: usize = 128 << 20;
/// So many times either limit hot, and the pipeline waits for the commit under way.
const COMMITS_BEHIND_MAX: u64 = 2;
/// Commits after which small files are compacted although the pipeline is behind; when it has
/// caught up, every commit is followed by it.
const COMPACT_COMMITS: u64 = 8;

impl Pipeline {
    /// Commits the archive when enough rows, or old enough rows, are hot only, and the state when
    /// enough entries rest on it. Tells how the commit before ended.
    pub fn commit_when_due(&mut self) -> Result<(), PipelineError> {
        if !self.committing.is_running() && self.committed()? {
            self.uncompacted += 1;
        }
        let caught_up = self.position >= self.ports.log.end();
        let worth = if caught_up { 1 } else { COMPACT_COMMITS };
        if self.uncompacted >= worth || (caught_up && self.is_retention_due()) {
            self.compact();
        }
        let age = self.ports.clock.now().micros_since(self.committed_at);
        let full = (self.hot_rows / self.pace.commit_rows)
            .max((self.hot_text_bytes / COMMIT_TEXT_BYTES) as u64);
        let snapshot = self.is_snapshot_due(self.position) && self.is_past_stored();
        let is_old = !(0..self.pace.commit_age_us).contains(&age);
        let is_waiting = self.hot_rows > 0 || self.overdue.is_some();
        let is_due = full > 0 || snapshot || (is_waiting && is_old);
        if is_due && (!self.committing.is_running() || full >= COMMITS_BEHIND_MAX) {
            let taken = snapshot.then(|| self.state.snapshot(self.position));
            self.commit(taken.transpose()?)?;
        }
        Ok(())
    }

    /// Whether a day began on which events may be due to leave.
    fn is_retention_due(&self) -> bool {
        let today = self.ports.clock.now().utc_day();
        !self.retention.is_endless() && self.retained_on != today
    }

    pub(super) fn is_snapshot_due(&self, position: Sequence) -> bool {
        position.saturating_sub(self.snapshot_at) >= self.pace.snapshot_entries
    }

    /// Starts a commit of the hot rows. A snapshot is stored after them, so that no row has to be
    /// made again from before it.
    fn commit(&mut self, snapshot: Option<Snapshot>) -> Result<(), PipelineError> {
        if snapshot.is_some() {
            self.snapshot_at = self.position;
        }
        self.writing.finish()?;
        self.committed()?;
        let ports = self.ports.clone();
        self.committing.start(move || {
            ports.archive.commit()?;
            match snapshot {
                Some(snapshot) => Ok(snapshot.save(ports.store.as_ref())?),
                None => Ok(()),
            }
        })?;
        self.hot_rows = 0;
        self.hot_text_bytes = 0;
        self.committed_at = self.ports.clock.now();
        Ok(())
    }

    /// Commits and snapshots everything, and waits for both.
    pub(super) fn settle(&mut self) -> Result<(), PipelineError> {
        let snapshot = if self.is_past_stored() {
            self.tell()?;
            Some(self.state.snapshot(self.position)?)
        } else {
            None
        };
        self.commit(snapshot)?;
        self.committed()?;
        Ok(())
    }

    /// Whether what was stored before a restart has been done again. Until then nothing is told, since it
    /// would be of an earlier time than what is stored, and a snapshot would forget it.
    fn is_past_stored(&self) -> bool {
        self.position >= self.stored
    }

    /// Waits for the commit under way and tells how it ended; false when there was none. That one
    /// failed is kept in mind until another is made, which may be after a restart of the pipeline.
    pub(super) fn committed(&mut self) -> Result<bool, PipelineError> {
        let ended = self.committing.finish();
        match &ended {
            Ok(true) => self.overdue = None,
            Err(PipelineError::Archive(error)) => self.overdue = Some(error.to_string()),
            // Nothing ended, or it was not the archive, which is told as what it is.
            Ok(false) | Err(_) => {}
        }
        ended
    }

    /// Starts compacting what became small files and removing what is due, unless that is under
    /// way. Rows are complete without it: an error is told and the next commit starts it again.
    fn compact(&mut self) {
        if self.compacting.is_running() {
            return;
        }
        self.uncompacted = 0;
        self.retained_on = self.ports.clock.now().utc_day();
        let (ports, retention) = (self.ports.clone(), self.retention.clone());
        let work = move || {
            // Where nothing can leave, because a full disk takes no entry about it, small files still
            // make room.
            let left = retention::apply(&ports, &retention);
            ports.archive.compact()?;
            Ok(left?)
        };
        if let Err(error) = self.compacting.start(work) {
            tracing::error!(%error, "small files of the archive are left as they are");
        }
    }

    /// Leaves everything stored, so that the next start has nothing to catch up with.
    pub fn close(&mut self) -> Result<(), PipelineError> {
        let before = self.committed();
        if let Err(error) = &before {
            tracing::error!(%error, "a commit failed and is tried once more");
        }
        if before.is_err() || self.snapshot_at < self.position {
            self.settle()?;
        }
        Ok(())
    }
}
