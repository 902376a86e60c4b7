//! A draft about one event, ready for a detector's or rule's own words.

use deedtrail_core::Text;
use deedtrail_core::event::OutcomeClass;
use deedtrail_core::finding::{FindingDraft, FindingEvent, Hypothesis, Severity, registry};
use deedtrail_core::id::{AliasUid, IdentityId};

use crate::limits::DRAFT_EVENTS_MAX;
use crate::{Observation, fact, profile};

/// Namespace of the alias that stands for everything a source says without naming an actor.
pub(crate) const UNATTRIBUTED: &str = "deedtrail.source";

/// Who a finding is about: the resolved identity, else the source's unattributed one.
pub(crate) fn subject(observation: &Observation<'_>) -> (IdentityId, AliasUid) {
    if let Some(identity) = observation.identity {
        return (identity.id, identity.first_alias);
    }
    let event = observation.event;
    let unattributed = AliasUid::of(&event.tenant, UNATTRIBUTED, event.source.as_str());
    let alias = event.actor_alias_uid.unwrap_or(unattributed);
    (IdentityId::discovered(alias), alias)
}

/// A draft of type `kind` that rests on the observed event; severity is the type's own.
pub(crate) fn of(
    observation: &Observation<'_>,
    kind: &str,
    rule: &str,
    pattern: &str,
) -> FindingDraft {
    let event = observation.event;
    let (identity, first_alias) = subject(observation);
    let (allowed, refused) = decided(observation);
    FindingDraft {
        kind: Text::new(kind),
        rule: Text::new(rule),
        tenant: event.tenant.clone(),
        identity,
        first_alias,
        pattern: Text::new(pattern),
        session: event.session_uid,
        severity: severity_of(kind),
        confidence: 0.6,
        title: String::new(),
        reasons: Vec::new(),
        events: vec![profile::finding_event(event)],
        allowed,
        refused,
        hypotheses: Vec::new(),
        techniques: Vec::new(),
        at: event.time_effective,
    }
}

/// The severity a finding type has unless a detector knows better.
pub(crate) fn severity_of(kind: &str) -> Severity {
    registry::find(kind).map_or(Severity::Medium, |entry| entry.severity)
}

/// What policy permitted and what it refused, where the feed says.
fn decided(observation: &Observation<'_>) -> (Vec<String>, Vec<String>) {
    let mapped = &observation.event.mapped;
    let policy = mapped.policy_decision.as_ref();
    let by = policy
        .and_then(|p| p.policy_id.as_ref())
        .map(|id| format!(" (policy {})", fact::cut(id, 60)));
    let what = format!(
        "{} on {}{}",
        fact::cut(&mapped.operation, 60),
        fact::target_name(observation.event),
        by.unwrap_or_default()
    );
    // That something went well is no decision of anybody; that it was denied is one.
    let allowed = match (policy, mapped.outcome) {
        (Some(policy), _) => policy.allowed,
        (None, OutcomeClass::Denied) => false,
        _ => return (Vec::new(), Vec::new()),
    };
    if allowed {
        (vec![what], Vec::new())
    } else {
        (Vec::new(), vec![what])
    }
}

/// Puts `events` in order of time, each once, the newest `DRAFT_EVENTS_MAX` of them.
pub(crate) fn rests_on(draft: &mut FindingDraft, events: impl Iterator<Item = FindingEvent>) {
    draft.events.extend(events);
    draft
        .events
        .sort_by_key(|event| (event.time, event.log_seq, event.event_uid));
    draft.events.dedup_by_key(|event| event.event_uid);
    let over = draft.events.len().saturating_sub(DRAFT_EVENTS_MAX);
    draft.events.drain(..over);
}

/// An explanation being weighed.
pub(crate) struct Weighing {
    name: &'static str,
    weight: f64,
    facts_for: Vec<String>,
    facts_against: Vec<String>,
}

impl Weighing {
    /// Starts with its prior weight, relative to the others.
    pub(crate) fn new(name: &'static str, prior: f64) -> Self {
        Self {
            name,
            weight: prior,
            facts_for: Vec::new(),
            facts_against: Vec::new(),
        }
    }

    /// A fact that makes it `factor` (> 1) times as likely.
    pub(crate) fn speaks_for(&mut self, factor: f64, fact: impl Into<String>) {
        self.weight *= factor;
        self.facts_for.push(fact.into());
    }

    /// A fact that makes it `factor` (> 1) times less likely.
    pub(crate) fn speaks_against(&mut self, factor: f64, fact: impl Into<String>) {
        self.weight /= factor;
        self.facts_against.push(fact.into());
    }
}

/// Scores that add up to 1, the likeliest first.
pub(crate) fn weigh(weighings: Vec<Weighing>) -> Vec<Hypothesis> {
    let total: f64 = weighings.iter().map(|w| w.weight).sum();
    let mut hypotheses = weighings
        .into_iter()
        .map(|w| Hypothesis {
            name: Text::new_static(w.name),
            score: (w.weight / total * 100.0).round() / 100.0,
            facts_for: w.facts_for,
            facts_against: w.facts_against,
        })
        .collect::<Vec<_>>();
    hypotheses.sort_by(|a, b| b.score.total_cmp(&a.score));
    hypotheses
}
