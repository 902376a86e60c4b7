//! A log that commits when its caller says so: the production writer without its thread, so that a
//! simulation decides which appends meet in one commit. For tests.

use deedtrail_core::port::log::{AppendError, Appended, NewEntry};
use deedtrail_core::port::{Clock, Entropy};

use crate::disk::Disk;
use crate::log::Answers;
use crate::open::{self, OpenError, Surroundings};
use crate::sync::Arc;
use crate::writer::Writer;
use crate::{Log, LogConfig};

/// A log and its writer.
#[derive(Debug)]
pub struct SteppedLog {
    log: Log,
    writer: Writer,
}

/// An append that waits for a commit.
#[derive(Debug)]
pub struct Waiting(Option<Answers>);

impl SteppedLog {
    /// Opens or creates a log, as `Log::open` does.
    pub fn open(
        config: &LogConfig,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        let around = Surroundings {
            disk,
            clock,
            entropy,
        };
        let (log, writer, _) = Log::ready(config, open::open(config, &around, None)?);
        Ok(Self { log, writer })
    }

    /// Everything but appending, which would wait for ever.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Puts an append into the queue.
    pub fn submit(&self, entries: &[NewEntry]) -> Result<Waiting, AppendError> {
        self.log.submit(entries).map(Waiting)
    }

    /// Commits what waits, as the writer's thread would: in as few commits as the limits allow.
    pub fn commit(&mut self) {
        while let Some(requests) = self.log.shared.queue.take_waiting() {
            self.writer.serve(requests);
        }
    }

    /// What became of an append; `None` before it was committed.
    pub fn answer(&self, waiting: Waiting) -> Option<Result<Appended, AppendError>> {
        let Some(answers) = waiting.0 else {
            return Some(Ok(Appended {
                outcomes: vec![],
                receipt: None,
            }));
        };
        answers
            .try_recv()
            .ok()
            .map(|answer| self.log.answered(answer))
    }
}
