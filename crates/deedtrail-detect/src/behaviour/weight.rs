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
/// Days on which an identity did a kind of action before, from which on it is its routine.
const ROUTINE_DAYS: u32 = 3;
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
    /// It came about, or would have had weight.
    counts: bool,
    /// Some event has weight.
    weighs: bool,
    /// Findings of other kinds that it led to.
    told: Vec<Told>,
    /// What became of a departure of it.
    pub(super) fate: Fate,
}

/// What became of the departure of an open session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) enum Fate {
    /// There is none, or another finding tells it.
    #[default]
    None,
    /// It has no weight so far: a finding as soon as the session has some.
    Held(Box<Held>),
    /// A finding, and stays one.
    Found,
}

/// A departure that waits for its session to have weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    /// Share of sessions at least as unusual.
    pub(super) share: f64,
    /// What is most unusual, as a key.
    pub(super) pattern: u64,
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
            counts: false,
            weighs: false,
            told: Vec::new(),
            fate: Fate::None,
        }
    }

    /// Takes note of an event and of what detectors said of it.
    pub(super) fn note(&mut self, weighed: &Weighed<'_>, drafts: &[FindingDraft]) {
        let event = weighed.event;
        self.weighs |= weighed.has_weight();
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
    pub(super) fn note_top(&mut self, weighed: &Weighed<'_>) {
        let event = weighed.event;
        let mapped = &event.mapped;
        let changed =
            profile::changes_something(mapped.action) && mapped.outcome == OutcomeClass::Success;
        let sensitive = profile::sensitive(event);
        self.grave = changed || sensitive;
        self.counts = weighed.counts();
        // What somebody never did there before and an intruder would look for weighs for people too.
        self.weighs |= sensitive && profile::took_place(event);
        self.top = Some(profile::finding_event(event));
    }

    /// Whether what came so far has weight, whatever it is unusual by.
    pub(super) fn has_weight(&self) -> bool {
        self.weighs && self.counts
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
        self.has_weight() || terms.iter().any(by_itself)
    }

    /// A finding that tells what these terms do: it fired on the most surprising event and is at
    /// least as severe, or one for each term that counts says the same.
    pub(super) fn told_by(&self, terms: &[Term], severity: Severity) -> Option<FindingId> {
        let top = self.top.as_ref().map(|event| event.event_uid);
        let on_top = |told: &&Told| Some(told.event) == top && told.severity >= severity;
        if let Some(told) = self.told.iter().find(on_top) {
            return Some(told.id);
        }
        let says = |term: &Term| {
            self.told
                .iter()
                .find(|told| is_about(&told.kind, term.kind))
        };
        let first = says(terms.first()?)?;
        let mut counting = terms.iter().filter(|term| term.nats >= TERM_NATS_MIN);
        counting
            .all(|term| says(term).is_some())
            .then_some(first.id)
    }
}

/// One event, as far as weight goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weighed<'a> {
    pub(super) event: &'a Event,
    /// A person did it.
    pub(super) by_person: bool,
    /// Days before on which the identity did this kind of action.
    pub(super) days_of_action: u32,
}

impl Weighed<'_> {
    /// Whether it makes its session weigh: it changed something, took something out or told people;
    /// it is about what an intruder would look for; or it was denied either. What people do on other
    /// days too has none: they do the same things in many an order.
    fn has_weight(&self) -> bool {
        let event = self.event;
        let mapped = &event.mapped;
        let heavy = is_heavy(event);
        if mapped.outcome == OutcomeClass::Denied {
            return mapped.action != Action::Click && (heavy || is_sought(event));
        }
        if !profile::took_place(event) {
            return false;
        }
        if self.by_person {
            (heavy || is_sought(event)) && self.days_of_action < ROUTINE_DAYS
        } else {
            heavy || is_sought(event)
        }
    }

    /// Whether the most surprising thing of a session counts: it came about, or it was asked for in
    /// vain where it would have had weight.
    fn counts(&self) -> bool {
        profile::took_place(self.event) || self.has_weight()
    }
}

/// Whether an event changes something, takes something out or tells people.
fn is_heavy(event: &Event) -> bool {
    let action = event.mapped.action;
    let acts = matches!(
        action,
        Action::Export | Action::NotifyPeople | Action::ConsentGrant | Action::Execute
    );
    acts || profile::changes_something(action)
}

/// Whether it is about what an intruder would look for.
fn is_sought(event: &Event) -> bool {
    let lists = event.mapped.action == Action::Enumerate && profile::lists_authority(event);
    lists || profile::sensitive(event)
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
