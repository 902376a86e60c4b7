//! Sessions: lists, one with what is joined to it, what was done next, and where nothing is seen.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::custody::{Subject, SubjectKind};
use deedtrail_core::event::Plane;
use deedtrail_core::id::{IdentityId, SessionUid, SourceName};
use deedtrail_core::port::mapper::SourceFacts;
use deedtrail_core::port::store::{Scope, SessionFilter};
use deedtrail_core::session::{
    BlindSession, GAP_MARKED_US, JoinBy, NextAction, Session, SessionJoin,
};
use deedtrail_core::time::Timestamp;
use serde::Serialize;

use crate::App;
use crate::access::Principal;
use crate::source_name::nearest;
use crate::timeline::ReadingError;

/// Sessions a file holds beside its own; those farther away by joins are left out, which it says.
pub const JOINED_MAX: usize = 24;

/// Sessions whose ids are compared with one that none has.
const NEAR_LOOKED_AT_MAX: usize = 1_000;

/// Joins less sure than this are weak: they are followed from the session itself, not on from those
/// joined to it, since a row of them leads to anything.
pub const WEAK_BELOW: u8 = 60;

/// A join is of the newest part of a session when it was made at most this long before the part
/// began: the longest time between two sessions that a join bridges backwards, µs.
const JOIN_REACH_US: i64 = 12 * Timestamp::HOUR_US;

/// A session with those that are joined to it, by sure joins however many steps away.
#[derive(Clone, Debug)]
pub struct SessionFile {
    pub session: Session,
    /// Oldest first, without the session itself.
    pub joined: Vec<Session>,
    /// Joins among all of them, the surest first.
    pub joins: Vec<SessionJoin>,
    /// There are more than [`JOINED_MAX`].
    pub more: bool,
}

/// One action of a joined timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NextStep {
    pub session: SessionUid,
    pub actor: Text,
    /// Seconds since the action before, where that is more than five minutes.
    pub gap_s: Option<i64>,
    #[serde(flatten)]
    pub act: NextAction,
}

/// Who signs in where nothing is seen.
#[derive(Clone, Debug, Default)]
pub struct BlindMap {
    /// Systems with how many identities go there, the most first.
    pub systems: Vec<(Text, usize)>,
    /// The gravest first, then the latest.
    pub rows: Vec<BlindSession>,
}

/// Why the map of blind sessions has no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NothingBlind {
    NoRecords,
    /// No identity provider has delivered.
    NoSignIns,
    /// Those that were seen lead to where something is seen.
    AllSeen,
}

impl NothingBlind {
    /// Why, and what would fill it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoRecords => "No record has come in yet, so there is no sign-in to follow.",
            Self::NoSignIns => {
                "No identity provider's log has come in, which would tell who signs in where; roles \
                 that were assumed lead to accounts whose log arrives."
            }
            Self::AllSeen => {
                "Every sign-in that was seen leads to a system whose own log arrives; one whose \
                 log does not is told two minutes later, and after `deedtrail ingest` without a \
                 server at its end."
            }
        }
    }
}

/// Whether a join was made in a part of a session that began at `started`: joins name sessions, and
/// a vendor's session that goes on for months has many parts.
fn is_of_part(join: &SessionJoin, started: Timestamp) -> bool {
    join.at >= started.plus_micros(-JOIN_REACH_US)
}

/// The same for those of its sessions that are known.
fn is_of_parts(join: &SessionJoin, known: &BTreeMap<SessionUid, Timestamp>) -> bool {
    let mut ends = [join.from, join.to].into_iter();
    ends.all(|end| {
        known
            .get(&end)
            .is_none_or(|started| is_of_part(join, *started))
    })
}

/// Joins in the order they are told, the surest first. Sessions near each other in one place are all
/// joined to each other: beyond those of `own`, joins that only say so again are left out.
fn told(mut joins: Vec<SessionJoin>, own: SessionUid) -> Vec<SessionJoin> {
    let order = |join: &SessionJoin| {
        let sure = std::cmp::Reverse(join.confidence);
        (sure, join.at, join.from, join.to, join.by)
    };
    let by_place = |join: &SessionJoin| {
        let place = matches!(join.by, JoinBy::IdentityNetwork | JoinBy::EmailNetwork);
        place && join.from != own && join.to != own
    };
    joins.sort_by_key(|join| (by_place(join), order(join)));
    let mut groups: Vec<BTreeSet<SessionUid>> = Vec::new();
    joins.retain(|join| {
        let ends = [join.from, join.to];
        let (mut reached, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut groups)
            .into_iter()
            .partition(|group| ends.iter().any(|end| group.contains(end)));
        let known = reached
            .iter()
            .any(|group| ends.iter().all(|end| group.contains(end)));
        let one: BTreeSet<_> = reached.drain(..).flatten().chain(ends).collect();
        groups = rest;
        groups.push(one);
        !(known && by_place(join))
    });
    joins.sort_by_key(order);
    joins
}

impl SessionFile {
    /// The session and all that are joined to it, oldest first.
    pub fn all(&self) -> Vec<&Session> {
        let mut all: Vec<&Session> = self.joined.iter().collect();
        all.push(&self.session);
        all.sort_by_key(|session| (session.started, session.part, session.uid));
        all
    }

    /// What was done in all of them, in order, with pauses marked.
    pub fn next_steps(&self) -> Vec<NextStep> {
        let all = self.all().into_iter();
        let acts = all.flat_map(|session| session.next.iter().map(move |act| (session, act)));
        let mut acts: Vec<_> = acts.collect();
        acts.sort_by_key(|(_, act)| (act.at, act.log_seq, act.event_uid));
        let mut until = None;
        let steps = acts.into_iter().map(|(session, act)| {
            let pause = until.map(|until| act.at.micros_since(until));
            let gap = pause.filter(|pause| *pause > GAP_MARKED_US);
            until = until.max(Some(act.until));
            NextStep {
                session: session.uid,
                actor: session.actor.clone(),
                gap_s: gap.map(|us| us / 1_000_000),
                act: act.clone(),
            }
        });
        steps.collect()
    }
}

impl App {
    /// Latest active first.
    pub fn sessions(
        &self,
        principal: &Principal,
        filter: &SessionFilter,
        limit: usize,
    ) -> Result<Vec<Session>, ReadingError> {
        principal.require(Scope::Read)?;
        let filter = SessionFilter {
            tenant: principal.tenant.clone(),
            ..filter.clone()
        };
        Ok(self.ports.store.sessions(&filter, limit)?)
    }

    /// One session by itself; `None` when it is not kept.
    pub fn session(
        &self,
        principal: &Principal,
        uid: SessionUid,
    ) -> Result<Option<Session>, ReadingError> {
        principal.require(Scope::Read)?;
        Ok(self.ports.store.session(&principal.tenant, uid)?)
    }

    /// One session with what is joined to it, found by going from join to join. It is taken down
    /// who opened it.
    pub fn session_file(
        &self,
        principal: &Principal,
        uid: SessionUid,
    ) -> Result<SessionFile, ReadingError> {
        principal.require(Scope::Read)?;
        let (store, tenant) = (&self.ports.store, &principal.tenant);
        let session = store.session(tenant, uid)?;
        let Some(session) = session else {
            let near = self.sessions_nearly(principal, &uid.to_string())?;
            return Err(ReadingError::NoSession { id: uid, near });
        };
        self.viewed(principal, Subject::new(SubjectKind::Session, uid));
        let mut known = BTreeMap::from([(uid, session.started)]);
        let mut fresh = vec![uid];
        let mut joins: BTreeMap<_, SessionJoin> = BTreeMap::new();
        let mut joined = Vec::new();
        let mut more = false;
        while !fresh.is_empty() {
            let found = store.session_joins(tenant, &fresh)?;
            fresh.clear();
            for join in found {
                let own = join.from == uid || join.to == uid;
                let leads_on = own || join.confidence >= WEAK_BELOW;
                for end in [join.from, join.to] {
                    if !leads_on || known.contains_key(&end) || !is_of_parts(&join, &known) {
                        continue;
                    }
                    let other = store.session(tenant, end)?;
                    let Some(other) = other.filter(|it| is_of_part(&join, it.started)) else {
                        continue;
                    };
                    if joined.len() >= JOINED_MAX {
                        more = true;
                        continue;
                    }
                    known.insert(end, other.started);
                    fresh.push(end);
                    joined.push(other);
                }
                joins.insert((join.from, join.to, join.by), join);
            }
        }
        joins.retain(|(from, to, _), join| {
            known.contains_key(from) && known.contains_key(to) && is_of_parts(join, &known)
        });
        let joins = told(joins.into_values().collect(), uid);
        joined.sort_by_key(|session| (session.started, session.part, session.uid));
        Ok(SessionFile {
            session,
            joined,
            joins,
            more,
        })
    }

    /// Sessions whose id comes close to what somebody typed, of those that were active last.
    pub fn sessions_nearly(
        &self,
        principal: &Principal,
        typed: &str,
    ) -> Result<Vec<SessionUid>, ReadingError> {
        let newest = self.sessions(principal, &SessionFilter::default(), NEAR_LOOKED_AT_MAX)?;
        let ids = newest.iter().map(|session| session.uid);
        let mut ids: Vec<(String, SessionUid)> = ids.map(|uid| (uid.to_string(), uid)).collect();
        ids.dedup();
        let near = nearest(typed, ids, |(text, _)| text);
        Ok(near.into_iter().map(|(_, uid)| uid).collect())
    }

    /// Why the map of blind sessions has no row, when it has none.
    pub fn nothing_blind(&self, principal: &Principal) -> Result<NothingBlind, ReadingError> {
        principal.require(Scope::Read)?;
        let health = self.ports.store.source_health()?;
        let delivered: BTreeSet<&SourceName> = health
            .iter()
            .filter(|it| it.tenant == principal.tenant && it.records > 0)
            .map(|it| &it.source)
            .collect();
        if delivered.is_empty() {
            return Ok(NothingBlind::NoRecords);
        }
        let tells = |facts: &SourceFacts| {
            let mut planes = facts.planes.iter();
            delivered.contains(&facts.name)
                && planes.any(|plane| plane == Plane::IdentityProvider.name())
        };
        let sources = self.ports.mapper.sources();
        Ok(if sources.iter().any(tells) {
            NothingBlind::AllSeen
        } else {
            NothingBlind::NoSignIns
        })
    }

    /// Who signs in where nothing is seen: at most `limit` rows.
    pub fn blind_map(&self, principal: &Principal, limit: usize) -> Result<BlindMap, ReadingError> {
        principal.require(Scope::Read)?;
        let rows = self.ports.store.blind_sessions(&principal.tenant, limit)?;
        let mut who: BTreeMap<&Text, BTreeSet<IdentityId>> = BTreeMap::new();
        for row in &rows {
            who.entry(&row.system).or_default().insert(row.identity);
        }
        let systems = who
            .iter()
            .map(|(system, who)| ((*system).clone(), who.len()));
        let mut systems: Vec<_> = systems.collect();
        systems.sort_by_key(|(system, count)| (std::cmp::Reverse(*count), system.clone()));
        Ok(BlindMap { systems, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deedtrail_core::id::TenantId;

    fn uid(name: u8) -> SessionUid {
        SessionUid::from_bytes([name; 16])
    }

    fn join(from: u8, to: u8, by: JoinBy, confidence: u8) -> SessionJoin {
        SessionJoin {
            tenant: TenantId::default(),
            from: uid(from),
            to: uid(to),
            by,
            reason: Text::default(),
            confidence,
            at: Timestamp::from_micros(i64::from(from)),
        }
    }

    #[test]
    fn joins_by_place_that_say_nothing_new_are_left_out() {
        let place = |from, to| join(from, to, JoinBy::IdentityNetwork, 75);
        let trace = join(2, 4, JoinBy::Trace, 95);
        // Four sessions in one place: six pairs.
        let all = vec![
            place(1, 2),
            place(1, 3),
            place(1, 4),
            place(2, 3),
            place(2, 4),
            place(3, 4),
            trace.clone(),
        ];
        let ends = |joins: &[SessionJoin]| -> Vec<_> {
            let ends = joins.iter().map(|join| (join.from, join.to, join.by));
            ends.collect()
        };
        let of_one = told(all.clone(), uid(1));
        let by = JoinBy::IdentityNetwork;
        let own = [
            (uid(1), uid(2), by),
            (uid(1), uid(3), by),
            (uid(1), uid(4), by),
        ];
        assert_eq!(of_one[0], trace, "the surest first, and never left out");
        assert_eq!(ends(&of_one[1..]), own);
        // Seen from elsewhere: as many as hold them together.
        let from_elsewhere = told(all, uid(9));
        assert_eq!(from_elsewhere.len(), 3, "{:?}", ends(&from_elsewhere));
    }
}
