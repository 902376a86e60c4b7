//! How a life ends, and the same log without mishaps.

use std::collections::BTreeMap;
use std::sync::Arc;

use deedtrail_app::Ports;
use deedtrail_app::pipeline::PipelineError;
use deedtrail_app::pipeline::stepped::{Pace, SteppedPipeline, Where};
use deedtrail_core::port::archive::Archive as _;
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _};
use deedtrail_testkit::{FakeArchive, MemoryStore};

use super::world::{EVENT_KEY, World};
use crate::sim::model::{Broken, Held, ensure};

impl World {
    /// All the rest comes in, everything is sent once more, and all is processed.
    pub(super) fn finish(&mut self) -> Held {
        while !self.coming.is_empty() {
            self.start()?;
            self.deliver()?;
        }
        self.start()?;
        // What was armed and did not strike is not due any more.
        self.mishaps.calm();
        self.disk.calm();
        for sent in self.acknowledged.clone() {
            let new = self.send(&sent)?;
            ensure(new == Some(0), || {
                format!("what was acknowledged is new once more: {new:?} of {sent:?}")
            })?;
        }
        self.catch_up()?;
        let Some(process) = &mut self.process else {
            return Err(Broken("it does not run in the end".to_owned()));
        };
        let closed = process.pipeline.close();
        let closed = closed.map_err(|error| Broken(format!("the last stop: {error}")));
        let (end, covered) = (process.log.end(), self.archive.covered());
        closed?;
        ensure(covered == end, || {
            format!("the archive covers {covered} of {end}")
        })
    }

    /// The same log once more, by a pipeline that nothing befalls.
    pub(super) fn calmly(&mut self) -> Result<(Arc<MemoryStore>, Arc<FakeArchive>), Broken> {
        let Some(process) = &self.process else {
            return Err(Broken("it does not run in the end".to_owned()));
        };
        let (store, archive) = (Arc::new(MemoryStore::default()), Arc::default());
        let ports = Ports {
            store: Arc::clone(&store) as _,
            archive: Arc::clone(&archive) as _,
            ..self.ports(&process.log)
        };
        let pace = Pace {
            beside: Where::Stepped(0),
            ..Pace::default()
        };
        let run = || {
            let (detection, handover) = (self.detection(), Arc::default());
            let mut calm = SteppedPipeline::open(ports, detection, EVENT_KEY, &handover, pace)?;
            while calm.turn()? {}
            calm.close()
        };
        run().map_err(|error: PipelineError| Broken(format!("a calm run: {error}")))?;
        Ok((store, archive))
    }

    pub(super) fn archive(&self) -> &FakeArchive {
        &self.archive
    }

    /// No record is in the log twice.
    pub(super) fn each_once(&self) -> Held {
        let Some(process) = &self.process else {
            return Ok(());
        };
        let entries = process.log.read(0, usize::MAX);
        let entries = entries.map_err(|error| Broken(format!("the log: {error}")))?;
        let mut known = BTreeMap::new();
        for stored in entries {
            let (kind, source) = (stored.entry.kind, stored.entry.source.clone());
            let Some(source) = source.filter(|_| kind != EntryKind::Remap) else {
                continue;
            };
            let key = (source, stored.bytes().into_owned());
            if let Some(first) = known.insert(key, stored.sequence) {
                return Err(Broken(format!(
                    "entries {first} and {} are the same record",
                    stored.sequence
                )));
            }
        }
        Ok(())
    }
}
