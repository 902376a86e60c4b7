//! What an event's actor was known by just before it: what Sigma cannot say by itself.

use deedtrail_core::event::{Event, EventKind};
use deedtrail_core::time::Timestamp;

use super::{CredentialProfile, Profile, TraceKind, class_key, key, target_key};
use crate::{Observation, fact};

/// Hashes of what an event touched, made once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    pub operation: u64,
    pub target: u64,
    pub target_kind: Option<u64>,
    pub system: u64,
    /// (system, action, class of target).
    pub class: u64,
    pub network: Option<u64>,
    pub country: Option<u64>,
}

impl Keys {
    pub fn of(event: &Event) -> Self {
        let mapped = &event.mapped;
        Self {
            operation: key(&[&mapped.system, &mapped.operation]),
            target: target_key(event),
            target_kind: mapped
                .target_kind
                .as_ref()
                .map(|kind| key(&[&mapped.system, kind])),
            system: key(&[&mapped.system]),
            class: class_key(event),
            network: fact::network(event).map(|network| key(&[&network])),
            country: mapped.src_country.as_ref().map(|country| key(&[country])),
        }
    }
}

/// Enrichment of one event. `None` means that it does not apply or is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    pub keys: Keys,
    pub days_since_use: Option<i64>,
    pub credential_age_days: Option<i64>,
    pub credential_days_since_rotation: Option<i64>,
    pub credential_days_since_use: Option<i64>,
    pub tool_declared: Option<bool>,
    pub network_seen_before: Option<bool>,
    pub asn_seen_before: Option<bool>,
    pub country_seen_before: Option<bool>,
    pub first_time_action: Option<bool>,
    pub first_time_operation: Option<bool>,
    pub first_time_target: Option<bool>,
    pub first_time_target_kind: Option<bool>,
    pub first_time_system: Option<bool>,
    pub actor_events_total: i64,
    pub actor_active_days: i64,
    pub session_age_minutes: Option<i64>,
    pub minutes_since_sign_in: Option<i64>,
    pub minutes_since_click: Option<i64>,
    pub minutes_since_consent: Option<i64>,
    pub after_failed_change_minutes: Option<i64>,
    pub hour_of_day: i64,
    pub day_of_week: i64,
    pub hour_share_percent: Option<i64>,
    pub is_new_identity: bool,
}

impl Facts {
    /// Facts about the actor and credential as they stood before this event.
    pub fn of(
        observation: &Observation<'_>,
        profile: &Profile,
        credential: Option<&CredentialProfile>,
    ) -> Self {
        let event = observation.event;
        let at = event.time_effective;
        let mut facts = Self {
            keys: Keys::of(event),
            days_since_use: days_since_use(observation, profile),
            tool_declared: tool_declared(observation),
            actor_events_total: i64::try_from(profile.events_total).unwrap_or(i64::MAX),
            actor_active_days: i64::from(profile.active_days),
            session_age_minutes: event
                .session_uid
                .and_then(|uid| profile.session(uid))
                .map(|session| minutes(at.micros_since(session.started))),
            minutes_since_sign_in: since(profile, TraceKind::SignIn, at),
            minutes_since_click: since(profile, TraceKind::Click, at),
            minutes_since_consent: since(profile, TraceKind::ConsentGrant, at),
            after_failed_change_minutes: since(profile, TraceKind::FailedChange, at),
            hour_of_day: at.as_micros().div_euclid(Timestamp::HOUR_US).rem_euclid(24),
            day_of_week: (at.utc_day() + 3).rem_euclid(7) + 1,
            is_new_identity: profile.events_total == 0,
            ..Self::default()
        };
        facts.compare_places(event, profile);
        facts.hour_share_percent = hour_share(profile, facts.hour_of_day);
        facts.judge_credential(observation, credential);
        if !super::is_dated(event) {
            facts.forget_spans();
        }
        facts
    }

    /// How long ago anything was is not known.
    fn forget_spans(&mut self) {
        *self = Self {
            days_since_use: None,
            credential_age_days: None,
            credential_days_since_rotation: None,
            credential_days_since_use: None,
            session_age_minutes: None,
            minutes_since_sign_in: None,
            minutes_since_click: None,
            minutes_since_consent: None,
            after_failed_change_minutes: None,
            hour_share_percent: None,
            ..std::mem::take(self)
        };
    }

    fn compare_places(&mut self, event: &Event, profile: &Profile) {
        let mapped = &event.mapped;
        let day = event.time_effective.utc_day();
        let keys = self.keys;
        let network = keys
            .network
            .and_then(|key| profile.networks.seen_before(key, day));
        self.asn_seen_before = mapped
            .src_asn
            .and_then(|asn| profile.asns.seen_before(asn.unsigned_abs(), day));
        self.country_seen_before = keys
            .country
            .and_then(|key| profile.countries.seen_before(key, day));
        self.network_seen_before = match (network, self.asn_seen_before) {
            (Some(network), Some(asn)) => Some(network || asn),
            (network, asn) => network.or(asn),
        };
        let target_known = mapped.target_ref.is_some() || mapped.target_name.is_some();
        self.first_time_action = Some(!profile.actions.contains_key(&mapped.action));
        self.first_time_operation = profile.operations.is_new(keys.operation);
        self.first_time_system = profile.systems.is_new(keys.system);
        self.first_time_target = profile.targets.is_new(keys.target).filter(|_| target_known);
        self.first_time_target_kind = keys
            .target_kind
            .and_then(|key| profile.target_kinds.is_new(key));
    }

    fn judge_credential(
        &mut self,
        observation: &Observation<'_>,
        used: Option<&CredentialProfile>,
    ) {
        let at = observation.event.time_effective;
        let Some(record) = observation.credential else {
            return;
        };
        let days = |earlier: Timestamp| {
            (earlier <= at).then(|| at.micros_since(earlier) / Timestamp::DAY_US)
        };
        self.credential_age_days = record.created.and_then(days);
        self.credential_days_since_rotation = record.last_rotated.and_then(days);
        // What only signed in or opened a session has not been used yet; the inventory speaks for
        // what was never seen.
        let last_used = match used.filter(|profile| profile.uses > 0) {
            Some(profile) => profile.last_work.as_ref().map(|work| work.time),
            None => record.last_used.filter(|last| *last < at),
        };
        self.credential_days_since_use = last_used.and_then(days);
    }
}

/// Days since the last use; from the inventory where no event has shown one yet.
fn days_since_use(observation: &Observation<'_>, profile: &Profile) -> Option<i64> {
    let at = observation.event.time_effective;
    let imported = observation.identity.and_then(|identity| identity.last_seen);
    let imported = imported.filter(|last| *last < at && profile.events_total == 0);
    let last = profile.last_use.or(imported)?;
    (last <= at).then(|| at.micros_since(last) / Timestamp::DAY_US)
}

/// Whether the tool called is among those the agent declares; `*` at the end of a declared name
/// stands for anything.
fn tool_declared(observation: &Observation<'_>) -> Option<bool> {
    let system = &observation.event.mapped.system;
    let declared = observation.identity?.declared.tools_at(system);
    if declared.is_empty() || observation.event.mapped.kind != EventKind::ToolCall {
        return None;
    }
    let called = observation.event.mapped.operation.as_str();
    let name = called.rsplit([' ', ':', '/']).next().unwrap_or(called);
    Some(declared.iter().any(|tool| match tool.strip_suffix('*') {
        Some(start) => name.starts_with(start) || called.starts_with(start),
        None => tool.eq_ignore_ascii_case(name) || tool.eq_ignore_ascii_case(called),
    }))
}

/// Share of earlier events within one hour of this hour of day, percent; `None` below 100 events.
fn hour_share(profile: &Profile, hour: i64) -> Option<i64> {
    let total: u64 = profile.hours.iter().map(|count| u64::from(*count)).sum();
    if total < 100 {
        return None;
    }
    let near: u64 = (-1..=1)
        .map(|offset| usize::try_from((hour + offset).rem_euclid(24)).unwrap_or(0))
        .map(|place| u64::from(profile.hours[place]))
        .sum();
    i64::try_from(near.saturating_mul(100) / total).ok()
}

fn since(profile: &Profile, kind: TraceKind, at: Timestamp) -> Option<i64> {
    profile
        .traces
        .latest(kind, at)
        .map(|trace| minutes(at.micros_since(trace.time)))
}

const fn minutes(micros: i64) -> i64 {
    micros / Timestamp::MINUTE_US
}
