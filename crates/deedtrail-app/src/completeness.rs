//! What is known to be missing from the sources that evidence comes from.

use std::collections::BTreeSet;

use deedtrail_core::health::{Gap, MissingNumbers, SourceHealth};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::store::Scope;
use deedtrail_core::time::Timestamp;
use serde::Serialize;

use crate::App;
use crate::access::Principal;
use crate::feed_health::SourceState;
use crate::held_back::HeldBackStatement;
use crate::timeline::ReadingError;

/// What is known to be missing, at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Completeness {
    pub as_of: Timestamp,
    /// By name.
    pub sources: Vec<SourceCompleteness>,
    /// Of a bundle: audit entries about its subject that are in the log and not in it, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custody_left_out: Vec<String>,
    /// Of an identity's bundle: what exceptions to rules kept from being findings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_back: Vec<HeldBackStatement>,
}

/// What is known to be missing from one source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceCompleteness {
    pub source: SourceName,
    /// The statement in words, for people; the members below are what it rests on.
    pub says: Vec<String>,
    pub state: SourceState,
    pub records: u64,
    /// Records that wait because they were not understood: they are in the log, without events.
    pub quarantined: u64,
    /// Such records that somebody dismissed.
    pub dismissed: u64,
    /// Records that came under an id that had come with another content.
    pub conflicts: u64,
    pub first_received: Option<Timestamp>,
    pub last_received: Option<Timestamp>,
    /// Whether the source numbers its records, so that one that never came is seen.
    pub numbered: bool,
    /// Numbers that never came, oldest first: the newest of them.
    pub missing_numbers: Vec<MissingNumbers>,
    /// How many never came, those beyond the list included.
    pub missing_numbers_total: u64,
    /// How many more were skipped without being waited for.
    pub forgotten_numbers: u64,
    /// Whether the source has a rhythm, so that its silence is seen.
    pub rhythm_known: bool,
    /// Times in which nothing came although something should have, oldest first: the newest.
    pub silences: Vec<Gap>,
}

impl SourceCompleteness {
    fn of(health: SourceHealth, state: SourceState) -> Self {
        let watched = health.watched;
        let mut all = Self {
            source: health.source,
            says: Vec::new(),
            state,
            records: health.records,
            quarantined: health.quarantined,
            dismissed: health.dismissed,
            conflicts: health.conflicts,
            first_received: health.first_received,
            last_received: health.last_received,
            numbered: watched.numbered,
            missing_numbers: watched.missing,
            missing_numbers_total: watched.missing_total,
            forgotten_numbers: watched.skipped_forgotten,
            rhythm_known: watched.overdue_at.is_some()
                || watched.silent
                || !watched.gaps.is_empty(),
            silences: watched.gaps,
        };
        all.says = vec![all.of_numbers(), all.of_silence(), all.of_quarantine()];
        all
    }

    fn of_numbers(&self) -> String {
        let over = match self.forgotten_numbers {
            0 => String::new(),
            more => format!("; {more} more were skipped, of which some may have come"),
        };
        match (self.numbered, self.missing_numbers_total) {
            (false, _) => {
                "it does not number its records: what it never sent cannot be seen".to_owned()
            }
            (true, 0) if over.is_empty() => "no number of its records is missing".to_owned(),
            (true, missing) => format!("{missing} numbers of its records never came{over}"),
        }
    }

    fn of_silence(&self) -> String {
        let last = self.last_received;
        let last = last.map_or_else(|| "never".to_owned(), |at| at.to_string());
        match (self.state, self.silences.len()) {
            (SourceState::Silent, _) => {
                format!("it is silent against its own rhythm; the last record came {last}")
            }
            _ if !self.rhythm_known => {
                "its rhythm is not known: a silence is not told from a pause".to_owned()
            }
            (_, 0) => "it was never silent against its own rhythm".to_owned(),
            (_, silences) => format!("it was silent against its own rhythm {silences} times"),
        }
    }

    fn of_quarantine(&self) -> String {
        match (self.quarantined, self.dismissed) {
            (0, 0) => "every record was understood".to_owned(),
            (waiting, dismissed) => format!(
                "{waiting} records were not understood and wait, {dismissed} were dismissed: they \
                 are in the log, without events"
            ),
        }
    }
}

impl App {
    /// What is known to be missing from these sources, or from all when none is named.
    pub fn completeness(
        &self,
        principal: &Principal,
        of: &BTreeSet<SourceName>,
    ) -> Result<Completeness, ReadingError> {
        principal.require(Scope::Read)?;
        let reports = self.sources(principal)?.into_iter();
        let wanted = reports.filter(|report| of.is_empty() || of.contains(&report.name));
        let sources = wanted.filter_map(|report| {
            let state = report.state;
            Some(SourceCompleteness::of(report.health?, state))
        });
        Ok(Completeness {
            as_of: self.ports.clock.now(),
            sources: sources.collect(),
            custody_left_out: Vec::new(),
            held_back: Vec::new(),
        })
    }
}
