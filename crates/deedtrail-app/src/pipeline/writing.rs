//! The last part of a step, results stored and rows added, while the next step is processed.

use std::collections::BTreeMap;

use deedtrail_core::event::Event;
use deedtrail_core::finding::Finding;
use deedtrail_core::id::FindingId;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::Progress;

use super::PipelineError;
use super::commit::Beside;
use super::pace::Where;
use crate::Ports;

/// What a step leaves behind.
#[derive(Debug)]
pub(super) struct Written {
    /// `None`: the store has it already.
    pub(super) progress: Option<Progress>,
    pub(super) rows: Vec<Event>,
    /// One past the newest sequence of the step.
    pub(super) through: Sequence,
    /// What sessions became is in it: once it is written, everything below `through` can be read.
    pub(super) tells: bool,
}

/// At most one step whose results are being stored.
#[derive(Debug)]
pub(super) struct Writing {
    beside: Beside,
    /// Findings that the store may not have yet.
    findings: BTreeMap<FindingId, Finding>,
    under_way: Sequence,
    told: Sequence,
}

impl Writing {
    pub(super) fn new(place: Where, told: Sequence) -> Self {
        Self {
            beside: Beside::new("store-write", place),
            findings: BTreeMap::new(),
            under_way: told,
            told,
        }
    }

    /// Everything below is in the store and the archive.
    pub(super) const fn told(&self) -> Sequence {
        self.told
    }

    /// A finding that the store may not have yet.
    pub(super) fn finding(&self, id: FindingId) -> Option<&Finding> {
        self.findings.get(&id)
    }

    /// Starts to store what a step left behind. Waits for the step before it and tells how that
    /// ended.
    pub(super) fn start(&mut self, ports: &Ports, step: Written) -> Result<(), PipelineError> {
        self.finish()?;
        let findings = step.progress.iter().flat_map(|of| &of.findings);
        self.findings = findings.map(|it| (it.id, it.clone())).collect();
        self.under_way = if step.tells { step.through } else { self.told };
        let ports = ports.clone();
        self.beside.start(move || {
            if let Some(progress) = step.progress {
                ports.store.save(progress)?;
            }
            Ok(ports.archive.add(step.rows, step.through)?)
        })
    }

    /// Waits for the step that is being stored and tells how that ended.
    pub(super) fn finish(&mut self) -> Result<(), PipelineError> {
        self.beside.finish()?;
        self.findings.clear();
        self.told = self.under_way;
        Ok(())
    }

    /// Takes note that everything below is told.
    pub(super) const fn settled(&mut self, through: Sequence) {
        (self.under_way, self.told) = (through, through);
    }
}
