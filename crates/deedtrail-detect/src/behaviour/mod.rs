//! Learned behaviour, told as findings: what a session did that its identity never does, how an
//! identity drifts, and what a whole group began at once (docs/reference/behaviour.md).

mod known;
mod told;
mod weight;

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_behaviour::{Assessment, Behaviour, Budget, Moment, Step, Subject};
use deedtrail_core::Text;
use deedtrail_core::behaviour::{Drift, Forecast, IdentityBehaviour};
use deedtrail_core::event::{ActorKind, Provenance};
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::id::{FindingId, IdentityId, SessionUid, TenantId};
use deedtrail_core::identity::Identity;
use deedtrail_core::session::{SessionDeparture, ToldBy};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

pub use deedtrail_behaviour::Disposition;

use known::{Known, unusual_on};
use weight::{Fate, Held, Stretch, Weighed};

use crate::detector::draft;
use crate::limits::PROFILES_MAX;
use crate::{Observation, Settings, fact, profile};

/// What finds them.
pub(crate) const BEHAVIOUR: &str = "code/behaviour";
/// Nats that an action or the shape of a session must reach: one in 22,000. What is rarer than the
/// budget lets pass and yet nothing much is not told.
const FLOOR_NATS: f64 = 10.0;
/// Open sessions that are remembered; a departure of a further one is a finding that lists no event.
const STRETCHES_MAX: usize = 100_000;
/// Days after which a drift that goes on is told again.
const DRIFT_DAYS: i64 = 14;

/// Alerts a day that a forecast is made for.
const BUDGETS: [u32; 6] = [1, 2, 5, 10, 20, 50];

/// What is known of those who acted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BehaviourChanges {
    pub identities: Vec<IdentityBehaviour>,
    pub forecasts: Vec<Forecast>,
}

/// Learned behaviour of all tenants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watch {
    tenants: BTreeMap<TenantId, Behaviour>,
    /// What each open session did beside departing.
    stretches: BTreeMap<SessionUid, Stretch>,
    /// Who acts, for what is told later, and the day on which their drift was last told.
    known: BTreeMap<IdentityId, Known>,
    /// Newest day whose drift was looked at.
    day: i64,
    /// Where the arguments of the newest event came from.
    #[serde(skip)]
    provenances: Vec<Provenance>,
}

/// A session that departs from what is learned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Departed {
    pub(crate) session: SessionUid,
    pub(crate) departure: SessionDeparture,
    /// The finding it is, where it has weight and no other finding tells it.
    pub(crate) draft: Option<FindingDraft>,
}

/// What a tick leads to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticked {
    pub(crate) departed: Vec<Departed>,
    pub(crate) drifts: Vec<FindingDraft>,
}

/// What everybody of a tenant does, as far as the operator lets it alert.
fn settings_of(settings: &Settings) -> deedtrail_behaviour::Settings {
    deedtrail_behaviour::Settings {
        budget: Budget::PerDay(f64::from(settings.behaviour_alerts_per_day)),
        floor_nats: FLOOR_NATS,
        ..deedtrail_behaviour::Settings::default()
    }
}

impl Watch {
    /// Packs what is known of those who were quiet since this was last called.
    pub(crate) fn pack_quiet(&mut self) {
        for behaviour in self.tenants.values_mut() {
            behaviour.pack_quiet();
        }
    }

    /// Takes the operator's settings over, after a restart too.
    pub(crate) fn set(&mut self, settings: &Settings) {
        for behaviour in self.tenants.values_mut() {
            behaviour.set(settings_of(settings));
        }
    }

    /// Scores one event of a session that an identity has.
    pub(crate) fn observe(
        &mut self,
        observation: &Observation<'_>,
        settings: &Settings,
        (found, days_of_action): (&[FindingDraft], u32),
    ) -> Vec<Departed> {
        self.provenances.clear();
        let event = observation.event;
        let (Some(session), Some(_)) = (event.session_uid, event.actor_alias_uid) else {
            return Vec::new();
        };
        if !event.mapped.meaningful || event.mapped.is_failed_sign_in() || !profile::is_dated(event)
        {
            return Vec::new();
        }
        let (identity, first_alias) = draft::subject(observation);
        self.know(identity, || {
            let name = Text::from(fact::actor_name(observation));
            Known::new(event.tenant.clone(), first_alias, name)
        });
        if let Some(known) = self.known.get_mut(&identity) {
            known.note(&event.source);
        }
        let declared = observation.identity.map(|identity| &identity.declared);
        let group = peer_group(observation.identity, event.mapped.actor_kind);
        let step = Step {
            event,
            session,
            subject: Subject {
                identity,
                kind: observation
                    .identity
                    .map_or(event.mapped.actor_kind, |one| one.kind),
                peer_group: &group,
                declared_tools: declared.map_or(&[], |it| it.tools_at(&event.mapped.system)),
            },
        };
        let new = || Behaviour::new(settings_of(settings));
        let behaviour = self.tenants.entry(event.tenant.clone()).or_insert_with(new);
        let assessment = behaviour.observe(&step);
        self.provenances = behaviour.provenances(&step);
        let is_top = behaviour.top(session) == Some(event.event_uid);
        let ended = behaviour.take_ended();
        let mut departed = self.ended(ended);
        let weighed = Weighed {
            event,
            by_person: step.subject.kind == ActorKind::Human,
            days_of_action,
        };
        self.note(session, &weighed, is_top, found);
        departed.extend(self.released(session, event.time_effective));
        departed.extend(assessment.and_then(|told| self.departs(&told)));
        departed
    }

    /// Takes note of an event of an open session.
    fn note(
        &mut self,
        session: SessionUid,
        weighed: &Weighed<'_>,
        is_top: bool,
        found: &[FindingDraft],
    ) {
        let stretch = self.stretches.entry(session);
        let stretch = stretch.or_insert_with(|| Stretch::new(weighed.event));
        stretch.note(weighed, found);
        if is_top {
            stretch.note_top(weighed);
        }
        if self.stretches.len() > STRETCHES_MAX {
            self.drop_stretches();
        }
    }

    /// Ends what was idle too long; once a day looks at drift.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Ticked {
        let mut told = Vec::new();
        for behaviour in self.tenants.values_mut() {
            told.append(&mut behaviour.tick(now));
        }
        let mut ticked = Ticked {
            departed: self.ended(told),
            ..Ticked::default()
        };
        if now.utc_day() > self.day {
            self.day = now.utc_day();
            ticked.drifts = self.drifts(now);
        }
        ticked
    }

    fn ended(&mut self, assessments: Vec<Assessment>) -> Vec<Departed> {
        let mut departed = Vec::new();
        for assessment in assessments {
            if assessment.alerts || assessment.repeats {
                departed.extend(self.departs(&assessment));
            }
            self.stretches.remove(&assessment.session);
        }
        departed
    }

    /// Takes what an analyst says of a session; `None` takes it back.
    pub(crate) fn feedback(
        &mut self,
        tenant: &TenantId,
        session: SessionUid,
        disposition: Option<Disposition>,
    ) -> bool {
        let behaviour = self.tenants.get_mut(tenant);
        behaviour.is_some_and(|behaviour| behaviour.feedback(session, disposition))
    }

    /// Where each argument of the event that was observed last came from; empty if none has any.
    pub(crate) fn take_provenances(&mut self) -> Vec<Provenance> {
        std::mem::take(&mut self.provenances)
    }

    /// What is known of those who acted since this was last called, and what budgets would have let
    /// through for their tenants.
    pub(crate) fn take(&self, acted: &mut BTreeSet<IdentityId>) -> BehaviourChanges {
        let acted = std::mem::take(acted);
        let mut changes = BehaviourChanges::default();
        let mut tenants = BTreeSet::new();
        for identity in acted {
            if let Some(known) = self.known.get(&identity)
                && let Some(behaviour) = self.tenants.get(&known.tenant)
            {
                tenants.insert(&known.tenant);
                let told = behaviour.known(&known.tenant, identity);
                changes
                    .identities
                    .extend(told.map(|told| IdentityBehaviour {
                        sources: known.sources.clone(),
                        unusual: known.unusual.clone(),
                        ..told
                    }));
            }
        }
        let forecasts = tenants.into_iter().filter_map(|tenant| {
            let behaviour = self.tenants.get(tenant)?;
            behaviour.forecast(tenant, &BUDGETS)
        });
        changes.forecasts = forecasts.collect();
        changes
    }

    /// Both are one identity from here on.
    pub(crate) fn merge(&mut self, kept: IdentityId, merged: IdentityId) {
        for behaviour in self.tenants.values_mut() {
            behaviour.merge(kept, merged);
        }
        let Some(other) = self.known.remove(&merged) else {
            return;
        };
        // Who is not known yet is with his next event, by his own name.
        if let Some(known) = self.known.get_mut(&kept) {
            known.merge(other);
        }
    }

    /// Forgets sessions that the engine let go of, and others where that is not enough.
    #[cold]
    fn drop_stretches(&mut self) {
        let tenants = &self.tenants;
        let is_open = |session| tenants.values().any(|one| one.top(session).is_some());
        self.stretches.retain(|session, _| is_open(*session));
        while self.stretches.len() > STRETCHES_MAX / 4 * 3 {
            self.stretches.pop_first();
        }
    }

    /// What a departure is told as: a finding, unless nothing in its session has weight or another
    /// finding tells the same. What came before that day is told again only if no finding tells it yet.
    fn departs(&mut self, assessment: &Assessment) -> Option<Departed> {
        let known = self.known.get_mut(&assessment.identity)?;
        let day = assessment.at.utc_day();
        if assessment.repeats && known.was_found(assessment.pattern, day) {
            return None;
        }
        let stretch = self.stretches.get_mut(&assessment.session);
        let draft = told::departure(known, stretch.as_deref(), assessment);
        let (told_by, finding) = tells(stretch.as_deref(), assessment, &draft);
        let departure = SessionDeparture {
            since: stretch.as_ref().map_or(assessment.at, |it| it.since),
            at: assessment.at,
            share: assessment.p,
            told_by,
            finding,
            reasons: told::reasons(&draft),
        };
        if let Some(stretch) = stretch {
            stretch.fate = match told_by {
                ToldBy::Finding => Fate::Found,
                ToldBy::OtherFinding => Fate::None,
                ToldBy::Session => Fate::Held(Box::new(Held {
                    share: assessment.p,
                    pattern: assessment.pattern,
                    draft: draft.clone(),
                })),
            };
        }
        match told_by {
            ToldBy::Finding => known.find(assessment.pattern, day),
            _ if assessment.repeats => return None,
            ToldBy::Session if assessment.moment == Moment::End => {
                known.note_unusual(unusual_on(assessment.at));
            }
            ToldBy::Session | ToldBy::OtherFinding => {}
        }
        Some(Departed {
            session: assessment.session,
            departure,
            draft: (told_by == ToldBy::Finding).then_some(draft),
        })
    }

    /// A departure that waited for its session to have weight, which it has now.
    fn released(&mut self, session: SessionUid, at: Timestamp) -> Option<Departed> {
        let stretch = self.stretches.get_mut(&session)?;
        if !stretch.has_weight() || !matches!(stretch.fate, Fate::Held(_)) {
            return None;
        }
        let Fate::Held(held) = std::mem::replace(&mut stretch.fate, Fate::Found) else {
            return None;
        };
        let Held {
            share,
            pattern,
            draft,
        } = *held;
        if let Some(known) = self.known.get_mut(&draft.identity) {
            known.find(pattern, draft.at.utc_day());
        }
        let departure = SessionDeparture {
            since: stretch.since,
            at,
            share,
            told_by: ToldBy::Finding,
            finding: Some(draft.id()),
            reasons: told::reasons(&draft),
        };
        Some(Departed {
            session,
            departure,
            draft: Some(draft),
        })
    }

    fn know(&mut self, identity: IdentityId, new: impl FnOnce() -> Known) {
        if self.known.len() >= PROFILES_MAX && !self.known.contains_key(&identity) {
            // Who goes is told nothing of until he acts again.
            self.known.pop_first();
        }
        self.known.entry(identity).or_insert_with(new);
    }

    /// Whose drift is to be looked at: it changed since the last time, or was told and may go on.
    fn drifting(&mut self) -> BTreeSet<IdentityId> {
        let is_known = |identity| self.known.contains_key(&identity);
        let tenants = self.tenants.values_mut();
        let mut drifting: BTreeSet<_> = tenants
            .flat_map(|behaviour| behaviour.take_drifting(is_known))
            .collect();
        let told = |(identity, known): (&IdentityId, &Known)| known.drift_told.map(|_| *identity);
        drifting.extend(self.known.iter().filter_map(told));
        drifting
    }

    fn drifts(&mut self, now: Timestamp) -> Vec<FindingDraft> {
        let day = now.utc_day();
        let mut drafts = Vec::new();
        for identity in self.drifting() {
            let Some(known) = self.known.get_mut(&identity) else {
                continue;
            };
            let rests = known.drift_told.is_some_and(|told| day - told < DRIFT_DAYS);
            let behaviour = self.tenants.get(&known.tenant).filter(|_| !rests);
            let drift = behaviour.and_then(|behaviour| behaviour.drift(identity));
            let Some(drift) = drift.filter(Drift::departs) else {
                continue;
            };
            known.drift_told = Some(day);
            let mut draft = known.draft(identity, "behaviour_drift", now);
            draft.pattern = Text::new_static("drift");
            draft.title = format!("{}: its work has been changing for weeks", known.name);
            draft.reasons = told::drift_reasons(&drift);
            drafts.push(draft);
        }
        drafts
    }
}

/// What tells a departure, and the finding it is or that tells it. What is a finding stays one.
fn tells(
    stretch: Option<&Stretch>,
    assessment: &Assessment,
    draft: &FindingDraft,
) -> (ToldBy, Option<FindingId>) {
    let finding = (ToldBy::Finding, Some(draft.id()));
    let Some(stretch) = stretch else {
        return finding;
    };
    if assessment.deployment.is_some() || stretch.fate == Fate::Found {
        return finding;
    }
    if let Some(other) = stretch.told_by(&assessment.terms, draft.severity) {
        return (ToldBy::OtherFinding, Some(other));
    }
    if stretch.weighs(&assessment.terms) {
        finding
    } else {
        (ToldBy::Session, None)
    }
}

/// Whom an identity is compared with: its declared group, else who does the same for the same
/// department, else everybody of its kind.
fn peer_group(identity: Option<&Identity>, kind: ActorKind) -> String {
    let kind = identity.map_or(kind, |identity| identity.kind).name();
    let Some(identity) = identity else {
        return kind.to_owned();
    };
    let declared = &identity.declared;
    let group = declared.tags.get("peer_group");
    match (group, &declared.department) {
        (Some(group), _) => group.to_string(),
        (None, Some(department)) => format!("{kind} of {department}"),
        (None, None) => kind.to_owned(),
    }
}
