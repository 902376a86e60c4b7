//! The engine: open sessions, what is known of identities and groups, and the threshold.

mod ending;
mod feedback;
mod provenance;
mod room;
mod state;
mod stream;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use deedtrail_core::Text;
use deedtrail_core::behaviour::{
    ActiveDay, BudgetForecast, Drift, Forecast, IdentityBehaviour, Readiness,
};
use deedtrail_core::id::{EventUid, IdentityId, SessionUid, SourceName, TenantId};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::assessment::{Assessment, Moment, Terms};
use crate::budget::Allowance;
use crate::calibration::Calibration;
use crate::dictionary::Dictionary;
use crate::explanation::assessment;
use crate::forecast::Scored;
use crate::hashed::Hashed;
use crate::kept::{Kept, Seen};
use crate::limits::{GROUP_BYTES_MAX, GROUPS_MAX, SESSION_EVENTS_MAX};
use crate::model::{Model, depth};
use crate::part::Parts;
use crate::sequence::Contexts;
use crate::session::{Open, Top};
use crate::settings::{Budget, Learning, Settings};
use crate::step::Step;
use crate::subject::{Group, Known};
use ending::event_pattern;
use feedback::Answerable;
pub use feedback::Disposition;
pub use state::RestoreError;

/// What the next action counts for beside the other terms of an event.
const SEQUENCE_SHARE: f64 = 0.5;
/// Sessions an identity must have learned before its scores count for anything.
const LEARNED_SESSIONS_MIN: u32 = 20;
/// The same for a group of peers that vouches for an identity with fewer.
const LEARNED_GROUP_SESSIONS_MIN: u32 = 200;
/// Scores before a stratum of identities or groups has a threshold of its own.
const STRATUM_SESSIONS_MIN: u32 = 200;
/// Scores before the tenant has a threshold.
const TENANT_SESSIONS_MIN: u32 = 50;

/// Learned behaviour of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Behaviour {
    settings: Settings,
    dictionary: Dictionary,
    identities: Kept<IdentityId, Known>,
    groups: BTreeMap<Text, Group>,
    calibration: Calibration,
    allowance: Allowance,
    sessions: Hashed<SessionUid, Open>,
    /// Open sessions by identity, each with the source it began in.
    streams: Hashed<IdentityId, Vec<(SourceName, SessionUid)>>,
    /// Events in open sessions.
    open_events: usize,
    /// Assessments of sessions that ended by themselves, told with the next tick.
    ended: Vec<Assessment>,
    answerable: VecDeque<Answerable>,
    scored: Scored,
    /// Whose drift may be another one since that was asked for.
    drifting: BTreeSet<IdentityId>,
    parts: Parts,
}

impl Behaviour {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// Changes what the operator decides; what was learned stays.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Scores one event. An assessment comes when this event alone makes its session an
    /// alert, or one more case of what alerted that day.
    pub fn observe(&mut self, step: &Step<'_>) -> Option<Assessment> {
        let at = step.event.time_effective;
        if self.interrupts(step) {
            let ended = self.end_by_itself(step.session);
            self.hand_over(ended);
        }
        self.end_outlived(step);
        self.make_room();
        if !self.sessions.contains_key(&step.session) {
            self.note_stream(step.subject.identity, &step.event.source, step.session);
        }
        let symbol = self.dictionary.symbol(step.event);
        let group = self.group_name(step.subject.peer_group);
        self.know(step, &group);
        let begins = || open(step, group);
        let open = self.sessions.get_or_insert_with(step.session, begins);
        let known = self.identities.get(&open.identity)?;
        let peers = self.groups.get(&open.group).map(|group| &group.model);
        let contexts = Contexts::after(&open.symbols, depth(open.kind));
        let mut terms = Terms::of(step.event.event_uid);
        let nats = known.model.nats(peers, &contexts, symbol);
        let sequence_nats = SEQUENCE_SHARE * nats;
        for part in self.parts.each() {
            part.score(step, &mut terms);
        }
        let top = Top {
            nats: sequence_nats + terms.nats,
            sequence_nats,
            place: open.symbols.len(),
            event: step.event.event_uid,
            told: terms.told,
        };
        open.symbols.push(symbol);
        open.sequence_nats += nats;
        self.open_events += 1;
        open.last = open.last.max(at);
        open.received = open.received.max(step.event.time_received);
        open.newest = step.event.event_uid;
        open.held |= terms.held;
        if top.nats <= open.top.nats {
            return None;
        }
        open.top = top;
        self.alert_early(step.session, at)
    }

    /// What is to be told of sessions that ended by themselves.
    pub fn take_ended(&mut self) -> Vec<Assessment> {
        std::mem::take(&mut self.ended)
    }

    /// Ends sessions that were idle too long at `now`, and tells of those that ended by themselves.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Assessment> {
        let idle = |(session, open): (&SessionUid, &Open)| {
            (open.idle_at() <= now).then_some((open.last, *session))
        };
        let mut due: Vec<_> = self.sessions.unordered().filter_map(idle).collect();
        due.sort_unstable();
        let mut told = std::mem::take(&mut self.ended);
        told.extend(
            due.into_iter()
                .filter_map(|(_, session)| self.end_by_itself(session)),
        );
        told
    }

    /// The most surprising event of an open session so far.
    pub fn top(&self, session: SessionUid) -> Option<EventUid> {
        self.sessions.get(&session).map(|open| open.top.event)
    }

    /// Whose drift may be another one since this was last called; who is not `asked` for stays.
    pub fn take_drifting(&mut self, asked: impl Fn(IdentityId) -> bool) -> BTreeSet<IdentityId> {
        let drifting = std::mem::take(&mut self.drifting);
        let (taken, left) = drifting.into_iter().partition(|identity| asked(*identity));
        self.drifting = left;
        taken
    }

    /// How an identity drifts; `None` while there is nothing to compare with.
    pub fn drift(&self, identity: IdentityId) -> Option<Drift> {
        let known = self.identities.get(&identity)?;
        known.drift.told(|symbol| self.dictionary.label(symbol))
    }

    /// What the identity lacks to be judged.
    pub fn readiness(&self, identity: IdentityId) -> Readiness {
        let Some(known) = self.identities.get(&identity) else {
            return Readiness {
                sessions_needed: LEARNED_SESSIONS_MIN,
                ..Readiness::default()
            };
        };
        let group = self.groups.get(&known.group);
        let peer_sessions = group.map_or(0, |group| group.model.sessions());
        Readiness {
            sessions: known.model.sessions(),
            peer_sessions,
            sessions_needed: LEARNED_SESSIONS_MIN,
            sequence: known.model.sessions() >= LEARNED_SESSIONS_MIN
                || peer_sessions >= LEARNED_GROUP_SESSIONS_MIN,
            threshold: self.stratum(&known).sessions() >= TENANT_SESSIONS_MIN,
        }
    }

    /// What budgets of so many alerts a day would have let through of the sessions of the last 30
    /// days, if everything else had been the same; `None` before the first that could be judged.
    pub fn forecast(&self, tenant: &TenantId, per_day: &[u32]) -> Option<Forecast> {
        let (days, newest) = self.scored.days();
        let sessions = self.scored.sessions();
        let a_day = f64::from(sessions) / f64::from(days.max(1));
        let alerts = |per_day: &u32| BudgetForecast {
            per_day: *per_day,
            alerts: self.scored.alerts(Budget::PerDay((*per_day).into()), a_day),
        };
        (days > 0).then(|| Forecast {
            tenant: tenant.clone(),
            at: Timestamp::from_micros(i64::from(newest) * Timestamp::DAY_US),
            days,
            sessions,
            in_force: match self.settings.budget {
                Budget::PerDay(alerts) => alerts,
                Budget::Share(share) => share * a_day,
            },
            budgets: per_day.iter().map(alerts).collect(),
        })
    }

    /// What is known of an identity, to be kept and shown; `None` before its first event.
    pub fn known(&self, tenant: &TenantId, identity: IdentityId) -> Option<IdentityBehaviour> {
        let known = self.identities.get(&identity)?;
        Some(IdentityBehaviour {
            tenant: tenant.clone(),
            identity,
            at: known.last,
            days: known
                .days
                .iter()
                .map(|(day, events)| ActiveDay {
                    day: *day,
                    events: *events,
                })
                .collect(),
            unusual: Vec::new(),
            sources: Vec::new(),
            chartered: false,
            peer_group: known.group.clone(),
            readiness: self.readiness(identity),
            drift: self.drift(identity),
        })
    }

    /// What was learned of an identity.
    pub fn model(&self, identity: IdentityId) -> Option<Model> {
        let known = self.identities.get(&identity)?;
        Some(known.model.clone())
    }

    /// Bytes held for an identity.
    pub fn bytes(&self, identity: IdentityId) -> usize {
        let known = self
            .identities
            .get(&identity)
            .map_or(0, |known| known.bytes());
        known + self.parts.bytes(identity)
    }

    /// The scores this identity is compared with: its own, else its peers', else the tenant's.
    fn stratum<'a>(&'a self, known: &'a Known) -> &'a Calibration {
        let enough = |calibration: &&Calibration| calibration.sessions() >= STRATUM_SESSIONS_MIN;
        let peers = self
            .groups
            .get(&known.group)
            .map(|group| &group.calibration);
        let own = Some(&known.calibration).filter(enough);
        own.or(peers.filter(enough)).unwrap_or(&self.calibration)
    }

    /// Whether the open session of that key cannot be the one the step belongs to.
    fn interrupts(&self, step: &Step<'_>) -> bool {
        self.sessions.get(&step.session).is_some_and(|open| {
            open.left_behind(step.event.time_effective)
                || open.symbols.len() >= SESSION_EVENTS_MAX
                || open.identity != step.subject.identity
        })
    }

    /// The name peers are kept under; empty when there is no room for another group.
    fn group_name(&self, name: &str) -> Text {
        let cut = name.floor_char_boundary(GROUP_BYTES_MAX);
        let name = name.get(..cut).unwrap_or_default();
        if self.groups.contains_key(name) || self.groups.len() < GROUPS_MAX {
            Text::new(name)
        } else {
            Text::default()
        }
    }

    fn know(&mut self, step: &Step<'_>, group: &Text) {
        let day = day_of(step.event.time_effective);
        let subject = &step.subject;
        let new = || Known::new(subject.kind, day);
        let known = self.identities.get_or_insert_with(subject.identity, new);
        known.last = known.last.max(step.event.time_effective);
        known.count(day, 1);
        known.kind = subject.kind;
        if known.group != *group {
            known.group = group.clone();
        }
        if !group.is_empty() && !self.groups.contains_key(group) {
            self.groups.insert(group.clone(), Group::default());
        }
    }

    fn alert_early(&mut self, session: SessionUid, at: Timestamp) -> Option<Assessment> {
        let open = self.sessions.get(&session).filter(|open| !open.alerted)?;
        let known = self.identities.get(&open.identity)?;
        if open.top.nats < self.settings.floor_nats || !self.readiness(open.identity).ready() {
            return None;
        }
        let stratum = self.stratum(&known);
        let score_nats = -stratum.event.p(open.top.nats).ln();
        let p = stratum.session.p(score_nats);
        let open = self.sessions.get_mut(&session)?;
        open.rarest = open.rarest.min(p);
        let open = self.sessions.get(&session)?;
        if p >= self.allowance.alerting(self.settings.budget) {
            return None;
        }
        let (pattern, day) = (event_pattern(open), day_of(open.last));
        let group = self.groups.get(&open.group);
        let deploys = group.is_some_and(|group| group.deploys(pattern, day));
        let repeats = known.was_told(pattern, day);
        if deploys || (repeats && open.repeated) {
            return None;
        }
        let mut assessment = assessment(session, open, Moment::Event);
        self.explain(open, &mut assessment);
        assessment.at = at;
        assessment.score_nats = score_nats;
        assessment.p = p;
        assessment.alerts = !repeats;
        assessment.repeats = repeats;
        assessment.pattern = pattern;
        if !repeats && let Some(known) = self.identities.get_mut(&open.identity) {
            known.tell(pattern, day);
        }
        if let Some(open) = self.sessions.get_mut(&session) {
            open.alerted |= !repeats;
            open.repeated |= repeats;
        }
        Some(assessment)
    }

    /// What the session is judged by: its identity's model and its peers'.
    pub(crate) fn models(&self, open: &Open) -> Option<(Seen<'_, Known>, Option<&Model>)> {
        let known = self.identities.get(&open.identity)?;
        let peers = self.groups.get(&open.group).map(|group| &group.model);
        Some((known, peers))
    }

    pub(crate) fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    fn learns(&self) -> bool {
        self.settings.learning != Learning::Paused
    }
}

fn open(step: &Step<'_>, group: Text) -> Open {
    Open {
        identity: step.subject.identity,
        kind: step.subject.kind,
        group,
        last: step.event.time_effective,
        received: step.event.time_received,
        symbols: Vec::new(),
        sequence_nats: 0.0,
        top: Top {
            nats: -1.0,
            sequence_nats: 0.0,
            place: 0,
            event: step.event.event_uid,
            told: Vec::new(),
        },
        newest: step.event.event_uid,
        alerted: false,
        repeated: false,
        rarest: 1.0,
        held: false,
    }
}

/// Days since 1970, as counts keep them.
pub(crate) fn day_of(at: Timestamp) -> u16 {
    u16::try_from(at.utc_day().max(0)).unwrap_or(u16::MAX)
}
