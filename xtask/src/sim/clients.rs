//! What the clients of a simulated machine send.

use deedtrail_core::Text;
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::Clock as _;
use deedtrail_core::port::log::{EntryKind, NewEntry, Part, PartClass};
use deedtrail_core::time::Timestamp;

use super::world::World;

/// A record under a key made of its number.
pub(super) fn record(number: u64, bytes: Vec<u8>) -> NewEntry {
    NewEntry {
        kind: EntryKind::Record,
        tenant: TenantId::default(),
        source: SourceName::new("sim.records").ok(),
        received: Timestamp::default(),
        idempotency_key: Some(Text::new(format!("number-{number}"))),
        note: Text::default(),
        parts: vec![Part {
            class: PartClass::Plain,
            key_id: 0,
            bytes,
        }],
    }
}

impl World {
    /// What one client sends at once.
    pub(super) fn append(&mut self) -> Vec<NewEntry> {
        let count = self.dice.usize(1..=6);
        (0..count).map(|_| self.entry()).collect()
    }

    /// A new entry, one sent before, or another content under a key that was sent before.
    pub(super) fn entry(&mut self) -> NewEntry {
        let known = self.sent.len();
        match self.dice.u32(0..10) {
            0..3 if known > 0 => {
                let mut again = self.sent[self.dice.usize(0..known)].clone();
                again.received = self.clock.now();
                again
            }
            3 if known > 0 => {
                let mut changed = self.sent[self.dice.usize(0..known)].clone();
                changed.parts = self.parts();
                self.sent.push(changed.clone());
                changed
            }
            4 => self.fresh(None),
            _ => {
                let key = Text::new(format!("key-{}", self.next_id));
                let entry = self.fresh(Some(key));
                self.sent.push(entry.clone());
                entry
            }
        }
    }

    fn fresh(&mut self, key: Option<Text>) -> NewEntry {
        NewEntry {
            received: self.clock.now(),
            idempotency_key: key,
            parts: self.parts(),
            ..record(0, vec![])
        }
    }

    /// Bytes that no other entry has: mostly short, some long, some that compress badly.
    fn parts(&mut self) -> Vec<Part> {
        let id = self.next_id;
        self.next_id += 1;
        let length = match self.dice.u32(0..200) {
            0 => 40_000,
            1..10 => self.dice.usize(0..3000),
            _ => self.dice.usize(0..200),
        };
        let mut bytes = format!("record {id} ").into_bytes();
        let from = bytes.len();
        bytes.resize(from + length, b'x');
        if self.dice.bool() {
            self.dice.fill(&mut bytes[from..]);
        }
        vec![Part {
            class: PartClass::Plain,
            key_id: 0,
            bytes,
        }]
    }
}
