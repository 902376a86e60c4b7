//! Replay of quarantined records after their mapping was fixed.

use std::collections::BTreeSet;

use deedtrail_core::Text;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::log::{
    EntryKind, NewEntry, Outcome, Part, PartClass, ReadError, Sequence, StoredEntry,
};
use deedtrail_core::port::store::{QuarantineFilter, Quarantined, Scope};
use serde::Serialize;

use super::{QuarantineError, Wanted};
use crate::access::Principal;
use crate::intake::{APPEND_BYTES_MAX, KeyMaker, Understood, parts};
use crate::source_name::known_source;
use crate::{App, configuration};

/// Most waiting records held at a time.
const PAGE_RECORDS: usize = 1_000;
/// Different contents in one replay whose copies are told from repetitions.
const REPLAY_CONTENTS: usize = 1 << 18;

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
    /// Maps every waiting record (of `source`) again and appends those that map now.
    pub fn replay_quarantine(
        &self,
        principal: &Principal,
        source: Option<&SourceName>,
    ) -> Result<ReplayAnswer, QuarantineError> {
        self.replay_wanted(principal, &Wanted::of(source))
    }

    /// The same for those of one source, or that wait for one reason.
    pub fn replay_wanted(
        &self,
        principal: &Principal,
        wanted: &Wanted,
    ) -> Result<ReplayAnswer, QuarantineError> {
        principal.require(Scope::Write)?;
        let facts = self.ports.mapper.sources().into_iter();
        let healths = self.ports.store.source_health()?.into_iter();
        let known: BTreeSet<SourceName> = facts
            .map(|facts| facts.name)
            .chain(healths.map(|health| health.source))
            .collect();
        if let Some(name) = &wanted.source {
            known_source(name.as_str(), known)?;
        }
        let on = wanted.to_string();
        self.audit_other(principal, ("quarantine replayed", &on), &[])?;
        let waiting = QuarantineFilter {
            dismissed: false,
            ..wanted.filter(principal)
        };
        let mut answer = ReplayAnswer::default();
        let mut keys = KeyMaker::over_window(REPLAY_CONTENTS);
        let (mut from, end) = (wanted.sequence.unwrap_or(0), self.ports.log.end());
        loop {
            let store = &self.ports.store;
            let mut page = store.quarantined_from(&waiting, from, PAGE_RECORDS)?;
            page.retain(|record| {
                let is_it = wanted.sequence.is_none_or(|only| only == record.sequence);
                is_it && record.sequence < end
            });
            let Some(last) = page.last() else { break };
            from = last.sequence + 1;
            self.replay_page(&page, &mut keys, &mut answer)?;
        }
        answer.waiting = answer.tried - answer.released;
        Ok(answer)
    }

    fn replay_page(
        &self,
        page: &[Quarantined],
        keys: &mut KeyMaker,
        answer: &mut ReplayAnswer,
    ) -> Result<(), QuarantineError> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for record in page {
            answer.tried += 1;
            let Some(original) = self.original(record.sequence)? else {
                continue;
            };
            let content = original.bytes();
            let named = self.ports.mapper.recognize(&[record.source.as_str()], b"");
            // Under a wrong label it waits in vain as what that names: then its content tells.
            let understood = self
                .understand(named.as_ref(), &content)
                .or_else(|| self.understand(None, &content));
            let Some(understood) = understood else {
                continue;
            };
            answer.released += 1;
            bytes += content.len();
            let inner = understood.inner.as_deref();
            let record = (inner.unwrap_or(&content), inner.map(|_| &*content));
            let own = original.entry.idempotency_key.as_deref();
            let key = keys.of_waiting(&understood.mapped, record, own);
            entries.push(self.remap_entry(&original, understood, key));
            if bytes >= APPEND_BYTES_MAX {
                self.release(std::mem::take(&mut entries))?;
                bytes = 0;
            }
        }
        self.release(entries)
    }

    /// Appends remap entries. A record that came again since its mapping was mended has its events
    /// already: it only leaves the quarantine.
    fn release(&self, entries: Vec<NewEntry>) -> Result<(), QuarantineError> {
        if entries.is_empty() {
            return Ok(());
        }
        let appended = self.ports.log.append(entries.clone())?;
        let (mut again, mut settled) = (Vec::new(), Vec::new());
        for (entry, outcome) in entries.into_iter().zip(&appended.outcomes) {
            let Outcome::Duplicate(known) = outcome else {
                continue;
            };
            if self.is_remap_of(*known, &entry)? {
                again.push(NewEntry {
                    idempotency_key: None,
                    ..entry
                });
            } else {
                settled.push(entry);
            }
        }
        if !again.is_empty() {
            self.ports.log.append(again)?;
        }
        self.settle(&settled)
    }

    /// Is the known entry a replay of the same record? It gave no events, for the record waits: its
    /// mapping was another when that was processed, or it had been dismissed.
    fn is_remap_of(&self, known: Sequence, entry: &NewEntry) -> Result<bool, QuarantineError> {
        let known = self.original(known)?;
        Ok(known.is_some_and(|known| {
            known.entry.kind == EntryKind::Remap && known.entry.note == entry.note
        }))
    }

    fn settle(&self, settled: &[NewEntry]) -> Result<(), QuarantineError> {
        let Some(first) = settled.first() else {
            return Ok(());
        };
        let lines = settled.iter().map(|entry| format!("{}\n", entry.note));
        self.ports.log.append(vec![NewEntry {
            kind: EntryKind::Configuration,
            tenant: first.tenant.clone(),
            source: None,
            received: self.ports.clock.now(),
            idempotency_key: None,
            note: configuration::QUARANTINE_SETTLED.into(),
            parts: vec![Part {
                class: PartClass::Plain,
                key_id: 0,
                bytes: lines.collect::<String>().into_bytes(),
            }],
        }])?;
        Ok(())
    }

    /// The record as it came in; `None` when it is damaged and stays where it is.
    fn original(&self, sequence: Sequence) -> Result<Option<StoredEntry>, QuarantineError> {
        match self.ports.log.read(sequence, 1) {
            Err(error @ ReadError::Damaged { .. }) => {
                tracing::warn!(sequence, %error, "a record stays in quarantine");
                Ok(None)
            }
            read => Ok(read?.into_iter().next()),
        }
    }

    /// The record once more, so that its new events have bytes and a proof of their own.
    fn remap_entry(
        &self,
        original: &StoredEntry,
        understood: Understood,
        key: Option<Text>,
    ) -> NewEntry {
        let parts = match understood.inner {
            Some(record) => parts(&record, self.ports.mapper.sensitive(&record)),
            None => original.entry.parts.clone(),
        };
        NewEntry {
            kind: EntryKind::Remap,
            received: self.ports.clock.now(),
            idempotency_key: key,
            note: original.sequence.to_string().into(),
            source: Some(understood.source),
            parts,
            ..original.entry.clone()
        }
    }
}
