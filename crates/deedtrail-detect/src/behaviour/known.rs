//! What is remembered of those who act, for what is told of them later.

use deedtrail_core::Text;
use deedtrail_core::behaviour::{ACTIVE_DAYS_MAX, SOURCES_MAX, UnusualDay};
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::id::{AliasUid, IdentityId, SourceName, TenantId};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::BEHAVIOUR;
use crate::detector::draft;

/// Patterns of findings that are remembered.
const FOUND_MAX: usize = 16;

/// Who acts, and the day on which their drift was last told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) tenant: TenantId,
    pub(super) first_alias: AliasUid,
    pub(super) name: Text,
    pub(super) drift_told: Option<i64>,
    pub(super) sources: Vec<SourceName>,
    /// Sessions that departed without being a finding, by day; the newest days.
    pub(super) unusual: Vec<UnusualDay>,
    /// What departures were found by, with the day: the same of that day is one more case of it.
    found: Vec<(u64, i64)>,
}

impl Known {
    pub(super) fn new(tenant: TenantId, first_alias: AliasUid, name: Text) -> Self {
        Self {
            tenant,
            first_alias,
            name,
            drift_told: None,
            sources: Vec::new(),
            unusual: Vec::new(),
            found: Vec::new(),
        }
    }

    /// Whether a departure by this pattern is a finding of that day already.
    pub(super) fn was_found(&self, pattern: u64, day: i64) -> bool {
        self.found.contains(&(pattern, day))
    }

    /// Remembers that a departure by this pattern is a finding.
    pub(super) fn find(&mut self, pattern: u64, day: i64) {
        if !self.was_found(pattern, day) {
            self.found.retain(|(_, found)| day - found <= 1);
            if self.found.len() >= FOUND_MAX {
                self.found.remove(0);
            }
            self.found.push((pattern, day));
        }
    }

    /// Both are one from here on.
    pub(super) fn merge(&mut self, other: Self) {
        self.drift_told = self.drift_told.max(other.drift_told);
        for source in &other.sources {
            self.note(source);
        }
        for day in other.unusual {
            self.note_unusual(day);
        }
        for (pattern, day) in other.found {
            self.find(pattern, day);
        }
    }

    /// Counts sessions of a day; only the newest days are kept.
    pub(super) fn note_unusual(&mut self, day: UnusualDay) {
        let place = self.unusual.binary_search_by_key(&day.day, |it| it.day);
        match place {
            Ok(place) => {
                let known = &mut self.unusual[place];
                known.sessions = known.sessions.saturating_add(day.sessions);
            }
            Err(place) => self.unusual.insert(place, day),
        }
        let over = self.unusual.len().saturating_sub(ACTIVE_DAYS_MAX);
        self.unusual.drain(..over);
    }

    /// Takes note of where it acted.
    pub(super) fn note(&mut self, source: &SourceName) {
        if let Err(place) = self.sources.binary_search(source)
            && self.sources.len() < SOURCES_MAX
        {
            self.sources.insert(place, source.clone());
        }
    }

    /// A draft about it, without words.
    pub(super) fn draft(&self, identity: IdentityId, kind: &str, at: Timestamp) -> FindingDraft {
        FindingDraft {
            kind: Text::new(kind),
            rule: Text::new_static(BEHAVIOUR),
            tenant: self.tenant.clone(),
            identity,
            first_alias: self.first_alias,
            pattern: Text::default(),
            session: None,
            severity: draft::severity_of(kind),
            confidence: 0.6,
            title: String::new(),
            reasons: Vec::new(),
            events: Vec::new(),
            allowed: Vec::new(),
            refused: Vec::new(),
            hypotheses: Vec::new(),
            techniques: Vec::new(),
            at,
        }
    }
}

/// One session of the day of `at`.
pub(super) fn unusual_on(at: Timestamp) -> UnusualDay {
    UnusualDay {
        day: u16::try_from(at.utc_day().max(0)).unwrap_or(u16::MAX),
        sessions: 1,
    }
}
