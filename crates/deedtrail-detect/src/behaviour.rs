//! Learned behaviour, told as findings: what a session did that its identity never does, how an
//! identity drifts, and what a whole group began at once (docs/reference/behaviour.md).

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_behaviour::{Assessment, Behaviour, Budget, Moment, Step, Subject};
use deedtrail_core::Text;
use deedtrail_core::behaviour::{Drift, Forecast, IdentityBehaviour, SOURCES_MAX};
use deedtrail_core::event::{ActorKind, Event, OutcomeClass, Provenance};
use deedtrail_core::finding::{FindingDraft, FindingEvent, Severity};
use deedtrail_core::id::{AliasUid, IdentityId, SessionUid, SourceName, TenantId};
use deedtrail_core::identity::{Declared, Identity};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

pub use deedtrail_behaviour::Disposition;

use crate::detector::draft;
use crate::limits::PROFILES_MAX;
use crate::{Observation, Settings, fact, profile};

/// What finds them.
pub(crate) const BEHAVIOUR: &str = "code/behaviour";
/// Reasons of one finding that come from terms.
const TERMS_MAX: usize = 6;
/// Nats that an action or the shape of a session must reach: one in 22,000. What is rarer than the
/// budget lets pass and yet nothing much is not told.
const FLOOR_NATS: f64 = 10.0;
/// Open sessions whose most surprising event is remembered; the finding of a further one lists none.
const WITNESSES_MAX: usize = 100_000;
/// Rarer than this is not told: no history is long enough for it.
const RARITY_MIN: f64 = 1e-4;
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
    /// The most surprising event of each open session: what its finding would rest on.
    witnesses: BTreeMap<SessionUid, Witness>,
    /// Who acts, for what is told later, and the day on which their drift was last told.
    known: BTreeMap<IdentityId, Known>,
    /// Newest day whose drift was looked at.
    day: i64,
    /// Where the arguments of the newest event came from.
    #[serde(skip)]
    provenances: Vec<Provenance>,
}

/// The event a finding would rest on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Witness {
    event: FindingEvent,
    /// It changed something, or is about what an intruder would look for.
    grave: bool,
}

impl Witness {
    fn of(event: &Event) -> Self {
        let mapped = &event.mapped;
        let changed =
            profile::changes_something(mapped.action) && mapped.outcome == OutcomeClass::Success;
        Self {
            grave: changed || profile::sensitive(event),
            event: profile::finding_event(event),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    tenant: TenantId,
    first_alias: AliasUid,
    name: Text,
    drift_told: Option<i64>,
    sources: Vec<SourceName>,
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
    ) -> Vec<FindingDraft> {
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
        self.know(identity, || Known {
            tenant: event.tenant.clone(),
            first_alias,
            name: Text::from(fact::actor_name(observation)),
            drift_told: None,
            sources: Vec::new(),
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
                declared_tools: declared.map_or(&[], Declared::tools),
            },
        };
        let new = || Behaviour::new(settings_of(settings));
        let behaviour = self.tenants.entry(event.tenant.clone()).or_insert_with(new);
        let assessment = behaviour.observe(&step);
        self.provenances = behaviour.provenances(&step);
        if behaviour.top(session) == Some(event.event_uid) {
            self.witnesses.insert(session, Witness::of(event));
        }
        let ended = behaviour.take_ended();
        if self.witnesses.len() > WITNESSES_MAX {
            self.drop_witnesses();
        }
        let mut drafts = self.ended(ended);
        drafts.extend(assessment.and_then(|told| self.draft(&told)));
        drafts
    }

    /// Ends what was idle too long; once a day looks at drift.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Vec<FindingDraft> {
        let mut told = Vec::new();
        for behaviour in self.tenants.values_mut() {
            told.append(&mut behaviour.tick(now));
        }
        let mut drafts = self.ended(told);
        if now.utc_day() > self.day {
            self.day = now.utc_day();
            drafts.append(&mut self.drifts(now));
        }
        drafts
    }

    fn ended(&mut self, assessments: Vec<Assessment>) -> Vec<FindingDraft> {
        let mut drafts = Vec::new();
        for assessment in assessments {
            if assessment.alerts {
                drafts.extend(self.draft(&assessment));
            }
            self.witnesses.remove(&assessment.session);
        }
        drafts
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
            known.drift_told = known.drift_told.max(other.drift_told);
            for source in &other.sources {
                known.note(source);
            }
        }
    }

    /// Forgets events of sessions that the engine let go of, and of others where that is not enough.
    #[cold]
    fn drop_witnesses(&mut self) {
        let tenants = &self.tenants;
        let is_open = |session| tenants.values().any(|one| one.top(session).is_some());
        self.witnesses.retain(|session, _| is_open(*session));
        while self.witnesses.len() > WITNESSES_MAX / 4 * 3 {
            self.witnesses.pop_first();
        }
    }

    fn know(&mut self, identity: IdentityId, new: impl FnOnce() -> Known) {
        if self.known.len() >= PROFILES_MAX && !self.known.contains_key(&identity) {
            // Who goes is told nothing of until he acts again.
            self.known.pop_first();
        }
        self.known.entry(identity).or_insert_with(new);
    }

    fn draft(&self, assessment: &Assessment) -> Option<FindingDraft> {
        let known = self.known.get(&assessment.identity)?;
        let kind = match assessment.deployment {
            Some(_) => "group_change",
            None => "behaviour_departure",
        };
        let mut draft = known.draft(assessment.identity, kind, assessment.at);
        draft.pattern = Text::from(format!("session {}", assessment.session));
        draft.session = Some(assessment.session);
        draft.confidence = (1.0 - assessment.p).clamp(0.5, 0.95);
        let witness = self.witnesses.get(&assessment.session);
        draft
            .events
            .extend(witness.map(|witness| witness.event.clone()));
        if witness.is_some_and(|witness| !witness.grave) {
            draft.severity = Severity::Low;
        }
        let terms = assessment.terms.iter().take(TERMS_MAX);
        draft.reasons = terms
            .map(|term| format!("{} ({:+.1} nats)", term.sentence, term.nats))
            .collect();
        let what = match (assessment.terms.first(), &assessment.deployment) {
            (_, Some(group)) => {
                draft.reasons.insert(
                    0,
                    format!(
                        "{} of {} active members of `{}` began the same that day: a deployment, \
                         unless nobody knows of one",
                        group.identities,
                        group.members,
                        fact::cut(&group.peer_group, 60)
                    ),
                );
                "a whole group began something new".to_owned()
            }
            (Some(term), None) => term.sentence.clone(),
            (None, None) => "a session unlike its others".to_owned(),
        };
        draft.title = format!("{}: {what}", known.name);
        draft.reasons.extend(expected(assessment));
        draft.reasons.push(rarity(assessment));
        Some(draft)
    }

    fn drifts(&mut self, now: Timestamp) -> Vec<FindingDraft> {
        let day = now.utc_day();
        let mut drafts = Vec::new();
        for (identity, known) in &mut self.known {
            let behaviour = self.tenants.get(&known.tenant);
            let Some(drift) = behaviour.and_then(|behaviour| behaviour.drift(*identity)) else {
                continue;
            };
            let rests = known.drift_told.is_some_and(|told| day - told < DRIFT_DAYS);
            if rests || !drift.departs() {
                continue;
            }
            known.drift_told = Some(day);
            let mut draft = known.draft(*identity, "behaviour_drift", now);
            draft.pattern = Text::new_static("drift");
            draft.title = format!("{}: its work has been changing for weeks", known.name);
            draft.reasons = drift_reasons(&drift);
            drafts.push(draft);
        }
        drafts
    }
}

impl Known {
    fn note(&mut self, source: &SourceName) {
        if let Err(place) = self.sources.binary_search(source)
            && self.sources.len() < SOURCES_MAX
        {
            self.sources.insert(place, source.clone());
        }
    }

    fn draft(&self, identity: IdentityId, kind: &str, at: Timestamp) -> FindingDraft {
        FindingDraft {
            kind: Text::new(kind),
            rule: Text::new_static(BEHAVIOUR),
            tenant: self.tenant.clone(),
            identity,
            first_alias: self.first_alias,
            pattern: Text::default(),
            session: None,
            severity: draft::severity_of(kind),
            confidence: 0.6,
            title: String::new(),
            reasons: Vec::new(),
            events: Vec::new(),
            allowed: Vec::new(),
            refused: Vec::new(),
            hypotheses: Vec::new(),
            techniques: Vec::new(),
            at,
        }
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

fn expected(assessment: &Assessment) -> Option<String> {
    let told = assessment.expected.iter();
    let told: Vec<String> = told
        .map(|one| format!("{} ({:.0} %)", one.label, one.share * 100.0))
        .collect();
    (!told.is_empty()).then(|| format!("usually next: {}", told.join(", ")))
}

fn rarity(assessment: &Assessment) -> String {
    let when = match assessment.moment {
        Moment::Event => "while it goes on",
        Moment::End => "as a whole",
    };
    let one_in = (1.0 / assessment.p.max(RARITY_MIN)).max(1.0);
    let score = assessment.score_nats;
    format!("the session {when} is rarer than one in {one_in:.0} (score {score:.1} nats)")
}

fn drift_reasons(drift: &Drift) -> Vec<String> {
    let mut reasons = vec![format!(
        "observed: the newest week differs from the past by {:.2} of 1 (chance alone: {:.2}), {:+.2} a \
         week over {} weeks",
        drift.score,
        drift.noise,
        drift.trend,
        drift.weeks.len()
    )];
    let rising = drift.rising.iter().take(TERMS_MAX);
    reasons.extend(rising.map(|rise| {
        format!(
            "more of {}: {:.1} % of its actions, before {:.1} %",
            rise.action,
            rise.now * 100.0,
            rise.before * 100.0
        )
    }));
    reasons
}
