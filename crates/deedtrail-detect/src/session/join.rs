//! Which sessions belong together, by what, and how sure that is.

use deedtrail_core::action::Action;
use deedtrail_core::event::{Alias, Event};
use deedtrail_core::id::SessionUid;
use deedtrail_core::namespace::canonical_value;
use deedtrail_core::session::{JOINS_MAX, JoinBy, QueueEdge, REACHED_MAX, SessionJoin};
use deedtrail_core::time::Timestamp;

use super::mark::{End, Mark};
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
            of_beginning(seen, &mut shared);
        }
        for thing in shared {
            let mark = Mark {
                session: uid,
                at: event.time_effective,
                end: thing.end,
            };
            let others = self.marks.leave(thing.key, mark).into_iter();
            // Of a person's many sessions the newest led here; of a trace all belong together.
            let one = matches!(
                thing.by,
                JoinBy::Delegation | JoinBy::IdentityNetwork | JoinBy::EmailNetwork
            );
            for other in others {
                if self.connect(mark, other, &thing, event, changed) && one {
                    break;
                }
            }
        }
    }

    /// Joins two sessions that left a mark of the same thing, if they are near enough.
    fn connect(
        &mut self,
        mine: Mark,
        other: Mark,
        thing: &Shared,
        event: &Event,
        changed: &mut Changed,
    ) -> bool {
        let Some((from, to)) = direction(mine, other) else {
            return false;
        };
        let (Some(a), Some(b)) = (
            self.tracked.get(&from.session),
            self.tracked.get(&to.session),
        ) else {
            return false;
        };
        let (from_last, to_start) = (a.session.last.max(from.at), b.session.started.min(to.at));
        let apart = to_start.micros_since(from_last);
        let leads = matches!(
            thing.by,
            JoinBy::Delegation | JoinBy::IssuedCredential | JoinBy::Queue
        );
        // Nothing leads to what was there before, but for clocks that differ.
        let before_us = if leads {
            CLOCKS_US_MAX
        } else {
            thing.within_us
        };
        let near = apart <= thing.within_us && from.at.micros_since(to.at) <= before_us;
        let elsewhere = !thing.across || a.session.systems != b.session.systems;
        let known = a.joined.contains(&(to.session, thing.by));
        let room = a.joined.len() < JOINS_MAX && b.joined.len() < JOINS_MAX;
        let same = thing.by == JoinBy::EmailNetwork && a.session.identity == b.session.identity;
        if !(near && elsewhere && !known && room) || same {
            return false;
        }
        if thing.by == JoinBy::Queue {
            let edge = QueueEdge {
                from: from.session,
                from_actor: a.session.actor.clone(),
                topic: fact::target_name(event).into(),
                to: to.session,
                to_actor: b.session.actor.clone(),
                at: from.at,
            };
            self.note_queue(&edge, changed);
        }
        for (one, two) in [(from.session, to.session), (to.session, from.session)] {
            if let Some(tracked) = self.tracked.get_mut(&one) {
                tracked.joined.push((two, thing.by));
            }
        }
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
}

/// Which led to which; `None` for two of the same end.
fn direction(mine: Mark, other: Mark) -> Option<(Mark, Mark)> {
    let mine_first = match (mine.end, other.end) {
        (End::Either, End::Either) => mine.at < other.at,
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
fn of_beginning(seen: &Seen<'_>, shared: &mut Vec<Shared>) {
    let event = seen.observation.event;
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
    by_network(seen, shared);
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
