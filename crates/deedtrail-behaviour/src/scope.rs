//! Whether a call is within what the identity declares and what the job takes.
//!
//! Two questions, of which the more surprising answer counts: how usual it is for the identity or
//! its peers to act outside the declared tools, reading or changing things; and which share of
//! earlier sessions with the same job used that operation. Adding the two counts one fact twice:
//! measured, the attacker's call was then ranked first in 95 to 98 % of sessions instead of 98 to
//! 100 %.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::entity::Place;
use deedtrail_core::id::{IdentityId, SessionUid};
use serde::{Deserialize, Serialize};

use crate::argument::{group_name, job, name};
use crate::assessment::{TermKind, Terms};
use crate::kept::Kept;
use crate::limits::GROUPS_MAX;
use crate::part::{Lesson, Part};
use crate::sequence::{Contexts, probability};
use crate::step::Step;
use crate::table::Counts;

/// Most calls of one session that are learned.
const CALLS_MAX: u16 = 4_096;
/// Counts are halved after this many days.
const HALVED_DAYS: u16 = 30;
/// Counts a session of a job, beside the operations it used.
const SESSIONS: u32 = 1;
/// Added to how often an operation was used, so that nothing is impossible.
const UNSEEN: f64 = 0.5;

/// Where a call stands to what is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Inside = 1,
    OutsideRead = 2,
    OutsideWrite = 3,
}

/// Declared tools and jobs, of every open session and every identity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scope {
    open: BTreeMap<SessionUid, Session>,
    own: Kept<IdentityId, Counts>,
    peers: BTreeMap<Text, Peers>,
}

/// What peers did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Peers {
    counts: Counts,
    /// Day on which counts were last halved.
    halved: u16,
}

/// What an open session did so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Session {
    identity: IdentityId,
    group: Text,
    day: u16,
    /// Context of its job.
    job: Option<u32>,
    /// How often it stood inside, outside reading and outside changing.
    standings: [u16; 3],
    operations: BTreeSet<u32>,
}

impl Part for Scope {
    fn score(&mut self, step: &Step<'_>, terms: &mut Terms) {
        let mapped = &step.event.mapped;
        let asked = mapped
            .mentions
            .iter()
            .find(|one| one.place == Place::Request);
        let is_call = mapped
            .mentions
            .iter()
            .any(|one| one.place == Place::Argument);
        let declared = !step.subject.declared_tools.is_empty();
        let known = self.open.contains_key(&step.session);
        if asked.is_none() && !(is_call || declared && mapped.meaningful) && !known {
            return;
        }
        self.own.wake(&step.subject.identity);
        let new = || Session {
            identity: step.subject.identity,
            group: group_name(step.subject.peer_group),
            day: 0,
            job: None,
            standings: [0; 3],
            operations: BTreeSet::new(),
        };
        let mut session = self.open.remove(&step.session).unwrap_or_else(new);
        session.day = u16::try_from(step.event.time_effective.utc_day()).unwrap_or_default();
        if let (None, Some(asked)) = (session.job, asked) {
            session.job = job(&asked.entities).map(folded);
        }
        if mapped.meaningful {
            self.judge(&mut session, step, terms);
        }
        self.open.insert(step.session, session);
    }

    fn close(&mut self, session: SessionUid, lesson: Lesson) {
        let Some(session) = self.open.remove(&session) else {
            return;
        };
        if lesson == Lesson::Forget {
            return;
        }
        learn(
            self.own
                .get_or_insert_with(session.identity, Counts::default),
            &session,
        );
        let room = self.peers.len() < GROUPS_MAX || self.peers.contains_key(&session.group);
        if room && !session.group.is_empty() {
            let peers = self.peers.entry(session.group.clone()).or_default();
            if session.day.saturating_sub(peers.halved) >= HALVED_DAYS {
                peers.counts.halve(session.day);
                peers.halved = session.day;
            }
            learn(&mut peers.counts, &session);
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
                .get_or_insert_with(kept, Counts::default)
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
        self.open.retain(|_, session| session.identity != identity);
    }

    fn bytes(&self, identity: IdentityId) -> usize {
        self.own.get(&identity).map_or(0, |own| own.bytes())
    }
}

impl Scope {
    fn judge(&self, session: &mut Session, step: &Step<'_>, terms: &mut Terms) {
        let own = self.own.get(&session.identity);
        let peers = self.peers.get(&session.group).map(|peers| &peers.counts);
        let operation = named(&step.event.mapped.operation);
        let own = own.as_deref();
        let standing = standing(step).map(|standing| {
            let nats = -rate(own, peers, standing).ln();
            (nats, standing)
        });
        let job = session
            .job
            .and_then(|job| of_job(own, peers, job, operation));
        if let Some((_, standing)) = standing {
            let times = &mut session.standings[standing as usize - 1];
            *times = times.saturating_add(1).min(CALLS_MAX);
        }
        if session.operations.len() < usize::from(CALLS_MAX) {
            session.operations.insert(operation);
        }
        let of_job = job.map_or(0.0, OfJob::nats);
        let of_standing = standing.map_or(0.0, |(nats, _)| nats);
        let tool = &step.event.mapped.operation;
        if of_job > of_standing {
            terms.add(TermKind::Scope, of_job, || {
                let (used, sessions) = job.map_or((0, 0), |job| (job.used, job.sessions));
                format!("`{tool}` was used in {used} of {sessions} earlier sessions of this job")
            });
        } else if let Some((nats, standing)) = standing {
            terms.add(TermKind::Scope, nats, || said(tool, standing, nats));
        }
    }
}

fn said(tool: &str, standing: Standing, nats: f64) -> String {
    let percent = (-nats).exp() * 100.0;
    let what = match standing {
        Standing::Inside => {
            return format!("`{tool}` is inside the declared set, as {percent:.1} % of calls are");
        }
        Standing::OutsideRead => "reads",
        Standing::OutsideWrite => "changes things",
    };
    format!("`{tool}` is outside this job's declared set and {what}: {percent:.1} % of calls do")
}

/// Where the call stands; `None` where nothing is declared, or nothing was called.
fn standing(step: &Step<'_>) -> Option<Standing> {
    let declared = step.subject.declared_tools;
    if declared.is_empty() {
        return None;
    }
    let mapped = &step.event.mapped;
    Some(if declared.contains(&mapped.operation) {
        Standing::Inside
    } else if matches!(mapped.action, Action::Read | Action::Enumerate) {
        Standing::OutsideRead
    } else {
        Standing::OutsideWrite
    })
}

/// How usual a standing is; by PPM-C, peers below the identity itself.
fn rate(own: Option<&Counts>, peers: Option<&Counts>, standing: Standing) -> f64 {
    /// Of three standings, before anything is known.
    const EACH: f64 = 1.0 / 3.0;
    let contexts = Contexts::after(&[], 0);
    let of = |counts: Option<&Counts>, below: f64| match counts {
        Some(counts) => probability(counts, &contexts, standing as u32, || below),
        None => below,
    };
    of(own, of(peers, EACH))
}

/// How earlier sessions of a job used an operation.
#[derive(Clone, Copy, Debug)]
struct OfJob {
    used: u16,
    sessions: u16,
}

impl OfJob {
    fn nats(self) -> f64 {
        let share = (f64::from(self.used) + UNSEEN) / (f64::from(self.sessions) + 1.0);
        -share.min(1.0).ln()
    }
}

/// What peers, else the identity itself, did for that job; `None` if it is new.
fn of_job(own: Option<&Counts>, peers: Option<&Counts>, job: u32, operation: u32) -> Option<OfJob> {
    let counts = peers.or(own)?;
    let sessions = counts.count(job, SESSIONS);
    (sessions > 0).then(|| OfJob {
        used: counts.count(job, operation),
        sessions,
    })
}

fn learn(counts: &mut Counts, session: &Session) {
    for context in Contexts::after(&[], 0).hashes() {
        for (symbol, times) in (1..).zip(session.standings) {
            for _ in 0..times {
                counts.add(*context, symbol, session.day);
            }
        }
    }
    if let Some(job) = session.job {
        counts.add(job, SESSIONS, session.day);
        for operation in &session.operations {
            counts.add(job, *operation, session.day);
        }
    }
}

/// An operation as a symbol; never one of the reserved ones.
fn named(operation: &str) -> u32 {
    name(operation).max(SESSIONS + 1)
}

/// A job's key as a context.
fn folded(job: u64) -> u32 {
    u32::try_from(job >> 32).unwrap_or_default()
}
