//! Where the values of a call's arguments come from, and how usual that is for each argument.
//!
//! Every reference an argument names (address, account, host …) is in the request, in the history
//! of the identity or its peers, known to them from earlier sessions, only in a tool's output of
//! this session, or nowhere. PPM-C counts these origins per (tool, argument, whether the job was
//! done before). History is learned when a session closes, so it never holds the session itself.

mod ledger;
mod memory;
mod origin;
mod sentence;
mod session;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::entity::{EntityKind, Mention, Place};
use deedtrail_core::event::Provenance;
use deedtrail_core::id::{IdentityId, SessionUid};
use serde::{Deserialize, Serialize};

use self::memory::{Lessons, Memory, OWN, PEERS};
use self::origin::{Origin, Sources, Value};
use self::session::{Lesson as Counted, Session};
use crate::assessment::{TermKind, Terms};
use crate::kept::Kept;
use crate::limits::GROUPS_MAX;
use crate::part::{Lesson, Part};
use crate::sequence::Contexts;
use crate::step::Step;

pub(crate) use self::origin::name;
pub(crate) use self::session::{group_name, job};

/// Numbers and free text are rewritten by every model in its own way, and what stands in the request
/// is the user's own word: they count half, and never more than this many nats before that.
const FREE_NATS_MAX: f64 = 4.0;
const FREE_SHARE: f64 = 0.5;
/// Most entities held for all open sessions. Beyond it nothing more is heard of.
const OPEN_ENTITIES_MAX: usize = 8_000_000;
/// Tool, argument, and whether the job was done before.
const DEPTH: usize = 3;

/// The origins of arguments, of every open session and every identity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Arguments {
    open: BTreeMap<SessionUid, Session>,
    own: Kept<IdentityId, Memory>,
    peers: BTreeMap<Text, Memory>,
    /// Entities held for open sessions.
    held: usize,
}

/// The most surprising value of a call.
struct Found<'a> {
    nats: f64,
    share: f64,
    argument: &'a str,
    value: Value,
    origin: Origin,
}

impl Part for Arguments {
    fn score(&mut self, step: &Step<'_>, terms: &mut Terms) {
        let event = step.event;
        let mentions = &event.mapped.mentions;
        if mentions.is_empty() && !self.open.contains_key(&step.session) {
            return;
        }
        self.own.wake(&step.subject.identity);
        let new = || Session::new(step.subject.identity, step.subject.peer_group);
        let mut session = self.open.remove(&step.session).unwrap_or_else(new);
        self.held = self.held.saturating_sub(session.entities());
        session.day = u16::try_from(event.time_effective.utc_day()).unwrap_or_default();
        if mentions.iter().any(|one| one.place == Place::Argument) {
            session.calls += 1;
            self.judge(&mut session, step, terms);
        }
        let room = OPEN_ENTITIES_MAX.saturating_sub(self.held);
        session.hear(mentions, event.time_effective, room);
        self.held += session.entities();
        self.open.insert(step.session, session);
    }

    fn close(&mut self, session: SessionUid, lesson: Lesson) {
        let Some(session) = self.open.remove(&session) else {
            return;
        };
        self.held = self.held.saturating_sub(session.entities());
        if lesson == Lesson::Learn {
            self.learn(session);
        }
    }

    fn age(&mut self, identity: IdentityId, day: u16) {
        if let Some(own) = self.own.get_mut(&identity) {
            own.halve(day);
        }
    }

    fn merge(&mut self, kept: IdentityId, merged: IdentityId) {
        if let Some(other) = self.own.remove(&merged) {
            self.own
                .get_or_insert_with(kept, Memory::default)
                .merge(&other);
        }
        let sessions = self.open.values_mut();
        for session in sessions.filter(|session| session.identity == merged) {
            session.identity = kept;
        }
    }

    fn pack_quiet(&mut self) {
        self.own.pack_quiet();
    }

    fn forget(&mut self, identity: IdentityId) {
        self.own.remove(&identity);
        let held = &mut self.held;
        self.open.retain(|_, session| {
            let stays = session.identity != identity;
            *held -= if stays { 0 } else { session.entities() };
            stays
        });
    }

    fn bytes(&self, identity: IdentityId) -> usize {
        self.own.get(&identity).map_or(0, |own| own.bytes())
    }
}

impl Arguments {
    /// Where each argument of a call came from, in the order of the event's `tool_arguments`.
    /// `Unknown` where the session has heard of nothing it could come from.
    pub(crate) fn provenances(&self, step: &Step<'_>) -> Vec<Provenance> {
        let arguments = arguments(&step.event.mapped.mentions);
        let Some(session) = self.open.get(&step.session) else {
            return arguments.map(|_| Provenance::Unknown).collect();
        };
        let sources = self.sources(session);
        arguments
            .map(|argument| {
                let values = sources.values(&argument.entities);
                let references = values.iter().filter(|(value, _)| value.is_reference());
                let references = references.map(|(_, origin)| origin).max();
                let farthest = references.or_else(|| values.iter().map(|(_, one)| one).max());
                match farthest {
                    None => Provenance::Unknown,
                    Some(Origin::Nowhere) if !session.asked() => Provenance::Unknown,
                    Some(origin) => origin.provenance(),
                }
            })
            .collect()
    }

    fn sources<'a>(&'a self, session: &'a Session) -> Sources<'a> {
        Sources {
            session,
            own: self.own.get(&session.identity),
            peers: self.peers.get(&session.group),
        }
    }

    /// Adds the most surprising origin of the call's values, and notes all for later.
    fn judge(&self, session: &mut Session, step: &Step<'_>, terms: &mut Terms) {
        let tool = name(&step.event.mapped.operation);
        let mut most: Option<Found<'_>> = None;
        let mut new_party = false;
        for argument in arguments(&step.event.mapped.mentions) {
            let values = self.sources(session).values(&argument.entities);
            let mut counted = Vec::with_capacity(values.len());
            for (value, origin) in values {
                let place = Counted {
                    tool,
                    argument: name(&argument.name),
                    job: self.job_known(session),
                    symbol: value.symbol(&origin),
                };
                let share = self.share(session, place);
                counted.push(place);
                new_party |= is_party(value) && origin > Origin::Known;
                let nats = match -share.ln() {
                    nats if value.is_reference() && origin != Origin::Request => nats,
                    nats => FREE_SHARE * nats.min(FREE_NATS_MAX),
                };
                if most.as_ref().is_none_or(|most| nats > most.nats) {
                    most = Some(Found {
                        nats,
                        share,
                        argument: &argument.name,
                        value,
                        origin,
                    });
                }
            }
            session.note(&argument.entities, &counted);
        }
        if new_party && session.asked() && is_sink(step.event.mapped.action) {
            terms.hold();
        }
        if let Some(found) = most {
            let peers = self.peers.get(&session.group);
            let peers = peers.map_or(0, |peers| peers.others(session.identity));
            terms.add(TermKind::Argument, found.nats, || {
                sentence::of(&found, session, step, peers)
            });
        }
    }

    /// Probability of that origin in that place.
    fn share(&self, session: &Session, place: Counted) -> f64 {
        let contexts = contexts(place);
        let nothing = Memory::default();
        let sources = self.sources(session);
        let own = sources.own.as_deref().unwrap_or(&nothing);
        own.probability(&contexts, place.symbol, sources.peers)
    }

    /// 1 if the identity or its peers did this job before.
    fn job_known(&self, session: &Session) -> u32 {
        let sources = self.sources(session);
        let mut memories = [sources.own.as_deref(), sources.peers]
            .into_iter()
            .flatten();
        let known = session
            .job
            .is_some_and(|job| memories.any(|memory| memory.heard(job)));
        u32::from(known)
    }

    fn learn(&mut self, mut session: Session) {
        let used = session.take_used();
        let heard = session.take_heard();
        let counted = session.lessons().iter();
        let origins: Vec<_> = counted.map(|one| (contexts(*one), one.symbol)).collect();
        let lessons = Lessons {
            identity: session.identity,
            day: session.day,
            used: &used,
            // What peers heard of is kept with them.
            heard: if session.group.is_empty() {
                &heard
            } else {
                &[]
            },
            origins: &origins,
        };
        let own = self
            .own
            .get_or_insert_with(session.identity, Memory::default);
        own.learn(&lessons, OWN);
        let room = self.peers.len() < GROUPS_MAX || self.peers.contains_key(&session.group);
        if room && !session.group.is_empty() {
            let peers = self.peers.entry(session.group).or_default();
            let lessons = Lessons {
                heard: &heard,
                ..lessons
            };
            peers.age(lessons.day);
            peers.learn(&lessons, PEERS);
        }
    }
}

fn arguments(mentions: &[Mention]) -> impl Iterator<Item = &Mention> {
    mentions.iter().filter(|one| one.place == Place::Argument)
}

fn contexts(place: Counted) -> Contexts {
    Contexts::after(&[place.job, place.argument, place.tool], DEPTH)
}

/// Whether a value is somebody or something outside that could get what a tool gives away.
const fn is_party(value: Value) -> bool {
    use EntityKind::{Email, Host, Iban, Identifier, Url};
    matches!(
        value,
        Value::Reference(Email | Host | Iban | Identifier | Url)
    )
}

/// Whether an action gives something away, or opens something, to a party.
const fn is_sink(action: Action) -> bool {
    use Action::{
        ConsentGrant, CredentialCreate, Execute, Export, IdentityCreate, MessagePublish,
        NotifyPeople, PrivilegeGrant, Share, Write,
    };
    matches!(
        action,
        ConsentGrant
            | CredentialCreate
            | Execute
            | Export
            | IdentityCreate
            | MessagePublish
            | NotifyPeople
            | PrivilegeGrant
            | Share
            | Write
    )
}
