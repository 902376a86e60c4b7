//! Replay of quarantined records after their mapping was fixed.

use std::collections::BTreeSet;

use deedtrail_core::id::SourceName;
use deedtrail_core::port::log::{
    EntryKind, NewEntry, Outcome, Part, PartClass, ReadError, Sequence, StoredEntry,
};
use deedtrail_core::port::store::{QuarantineFilter, Quarantined, Scope};
use serde::Serialize;

use super::{QuarantineError, Wanted};
use crate::access::Principal;
use crate::intake::{APPEND_BYTES_MAX, Understood, parts, vendor_key};
use crate::source_name::known_source;
use crate::{App, configuration};

/// Most waiting records held at a time.
const PAGE_RECORDS: usize = 1_000;

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
        let of = wanted.source.as_ref();
        let of = of.map_or("every source", SourceName::as_str);
        self.audit(principal, "quarantine replayed", of)?;
        let waiting = QuarantineFilter {
            dismissed: false,
            ..wanted.filter(principal)
        };
        let mut answer = ReplayAnswer::default();
        let (mut from, end) = (0, self.ports.log.end());
        loop {
            let store = &self.ports.store;
            let mut page = store.quarantined_from(&waiting, from, PAGE_RECORDS)?;
            page.retain(|record| record.sequence < end);
            let Some(last) = page.last() else { break };
            from = last.sequence + 1;
            self.replay_page(&page, &mut answer)?;
        }
        answer.waiting = answer.tried - answer.released;
        Ok(answer)
    }

    fn replay_page(
        &self,
        page: &[Quarantined],
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
            entries.push(self.remap_entry(&original, understood));
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
        let Some(tenant) = entries.first().map(|entry| entry.tenant.clone()) else {
            return Ok(());
        };
        let originals: Vec<_> = entries.iter().map(|entry| entry.note.clone()).collect();
        let appended = self.ports.log.append(entries)?;
        let known = appended.outcomes.iter().zip(originals);
        let known = known.filter(|(outcome, _)| matches!(outcome, Outcome::Duplicate(_)));
        let settled: Vec<String> = known.map(|(_, original)| format!("{original}\n")).collect();
        if settled.is_empty() {
            return Ok(());
        }
        self.ports.log.append(vec![NewEntry {
            kind: EntryKind::Configuration,
            tenant,
            source: None,
            received: self.ports.clock.now(),
            idempotency_key: None,
            note: configuration::QUARANTINE_SETTLED.into(),
            parts: vec![Part {
                class: PartClass::Plain,
                key_id: 0,
                bytes: settled.concat().into_bytes(),
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
    fn remap_entry(&self, original: &StoredEntry, understood: Understood) -> NewEntry {
        let parts = match understood.inner {
            Some(record) => parts(&record, self.ports.mapper.sensitive(&record)),
            None => original.entry.parts.clone(),
        };
        NewEntry {
            kind: EntryKind::Remap,
            received: self.ports.clock.now(),
            // Without a vendor's id it is known under its content already: as what waits.
            idempotency_key: vendor_key(&understood.mapped),
            note: original.sequence.to_string().into(),
            source: Some(understood.source),
            parts,
            ..original.entry.clone()
        }
    }
}
