//! What people decide about records in quarantine: entries of the log, like imports.

use std::time::Duration;

use deedtrail_core::Text;
use deedtrail_core::id::SourceName;
use deedtrail_core::limits::NOTE_CHARACTERS_MAX;
use deedtrail_core::port::log::Sequence;
use deedtrail_core::port::store::{Quarantined, Scope};
use serde::{Deserialize, Serialize};

use super::{QuarantineError, Wanted};
use crate::App;
use crate::access::Principal;

/// Note of an entry that carries a [`QuarantineDecision`] as JSON.
pub const QUARANTINE_DECISION: &str = "quarantine decision";
/// Most records one entry decides about; a larger decision takes several.
const ENTRY_RECORDS_MAX: usize = 10_000;
/// How long a decision waits to be carried out, so that whoever looks next sees it.
const SETTLED_WITHIN: Duration = Duration::from_millis(500);

/// What becomes of records in quarantine, and who says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuarantineDecision {
    pub source: SourceName,
    pub sequences: Vec<Sequence>,
    pub by: Text,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nobody needs to look at them any more, for this reason. They stay evidence.
    Dismissed(Text),
    /// They wait again.
    Restored,
}

impl App {
    /// Takes waiting records out of everybody's sight, with the reason. They stay in the log and
    /// can be put back. Returns how many.
    pub fn dismiss_quarantine(
        &self,
        principal: &Principal,
        wanted: &Wanted,
        reason: &str,
    ) -> Result<u64, QuarantineError> {
        let reason = reason.trim();
        if !(1..=NOTE_CHARACTERS_MAX).contains(&reason.chars().count()) {
            return Err(QuarantineError::NoReason);
        }
        let wanted = Wanted {
            dismissed: false,
            ..wanted.clone()
        };
        self.decide_quarantine(principal, &wanted, &Verdict::Dismissed(reason.into()))
    }

    /// Lets dismissed records wait again. Returns how many.
    pub fn restore_quarantine(
        &self,
        principal: &Principal,
        wanted: &Wanted,
    ) -> Result<u64, QuarantineError> {
        let wanted = Wanted {
            dismissed: true,
            ..wanted.clone()
        };
        self.decide_quarantine(principal, &wanted, &Verdict::Restored)
    }

    fn decide_quarantine(
        &self,
        principal: &Principal,
        wanted: &Wanted,
        verdict: &Verdict,
    ) -> Result<u64, QuarantineError> {
        principal.require(Scope::Write)?;
        let (store, filter) = (&self.ports.store, wanted.filter(principal));
        let (mut from, end) = (wanted.sequence.unwrap_or(0), self.ports.log.end());
        let mut decided = 0;
        loop {
            let mut page = store.quarantined_from(&filter, from, ENTRY_RECORDS_MAX)?;
            page.retain(|record| {
                let is_it = wanted.sequence.is_none_or(|only| only == record.sequence);
                is_it && record.sequence < end
            });
            let Some(last) = page.last() else { break };
            from = last.sequence + 1;
            decided += page.len() as u64;
            self.append_decisions(principal, &page, verdict)?;
        }
        if decided > 0 {
            let log_end = self.ports.log.end();
            self.processing.wait_at_most(log_end, SETTLED_WITHIN);
        }
        Ok(decided)
    }

    /// An entry for each source of a page.
    fn append_decisions(
        &self,
        principal: &Principal,
        page: &[Quarantined],
        verdict: &Verdict,
    ) -> Result<(), QuarantineError> {
        let mut rest: Vec<&Quarantined> = page.iter().collect();
        while let Some(first) = rest.first() {
            let source = first.source.clone();
            let (of_source, others): (Vec<_>, Vec<_>) =
                rest.into_iter().partition(|record| record.source == source);
            let decision = QuarantineDecision {
                source,
                sequences: of_source.iter().map(|record| record.sequence).collect(),
                by: principal.name.clone(),
                verdict: verdict.clone(),
            };
            let content = serde_json::json!(decision).to_string().into_bytes();
            self.append_plain(principal, QUARANTINE_DECISION, content)?;
            rest = others;
        }
        Ok(())
    }
}
