//! What detection depends on besides records is in the log: imports, rules, mappings.

use deedtrail_core::Text;
use deedtrail_core::id::{SessionUid, TenantId};
use deedtrail_core::port::log::{
    AppendError, EntryKind, NewEntry, Outcome, Part, PartClass, Sequence,
};
use deedtrail_core::port::store::{Scope, StoreError};
use deedtrail_detect::behaviour::Disposition;
use serde::{Deserialize, Serialize};

use crate::App;
use crate::access::{Denied, Principal};

/// Note of an entry that declares identities; its part is the normalised NDJSON of the import.
pub const IDENTITY_IMPORT: &str = "identity import";
/// Note of an entry that says what identities may do; its part names the import and lists its
/// grants, as NDJSON.
pub const ENTITLEMENT_IMPORT: &str = "entitlement import";
/// Note of an entry that takes records out of quarantine because their events are there; its part
/// lists their sequences, one in a line.
pub const QUARANTINE_SETTLED: &str = "quarantine settled";
/// Note of an entry that says how many records were sent again: an object of numbers by source.
pub const REPEATS: &str = "records sent again";
/// Note of an entry that holds what an analyst says of a session that departed: [`Feedback`].
pub const FEEDBACK: &str = "behaviour feedback";
/// Note of an entry that puts rules and unsafe sequences in force: their digest, and those of one's own
/// with their text.
pub const RULE_SET: &str = "rule set";
/// Note of an entry that names the mappings in force; its part lists them with their versions.
pub const MAPPINGS: &str = "mappings";

/// Note of an entry that names what is said of targets; its part holds the hashes of rules and
/// inventory.
pub const TARGETS: &str = "target rules";
/// Note of an entry that holds the thresholds of detection in force, as JSON.
pub const DETECTION: &str = "detection settings";
/// Note of an entry that says how long events stay in the archive, as JSON.
pub const RETENTION: &str = "retention";

/// Note of a tick that has no time of its own: records were taken in, and no server runs.
pub const REST: &str = "at rest";

/// What an analyst says of a session, for what is learned of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    pub session: SessionUid,
    /// `None` takes back what was said before.
    pub disposition: Option<Disposition>,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Appends a configuration entry; returns one past its sequence.
    pub fn append_configuration(
        &self,
        principal: &Principal,
        note: &str,
        content: Vec<u8>,
    ) -> Result<Sequence, ConfigurationError> {
        principal.require(Scope::Write)?;
        Ok(self.append_plain(principal, note, content)?)
    }

    /// The same for a use case that has asked what the principal may do.
    pub(crate) fn append_plain(
        &self,
        principal: &Principal,
        note: &str,
        content: Vec<u8>,
    ) -> Result<Sequence, AppendError> {
        let entry = self.configuration(&principal.tenant, note, content);
        self.append_entry(entry)
    }

    /// The same for content whose parts differ in class.
    pub(crate) fn append_parts(
        &self,
        principal: &Principal,
        note: &str,
        parts: Vec<Part>,
    ) -> Result<Sequence, AppendError> {
        let entry = self.configuration(&principal.tenant, note, Vec::new());
        self.append_entry(NewEntry { parts, ..entry })
    }

    /// Appends an entry; returns one past its sequence.
    pub(crate) fn append_entry(&self, entry: NewEntry) -> Result<Sequence, AppendError> {
        let appended = self.ports.log.append(vec![entry])?;
        let end = self.ports.log.end();
        let at = appended.outcomes.first().map(Outcome::sequence);
        Ok(at.map_or(end, |sequence| sequence + 1))
    }

    pub(crate) fn configuration(&self, of: &TenantId, note: &str, content: Vec<u8>) -> NewEntry {
        NewEntry {
            kind: EntryKind::Configuration,
            tenant: of.clone(),
            source: None,
            received: self.ports.clock.now(),
            idempotency_key: None,
            note: note.into(),
            parts: vec![Part {
                class: PartClass::Plain,
                key_id: 0,
                bytes: content,
            }],
        }
    }

    /// Appends a configuration entry when its content differs from the last one of that name.
    pub fn record_configuration(
        &self,
        principal: &Principal,
        note: &str,
        content: Vec<u8>,
    ) -> Result<(), ConfigurationError> {
        let hash = blake3::hash(&content).to_hex().to_string();
        let name = format!("configuration.{note}");
        if self.ports.store.setting(&name)?.as_deref() == Some(&hash) {
            return Ok(());
        }
        self.append_configuration(principal, note, content)?;
        Ok(self.ports.store.put_setting(&name, &hash)?)
    }

    /// Appends a tick: detection notices absence by them. Called once a minute by the server. What
    /// was sent again since the last one is noted before it.
    pub fn tick(&self) -> Result<(), AppendError> {
        self.note_repeats()?;
        self.append_tick(Text::default())
    }

    fn append_tick(&self, note: Text) -> Result<(), AppendError> {
        self.ports.log.append(vec![NewEntry {
            kind: EntryKind::Tick,
            tenant: TenantId::default(),
            source: None,
            received: self.ports.clock.now(),
            idempotency_key: None,
            note,
            parts: Vec::new(),
        }])?;
        Ok(())
    }

    /// Appends a tick without a time of its own, for a process that takes records in and ends: what
    /// waits for a tick is told by the time of the newest event.
    pub fn rest(&self) -> Result<(), AppendError> {
        self.append_tick(Text::new_static(REST))
    }

    /// Notes in the log how many records of each source were sent again since this was last done:
    /// a duplicate itself leaves nothing there.
    pub fn note_repeats(&self) -> Result<(), AppendError> {
        let repeats = self.repeats.take();
        let entries = repeats.iter().map(|(tenant, of_tenant)| {
            let content = serde_json::json!(of_tenant).to_string();
            self.configuration(tenant, REPEATS, content.into_bytes())
        });
        let entries: Vec<NewEntry> = entries.collect();
        if entries.is_empty() {
            return Ok(());
        }
        self.ports.log.append(entries).map(drop).inspect_err(|_| {
            for (tenant, of_tenant) in repeats {
                for (source, records) in of_tenant {
                    self.repeats.count(&tenant, &source, records);
                }
            }
        })
    }
}
