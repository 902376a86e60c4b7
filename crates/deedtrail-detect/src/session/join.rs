//! Which sessions belong together, by what, and how sure that is.

use deedtrail_core::action::Action;
use deedtrail_core::event::{Alias, Event};
use deedtrail_core::id::SessionUid;
use deedtrail_core::namespace::canonical_value;
use deedtrail_core::session::{JOINS_MAX, JoinBy, QueueEdge, REACHED_MAX, SessionJoin};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::mark::{End, Mark, Times};
use super::tracked::{PLACE_US, Tracked};
use super::{Changed, Seen, Sessions, key_of};
use crate::limits::LATENESS_US_MAX;
use crate::{fact, profile};

/// Shortest vendor's session id that means the same session in another system, bytes.
const SESSION_ID_BYTES_MIN: usize = 8;
/// Aliases and links of delegation of an event that joins look at.
const REFERENCES_MAX: usize = 8;
/// How far clocks of two systems may differ, µs.
const CLOCKS_US_MAX: i64 = 5 * Timestamp::MINUTE_US;
/// Longest time between a consumer and the publisher before it, µs.
const QUEUE_US_MAX: i64 = Timestamp::HOUR_US;
/// Longest time between somebody's session and one on their behalf, µs.
const BEHALF_US_MAX: i64 = 12 * Timestamp::HOUR_US;
/// Longest time between two sessions from one network, µs.
const NETWORK_US_MAX: i64 = Timestamp::HOUR_US;
/// The same where the network of one is not known, µs.
const NO_NETWORK_US_MAX: i64 = 15 * Timestamp::MINUTE_US;

/// Something sessions may share.
struct Shared {
    key: u64,
    end: End,
    by: JoinBy,
    reason: String,
    confidence: u8,
    /// Longest time between the two, µs.
    within_us: i64,
    /// They must act in different systems.
    across: bool,
}

impl Shared {
    /// Whether the one leads to the other, not merely the earlier to the later.
    fn leads(&self) -> bool {
        matches!(
            self.by,
            JoinBy::Delegation | JoinBy::IssuedCredential | JoinBy::Queue
        )
    }

    /// Whether two marks of a place are of times near enough; of all else the sessions tell.
    fn is_near(&self, mine: &Mark, other: &Mark) -> bool {
        // Marks of places are left once in each stretch of time.
        let within_us = self.within_us.saturating_add(PLACE_US);
        !self.is_place() || mine.times.reach(&other.times, -within_us, within_us)
    }

    /// Whether both were in one place.
    fn is_place(&self) -> bool {
        matches!(self.by, JoinBy::IdentityNetwork | JoinBy::EmailNetwork)
    }
}

/// That a session is joined to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Joined {
    other: SessionUid,
    by: JoinBy,
    confidence: u8,
    /// This one leads to the other.
    leads: bool,
}

impl Tracked {
    /// Whether a join to a session with this mark would tell something new, and has room.
    fn may_join(&self, other: &Mark, thing: &Shared) -> bool {
        let mut joined = self.joined.iter();
        let known = joined.find(|it| it.other == other.session && it.by == thing.by);
        let room = self.joined.len() < JOINS_MAX;
        known.map_or(room, |known| known.confidence < thing.confidence)
    }
}

impl Sessions {
    /// Joins a session by what an event of it shares with others.
    pub(super) fn join(
        &mut self,
        uid: SessionUid,
        seen: &Seen<'_>,
        begins: bool,
        changed: &mut Changed,
    ) {
        let event = seen.observation.event;
        let mut shared = Vec::new();
        of_event(event, &mut shared);
        if begins {
            of_beginning(event, &mut shared);
        }
        if let Some(tracked) = self.tracked.get_mut(&uid)
            && tracked.is_elsewhere(event)
        {
            by_network(seen, &mut shared);
        }
        for thing in shared {
            let Some(own) = self.tracked.get(&uid) else {
                continue;
            };
            // Most are joined already, or were there at another time: no look at them is needed.
            let (mine, others) = self.marks.leave(
                thing.key,
                (uid, thing.end),
                event.time_effective,
                thing.within_us,
                |mine, other| thing.is_near(mine, other) && own.may_join(other, &thing),
            );
            // Of a person's many sessions the newest led here; of all else everything belongs
            // together.
            let one = thing.by == JoinBy::Delegation;
            for other in others {
                if self.connect(&mine, &other, &thing, event, changed) && one {
                    break;
                }
            }
        }
    }

    /// Joins two sessions that left a mark of the same thing, if they are near enough.
    fn connect(
        &mut self,
        mine: &Mark,
        other: &Mark,
        thing: &Shared,
        event: &Event,
        changed: &mut Changed,
    ) -> bool {
        let Some((from, to)) = self.direction(mine, other, thing) else {
            return false;
        };
        let (Some(a), Some(b)) = (
            self.tracked.get(&from.session),
            self.tracked.get(&to.session),
        ) else {
            return false;
        };
        let elsewhere = !thing.across || a.session.systems != b.session.systems;
        let same = thing.by == JoinBy::EmailNetwork && a.session.identity == b.session.identity;
        if !elsewhere || same || !near((from, a), (to, b), thing) {
            return false;
        }
        let mut of_a = a.joined.iter();
        let known = of_a.find(|it| it.other == to.session && it.by == thing.by);
        let leads = known.is_none_or(|known| known.leads);
        let room = a.joined.len() < JOINS_MAX && b.joined.len() < JOINS_MAX;
        // What was known by less is known by more from now on.
        let fresh = known.map_or(room, |known| known.confidence < thing.confidence);
        if !fresh {
            return false;
        }
        let (from, to) = if leads { (from, to) } else { (to, from) };
        if thing.by == JoinBy::Queue {
            let edge = QueueEdge {
                from: from.session,
                from_actor: a.session.actor.clone(),
                topic: fact::target_name(event).into(),
                to: to.session,
                to_actor: b.session.actor.clone(),
                at: from.times.ends().1,
            };
            self.note_queue(&edge, changed);
        }
        self.note_join(from.session, to.session, thing);
        changed.joins.push(SessionJoin {
            tenant: event.tenant.clone(),
            from: from.session,
            to: to.session,
            by: thing.by,
            reason: thing.reason.as_str().into(),
            confidence: thing.confidence,
            at: event.time_effective,
        });
        true
    }

    fn note_join(&mut self, from: SessionUid, to: SessionUid, thing: &Shared) {
        for (one, other, leads) in [(from, to, true), (to, from, false)] {
            let Some(tracked) = self.tracked.get_mut(&one) else {
                continue;
            };
            let mut joined = tracked.joined.iter_mut();
            let known = joined.find(|it| it.other == other && it.by == thing.by);
            match known {
                Some(known) => known.confidence = thing.confidence,
                None => tracked.joined.push(Joined {
                    other,
                    by: thing.by,
                    confidence: thing.confidence,
                    leads,
                }),
            }
        }
    }

    fn note_queue(&mut self, edge: &QueueEdge, changed: &mut Changed) {
        for uid in [edge.from, edge.to] {
            if let Some(tracked) = self.tracked.get_mut(&uid)
                && tracked.session.blast.queues.len() < REACHED_MAX
            {
                tracked.session.blast.queues.push(edge.clone());
                changed.touched.insert(uid);
            }
        }
    }

    /// Which led to which; `None` for two of the same end.
    fn direction<'m>(
        &self,
        mine: &'m Mark,
        other: &'m Mark,
        thing: &Shared,
    ) -> Option<(&'m Mark, &'m Mark)> {
        let began = |mark: &Mark| {
            let tracked = self.tracked.get(&mark.session);
            (tracked.map(|tracked| tracked.session.started), mark.session)
        };
        let mine_first = match (mine.end, other.end) {
            (End::Gave, End::Took) | (End::Took, End::Gave) if !thing.leads() => {
                began(mine) < began(other)
            }
            (End::Either, End::Either) => began(mine) < began(other),
            (End::Gave, End::Took) => true,
            (End::Took, End::Gave) => false,
            _ => return None,
        };
        Some(if mine_first {
            (mine, other)
        } else {
            (other, mine)
        })
    }
}

/// Whether two sessions are near enough in time for what they share.
fn near((from, a): (&Mark, &Tracked), (to, b): (&Mark, &Tracked), thing: &Shared) -> bool {
    let whole = |mark: &Mark, tracked: &Tracked| {
        let (first, last) = mark.times.ends();
        let session = &tracked.session;
        Times::of(first.min(session.started), last.max(session.last))
    };
    let within_us = thing.within_us;
    match thing.by {
        _ if thing.is_place() => thing.is_near(from, to),
        // Nothing leads to what was there before, but for clocks that differ.
        JoinBy::Queue => from.times.reach(&to.times, -CLOCKS_US_MAX, within_us),
        _ if thing.leads() => {
            let (first, _) = from.times.ends();
            let (_, last) = whole(from, a).ends();
            Times::of(first, last).reach(&to.times, -CLOCKS_US_MAX, within_us)
        }
        _ => whole(from, a).reach(&whole(to, b), -within_us, within_us),
    }
}

/// What any event may share.
fn of_event(event: &Event, shared: &mut Vec<Shared>) {
    let mapped = &event.mapped;
    if let Some(issued) = mapped.labels.get("issued_credential") {
        shared.push(issues(event, issued));
    } else if mapped.action == Action::CredentialCreate {
        let made = mapped.target_ref.as_ref().or(mapped.target_name.as_ref());
        shared.extend(made.map(|made| issues(event, made)));
    }
    if let Some(trace) = mapped.trace_uid.as_ref().filter(|id| id.len() >= 16) {
        shared.push(Shared {
            key: key_of(event, "trace", [trace, ""]),
            end: End::Either,
            by: JoinBy::Trace,
            reason: format!("both are part of trace {}", fact::cut(trace, 40)),
            confidence: 95,
            within_us: LATENESS_US_MAX,
            across: false,
        });
    }
    let end = match mapped.action {
        Action::MessagePublish => End::Gave,
        Action::MessageConsume => End::Took,
        _ => return,
    };
    let topic = fact::target_name(event);
    shared.push(Shared {
        key: key_of(event, "topic", [&mapped.system, &topic]),
        end,
        by: JoinBy::Queue,
        reason: format!("one published to {topic}, the other consumed from it"),
        confidence: 60,
        within_us: QUEUE_US_MAX,
        across: false,
    });
}

fn issues(event: &Event, credential: &str) -> Shared {
    Shared {
        end: End::Gave,
        ..credential_shared(event, credential)
    }
}

fn credential_shared(event: &Event, credential: &str) -> Shared {
    let shown = fact::cut(credential, 60);
    Shared {
        key: key_of(event, "credential", [&event.mapped.system, credential]),
        end: End::Took,
        by: JoinBy::IssuedCredential,
        reason: format!("{shown} was handed out in one and used in the other"),
        confidence: 98,
        within_us: LATENESS_US_MAX,
        across: false,
    }
}

/// What the event that begins a session shares beyond that.
fn of_beginning(event: &Event, shared: &mut Vec<Shared>) {
    let mapped = &event.mapped;
    if let Some(credential) = &mapped.credential_ref {
        shared.push(credential_shared(event, credential));
    }
    let session = mapped.session_ref.as_ref();
    if let Some(id) = session.filter(|id| id.len() >= SESSION_ID_BYTES_MIN) {
        shared.push(Shared {
            key: key_of(event, "session", [id, ""]),
            end: End::Either,
            by: JoinBy::SessionId,
            reason: format!("both systems name session {}", fact::cut(id, 40)),
            confidence: 90,
            within_us: LATENESS_US_MAX,
            across: true,
        });
    }
    by_delegation(event, shared);
}

fn by_delegation(event: &Event, shared: &mut Vec<Shared>) {
    let mapped = &event.mapped;
    let mut link = |alias: &Alias, end, relation: &str| {
        let value = canonical_value(&alias.namespace, &alias.value);
        let relation = relation.replace('_', " ");
        shared.push(Shared {
            key: key_of(event, "who", [&alias.namespace, &value]),
            end,
            by: JoinBy::Delegation,
            reason: format!("{relation}: {} stands behind it", fact::cut(&value, 60)),
            confidence: 80,
            within_us: BEHALF_US_MAX,
            across: false,
        });
    };
    for behind in mapped.delegation.iter().take(REFERENCES_MAX) {
        link(&behind.alias, End::Took, &behind.relation);
    }
    // Whoever opens a role session gives it a name, mostly their own.
    let named = mapped.labels.get("role_session");
    if let Some(name) = named.filter(|name| name.contains('@')) {
        let behind = Alias {
            namespace: "email".into(),
            value: name.clone(),
        };
        link(&behind, End::Took, "role session of this name");
    }
    for alias in mapped.actor_aliases.iter().take(REFERENCES_MAX) {
        link(alias, End::Gave, "on behalf of");
    }
}

/// What a session shares by where it is.
fn by_network(seen: &Seen<'_>, shared: &mut Vec<Shared>) {
    let event = seen.observation.event;
    let identity = seen.subject.to_string();
    let known = Shared {
        key: 0,
        end: End::Either,
        by: JoinBy::IdentityNetwork,
        reason: String::new(),
        confidence: 75,
        within_us: NETWORK_US_MAX,
        across: true,
    };
    let mut emails = event.mapped.actor_aliases.iter();
    let email = emails.find(|alias| alias.namespace == "email");
    let places = places(event);
    for (network, shown) in &places {
        shared.push(Shared {
            key: key_of(event, "place", [&identity, network]),
            reason: format!("the same identity, both from {shown}, within an hour"),
            ..known
        });
        shared.extend(email.map(|email| Shared {
            key: key_of(
                event,
                "email",
                [
                    &profile::key(&[&email.value.to_lowercase()]).to_string(),
                    network,
                ],
            ),
            end: End::Either,
            by: JoinBy::EmailNetwork,
            reason: format!(
                "{}, both from {shown}, within an hour",
                fact::cut(&email.value, 60)
            ),
            confidence: 60,
            within_us: NETWORK_US_MAX,
            across: true,
        }));
    }
    // A session without a network meets any of the same identity.
    let end = if places.is_empty() {
        End::Took
    } else {
        End::Gave
    };
    shared.push(Shared {
        key: key_of(event, "anywhere", [&identity, ""]),
        end,
        by: JoinBy::IdentityNetwork,
        reason: "the same identity within 15 minutes; one record names no network".to_owned(),
        confidence: 50,
        within_us: NO_NETWORK_US_MAX,
        across: true,
    });
}

/// Where an event came from, each as a key and in words: its AS where the record names one, and its
/// network, because other systems' records name no AS.
fn places(event: &Event) -> Vec<(String, String)> {
    let shown = fact::origin(event).unwrap_or_default();
    let asn = event.mapped.src_asn;
    let asn = asn.map(|asn| (format!("AS{asn}"), shown.clone()));
    let network = fact::network(event).map(|network| {
        let shown = match asn {
            Some(_) => network.to_string(),
            None => shown,
        };
        (network.to_string(), shown)
    });
    asn.into_iter().chain(network).collect()
}
