//! Everything derived anew from the first entry.

use deedtrail_core::port::log::Sequence;

use super::health::Health;
use super::snapshot::State;
use super::{Pipeline, PipelineError};

/// Setting of the store while a rebuild is under way, or due.
pub const REBUILDING: &str = "rebuilding";

impl Pipeline {
    /// Whether a rebuild was begun and did not end.
    pub(super) fn is_rebuilding(&self) -> Result<bool, PipelineError> {
        Ok(self
            .ports
            .store
            .setting(REBUILDING)?
            .is_some_and(|since| !since.is_empty()))
    }

    /// Derives everything anew from the first entry; queries see the old table until the swap,
    /// identities and findings come back as the log is read. `goes_on` is told the position after
    /// each step; when it says no, the rest is left to the next start. True when done.
    pub fn rebuild(
        &mut self,
        goes_on: &mut dyn FnMut(Sequence) -> bool,
    ) -> Result<bool, PipelineError> {
        self.writing.finish()?;
        self.committed()?;
        self.ahead = None;
        let since = self.ports.clock.now().to_string();
        self.ports.store.put_setting(REBUILDING, &since)?;
        self.ports.archive.start_rebuild()?;
        self.ports.store.forget_derived()?;
        self.passed_over.forget(self.ports.store.as_ref())?;
        self.state = State::new(&self.detection);
        self.health = Health::default();
        (self.position, self.stored, self.snapshot_at) = (0, 0, 0);
        self.writing.settled(0);
        self.damaged = 0;
        self.refills = None;
        while self.step()? {
            if !goes_on(self.position()) {
                return Ok(false);
            }
        }
        self.settle()?;
        self.ports.archive.finish_rebuild()?;
        self.ports.store.put_setting(REBUILDING, "")?;
        Ok(true)
    }
}
