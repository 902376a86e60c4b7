//! What is known about one identity or credential from its events so far: bounded, in event time.

mod absorb;
mod burst;
mod facts;
mod recent;
mod trace;

use std::collections::{BTreeMap, VecDeque};

use deedtrail_behaviour::kept::Keep;
use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{ActorKind, Event, OutcomeClass, TimeQuality};
use deedtrail_core::finding::FindingEvent;
use deedtrail_core::id::SessionUid;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use absorb::merge;
pub use burst::Burst;
pub use facts::{Facts, Keys};
pub use recent::{Recent, key};
pub use trace::{
    Trace, TraceKind, Traces, changes_something, contains_any, lists_authority, sensitive,
};

use crate::detector::{PendingRead, Return};
use crate::fact;
use crate::limits::{
    CLASS_NAMES_MAX, CLASSES_MAX, NETWORKS_MAX, OPERATIONS_MAX, SESSIONS_MAX, TARGETS_MAX,
    TRACE_TEXT_BYTES_MAX,
};

/// Gaps between active days that are remembered for the cadence.
const GAPS_MAX: usize = 16;
/// Finding patterns whose last firing is remembered.
const COOLDOWNS_MAX: usize = 64;

/// How often and when an identity did one kind of action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionHistory {
    pub events: u64,
    pub days: u32,
    last_day: i64,
    /// Events of the last day, and the most on any earlier day.
    day_events: u32,
    pub day_peak: u32,
}

/// One session as last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionState {
    pub uid: SessionUid,
    pub started: Timestamp,
    pub last: Timestamp,
    pub asn: Option<i64>,
    pub country: Option<Text>,
    /// Client fingerprint, else user agent.
    pub client: Option<Text>,
    pub event: FindingEvent,
}

/// One identity's history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    pub first_seen: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
    /// Last meaningful event that is more than a sign-in.
    pub last_use: Option<Timestamp>,
    pub last_work: Option<FindingEvent>,
    /// The newest return from a long silence, while what it does next is still told.
    pub(crate) returned: Option<Return>,
    pub events_total: u64,
    pub active_days: u32,
    last_active_day: Option<i64>,
    /// Days between consecutive active days, newest last.
    gaps: VecDeque<u16>,
    pub hours: [u32; 24],
    pub actions: BTreeMap<Action, ActionHistory>,
    pub operations: Recent,
    pub targets: Recent,
    pub target_kinds: Recent,
    pub systems: Recent,
    /// (system, action, class of target).
    pub classes: Recent,
    /// The first [`CLASS_NAMES_MAX`] of them in words; of machines.
    pub class_names: Vec<Text>,
    /// Day on which a class was last new.
    pub class_new_day: Option<i64>,
    pub networks: Recent,
    pub asns: Recent,
    pub countries: Recent,
    pub traces: Traces,
    pub sessions: VecDeque<SessionState>,
    /// Sign-ins since the last work, and the first of them.
    pub sign_ins_since_use: u64,
    pub first_sign_in_since_use: Option<Timestamp>,
    /// Changes that went through so far.
    pub changes_total: u64,
    /// Secret reads followed or preceded by a rotation.
    pub paired_reads: u32,
    pub(crate) pending_reads: Vec<PendingRead>,
    /// Most listings of authority within an hour on any earlier day; and today's.
    pub enumeration_peak: u32,
    enumeration_today: (i64, u32),
    /// Most bytes one event took out so far.
    pub bytes_out_peak: i64,
    cooldowns: Recent,
}

impl Keep for Profile {
    fn newest(&self) -> Option<Timestamp> {
        self.last_seen
    }

    fn may_rest(&self) -> bool {
        self.pending_reads.is_empty()
    }
}

impl Profile {
    /// Files what patterns need of `event`, before detectors look.
    pub(crate) fn trace(
        &mut self,
        event: &Event,
        facts: &Facts,
        read_only: bool,
    ) -> Vec<TraceKind> {
        self.traces
            .insert(event, facts, read_only || self.never_changed_anything())
    }

    /// Learns from `event`, after detectors looked.
    pub(crate) fn learn(&mut self, event: &Event, keys: &Keys) {
        let at = event.time_effective;
        self.first_seen = Some(self.first_seen.map_or(at, |first| first.min(at)));
        self.last_seen = Some(self.last_seen.map_or(at, |last| last.max(at)));
        self.events_total = self.events_total.saturating_add(1);
        if is_dated(event) {
            self.learn_day(at.utc_day());
            let hour = at.as_micros().div_euclid(Timestamp::HOUR_US).rem_euclid(24);
            let hour = &mut self.hours[usize::try_from(hour).unwrap_or(0)];
            *hour = hour.saturating_add(1);
        }
        // What is half told or done by itself makes nothing familiar.
        if event.mapped.meaningful {
            let action = self.actions.entry(event.mapped.action).or_default();
            action.learn(at.utc_day());
            self.name_class(event, keys.class);
            self.learn_things(keys, at.utc_day());
        }
        self.learn_use(event, at);
        self.learn_places(event, keys, at.utc_day());
        self.learn_session(event);
    }

    fn learn_day(&mut self, day: i64) {
        match self.last_active_day {
            Some(last) if day <= last => return,
            Some(last) => {
                self.gaps
                    .push_back(u16::try_from(day - last).unwrap_or(u16::MAX));
                if self.gaps.len() > GAPS_MAX {
                    self.gaps.pop_front();
                }
            }
            None => {}
        }
        self.last_active_day = Some(day);
        self.active_days = self.active_days.saturating_add(1);
    }

    fn learn_use(&mut self, event: &Event, at: Timestamp) {
        let mapped = &event.mapped;
        let signs_in = mapped.action == Action::Authenticate;
        if is_work(event) {
            if is_dated(event) {
                self.last_use = self.last_use.max(Some(at));
                note_work(&mut self.last_work, event);
            }
            self.sign_ins_since_use = 0;
            self.first_sign_in_since_use = None;
        } else if signs_in && took_place(event) && is_dated(event) {
            self.sign_ins_since_use = self.sign_ins_since_use.saturating_add(1);
            let first = self
                .first_sign_in_since_use
                .map_or(at, |first| first.min(at));
            self.first_sign_in_since_use = Some(first);
        }
        if changes_something(mapped.action) && !refused(event) {
            self.changes_total = self.changes_total.saturating_add(1);
        }
        self.bytes_out_peak = self.bytes_out_peak.max(mapped.bytes_out.unwrap_or(0));
    }

    fn learn_things(&mut self, keys: &Keys, day: i64) {
        self.operations.insert(keys.operation, day, OPERATIONS_MAX);
        self.targets.insert(keys.target, day, TARGETS_MAX);
        if let Some(kind) = keys.target_kind {
            self.target_kinds.insert(kind, day, OPERATIONS_MAX);
        }
        self.systems.insert(keys.system, day, NETWORKS_MAX);
        if !self.classes.contains(keys.class) {
            self.class_new_day = Some(self.class_new_day.map_or(day, |last| last.max(day)));
        }
        self.classes.insert(keys.class, day, CLASSES_MAX);
    }

    fn name_class(&mut self, event: &Event, class: u64) {
        let machine = event.mapped.actor_kind != ActorKind::Human;
        let room = self.class_names.len() < CLASS_NAMES_MAX;
        if machine && room && !self.classes.contains(class) {
            let (system, action) = (&event.mapped.system, event.mapped.action.name());
            let system = fact::cut(system, 20);
            let thing = target_class(event);
            let name = format!("{system} {action} {}", fact::cut(&thing, 50));
            self.class_names.push(name.into());
        }
    }

    fn learn_places(&mut self, event: &Event, keys: &Keys, day: i64) {
        // A refused attempt must not make its network familiar.
        if !took_place(event) {
            return;
        }
        if let Some(network) = keys.network {
            self.networks.insert(network, day, NETWORKS_MAX);
        }
        if let Some(asn) = event.mapped.src_asn {
            self.asns.insert(asn.unsigned_abs(), day, NETWORKS_MAX);
        }
        if let Some(country) = keys.country {
            self.countries.insert(country, day, NETWORKS_MAX);
        }
    }

    fn learn_session(&mut self, event: &Event) {
        let Some(uid) = event.session_uid.filter(|_| is_dated(event)) else {
            return;
        };
        let at = event.time_effective;
        let known = self.sessions.iter().position(|session| session.uid == uid);
        let started = known.map_or(at, |place| self.sessions[place].started.min(at));
        if let Some(place) = known {
            if self.sessions[place].last > at {
                self.sessions[place].started = started;
                return;
            }
            self.sessions.remove(place);
        }
        self.sessions.push_back(SessionState {
            uid,
            started,
            last: at,
            asn: event.mapped.src_asn,
            country: event
                .mapped
                .src_country
                .as_deref()
                .map(|c| Text::from(fact::cut(c, 8))),
            client: client(event),
            event: finding_event(event),
        });
        if self.sessions.len() > SESSIONS_MAX {
            self.sessions.pop_front();
        }
    }

    pub fn session(&self, uid: SessionUid) -> Option<&SessionState> {
        self.sessions.iter().find(|session| session.uid == uid)
    }

    /// Days between uses as they usually are: the median gap of the last active days; `None` until
    /// three gaps are known.
    pub fn cadence_days(&self) -> Option<i64> {
        if self.gaps.len() < 3 {
            return None;
        }
        let mut gaps = self.gaps.iter().copied().collect::<Vec<_>>();
        gaps.sort_unstable();
        Some(i64::from(gaps[gaps.len() / 2]))
    }

    /// The longest gap between active days so far, days.
    pub fn longest_gap_days(&self) -> i64 {
        self.gaps.iter().copied().max().map_or(0, i64::from)
    }

    /// Whether no event so far lay within an hour of this hour of day.
    pub fn never_near(&self, hour: i64) -> bool {
        (-1..=1).all(|offset| {
            let place = usize::try_from((hour + offset).rem_euclid(24)).unwrap_or(0);
            self.hours[place] == 0
        })
    }

    /// Days on which `action` happened so far.
    pub fn days_of(&self, action: Action) -> u32 {
        self.actions.get(&action).map_or(0, |history| history.days)
    }

    /// History long enough to say that an identity only ever reads.
    pub fn never_changed_anything(&self) -> bool {
        self.changes_total == 0 && self.active_days >= 14 && self.events_total >= 50
    }

    /// Whether a finding of this pattern may fire again: at most once in `days`. Notes the firing.
    pub(crate) fn may_fire(&mut self, pattern: &[&str], at: Timestamp, days: i64) -> bool {
        let pattern = key(pattern);
        let day = at.utc_day();
        let rests = self
            .cooldowns
            .day(pattern)
            .is_some_and(|last| (day - last).abs() < days);
        if !rests {
            self.cooldowns.insert(pattern, day, COOLDOWNS_MAX);
        }
        !rests
    }

    /// Notes how many listings of authority the last hour held; earlier days make the usual peak.
    pub(crate) fn note_enumeration(&mut self, day: i64, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let (today, most) = self.enumeration_today;
        if day > today {
            self.enumeration_peak = self.enumeration_peak.max(most);
            self.enumeration_today = (day, count);
        } else if day == today {
            self.enumeration_today.1 = most.max(count);
        }
    }
}

impl ActionHistory {
    fn learn(&mut self, day: i64) {
        self.events = self.events.saturating_add(1);
        if self.days == 0 || day > self.last_day {
            self.day_peak = self.day_peak.max(self.day_events);
            self.last_day = day;
            self.days = self.days.saturating_add(1);
            self.day_events = 0;
        }
        if day == self.last_day {
            self.day_events = self.day_events.saturating_add(1);
        }
    }
}

/// One credential's history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialProfile {
    pub first_used: Option<Timestamp>,
    pub last_used: Option<Timestamp>,
    pub uses: u64,
    /// Last use that was work, as [`is_work`] has it.
    pub last_work: Option<FindingEvent>,
    pub burst: Burst,
}

impl CredentialProfile {
    pub(crate) fn learn(&mut self, event: &Event, keys: &Keys, window_us: i64) {
        let at = event.time_effective;
        self.first_used = Some(self.first_used.map_or(at, |first| first.min(at)));
        self.last_used = Some(self.last_used.map_or(at, |last| last.max(at)));
        self.uses = self.uses.saturating_add(1);
        if is_dated(event) {
            self.burst.note(keys.target, at, window_us);
        }
    }

    /// Learns that it was used for work, after detectors looked.
    pub(crate) fn learn_work(&mut self, event: &Event) {
        if is_work(event) && is_dated(event) {
            note_work(&mut self.last_work, event);
        }
    }
}

/// Whether a record says when its event happened. One that does not came at a known time, which
/// tells neither how long ago it happened nor what it followed.
pub(crate) fn is_dated(event: &Event) -> bool {
    event.time_quality == TimeQuality::Vendor
}

/// Keeps the newest work by event time.
fn note_work(last: &mut Option<FindingEvent>, event: &Event) {
    if last
        .as_ref()
        .is_none_or(|last| last.time <= event.time_effective)
    {
        *last = Some(finding_event(event));
    }
}

/// Whether an event is use: meaningful, and more than proving who one is.
pub fn is_work(event: &Event) -> bool {
    let mapped = &event.mapped;
    mapped.meaningful && !matches!(mapped.action, Action::Authenticate | Action::SessionChange)
}

/// Whether what an event tells of happened: not refused, and for the half-told and for what is done
/// by itself only if the record says that it succeeded.
pub fn took_place(event: &Event) -> bool {
    match event.mapped.outcome {
        OutcomeClass::Success => true,
        OutcomeClass::Unknown => event.mapped.meaningful,
        OutcomeClass::Failure | OutcomeClass::Denied => false,
    }
}

/// Whether an event ended in failure or refusal.
pub fn refused(event: &Event) -> bool {
    matches!(
        event.mapped.outcome,
        OutcomeClass::Failure | OutcomeClass::Denied
    )
}

/// The target as one hash.
pub fn target_key(event: &Event) -> u64 {
    let mapped = &event.mapped;
    let target = mapped.target_ref.as_ref().or(mapped.target_name.as_ref());
    key(&[
        &mapped.system,
        mapped.target_kind.as_deref().unwrap_or(""),
        target.map_or("", |t| t),
    ])
}

/// The class of what was acted on, in words: kind and leading part of its name, numbers removed.
fn target_class(event: &Event) -> String {
    let mapped = &event.mapped;
    let kind = mapped.target_kind.as_deref().unwrap_or("thing");
    let name = mapped
        .target_name
        .as_deref()
        .or(mapped.target_ref.as_deref())
        .unwrap_or("");
    let leading = name
        .split(['/', '?', '#'])
        .find(|part| !part.is_empty())
        .unwrap_or("");
    let stem = leading
        .chars()
        .map(|c| if c.is_ascii_digit() { '#' } else { c });
    let mut class = String::new();
    for character in stem {
        if character != '#' || !class.ends_with('#') {
            class.push(character);
        }
    }
    format!("{} {}", fact::cut(kind, 40), fact::cut(&class, 60))
        .trim_end()
        .to_owned()
}

/// (system, action, class of target) as one hash.
pub fn class_key(event: &Event) -> u64 {
    key(&[
        &event.mapped.system,
        event.mapped.action.name(),
        &target_class(event),
    ])
}

/// What the client is known by.
pub fn client(event: &Event) -> Option<Text> {
    let mapped = &event.mapped;
    let client = mapped
        .client_fingerprint
        .as_ref()
        .or(mapped.user_agent.as_ref())?;
    Some(Text::from(fact::cut(client, TRACE_TEXT_BYTES_MAX)))
}

/// The event as a finding lists it.
pub fn finding_event(event: &Event) -> FindingEvent {
    FindingEvent {
        event_uid: event.event_uid,
        log_seq: event.log_seq,
        time: event.time_effective,
        fact: fact::sentence(event),
    }
}
