//! Commits of the archive beside the pipeline: neither waits for the other.

use std::sync::Arc;
use std::thread::JoinHandle;

use deedtrail_core::port::archive::{Archive, ArchiveError};

/// At most one commit that is under way on a thread of its own.
#[derive(Debug, Default)]
pub(super) struct Commit {
    thread: Option<JoinHandle<Result<(), ArchiveError>>>,
}

impl Commit {
    /// Starts storing the hot rows and compacting what became small files. Waits for the commit
    /// before it, if there is one, and tells how that ended.
    pub(super) fn start(&mut self, archive: &Arc<dyn Archive>) -> Result<(), ArchiveError> {
        self.finish()?;
        let shared = Arc::clone(archive);
        let commit = std::thread::Builder::new().name("archive-commit".into());
        match commit.spawn(move || shared.commit().and_then(|()| shared.compact())) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => {
                tracing::warn!(%error, "no thread for a commit; the pipeline waits for it");
                archive.commit().and_then(|()| archive.compact())?;
            }
        }
        Ok(())
    }

    /// Whether one is still under way.
    pub(super) fn is_running(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    /// Waits for the one under way and tells how it ended.
    pub(super) fn finish(&mut self) -> Result<(), ArchiveError> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        thread.join().unwrap_or_else(|_| {
            Err(ArchiveError::Failed {
                folder: "archive".into(),
                reason: "a commit panicked".into(),
            })
        })
    }
}

impl Drop for Commit {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::error!(%error, "the last commit of the archive failed");
        }
    }
}
