//! What people do during a life: imports, merges, exceptions, decisions about quarantine, replays.

use deedtrail_core::Text;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::Clock as _;
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _, NewEntry, Part, PartClass};
use deedtrail_core::port::store::{IdentityFilter, QuarantineFilter, Store as _};
use deedtrail_core::time::Timestamp;
use serde_json::json;

use super::world::World;

impl World {
    /// An entry that is no record.
    fn entry(&self, kind: EntryKind, note: &str, bytes: Vec<u8>) -> NewEntry {
        NewEntry {
            kind,
            tenant: TenantId::default(),
            source: None,
            received: self.clock.now(),
            idempotency_key: None,
            note: Text::new(note),
            parts: vec![Part {
                class: PartClass::Plain,
                key_id: 0,
                bytes,
            }],
        }
    }

    pub(super) fn import(&self, identity: &str) -> NewEntry {
        let bytes = identity.as_bytes().to_vec();
        self.entry(EntryKind::Configuration, "identity import", bytes)
    }

    /// What somebody says now, if there is anything to say something about.
    pub(super) fn say_something(&mut self) -> Option<NewEntry> {
        match self.dice.u32(0..4) {
            0 => self.merge(),
            1 => Some(self.exception()),
            2 => self.quarantine_decision(),
            _ => self.remap(),
        }
    }

    /// Two identities are one, or no longer.
    fn merge(&mut self) -> Option<NewEntry> {
        let everybody = IdentityFilter {
            merged: true,
            ..IdentityFilter::default()
        };
        let known = self.store.identities(&everybody).ok()?;
        let mut one = || known.get(self.dice.usize(0..known.len().max(1)));
        let (left, right) = (one()?.id, one()?.id);
        let merge = json!({"decision": "merge", "left": left, "right": right, "reason": "sim"});
        let unmerge = json!({"decision": "unmerge", "merged": left});
        let said = if self.dice.u32(0..4) == 0 {
            unmerge
        } else {
            merge
        };
        let bytes = said.to_string().into_bytes();
        Some(self.entry(EntryKind::Configuration, "identity merge", bytes))
    }

    fn exception(&mut self) -> NewEntry {
        let rule = &self.material.names[self.dice.usize(0..self.material.names.len())];
        let expires = self
            .clock
            .now()
            .plus_micros(self.dice.i64(1..3_000) * Timestamp::SECOND_US);
        let made = json!({
            "change": "made", "rule": rule, "owner": "ben", "reason": "sim", "by": "local",
            "expires": expires, "conditions": [{"field": "actor", "pattern": "*a*"}],
        });
        let ended = json!({"change": "ended", "number": self.dice.u32(1..4), "by": "local"});
        let said = if self.dice.u32(0..4) == 0 {
            ended
        } else {
            made
        };
        let bytes = said.to_string().into_bytes();
        self.entry(EntryKind::Configuration, "rule exception", bytes)
    }

    fn waiting(&mut self) -> Option<deedtrail_core::port::store::Quarantined> {
        let waiting = self
            .store
            .quarantined(&QuarantineFilter::default(), 99)
            .ok()?;
        let at = self.dice.usize(0..waiting.len().max(1));
        waiting.into_iter().nth(at)
    }

    fn quarantine_decision(&mut self) -> Option<NewEntry> {
        let record = self.waiting()?;
        let restored = json!("restored");
        let dismissed = json!({"dismissed": "not ours"});
        let said = json!({
            "source": record.source, "sequences": [record.sequence, record.sequence + 1],
            "by": "local", "verdict": if self.dice.bool() { restored } else { dismissed },
        });
        let bytes = said.to_string().into_bytes();
        Some(self.entry(EntryKind::Configuration, "quarantine decision", bytes))
    }

    /// A record that came under a wrong name once more, under the right one; perhaps not the first
    /// time.
    fn remap(&mut self) -> Option<NewEntry> {
        let sequence = self.waiting()?.sequence;
        let log = &self.process.as_ref()?.log;
        let stored = log.read(sequence, 1).ok()?.into_iter().next()?;
        let right = self.misnamed.get(&*stored.bytes())?.clone();
        Some(NewEntry {
            source: Some(right),
            parts: stored.entry.parts.clone(),
            ..self.entry(EntryKind::Remap, &sequence.to_string(), Vec::new())
        })
    }

    /// Another source than that of a record, now and then.
    pub(super) fn name_of(&mut self, source: &SourceName, text: &str) -> SourceName {
        if self.dice.u32(0..12) != 0 {
            return source.clone();
        }
        let wrong = if source.as_str() == "github.audit" {
            "aws.cloudtrail"
        } else {
            "github.audit"
        };
        self.misnamed
            .insert(text.as_bytes().to_vec(), source.clone());
        SourceName::new(wrong).unwrap_or_else(|_| source.clone())
    }
}
