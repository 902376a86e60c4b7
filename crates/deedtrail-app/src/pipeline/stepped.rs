//! A pipeline that goes on when its caller says so: the production code without its threads, so
//! that a simulation decides what happens between two of its calls. For tests.

pub use super::pace::{Pace, Where};

use super::{Detection, Pipeline, PipelineError};
use crate::Ports;
use crate::pipeline::Handover;
use std::sync::Arc;

/// A pipeline, and whether a rebuild of it is to be done again.
#[derive(Debug)]
pub struct SteppedPipeline {
    pipeline: Pipeline,
    is_rebuilding: bool,
}

impl SteppedPipeline {
    /// Restores the consumer, as the server's start does.
    pub fn open(
        ports: Ports,
        detection: Detection,
        event_key: [u8; 32],
        handover: &Arc<Handover>,
        pace: Pace,
    ) -> Result<Self, PipelineError> {
        let pipeline = Pipeline::at_pace(ports, detection, event_key, pace)?.fed_by(handover);
        Ok(Self {
            is_rebuilding: pipeline.is_rebuilding()?,
            pipeline,
        })
    }

    /// What the thread does in one turn: a rebuild that did not end, else a step, else what is due
    /// at the end of the log. False there.
    pub fn turn(&mut self) -> Result<bool, PipelineError> {
        if self.is_rebuilding {
            self.is_rebuilding = !self.pipeline.rebuild(&mut |_| true)?;
            return Ok(true);
        }
        if self.pipeline.step()? {
            return Ok(true);
        }
        self.pipeline.rest()?;
        Ok(false)
    }

    /// Goes on from the newest snapshot, as the thread does after an error.
    pub fn reopen(&mut self) -> Result<(), PipelineError> {
        self.pipeline = self.pipeline.reopened()?;
        self.is_rebuilding = self.pipeline.is_rebuilding()?;
        Ok(())
    }

    /// Derives everything anew; after `steps_max` steps the rest is left to the next start.
    pub fn rebuild(&mut self, steps_max: u64) -> Result<(), PipelineError> {
        let mut steps = 0;
        let done = self.pipeline.rebuild(&mut |_| {
            steps += 1;
            steps < steps_max
        })?;
        self.is_rebuilding = !done;
        Ok(())
    }

    /// An orderly stop.
    pub fn close(&mut self) -> Result<(), PipelineError> {
        self.pipeline.close()
    }
}
