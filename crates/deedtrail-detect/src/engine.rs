//! The detector: profiles, code detectors and rules over one log, as a value that can be saved.

mod asked;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;

use deedtrail_behaviour::kept::Kept;
use deedtrail_charter::{Compiled, Library, Problem, Version};
use deedtrail_core::event::{Event, Provenance, TimeQuality};
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::health::Watched;
use deedtrail_core::id::{CredentialUid, IdentityId, SessionUid, SourceName, TenantId};
use deedtrail_core::identity::Identity;
use deedtrail_core::mapping::RecordNumber;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::behaviour::{self, BehaviourChanges, Departed, Disposition};
use crate::conduct::{Conduct, Declarations};
use crate::detector::{Context, DETECTORS, Rotations, Runs, draft, settle_secret_reads};
use crate::exception::{Compiled as CompiledExceptions, ExceptionMeasure, Exceptions};
use crate::field::View;
use crate::fill::FieldFill;
use crate::limits::{CREDENTIALS_MAX, PROFILES_MAX, SNAPSHOT_BYTES_MAX};
use crate::measured::Measured;
use crate::profile::{self, CredentialProfile, Facts, Profile};
use crate::rule::{ChosenRules, CorrelationState, RuleSet};
use crate::session::{Changed, Seen, SessionChanges, Sessions};
use crate::source::Sources;
use crate::{Observation, Settings};

/// First bytes of a snapshot: format and version. A new version rebuilds by replay.
const SNAPSHOT_HEADER: &[u8] = b"deedtrail.detect.14\n";

/// Everything that was learned; equal states give equal findings for equal input.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    profiles: Kept<IdentityId, Profile>,
    credentials: BTreeMap<CredentialUid, CredentialProfile>,
    rotations: Rotations,
    correlations: CorrelationState,
    sources: Sources,
    sessions: Sessions,
    behaviour: behaviour::Watch,
    conduct: Conduct,
    exceptions: Exceptions,
    /// Newest tick.
    now: Timestamp,
    /// Number of ticks.
    ticks: u64,
    /// Time of the newest event whose vendor told one.
    newest: Timestamp,
    /// Something was observed since the newest tick.
    untold: bool,
}

/// Detection over one log. The caller holds the position that the state covers.
#[derive(Debug)]
pub struct Detector {
    rules: Arc<RuleSet>,
    settings: Settings,
    /// Rules by what they are evaluated on; derived, not part of the state.
    chosen: ChosenRules,
    /// Charters in force, compiled, and the library of unsafe sequences; likewise.
    declarations: Declarations,
    state: State,
    /// Sessions that changed since they were taken.
    changed: Changed,
    /// Who acted since that was taken.
    acted: BTreeSet<IdentityId>,
    /// Conditions of exceptions, compiled; derived, not part of the state.
    conditions: CompiledExceptions,
    /// How often fields are filled, where somebody asked.
    fill: Option<Box<FieldFill>>,
    /// What exceptions would hold back, where somebody asked.
    measure: Option<Box<ExceptionMeasure>>,
}

/// Why a snapshot cannot be used; rebuild the state by replaying the log.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("the detection snapshot has another format; it is rebuilt by replaying the log")]
    OtherFormat,
    #[error("the detection snapshot is damaged ({0}); it is rebuilt by replaying the log")]
    Damaged(String),
}

impl Detector {
    pub fn new(rules: Arc<RuleSet>, settings: Settings) -> Self {
        Self {
            rules,
            settings,
            chosen: ChosenRules::default(),
            declarations: Declarations::default(),
            state: State::default(),
            changed: Changed::default(),
            acted: BTreeSet::new(),
            conditions: CompiledExceptions::default(),
            fill: None,
            measure: None,
        }
    }

    /// Gives an event that has an actor its session, before it is observed.
    pub fn assign_session(&mut self, event: &mut Event, identity: Option<&Identity>) {
        let discovered = event.actor_alias_uid.map(IdentityId::discovered);
        if let Some(subject) = identity.map(|identity| identity.id).or(discovered) {
            let session = self.state.sessions.assign(event, subject, &self.settings);
            event.session_uid = Some(session);
        }
    }

    /// Sessions and joins that changed since this was last called.
    pub fn take_sessions(&mut self) -> SessionChanges {
        self.state.sessions.take(&mut self.changed)
    }

    /// What is known of the behaviour of those who acted since this was last called.
    pub fn take_behaviour(&mut self) -> BehaviourChanges {
        let mut changes = self.state.behaviour.take(&mut self.acted);
        for known in &mut changes.identities {
            known.chartered = self.state.conduct.binds(known.identity);
        }
        changes
    }

    /// `merged` is `kept` from here on: what was learned of both is known of the one.
    pub fn merge(&mut self, kept: IdentityId, merged: IdentityId) {
        profile::merge(&mut self.state.profiles, kept, &merged);
        self.state.behaviour.merge(kept, merged);
        self.state.conduct.merge(kept, merged);
        self.acted.insert(kept);
    }

    /// Looks at one event, in the order of the log, and learns from it.
    pub fn observe(&mut self, observation: &Observation<'_>) -> Vec<FindingDraft> {
        self.observe_with(observation, None)
    }

    /// As [`Detector::observe`], with a finding that was made of the event elsewhere: sessions, trust
    /// and behaviour take it like their own.
    pub fn observe_with(
        &mut self,
        observation: &Observation<'_>,
        told: Option<FindingDraft>,
    ) -> Vec<FindingDraft> {
        self.state.untold = true;
        // Receipt says nothing of when it happened, and a time far ahead is none.
        if observation.event.time_quality == TimeQuality::Vendor {
            self.state.newest = self.state.newest.max(observation.event.time_effective);
        }
        let (mut drafts, days_of_action) = self.judge(observation, told);
        let behaviour = &mut self.state.behaviour;
        let departed = behaviour.observe(observation, &self.settings, (&drafts, days_of_action));
        self.acted.insert(draft::subject(observation).0);
        self.state.rotations.observe(observation);
        let seen = Seen {
            observation: *observation,
            subject: draft::subject(observation).0,
            days_of_action,
            drafts: &drafts,
            settings: &self.settings,
        };
        self.state.sessions.observe(&seen, &mut self.changed);
        drafts.append(&mut self.departs(departed));
        drafts.append(&mut self.state.sources.event(observation.event));
        drafts
    }

    /// Notes departures with their sessions; those that are findings are handed on.
    fn departs(&mut self, departed: Vec<Departed>) -> Vec<FindingDraft> {
        let mut drafts = Vec::new();
        for one in departed {
            self.state.sessions.departed(&one, &mut self.changed);
            drafts.extend(one.draft);
        }
        drafts
    }

    /// Runs detectors and rules over one event, holds back what exceptions cover, and lets the actor's
    /// profile learn it. Also says on how many days the actor did this kind of action before.
    fn judge(
        &mut self,
        observation: &Observation<'_>,
        told: Option<FindingDraft>,
    ) -> (Vec<FindingDraft>, u32) {
        let event = observation.event;
        let (subject, _) = draft::subject(observation);
        // Invented names must not push out who is there: no profile begins with a failed sign-in.
        let mut passing = Profile::default();
        let known = self.state.profiles.contains_key(&subject);
        let profile = if !known && event.mapped.is_failed_sign_in() {
            &mut passing
        } else {
            self.state.profiles.make_room(&subject, PROFILES_MAX);
            let profiles = &mut self.state.profiles;
            profiles.get_or_insert_with(subject, Profile::default)
        };
        let credential = event.credential_uid.map(|uid| {
            make_room(&mut self.state.credentials, &uid, CREDENTIALS_MAX, |c| {
                c.last_used
            });
            self.state.credentials.entry(uid).or_default()
        });
        let facts = Facts::of(observation, profile, credential.as_deref());
        let mut credential = credential;
        if let Some(credential) = &mut credential {
            credential.learn(event, &facts.keys, burst_us(&self.settings));
        }
        let actor = observation.identity;
        let read_only = actor.is_some_and(|actor| actor.declared.read_only);
        let kinds = profile.trace(event, &facts, read_only);
        let shown = self.state.conduct.observe(
            &mut self.declarations,
            observation,
            facts.network_seen_before,
            self.state.ticks,
        );
        let context = Context {
            observation: *observation,
            facts: &facts,
            settings: &self.settings,
            kinds: &kinds,
            credential: credential.as_deref(),
            rotations: &self.state.rotations,
            tick: self.state.ticks,
            tools_declared: shown.tools_declared,
        };
        let mut drafts = shown.departures;
        drafts.extend(told_by_detectors(&context, profile));
        drafts.extend(shown.sequences);
        let view = View {
            observation: *observation,
            facts: &facts,
        };
        let correlations = &mut self.state.correlations;
        let matched = self.chosen.observe(&self.rules, &view, correlations);
        let mut measured = Measured::new(&mut self.fill, &mut self.measure);
        measured.rules(&view, &self.rules, &matched);
        drafts.extend(matched.into_iter().map(|(_, draft)| draft));
        drafts.extend(told);
        let known = (&mut self.state.exceptions, &mut self.conditions);
        measured.hold_back(known, &view, &mut drafts);
        let days_of_action = profile.days_of(event.mapped.action);
        profile.learn(event, &facts.keys);
        if let Some(credential) = credential {
            credential.learn_work(event);
        }
        (drafts, days_of_action)
    }

    /// Takes note that a record came, before its events are observed.
    pub fn record(
        &mut self,
        tenant: &TenantId,
        source: &SourceName,
        received: Timestamp,
        understood: bool,
    ) -> Vec<FindingDraft> {
        let sources = &mut self.state.sources;
        sources.record(tenant, source, received, understood)
    }

    /// Takes note of the number that a vendor gave to a record, which happened at `time`.
    pub fn number(
        &mut self,
        of: (&TenantId, &SourceName),
        record: &RecordNumber,
        time: Timestamp,
        received: Timestamp,
    ) {
        self.state.sources.number(of, record, time, received);
    }

    /// The hour under way by records and ticks, counted from 1970: what its own history says of a
    /// source changes with it too.
    pub fn hour(&self) -> Option<i64> {
        self.state.sources.hour()
    }

    /// What its own history says of a source.
    pub fn watched(&self, tenant: &TenantId, source: &SourceName) -> Watched {
        let sources = &self.state.sources;
        sources.watched(tenant, source, &self.settings)
    }

    /// Takes a tick of the log: settles what waited for something that did not come.
    #[must_use = "what waited is told once"]
    pub fn advance(&mut self, now: Timestamp) -> Vec<FindingDraft> {
        let mut drafts = self.state.sources.tick(now, &self.settings);
        self.state.exceptions.forget(now);
        self.go_on_to(now);
        let sessions = &mut self.state.sessions;
        drafts.append(&mut sessions.tick(self.state.now, &mut self.changed));
        drafts.append(&mut self.settle());
        drafts
    }

    /// Takes note that the log came to rest without a server to tick: time goes on to that of the
    /// newest event, and what has waited for long enough by the times of events is settled. Sources
    /// are no more silent for it: theirs is the time of receipt.
    #[must_use = "what waited is told once"]
    pub fn rest(&mut self) -> Vec<FindingDraft> {
        let newest = self.state.newest;
        self.go_on_to(newest);
        let sessions = &mut self.state.sessions;
        let mut drafts = sessions.rest(self.state.now, newest, &mut self.changed);
        drafts.append(&mut self.settle());
        drafts
    }

    /// Whether something was observed since the newest tick, so that something may wait for one.
    pub fn awaits_tick(&self) -> bool {
        self.state.untold
    }

    fn go_on_to(&mut self, now: Timestamp) {
        self.state.now = self.state.now.max(now);
        self.state.ticks = self.state.ticks.saturating_add(1);
        self.state.untold = false;
    }

    /// What waited in behaviour, profiles, charters and rules, by the time it is now.
    fn settle(&mut self) -> Vec<FindingDraft> {
        let told = self.state.behaviour.tick(self.state.now);
        let mut drafts = told.drifts;
        drafts.append(&mut self.departs(told.departed));
        let waits = |profile: &Profile| !profile.pending_reads.is_empty();
        for profile in self.state.profiles.awake_mut(waits) {
            drafts.append(&mut settle_secret_reads(
                profile,
                self.state.now,
                Some(self.state.ticks),
                &self.settings,
            ));
        }
        let (ticks, declarations) = (self.state.ticks, &self.declarations);
        drafts.extend(
            self.state
                .conduct
                .advance(declarations, self.state.now, ticks),
        );
        if self.state.ticks.is_multiple_of(60) {
            let rules = &self.rules;
            self.state
                .correlations
                .expire(self.state.now, |key| rules.window_us(key));
        }
        drafts
    }

    /// Packs what is known of those who were quiet since this was last called. It changes nothing but
    /// the room that takes.
    pub fn pack_quiet(&mut self) {
        self.state.profiles.pack_quiet();
        self.state.behaviour.pack_quiet();
    }

    /// The state as bytes; equal states give equal bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing plain data to memory cannot fail; nothing at all would be refused by `restore`.
        match self.write_snapshot(&mut bytes) {
            Ok(()) => bytes,
            Err(_) => Vec::new(),
        }
    }

    /// Writes what [`Self::snapshot`] says, piece by piece.
    pub fn write_snapshot(&self, to: &mut dyn Write) -> std::io::Result<()> {
        to.write_all(SNAPSHOT_HEADER)?;
        let done = postcard::to_io(&self.state, to);
        done.map(drop).map_err(std::io::Error::other)
    }

    /// A detector that goes on where `snapshot` was taken, with the rules of now.
    pub fn restore(
        rules: Arc<RuleSet>,
        settings: Settings,
        snapshot: &[u8],
    ) -> Result<Self, RestoreError> {
        if snapshot.len() > SNAPSHOT_BYTES_MAX {
            return Err(RestoreError::Damaged("larger than any state".to_owned()));
        }
        let body = snapshot
            .strip_prefix(SNAPSHOT_HEADER)
            .ok_or(RestoreError::OtherFormat)?;
        let state: State =
            postcard::from_bytes(body).map_err(|e| RestoreError::Damaged(e.to_string()))?;
        let mut detector = Self::new(rules, settings);
        detector.declarations = state.conduct.declarations(detector.declarations.library());
        detector.state = state;
        detector.state.behaviour.set(&detector.settings);
        Ok(detector)
    }

    /// Goes on with other rules, e.g. after a change of the rules folder. Windows of correlations
    /// that say what they said are kept; those that changed begin anew, those that left are forgotten.
    pub fn replace_rules(&mut self, rules: Arc<RuleSet>) {
        self.state.correlations.keep(&rules.correlation_keys());
        self.rules = rules;
        self.chosen = ChosenRules::default();
    }

    /// Takes what an analyst says of a session that departed; `None` takes it back. Whether it
    /// changed what is learned: sessions that ended long ago can no longer be answered.
    pub fn feedback(
        &mut self,
        tenant: &TenantId,
        session: SessionUid,
        disposition: Option<Disposition>,
    ) -> bool {
        self.state.behaviour.feedback(tenant, session, disposition)
    }

    /// Where each tool argument of the event that was observed last came from, in their order.
    pub fn take_provenances(&mut self) -> Vec<Provenance> {
        self.state.behaviour.take_provenances()
    }

    /// Puts a charter in force from the next event on, in place of an earlier version.
    pub fn approve_charter(
        &mut self,
        tenant: &TenantId,
        text: &str,
        version: Version,
    ) -> Result<(), Problem> {
        self.state.conduct.approve(tenant, text, version)?;
        self.declare();
        Ok(())
    }

    /// Takes a charter out of force; false when it was not.
    pub fn retire_charter(&mut self, tenant: &TenantId, name: &str) -> bool {
        let retired = self.state.conduct.retire(tenant, name);
        self.declare();
        retired
    }

    /// The charters in force of a tenant, by name.
    pub fn charters(&self, tenant: &TenantId) -> &[Compiled] {
        self.declarations.of_tenant(tenant)
    }

    /// Goes on with other unsafe sequences; what was seen of those that stay is kept.
    pub fn replace_library(&mut self, library: Arc<Library>) {
        self.declarations.replace_library(library);
    }

    fn declare(&mut self) {
        let library = self.declarations.library();
        self.declarations = self.state.conduct.declarations(library);
    }

    /// What is known about an identity.
    pub fn profile(&self, identity: IdentityId) -> Option<Profile> {
        let profile = self.state.profiles.get(&identity)?;
        Some(profile.clone())
    }
}

/// Longest burst that is told, µs.
const fn burst_us(settings: &Settings) -> i64 {
    settings.burst_seconds.saturating_mul(Timestamp::SECOND_US)
}

/// What the detectors that look at single events say.
fn told_by_detectors(context: &Context<'_>, profile: &mut Profile) -> Vec<FindingDraft> {
    let mut told = Vec::new();
    for detector in DETECTORS {
        if let Runs::Event(detect) = detector.runs {
            told.append(&mut detect(context, profile));
        }
    }
    told
}

/// Forgets the tenth that was unseen for longest when a new key would be one too many.
pub(crate) fn make_room<K: Ord + Copy, V>(
    map: &mut BTreeMap<K, V>,
    key: &K,
    capacity: usize,
    last: impl Fn(&V) -> Option<Timestamp>,
) {
    if map.len() < capacity || map.contains_key(key) {
        return;
    }
    let mut ages = map
        .iter()
        .map(|(key, value)| (last(value), *key))
        .collect::<Vec<_>>();
    ages.sort_unstable();
    for (_, key) in ages.iter().take((capacity / 10).max(1)) {
        map.remove(key);
    }
}
