//! Commits of the archive beside the pipeline: neither waits for the other.

use std::sync::Arc;
use std::thread::JoinHandle;

use deedtrail_core::port::archive::ArchiveError;

use super::PipelineError;
use super::snapshot::Snapshot;
use crate::Ports;

/// At most one commit that is under way on a thread of its own.
#[derive(Debug, Default)]
pub(super) struct Commit {
    thread: Option<JoinHandle<Result<(), PipelineError>>>,
}

impl Commit {
    /// Starts storing the hot rows, then the snapshot that rests on them, and compacting what
    /// became small files. Waits for the commit before it, if there is one, and tells how that
    /// ended.
    pub(super) fn start(
        &mut self,
        ports: &Ports,
        snapshot: Option<Snapshot>,
    ) -> Result<(), PipelineError> {
        self.finish()?;
        let (archive, store) = (Arc::clone(&ports.archive), Arc::clone(&ports.store));
        let commit = move || {
            archive.commit()?;
            if let Some(snapshot) = snapshot {
                snapshot.save(store.as_ref())?;
            }
            Ok(archive.compact()?)
        };
        let thread = std::thread::Builder::new().name("archive-commit".into());
        self.thread = Some(thread.spawn(commit).map_err(|error| failed(&error))?);
        Ok(())
    }

    /// Whether one is still under way.
    pub(super) fn is_running(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    /// Waits for the one under way and tells how it ended.
    pub(super) fn finish(&mut self) -> Result<(), PipelineError> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        thread
            .join()
            .unwrap_or_else(|_| Err(failed(&"it panicked")))
    }
}

fn failed(reason: &dyn std::fmt::Display) -> PipelineError {
    PipelineError::Archive(ArchiveError::Failed {
        folder: "archive".into(),
        reason: format!("commit: {reason}"),
    })
}

impl Drop for Commit {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::error!(%error, "the last commit of the archive failed");
        }
    }
}
