//! One session that may still go on: its record and what is needed to go on with it.

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{Event, OutcomeClass};
use deedtrail_core::finding::FindingDraft;
use deedtrail_core::id::SessionUid;
use deedtrail_core::session::{
    BlastRadius, DEPARTURES_MAX, KnownBy, SESSION_FINDINGS_MAX, Session, SessionFinding,
    SessionVerdict, ToldBy, Trust,
};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::assign::span_key;
use super::join::Joined;
use super::record::SYSTEM_BYTES_MAX;
use super::trust::{self, Working};
use super::{Seen, blast, pause_us, record, verdict};
use crate::behaviour::Departed;
use crate::limits::{LATENESS_US_MAX, PLACES_MAX};
use crate::{fact, profile};

/// Marks of places are left once in each stretch of so many microseconds.
pub(super) const PLACE_US: i64 = 5 * Timestamp::MINUTE_US;

/// A session in the state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tracked {
    pub(super) session: Session,
    /// Key of its span, where it is known by pauses.
    pub(super) span: Option<u64>,
    /// When its newest event to arrive came.
    pub(super) arrived: Timestamp,
    /// When a tick looks at it again.
    pub(super) due: Timestamp,
    /// The pause that ends it, µs.
    pause_us: i64,
    pub(super) joined: Vec<Joined>,
    /// Where and in which stretch of time its newest event to arrive was, as a hash.
    stay: Option<u64>,
    /// The first secret it read without a change ticket.
    first_read: Option<verdict::Cause>,
    trust: Working,
    /// AS, else network; and client, as hashes: what its newest event had.
    network: Option<u64>,
    country: Option<Text>,
    client: Option<u64>,
}

impl Tracked {
    pub(super) fn new(uid: SessionUid, seen: &Seen<'_>) -> Self {
        let event = seen.observation.event;
        let (mapped, at) = (&event.mapped, event.time_effective);
        let by_vendor = mapped.session_ref.is_some();
        let pause_us = if by_vendor {
            let hours = seen.settings.session_idle_hours;
            hours.saturating_mul(Timestamp::HOUR_US)
        } else {
            pause_us(event, seen.settings)
        };
        let identity = seen.observation.identity;
        let short = |text: &Text, bytes_max| Text::from(fact::cut(text, bytes_max));
        let mut session = Session {
            uid,
            part: event.log_seq,
            tenant: event.tenant.clone(),
            identity: seen.subject,
            actor: fact::actor_name(&seen.observation).into(),
            actor_kind: identity.map_or(mapped.actor_kind, |identity| identity.kind),
            known_by: if by_vendor {
                KnownBy::VendorId
            } else {
                KnownBy::Gap
            },
            started: at,
            last: at,
            ended: None,
            events: 0,
            refused: 0,
            sources: Vec::new(),
            systems: Vec::new(),
            planes: Vec::new(),
            credential: mapped.credential_ref.as_ref().map(|text| short(text, 60)),
            network: fact::origin(event).map(Text::from),
            country: mapped.src_country.as_ref().map(|text| short(text, 8)),
            client: profile::client(event),
            next: Vec::new(),
            next_left_out: 0,
            blast: BlastRadius::default(),
            permissions: Vec::new(),
            change_tickets: Vec::new(),
            verdict: SessionVerdict::InScope,
            reasons: Vec::new(),
            trust: Trust::default(),
            findings: Vec::new(),
            departures: Vec::new(),
        };
        let trust = trust::start(&mut session.trust, event);
        let mut tracked = Self {
            session,
            span: (!by_vendor).then(|| span_key(event, seen.subject)),
            arrived: event.time_received,
            due: at,
            pause_us,
            joined: Vec::new(),
            stay: None,
            first_read: None,
            trust,
            network: network(event),
            country: country(event),
            client: client(event),
        };
        tracked.due = tracked.next_due(at);
        tracked
    }

    /// Goes on with an event.
    pub(super) fn take(&mut self, seen: &Seen<'_>) {
        let event = seen.observation.event;
        let at = event.time_effective;
        let session = &mut self.session;
        session.started = session.started.min(at);
        session.last = session.last.max(at);
        session.ended = None;
        session.events = session.events.saturating_add(1);
        self.arrived = self.arrived.max(event.time_received);
        note_place(session, event);
        record::act(session, event);
        record::change(session, event);
        if profile::took_place(event) {
            blast::reach(&mut session.blast, event);
        } else if profile::refused(event) {
            session.refused = session.refused.saturating_add(1);
        }
        self.trust.pass(&mut self.session.trust, self.session.last);
        self.judge_way(event);
        if profile::took_place(event) {
            verdict::note_read(&mut self.first_read, event);
        }
        let departs = verdict::of(seen, &self.session.blast, self.first_read.as_ref());
        let since = departs.iter().map(|departs| departs.cause.at).min();
        record::permission(&mut self.session, event, since);
        for departs in departs {
            let reason = departs.reason();
            if verdict::note(&mut self.session, departs) {
                self.trust
                    .lose(&mut self.session.trust, at, trust::GRAVE, &reason);
            }
        }
        self.judge_findings(seen);
        if ends(event) {
            self.session.ended = Some(at);
        }
    }

    /// Points for where it comes from, how it signs in and what is refused.
    fn judge_way(&mut self, event: &Event) {
        let at = event.time_effective;
        let trust = &mut self.session.trust;
        if event.mapped.action == Action::Authenticate
            && event.mapped.outcome == OutcomeClass::Success
        {
            self.trust.signed_in(trust, at);
        }
        if profile::refused(event) {
            let reason = fact::sentence(event);
            self.trust.refused(trust, at, &reason);
        }
        let country = country(event);
        let moved = differs(self.country.as_ref(), country.as_ref());
        if moved {
            let from = self.country.as_deref().unwrap_or_default();
            let to = country.as_deref().unwrap_or_default();
            let reason = format!("from {from} to {to}");
            self.trust.lose(trust, at, trust::COUNTRY, &reason);
        }
        let network = network(event);
        if differs(self.network.as_ref(), network.as_ref()) && !moved {
            let now = fact::origin(event).unwrap_or_default();
            self.trust
                .lose(trust, at, trust::NETWORK, &format!("now from {now}"));
        }
        let client = client(event);
        if differs(self.client.as_ref(), client.as_ref()) {
            let now = profile::client(event).unwrap_or_default();
            self.trust
                .lose(trust, at, trust::CLIENT, &format!("now with {now}"));
        }
        self.country = country.or(self.country.take());
        self.network = network.or(self.network);
        self.client = client.or(self.client);
    }

    fn judge_findings(&mut self, seen: &Seen<'_>) {
        for draft in seen.drafts_of_session() {
            self.judge_finding(draft);
        }
    }

    fn judge_finding(&mut self, draft: &FindingDraft) {
        let id = draft.id();
        if !self.session.findings.iter().any(|known| known.id == id) {
            let reason = format!("{}: {}", draft.kind, fact::cut(&draft.title, 100));
            let row = trust::row_of(draft.severity);
            self.trust
                .lose(&mut self.session.trust, draft.at, row, &reason);
            if self.session.findings.len() < SESSION_FINDINGS_MAX {
                self.session.findings.push(SessionFinding {
                    id,
                    kind: draft.kind.clone(),
                    severity: draft.severity,
                    title: fact::cut(&draft.title, 160).into(),
                    at: draft.at,
                });
            }
        }
    }

    /// Takes note of a departure from learned behaviour, in place of what was said of the same stretch
    /// before.
    pub(super) fn depart(&mut self, departed: &Departed) {
        let departure = &departed.departure;
        let known = &mut self.session.departures;
        let same = known.iter().position(|it| it.since == departure.since);
        if let Some(place) = same {
            known.remove(place);
        }
        known.push(departure.clone());
        let over = known.len().saturating_sub(DEPARTURES_MAX);
        known.drain(..over);
        if let Some(draft) = &departed.draft {
            self.judge_finding(draft);
        } else if departure.told_by == ToldBy::Session && same.is_none() {
            let reason = departure.reasons.first().map_or("", |reason| reason);
            let trust = &mut self.session.trust;
            self.trust.lose(trust, departure.at, trust::UNUSUAL, reason);
        }
    }

    /// Grows older, or ends after its pause; true when that changed anything.
    pub(super) fn tick(&mut self, now: Timestamp) -> bool {
        if self.session.ended.is_some() {
            return false;
        }
        if now.micros_since(self.session.last) >= self.pause_us {
            self.session.ended = Some(self.session.last);
            return true;
        }
        self.trust.pass(&mut self.session.trust, now)
    }

    /// Whether an event comes from another place or in another stretch of time than the one before
    /// it, so that others may be near it now. Anybody can type a name: attempts that failed are
    /// nowhere.
    pub(super) fn is_elsewhere(&mut self, event: &Event) -> bool {
        if event.mapped.is_failed_sign_in() {
            return false;
        }
        let mapped = &event.mapped;
        let stretch = event.time_effective.as_micros().div_euclid(PLACE_US);
        let asn = mapped.src_asn.map(|asn| asn.to_string());
        let stay = profile::key(&[
            &stretch.to_string(),
            asn.as_deref().unwrap_or_default(),
            mapped.src_ip.as_deref().unwrap_or_default(),
        ]);
        self.stay.replace(stay) != Some(stay)
    }

    /// When a tick has to look at it again: at its next hour, its end, or to forget it.
    pub(super) fn next_due(&self, now: Timestamp) -> Timestamp {
        if self.session.ended.is_some() {
            return self.arrived.plus_micros(LATENESS_US_MAX);
        }
        let end = self.session.last.plus_micros(self.pause_us);
        self.trust.next_hour().max(now.plus_micros(1)).min(end)
    }
}

fn note_place(session: &mut Session, event: &Event) {
    let mapped = &event.mapped;
    if session.sources.len() < PLACES_MAX && !session.sources.contains(&event.source) {
        session.sources.push(event.source.clone());
    }
    let known = |known: &Text| record::is_cut_of(known, &mapped.system, SYSTEM_BYTES_MAX);
    if session.systems.len() < PLACES_MAX && !session.systems.iter().any(known) {
        session
            .systems
            .push(record::cut(&mapped.system, SYSTEM_BYTES_MAX));
    }
    if !session.planes.contains(&mapped.plane) {
        session.planes.push(mapped.plane);
    }
}

fn differs<T: PartialEq>(before: Option<&T>, now: Option<&T>) -> bool {
    before.is_some() && now.is_some() && before != now
}

/// The AS, else /24 or /48, as a hash.
pub(super) fn network(event: &Event) -> Option<u64> {
    match event.mapped.src_asn {
        Some(asn) => Some(profile::key(&["as", &asn.to_string()])),
        None => fact::network(event).map(|network| profile::key(&["net", &network])),
    }
}

fn country(event: &Event) -> Option<Text> {
    let country = event.mapped.src_country.as_ref()?;
    Some(record::cut(country, 8))
}

fn client(event: &Event) -> Option<u64> {
    let mapped = &event.mapped;
    let client = mapped.client_fingerprint.as_ref();
    let client = client.or(mapped.user_agent.as_ref())?;
    Some(profile::key(&[client]))
}

/// Whether an event says that its session is over.
fn ends(event: &Event) -> bool {
    const WORDS: [&str; 5] = ["session.end", "logout", "log_out", "signout", "sign_out"];
    let mapped = &event.mapped;
    mapped.action == Action::SessionChange && profile::contains_any(&mapped.operation, &WORDS)
}
