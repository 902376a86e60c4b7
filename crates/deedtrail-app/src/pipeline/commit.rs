//! Work beside the pipeline: commits of the archive and its upkeep.

use std::thread::JoinHandle;

use deedtrail_core::port::archive::ArchiveError;

use super::PipelineError;

/// At most one piece of work that is under way on a thread of its own.
#[derive(Debug)]
pub(super) struct Beside {
    /// Name of the thread.
    name: &'static str,
    thread: Option<JoinHandle<Result<(), PipelineError>>>,
}

impl Beside {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, thread: None }
    }

    /// Starts `work`. Waits for the work before it, if there is some, and tells how that ended.
    pub(super) fn start(
        &mut self,
        work: impl FnOnce() -> Result<(), PipelineError> + Send + 'static,
    ) -> Result<(), PipelineError> {
        self.finish()?;
        let thread = std::thread::Builder::new().name(self.name.into());
        self.thread = Some(thread.spawn(work).map_err(|error| self.failed(&error))?);
        Ok(())
    }

    /// Whether some is still under way.
    pub(super) fn is_running(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    /// Waits for what is under way and tells how it ended; false when there was nothing.
    pub(super) fn finish(&mut self) -> Result<bool, PipelineError> {
        let Some(thread) = self.thread.take() else {
            return Ok(false);
        };
        let panicked = |_| Err(self.failed(&"it panicked"));
        thread.join().unwrap_or_else(panicked).map(|()| true)
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> PipelineError {
        PipelineError::Archive(ArchiveError::Failed {
            folder: "archive".into(),
            reason: format!("{}: {reason}", self.name),
        })
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::error!(%error, "the last work beside the pipeline failed");
        }
    }
}
