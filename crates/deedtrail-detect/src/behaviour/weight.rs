//! What an open session did beside departing: whether a departure of it has weight, and whether
//! another finding tells the same.

use deedtrail_behaviour::{Term, TermKind};
use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{Event, OutcomeClass};
use deedtrail_core::finding::{FindingDraft, FindingEvent, Severity};
use deedtrail_core::id::{EventUid, FindingId};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::profile;

/// Nats from which on a term counts by itself: one in a hundred.
const TERM_NATS_MIN: f64 = 4.6;
/// Findings of one session that are remembered; a further one absorbs nothing.
const TOLD_MAX: usize = 8;

/// What is remembered of a session that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stretch {
    /// Its first event to arrive.
    pub(super) since: Timestamp,
    /// The most surprising event: what a finding would rest on.
    pub(super) top: Option<FindingEvent>,
    /// That event changed something, or is about what an intruder would look for.
    pub(super) grave: bool,
    /// Some event has weight.
    pub(super) weighs: bool,
    /// Findings of other kinds that it led to.
    told: Vec<Told>,
    /// A departure without weight so far: told as a finding as soon as the session has some.
    pub(super) held: Option<Held>,
}

/// A departure that waits for its session to have weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    /// Share of sessions at least as unusual.
    pub(super) share: f64,
    pub(super) draft: FindingDraft,
}

/// A finding that the session led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    id: FindingId,
    kind: Text,
    severity: Severity,
    /// The event that made it fire.
    event: EventUid,
}

impl Stretch {
    pub(super) fn new(event: &Event) -> Self {
        Self {
            since: event.time_effective,
            top: None,
            grave: false,
            weighs: false,
            told: Vec::new(),
            held: None,
        }
    }

    /// Takes note of an event and of what detectors said of it.
    pub(super) fn note(&mut self, event: &Event, drafts: &[FindingDraft]) {
        self.weighs |= has_weight(event);
        for draft in drafts {
            let here = draft.session == event.session_uid;
            if here && self.told.len() < TOLD_MAX {
                self.told.push(Told {
                    id: draft.id(),
                    kind: draft.kind.clone(),
                    severity: draft.severity,
                    event: event.event_uid,
                });
            }
        }
    }

    /// The most surprising event is this one.
    pub(super) fn note_top(&mut self, event: &Event) {
        self.grave = is_grave(event);
        self.top = Some(profile::finding_event(event));
    }

    /// Whether a departure by these terms is worth a person's time by itself.
    pub(super) fn weighs(&self, terms: &[Term]) -> bool {
        let by_itself = |term: &Term| {
            term.nats >= TERM_NATS_MIN
                && matches!(
                    term.kind,
                    TermKind::Argument
                        | TermKind::Scope
                        | TermKind::Network
                        | TermKind::Credential
                        | TermKind::Volume
                        | TermKind::Burst
                )
        };
        self.weighs || terms.iter().any(by_itself)
    }

    /// A finding that tells what these terms do: it fired on the most surprising event and is at
    /// least as severe, or one for each term that counts says the same.
    pub(super) fn told_by(&self, terms: &[Term], severity: Severity) -> Option<FindingId> {
        let top = self.top.as_ref().map(|event| event.event_uid);
        let on_top = |told: &&Told| Some(told.event) == top && told.severity >= severity;
        if let Some(told) = self.told.iter().find(on_top) {
            return Some(told.id);
        }
        let says = |term: &Term| self.told.iter().find(|told| is_about(&told.kind, term.kind));
        let first = says(terms.first()?)?;
        let mut counting = terms.iter().filter(|term| term.nats >= TERM_NATS_MIN);
        counting
            .all(|term| says(term).is_some())
            .then_some(first.id)
    }
}

/// Whether an event by itself makes its session weigh: it changed something, took something or told
/// people, asked for what an intruder would look for, or for what it was denied.
fn has_weight(event: &Event) -> bool {
    let mapped = &event.mapped;
    let acts = matches!(
        mapped.action,
        Action::Export | Action::NotifyPeople | Action::ConsentGrant | Action::Execute
    ) || profile::changes_something(mapped.action);
    let acted = acts && profile::took_place(event);
    acted
        || mapped.outcome == OutcomeClass::Denied
        || mapped.action == Action::Enumerate && profile::lists_authority(event)
        || profile::sensitive(event)
}

fn is_grave(event: &Event) -> bool {
    let mapped = &event.mapped;
    let changed =
        profile::changes_something(mapped.action) && mapped.outcome == OutcomeClass::Success;
    changed || profile::sensitive(event)
}

/// Whether a kind of finding is about the same aspect as a term.
fn is_about(kind: &str, term: TermKind) -> bool {
    match kind {
        "off_hours" => term == TermKind::Hour,
        "scope_departure" | "new_resource_class" | "agent_resource_use" => {
            matches!(term, TermKind::Scope)
        }
        "sequence_departure" | "enumeration" => {
            matches!(term, TermKind::Sequence | TermKind::Shape)
        }
        "burst" | "exfiltration" => matches!(term, TermKind::Volume | TermKind::Burst),
        "session_change" | "stolen_credential" | "credential_reuse" => matches!(
            term,
            TermKind::Network | TermKind::Client | TermKind::Credential
        ),
        _ => false,
    }
}
