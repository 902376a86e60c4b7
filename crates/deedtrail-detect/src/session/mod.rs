//! Sessions: which events belong together, what came of them, and how far they are trusted.
//!
//! Every event with an actor gets a session: the vendor's, else one of the same actor, credential
//! and client without a long pause. Sessions of one person or job in several systems are joined.
//! All of it is in event time, with bounded memory (docs/reference/sessions.md).

mod assign;
mod blast;
mod blind;
mod join;
mod mark;
mod record;
mod reference;
mod tracked;
pub mod trust;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_behaviour::hashed::Hashed;
use deedtrail_core::event::Event;
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::id::{IdentityId, SessionUid};
use deedtrail_core::session::{BlindSession, Session, SessionJoin};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::behaviour::Departed;
use crate::limits::{LATENESS_US_MAX, TRACKED_SESSIONS_MAX};
use crate::{Observation, Settings, profile};

pub use reference::reference_page;

use assign::Span;
use blind::Blind;
use mark::Marks;
use tracked::Tracked;

/// Name findings about sessions carry as their rule.
pub(crate) const BLIND: &str = "code/blind-session";

/// What is known about sessions that may still go on; part of the detector's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sessions {
    tracked: Hashed<SessionUid, Box<Tracked>>,
    /// Sessions known by their pauses, by hash of actor, credential and client.
    spans: Hashed<u64, Vec<Span>>,
    /// When a tick has to look at which session again; one entry each.
    due: BTreeSet<(Timestamp, SessionUid)>,
    marks: Marks,
    blind: Blind,
}

/// What changed since it was last taken; no part of the state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionChanges {
    pub sessions: Vec<Session>,
    pub joins: Vec<SessionJoin>,
    pub blind: Vec<BlindSession>,
}

impl SessionChanges {
    /// Whether nothing changed.
    pub const fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.joins.is_empty() && self.blind.is_empty()
    }
}

/// Notes of what changed while a step is under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changed {
    touched: BTreeSet<SessionUid>,
    /// Forgotten before they were taken.
    forgotten: Vec<Session>,
    joins: Vec<SessionJoin>,
    blind: BTreeMap<(IdentityId, u64), BlindSession>,
}

/// One event with what detection made of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub observation: Observation<'a>,
    pub subject: IdentityId,
    /// Days before on which the identity did this kind of action.
    pub days_of_action: u32,
    pub drafts: &'a [FindingDraft],
    pub settings: &'a Settings,
}

impl Seen<'_> {
    /// Those of the drafts that are about the session of this event: an event may also settle what
    /// waited since an earlier session.
    fn drafts_of_session(&self) -> impl Iterator<Item = &FindingDraft> {
        let event = self.observation.event;
        self.drafts.iter().filter(move |draft| {
            let mut rests_on = draft.events.iter().map(|of| of.event_uid);
            draft.session == event.session_uid || rests_on.any(|uid| uid == event.event_uid)
        })
    }
}

impl Sessions {
    /// Looks at one event after detectors did.
    pub(crate) fn observe(&mut self, seen: &Seen<'_>, changed: &mut Changed) {
        let event = seen.observation.event;
        self.blind.observe(seen);
        let Some(uid) = event.session_uid.filter(|_| has_actor(seen)) else {
            return;
        };
        self.end_part(uid, event.time_effective, changed);
        let known = self.tracked.contains_key(&uid);
        // Anybody can type a name: attempts that failed begin no session.
        if !known && event.mapped.is_failed_sign_in() {
            return;
        }
        if !known {
            self.begin(uid, seen, changed);
        }
        if let Some(tracked) = self.tracked.get_mut(&uid) {
            tracked.take(seen);
            changed.touched.insert(uid);
        }
        self.join(uid, seen, !known, changed);
    }

    /// Ends a vendor's session that rested for longer than late events take: what comes now begins a
    /// further part of it.
    fn end_part(&mut self, uid: SessionUid, at: Timestamp, changed: &mut Changed) {
        let rested =
            |tracked: &&mut Box<Tracked>| at.micros_since(tracked.session.last) >= LATENESS_US_MAX;
        if let Some(tracked) = self.tracked.get_mut(&uid).filter(rested) {
            tracked.session.ended = Some(tracked.session.last);
            changed.touched.insert(uid);
            self.forget(uid, changed);
        }
    }

    fn begin(&mut self, uid: SessionUid, seen: &Seen<'_>, changed: &mut Changed) {
        if self.tracked.len() >= TRACKED_SESSIONS_MAX {
            self.make_room(changed);
        }
        let tracked = Box::new(Tracked::new(uid, seen));
        self.due.insert((tracked.due, uid));
        self.tracked.insert(uid, tracked);
    }

    /// Takes note of a session that departs from what is learned. One that was forgotten is let be.
    pub(crate) fn departed(&mut self, departed: &Departed, changed: &mut Changed) {
        if let Some(tracked) = self.tracked.get_mut(&departed.session) {
            tracked.depart(departed);
            changed.touched.insert(departed.session);
        }
    }

    /// Takes a tick: sessions grow old or end, and what waited for a feed that does not speak is
    /// said.
    pub(crate) fn tick(&mut self, now: Timestamp, changed: &mut Changed) -> Vec<FindingDraft> {
        self.grow_old(now, changed);
        self.blind.tick(now, changed)
    }

    /// Takes note that the log came to rest at an event of the time `newest`: the same, and who
    /// signed in long enough before that has waited.
    pub(crate) fn rest(
        &mut self,
        now: Timestamp,
        newest: Timestamp,
        changed: &mut Changed,
    ) -> Vec<FindingDraft> {
        self.grow_old(now, changed);
        self.blind.rest(newest, changed)
    }

    fn grow_old(&mut self, now: Timestamp, changed: &mut Changed) {
        while let Some((due, uid)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.remove(&(due, uid));
            let Some(tracked) = self.tracked.get_mut(&uid) else {
                continue;
            };
            if now.micros_since(tracked.arrived) >= LATENESS_US_MAX {
                self.forget(uid, changed);
                continue;
            }
            if tracked.tick(now) {
                changed.touched.insert(uid);
            }
            tracked.due = tracked.next_due(now);
            self.due.insert((tracked.due, uid));
        }
    }

    /// Forgets a tenth, those idle for longest.
    fn make_room(&mut self, changed: &mut Changed) {
        let idle = self.tracked.unordered();
        let mut idle: Vec<_> = idle.map(|(uid, t)| (t.session.last, *uid)).collect();
        idle.sort_unstable();
        for (_, uid) in idle.into_iter().take(TRACKED_SESSIONS_MAX / 10) {
            self.forget(uid, changed);
        }
    }

    fn forget(&mut self, uid: SessionUid, changed: &mut Changed) {
        let Some(tracked) = self.tracked.remove(&uid) else {
            return;
        };
        self.due.remove(&(tracked.due, uid));
        if let Some(key) = tracked.span
            && let Some(spans) = self.spans.get_mut(&key)
        {
            spans.retain(|span| span.uid != uid);
            if spans.is_empty() {
                self.spans.remove(&key);
            }
        }
        if changed.touched.remove(&uid) {
            changed.forgotten.push(tracked.session);
        }
    }

    /// Takes what changed.
    pub(crate) fn take(&self, changed: &mut Changed) -> SessionChanges {
        let Changed {
            touched,
            forgotten,
            joins,
            blind,
        } = std::mem::take(changed);
        let touched = touched.iter().filter_map(|uid| self.tracked.get(uid));
        let touched = touched.map(|tracked| tracked.session.clone());
        SessionChanges {
            sessions: forgotten.into_iter().chain(touched).collect(),
            joins,
            blind: blind.into_values().collect(),
        }
    }
}

fn has_actor(seen: &Seen<'_>) -> bool {
    seen.observation.identity.is_some() || seen.observation.event.actor_alias_uid.is_some()
}

/// The pause that ends a session of this actor, µs.
fn pause_us(event: &Event, settings: &Settings) -> i64 {
    use deedtrail_core::event::ActorKind;
    let minutes = match event.mapped.actor_kind {
        ActorKind::Human | ActorKind::Unknown => settings.session_pause_human_minutes,
        ActorKind::AiAgent => settings.session_pause_agent_minutes,
        _ => settings.session_pause_machine_minutes,
    };
    minutes.saturating_mul(Timestamp::MINUTE_US)
}

/// Hash of a tenant's thing of one kind.
fn key_of(event: &Event, kind: &str, parts: [&str; 2]) -> u64 {
    profile::key(&[event.tenant.as_str(), kind, parts[0], parts[1]])
}
