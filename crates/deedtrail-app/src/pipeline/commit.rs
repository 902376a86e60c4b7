//! Work beside the pipeline: results being stored, commits of the archive and its upkeep.

#[cfg(feature = "simulation")]
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use deedtrail_core::port::archive::ArchiveError;

use super::PipelineError;
use super::pace::Where;

/// At most one piece of work that is under way on a thread of its own.
#[derive(Debug)]
pub(super) struct Beside {
    /// Name of the thread.
    name: &'static str,
    work: Option<Work>,
    place: Place,
}

/// Work that is under way.
enum Work {
    Thread(JoinHandle<Result<(), PipelineError>>),
    /// It is done when somebody waits for it.
    #[cfg(feature = "simulation")]
    Stepped(Box<dyn FnOnce() -> Result<(), PipelineError> + Send>),
}

/// Where it is done.
#[derive(Debug)]
enum Place {
    Thread,
    /// State of the dice that decide when it is over.
    #[cfg(feature = "simulation")]
    Stepped(AtomicU64),
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Work")
    }
}

impl Beside {
    pub(super) fn new(name: &'static str, place: Where) -> Self {
        let place = match place {
            Where::Thread => Place::Thread,
            #[cfg(feature = "simulation")]
            Where::Stepped(seed) => Place::Stepped(AtomicU64::new(seed)),
        };
        Self {
            name,
            work: None,
            place,
        }
    }

    /// Starts `work`. Waits for the work before it, if there is some, and tells how that ended.
    pub(super) fn start(
        &mut self,
        work: impl FnOnce() -> Result<(), PipelineError> + Send + 'static,
    ) -> Result<(), PipelineError> {
        self.finish()?;
        self.work = Some(match self.place {
            Place::Thread => {
                let thread = std::thread::Builder::new().name(self.name.into());
                Work::Thread(thread.spawn(work).map_err(|error| self.failed(&error))?)
            }
            #[cfg(feature = "simulation")]
            Place::Stepped(_) => Work::Stepped(Box::new(work)),
        });
        Ok(())
    }

    /// Whether some is still under way.
    pub(super) fn is_running(&self) -> bool {
        match &self.work {
            None => false,
            Some(Work::Thread(thread)) => !thread.is_finished(),
            #[cfg(feature = "simulation")]
            Some(Work::Stepped(_)) => self.draw(),
        }
    }

    /// Waits for what is under way and tells how it ended; false when there was nothing.
    pub(super) fn finish(&mut self) -> Result<bool, PipelineError> {
        match self.work.take() {
            None => Ok(false),
            Some(Work::Thread(thread)) => {
                let panicked = |_| Err(self.failed(&"it panicked"));
                thread.join().unwrap_or_else(panicked).map(|()| true)
            }
            #[cfg(feature = "simulation")]
            Some(Work::Stepped(work)) => work().map(|()| true),
        }
    }

    /// Whether it goes on: every other time, as the seed has it.
    #[cfg(feature = "simulation")]
    fn draw(&self) -> bool {
        let Place::Stepped(dice) = &self.place else {
            return false;
        };
        let step = |bits: u64| bits.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let before = dice.load(Ordering::Relaxed);
        dice.store(step(before), Ordering::Relaxed);
        before >> 63 == 1
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> PipelineError {
        PipelineError::Archive(ArchiveError::Failed {
            folder: "data".into(),
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
