//! Replay of quarantined records after their mapping was fixed.

use std::collections::BTreeSet;

use deedtrail_core::id::SourceName;
use deedtrail_core::limits::BATCH_RECORDS_MAX;
use deedtrail_core::port::log::{AppendError, EntryKind, NewEntry, ReadError, StoredEntry};
use deedtrail_core::port::store::{Scope, StoreError};
use serde::Serialize;

use crate::App;
use crate::access::{Denied, Principal};

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("no source is called `{0}` and none of that name ever delivered; see `deedtrail source list`")]
    UnknownSource(SourceName),
}

/// What a replay did: `tried = released + waiting`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReplayAnswer {
    pub tried: u64,
    /// Understood now: appended anew and on its way through the pipeline.
    pub released: u64,
    /// Still not understood.
    pub waiting: u64,
}

impl App {
    /// Maps every quarantined record (of `source`) again and appends those that map now.
    pub fn replay_quarantine(
        &self,
        principal: &Principal,
        source: Option<&SourceName>,
    ) -> Result<ReplayAnswer, ReplayError> {
        principal.require(Scope::Write)?;
        let facts = self.ports.mapper.sources().into_iter();
        let healths = self.ports.store.source_health()?.into_iter();
        let known: BTreeSet<SourceName> = facts
            .map(|facts| facts.name)
            .chain(healths.map(|health| health.source))
            .collect();
        if let Some(name) = source.filter(|name| !known.contains(name)) {
            return Err(ReplayError::UnknownSource(name.clone()));
        }
        let waiting = self.ports.store.quarantined(source, usize::MAX)?;
        let mut answer = ReplayAnswer::default();
        for chunk in waiting.chunks(BATCH_RECORDS_MAX) {
            let mut entries = Vec::new();
            for record in chunk {
                answer.tried += 1;
                let stored = self.ports.log.read(record.sequence, 1)?;
                let understood = |entry: &&StoredEntry| {
                    self.ports
                        .mapper
                        .map(&record.source, &entry.bytes())
                        .is_ok()
                };
                entries.extend(
                    stored
                        .first()
                        .filter(understood)
                        .map(|e| self.remap_entry(e)),
                );
            }
            answer.released += entries.len() as u64;
            if !entries.is_empty() {
                self.ports.log.append(entries)?;
            }
        }
        answer.waiting = answer.tried - answer.released;
        self.audit(
            principal,
            "quarantine replayed",
            &format!("{} released", answer.released),
        );
        Ok(answer)
    }

    /// The record once more, so that its new events have bytes and a proof of their own.
    fn remap_entry(&self, original: &StoredEntry) -> NewEntry {
        NewEntry {
            kind: EntryKind::Remap,
            received: self.ports.clock.now(),
            idempotency_key: None,
            note: original.sequence.to_string().into(),
            ..original.entry.clone()
        }
    }
}
