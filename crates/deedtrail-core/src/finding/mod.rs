//! Findings: what departs from what an identity is for, why, and what it rests on.

mod briefing;
pub mod registry;
#[cfg(test)]
mod tests;

pub use briefing::Briefing;
use serde::{Deserialize, Serialize};

use crate::Text;
use crate::id::{AliasUid, EventUid, FindingId, IdentityId, SessionUid, TenantId};
use crate::port::log::Sequence;
use crate::time::Timestamp;

/// How urgent a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub const ALL: [Self; 5] = [
        Self::Info,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.name() == name)
    }
}

/// Which of the four kinds of telemetry a finding type belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TelemetryKind {
    Click,
    PostAuthentication,
    Behavioural,
    Usage,
}

impl TelemetryKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::PostAuthentication => "post-authentication",
            Self::Behavioural => "behavioural",
            Self::Usage => "usage",
        }
    }
}

/// A scored explanation with the facts for and against it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hypothesis {
    /// E.g. `compromise`, `reactivated_automation`, `ownership_gap`, `misuse`, `drift`.
    pub name: Text,
    /// 0 to 1; the hypotheses of one finding add up to 1.
    pub score: f64,
    pub facts_for: Vec<String>,
    pub facts_against: Vec<String>,
}

/// One event a finding rests on, in order of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingEvent {
    pub event_uid: EventUid,
    pub log_seq: Sequence,
    pub time: Timestamp,
    /// One sentence: what this event shows ("portal refused access (403) from AS64500").
    pub fact: String,
}

impl FindingEvent {
    /// In order of time, then of arrival.
    pub fn order(&self) -> (Timestamp, Sequence, EventUid) {
        (self.time, self.log_seq, self.event_uid)
    }
}

/// What a detector or rule says about one moment; merged into a [`Finding`] by its id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingDraft {
    /// Registry entry, e.g. `dormant_reactivation`.
    pub kind: Text,
    /// The rule (`rules/<area>/<id>`) or code detector that fired.
    pub rule: Text,
    pub tenant: TenantId,
    pub identity: IdentityId,
    /// First alias of the identity: part of the finding's id.
    pub first_alias: AliasUid,
    /// What makes two findings of one type on one identity the same, e.g. the credential or target.
    pub pattern: Text,
    pub session: Option<SessionUid>,
    pub severity: Severity,
    /// 0 to 1.
    pub confidence: f64,
    /// A sentence with names and numbers.
    pub title: String,
    /// Ordered sentences with numbers: observed, usual, window.
    pub reasons: Vec<String>,
    pub events: Vec<FindingEvent>,
    /// What policy permitted and what it refused, where the feed says.
    pub allowed: Vec<String>,
    pub refused: Vec<String>,
    pub hypotheses: Vec<Hypothesis>,
    /// Technique ids (ATT&CK, ATLAS) the rule itself names, beside the registry's.
    pub techniques: Vec<Text>,
    /// Time of the event that made it fire; its UTC day is part of the id.
    pub at: Timestamp,
}

impl FindingDraft {
    /// House contract: stable over replay and rebuild.
    pub fn id(&self) -> FindingId {
        FindingId::of(
            &self.tenant,
            &self.kind,
            self.first_alias,
            &self.pattern,
            self.at.utc_day(),
        )
    }
}

/// Where an analyst has got to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingStatus {
    #[default]
    Open,
    Acknowledged,
    Closed,
}

impl FindingStatus {
    pub const ALL: [Self; 3] = [Self::Open, Self::Acknowledged, Self::Closed];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// A finding as stored: one per (type, identity, pattern) per day; repeats add to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub id: FindingId,
    #[serde(flatten)]
    pub draft: FindingDraft,
    pub first_time: Timestamp,
    pub last_time: Timestamp,
    /// How many times it fired that day.
    pub repeats: u32,
    pub status: FindingStatus,
    /// `benign`, `coerced`, `intrusion`, `misuse`, `drift`, `control_gap`; set by an analyst.
    pub disposition: Option<Text>,
    pub analyst: Option<Text>,
    /// What the analyst wrote to the decision.
    #[serde(default)]
    pub note: Option<Text>,
    pub updated: Timestamp,
}

/// What an analyst decided about a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub status: FindingStatus,
    pub disposition: Option<Text>,
    pub note: Option<Text>,
    pub analyst: Text,
    pub at: Timestamp,
}

/// Most events one finding lists; beyond it the oldest are dropped and only count in `repeats`.
pub const FINDING_EVENTS_MAX: usize = 200;

impl Finding {
    /// A finding from its first draft.
    pub fn new(draft: FindingDraft) -> Self {
        let first = draft
            .events
            .iter()
            .map(|e| e.time)
            .min()
            .unwrap_or(draft.at);
        let last = draft
            .events
            .iter()
            .map(|e| e.time)
            .max()
            .unwrap_or(draft.at);
        Self {
            id: draft.id(),
            first_time: first,
            last_time: last,
            repeats: 1,
            status: FindingStatus::Open,
            disposition: None,
            analyst: None,
            note: None,
            updated: draft.at,
            draft,
        }
    }

    /// Adds a repeat. Events unite; the words are those of the most severe draft, of the newest among
    /// equals (it carries the newest numbers). A draft whose events are all known changes nothing, so
    /// replay is harmless.
    pub fn absorb(&mut self, draft: FindingDraft) {
        if draft.events.iter().all(|event| self.knows(event)) {
            return;
        }
        let fresh = Self::new(draft);
        let new = fresh.draft.events.iter().filter(|e| !self.knows(e));
        let new: Vec<FindingEvent> = new.cloned().collect();
        let mut events = std::mem::take(&mut self.draft.events);
        events.extend(new);
        events.sort_by_key(FindingEvent::order);
        events.drain(..events.len().saturating_sub(FINDING_EVENTS_MAX));
        self.first_time = self.first_time.min(fresh.first_time);
        self.last_time = self.last_time.max(fresh.last_time);
        self.updated = self.updated.max(fresh.updated);
        self.repeats = self.repeats.saturating_add(1);
        if fresh.draft.severity >= self.draft.severity {
            self.draft = fresh.draft;
        }
        self.draft.events = events;
    }

    /// Whether the finding lists an event, or listed it until newer ones took its place.
    fn knows(&self, event: &FindingEvent) -> bool {
        let events = &self.draft.events;
        let full = events.len() >= FINDING_EVENTS_MAX;
        let dropped = full && events.first().is_some_and(|e| event.order() < e.order());
        dropped || events.iter().any(|e| e.event_uid == event.event_uid)
    }

    /// Position in the log of the newest event to arrive; what an analyst decided covers the finding
    /// up to it.
    pub fn newest_position(&self) -> Sequence {
        let positions = self.draft.events.iter().map(|event| event.log_seq);
        positions.max().unwrap_or_default()
    }

    /// What an analyst decided, as it stands now: what was put aside is open again as soon as an
    /// event arrives that the decision did not cover. Who decided what stays on it as history.
    pub fn status_now(&self, decided: FindingStatus, covered: Sequence) -> FindingStatus {
        if self.newest_position() > covered {
            FindingStatus::Open
        } else {
            decided
        }
    }
}

/// A type of finding: the registry's entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FindingType {
    /// E.g. `dormant_reactivation`.
    pub id: &'static str,
    pub title: &'static str,
    pub telemetry: TelemetryKind,
    pub severity: Severity,
    /// What it means, one or two sentences.
    pub meaning: &'static str,
    /// What to do first, in order.
    pub response: &'static [&'static str],
    /// References as the mission documents print them, e.g. `NIST CSF 2.0 DE.AE-1`.
    pub seed_ref: &'static [&'static str],
    /// Checked references: ids of the control table.
    pub mapped_ref: &'static [&'static str],
}
