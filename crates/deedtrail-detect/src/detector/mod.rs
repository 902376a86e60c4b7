//! Code detectors: what Sigma cannot say. One file each, one line in [`DETECTORS`].

mod burst;
mod click;
mod control_gap;
mod dormant;
pub(crate) mod draft;
pub mod entitlement;
mod enumeration;
mod escalation;
mod exfiltration;
mod login_only;
mod manifest;
mod off_hours;
mod old_key;
mod pattern;
mod scope;
mod secret;
mod session;
mod zombie;

use std::collections::BTreeMap;

use deedtrail_core::action::Action;
use deedtrail_core::event::OutcomeClass;
use deedtrail_core::finding::{FindingDraft, FindingEvent};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::ROTATIONS_MAX;
use crate::profile::{self, CredentialProfile, Facts, Profile, TraceKind};
use crate::{Observation, Settings, behaviour, session as sessions, source};

pub use dormant::Return;
pub use secret::PendingRead;
pub(crate) use secret::{PENDING_MAX, settle as settle_secret_reads};

/// What a detector may look at beside the actor's profile.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub observation: Observation<'a>,
    pub facts: &'a Facts,
    pub settings: &'a Settings,
    /// What kinds of trace this event left in the profile.
    pub kinds: &'a [TraceKind],
    /// The credential's history, with this event.
    pub credential: Option<&'a CredentialProfile>,
    pub rotations: &'a Rotations,
    /// Number of ticks so far.
    pub tick: u64,
    /// A charter says which tools the actor may call, and is asked instead of other declarations.
    pub tools_declared: bool,
}

impl Context<'_> {
    pub(crate) fn at(&self) -> Timestamp {
        self.observation.event.time_effective
    }

    pub(crate) fn left(&self, kind: TraceKind) -> bool {
        self.kinds.contains(&kind)
    }
}

/// One code detector.
#[derive(Clone, Copy, Debug)]
pub struct CodeDetector {
    /// Name a finding carries as its rule, e.g. `code/click`.
    pub id: &'static str,
    /// Finding types it makes.
    pub findings: &'static [&'static str],
    /// What it looks for, in one or two sentences with its default numbers.
    pub meaning: &'static str,
    pub(crate) runs: Runs,
}

impl CodeDetector {
    /// Whether what it tells is settled with the event that it judges. Those that wait for ticks, or
    /// for what comes later, tell without one.
    pub(crate) fn judges_events(&self) -> bool {
        matches!(self.runs, Runs::Event(_) | Runs::Outside) && self.id != secret::DETECTOR.id
    }
}

/// When a detector runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Runs {
    Event(fn(&Context<'_>, &mut Profile) -> Vec<FindingDraft>),
    /// With every event and tick, over charters and unsafe sequences: `crate::conduct`.
    Conduct,
    /// With every record, event and tick of a source: [`crate::source`].
    Source,
    /// With every event and tick of a session: [`crate::session`].
    Session,
    /// With every event, by whoever knows what was imported: [`entitlement`].
    Outside,
}

/// Every code detector, in the order they run.
pub const DETECTORS: &[CodeDetector] = &[
    click::DETECTOR,
    dormant::DETECTOR,
    zombie::DETECTOR,
    login_only::DETECTOR,
    old_key::DETECTOR,
    secret::DETECTOR,
    pattern::DETECTOR,
    scope::DETECTOR,
    enumeration::DETECTOR,
    control_gap::DETECTOR,
    manifest::DETECTOR,
    burst::DETECTOR,
    escalation::DETECTOR,
    session::DETECTOR,
    off_hours::DETECTOR,
    exfiltration::DETECTOR,
    entitlement::DETECTOR,
    CodeDetector {
        id: behaviour::BEHAVIOUR,
        findings: &["behaviour_departure", "behaviour_drift", "group_change"],
        meaning: "A session is unlike what was learned of its identity and its peers: next action, shape, \
                  arguments, scope, hour, volume, network, client (at most 2 a day, after 20 sessions); \
                  the mix of actions drifts for weeks; more than a fifth of a group begins the same.",
        runs: Runs::Session,
    },
    CodeDetector {
        id: "code/charter",
        findings: &["scope_departure", "sequence_departure"],
        meaning: "An identity departs from its charter: from what it may do, when, where from or how much, or \
                  from the order of its steps (docs/reference/charters.md). The finding's rule is \
                  `charter/` and the charter's name.",
        runs: Runs::Conduct,
    },
    CodeDetector {
        id: "code/unsafe-sequence",
        findings: &["allowed_but_unsafe", "control_gap"],
        meaning: "An identity takes the steps of an unsafe sequence of the library within its time, each of \
                  them allowed (docs/reference/unsafe-sequences.md). The finding's rule is `sequence/` \
                  and the sequence's id.",
        runs: Runs::Conduct,
    },
    CodeDetector {
        id: source::SILENT,
        findings: &["source_silent"],
        meaning: "A source delivers nothing for so long that its own rhythm (hours of the week, over up to \
                  twelve weeks, at least 7 days) makes it rarer than one in 10,000. Hours in which the \
                  server did not run do not count. Said once per silence.",
        runs: Runs::Source,
    },
    CodeDetector {
        id: source::DEGRADED,
        findings: &["evidence_degraded"],
        meaning: "A source stops saying what it used to say: in each of three runs of 20 events of one \
                  action at least 16 lack a fact that at most one in 20 of at least 100 lacked before, or \
                  so many records are not understood. Said once until it is well again.",
        runs: Runs::Source,
    },
    CodeDetector {
        id: sessions::BLIND,
        findings: &["blind_session"],
        meaning: "A sign-in that succeeded leads to an application, or a role in another account, \
                  whose feed has said nothing about work for 24 hours, or never did. Weighed by the \
                  privilege of the identity there. Said once in 30 days per identity and system.",
        runs: Runs::Session,
    },
];

/// Credentials that were rotated or revoked, by hash of system and public id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotations {
    entries: BTreeMap<u64, (Timestamp, FindingEvent)>,
}

impl Rotations {
    /// Remembers which credential an event rotated or revoked.
    pub(crate) fn observe(&mut self, observation: &Observation<'_>) {
        let mapped = &observation.event.mapped;
        let ends = matches!(
            mapped.action,
            Action::CredentialRotate | Action::CredentialRevoke
        );
        if !ends || matches!(mapped.outcome, OutcomeClass::Failure | OutcomeClass::Denied) {
            return;
        }
        let event = profile::finding_event(observation.event);
        let aliases = mapped.target_aliases.iter().map(|alias| &alias.value);
        let names = mapped
            .target_ref
            .iter()
            .chain(mapped.target_name.iter())
            .chain(aliases);
        for name in names {
            let tenant = observation.event.tenant.as_str();
            self.note(profile::key(&[tenant, &mapped.system, name]), event.clone());
        }
    }

    pub(crate) fn note(&mut self, credential: u64, event: FindingEvent) {
        let at = event.time;
        let entry = self
            .entries
            .entry(credential)
            .or_insert_with(|| (at, event.clone()));
        if entry.0 < at {
            *entry = (at, event);
        }
        if self.entries.len() > ROTATIONS_MAX {
            let oldest = self
                .entries
                .iter()
                .min_by_key(|(key, (at, _))| (*at, **key));
            if let Some(key) = oldest.map(|(key, _)| *key) {
                self.entries.remove(&key);
            }
        }
    }

    /// The newest rotation of a credential before `at`.
    pub(crate) fn before(&self, credential: u64, at: Timestamp) -> Option<&FindingEvent> {
        let (rotated, event) = self.entries.get(&credential)?;
        (*rotated < at).then_some(event)
    }
}
