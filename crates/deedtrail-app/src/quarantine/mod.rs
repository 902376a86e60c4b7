//! Records that were not understood: which they are, replaying them once their mapping was fixed,
//! and dismissing those that nobody needs.

mod decision;
mod replay;

pub use decision::{QUARANTINE_DECISION, QuarantineDecision, Verdict};
pub use replay::ReplayAnswer;

use std::fmt;

use deedtrail_core::Text;
use deedtrail_core::id::SourceName;
use deedtrail_core::limits::NOTE_CHARACTERS_MAX;
use deedtrail_core::port::log::{AppendError, EntryKind, ReadError, Sequence};
use deedtrail_core::port::store::{
    QuarantineFilter, QuarantineReason, Quarantined, Scope, StoreError,
};

use crate::App;
use crate::access::{Denied, Principal};
use crate::source_name::UnknownSource;
use crate::timeline::ReadingError;

#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("{0}; `deedtrail source list` lists them all")]
    UnknownSource(#[from] UnknownSource),
    #[error("say why, in 1 to {NOTE_CHARACTERS_MAX} characters: whoever looks next has to know")]
    NoReason,
}

/// Which records of quarantine are asked for, within the principal's tenant.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub source: Option<SourceName>,
    /// Short name of the reason.
    pub code: Option<Text>,
    /// Only this one.
    pub sequence: Option<Sequence>,
    /// Those that were dismissed; else those that wait.
    pub dismissed: bool,
}

impl Wanted {
    /// Of one source, or of every one.
    pub fn of(source: Option<&SourceName>) -> Self {
        Self {
            source: source.cloned(),
            ..Self::default()
        }
    }

    fn filter(&self, principal: &Principal) -> QuarantineFilter {
        QuarantineFilter {
            tenant: principal.tenant.clone(),
            source: self.source.clone(),
            code: self.code.clone(),
            dismissed: self.dismissed,
        }
    }
}

/// As the record of an action says it.
impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self
            .source
            .as_ref()
            .map_or("every source", SourceName::as_str);
        f.write_str(source)?;
        if let Some(code) = &self.code {
            write!(f, ", {code}")?;
        }
        if let Some(sequence) = self.sequence {
            write!(f, ", entry {sequence}")?;
        }
        Ok(())
    }
}

impl App {
    /// Records in quarantine, newest first.
    pub fn quarantine(
        &self,
        principal: &Principal,
        wanted: &Wanted,
        limit: usize,
    ) -> Result<Vec<Quarantined>, ReadingError> {
        principal.require(Scope::Read)?;
        let filter = wanted.filter(principal);
        Ok(self.ports.store.quarantined(&filter, limit)?)
    }

    /// One record in quarantine, whether it waits or was dismissed.
    pub fn quarantined(
        &self,
        principal: &Principal,
        sequence: Sequence,
    ) -> Result<Option<Quarantined>, ReadingError> {
        principal.require(Scope::Read)?;
        let store = &self.ports.store;
        Ok(store.quarantined_at(&principal.tenant, sequence)?)
    }

    /// How many records are in quarantine by source and reason, the newest first.
    pub fn quarantine_reasons(
        &self,
        principal: &Principal,
        wanted: &Wanted,
    ) -> Result<Vec<QuarantineReason>, ReadingError> {
        principal.require(Scope::Read)?;
        let filter = wanted.filter(principal);
        Ok(self.ports.store.quarantine_reasons(&filter)?)
    }

    /// A record that was quarantined as entry `sequence`, its secrets masked: what a mapping for it
    /// is written from.
    pub fn quarantined_record(
        &self,
        principal: &Principal,
        sequence: Sequence,
    ) -> Result<Vec<u8>, ReadingError> {
        principal.require(Scope::Read)?;
        let stored = self.ports.log.read(sequence, 1)?.into_iter().next();
        let stored = stored.filter(|stored| {
            let entry = &stored.entry;
            entry.kind == EntryKind::Quarantined && entry.tenant == principal.tenant
        });
        let stored = stored.ok_or(ReadingError::NotQuarantined(sequence))?;
        Ok(self.masked(&stored.bytes()))
    }
}
