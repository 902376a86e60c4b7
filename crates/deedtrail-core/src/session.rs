//! Sessions: what one actor did in one go, how far it reached, and how much it is trusted
//! (docs/reference/sessions.md, docs/reference/trust.md).

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::action::Action;
use crate::event::{ActorKind, Environment, OutcomeClass, Plane, listed};
use crate::finding::Severity;
use crate::id::{EventUid, FindingId, IdentityId, ReferenceUid, SessionUid, SourceName, TenantId};
use crate::port::log::Sequence;
use crate::time::Timestamp;

/// Actions a session lists, the first in order; further ones are counted.
pub const NEXT_ACTIONS_MAX: usize = 40;
/// Longest pause between two actions that is not marked as a gap, microseconds.
pub const GAP_MARKED_US: i64 = 5 * Timestamp::MINUTE_US;
/// Things each list of a blast radius names; further ones are counted.
pub const REACHED_MAX: usize = 12;
/// Permissions a session lists; further ones are left out.
pub const PERMISSIONS_MAX: usize = 24;
/// Changes a session names; further ones are left out.
pub const CHANGE_TICKETS_MAX: usize = 8;
/// Steps of trust a session keeps; beyond it the oldest but the first are dropped and counted.
pub const TRUST_STEPS_MAX: usize = 32;
/// Findings a session names; further ones lower its trust and are found by their own list.
pub const SESSION_FINDINGS_MAX: usize = 12;
/// Departures from learned behaviour a session keeps, the newest; and reasons each of them has.
pub const DEPARTURES_MAX: usize = 4;
pub const DEPARTURE_REASONS_MAX: usize = 4;
/// Sessions one session is joined to; further joins are not made.
pub const JOINS_MAX: usize = 24;
/// Sessions kept in the control plane; beyond it those idle for longest are forgotten. Their events
/// stay in the archive, each with its session's id.
pub const SESSIONS_STORED_MAX: usize = 200_000;
/// Blind sessions kept in the control plane, one per identity and system; likewise.
pub const BLIND_SESSIONS_MAX: usize = 20_000;
/// Scores whose crossing is noted: below the first a session needs a look, below the second action.
pub const TRUST_THRESHOLDS: [u8; 2] = [70, 40];

listed! {
    /// How it is known which events belong together.
    KnownBy {
        /// The vendor's own id of the session.
        VendorId = "vendor_id",
        /// The same actor, credential and client without a long pause.
        #[default] Gap = "gap",
    }
}

listed! {
    /// What became of a session, the gravest last.
    SessionVerdict {
        #[default] InScope = "in_scope",
        UnauthorisedChange = "unauthorised_change",
        Escalated = "escalated",
        Persistence = "persistence",
        SecretExtraction = "secret_extraction",
        Destructive = "destructive",
    }
}

listed! {
    /// By what two sessions are known to belong together.
    JoinBy {
        /// The same session id of a vendor in two systems.
        SessionId = "session_id",
        /// A credential that one handed out was used in the other.
        IssuedCredential = "issued_credential",
        /// The same trace of OpenTelemetry or W3C.
        Trace = "trace",
        /// One acts on behalf of the other's actor.
        Delegation = "delegation",
        /// What one published the other consumed.
        Queue = "queue",
        /// The same identity from the same network at the same time.
        #[default] IdentityNetwork = "identity_network",
        /// The same e-mail address from the same network at the same time.
        EmailNetwork = "email_network",
    }
}

listed! {
    /// What tells of a departure from learned behaviour.
    ToldBy {
        /// A finding of its own.
        Finding = "finding",
        /// A finding of another kind that says the same.
        OtherFinding = "other_finding",
        /// No finding: nothing in the session has weight.
        #[default] Session = "session",
    }
}

/// One session, or one part of it: a vendor's session that goes on after it was forgotten (48 h of
/// silence) begins a further part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    pub uid: SessionUid,
    /// Position in the log of the event that began this part.
    pub part: Sequence,
    pub tenant: TenantId,
    pub identity: IdentityId,
    pub actor: Text,
    pub actor_kind: ActorKind,
    pub known_by: KnownBy,
    pub started: Timestamp,
    pub last: Timestamp,
    /// `None` while it may go on.
    pub ended: Option<Timestamp>,
    pub events: u64,
    /// Events that were denied or failed.
    pub refused: u64,
    pub sources: Vec<SourceName>,
    pub systems: Vec<Text>,
    pub planes: Vec<Plane>,
    /// Public id of the credential it began with.
    pub credential: Option<Text>,
    /// AS or network, country and client it began with.
    pub network: Option<Text>,
    pub country: Option<Text>,
    pub client: Option<Text>,
    /// What it did, in order of time.
    pub next: Vec<NextAction>,
    pub next_left_out: u64,
    pub blast: BlastRadius,
    pub permissions: Vec<PermissionUse>,
    /// Changes that its records name: what they cover is legitimate.
    #[serde(default)]
    pub change_tickets: Vec<Text>,
    pub verdict: SessionVerdict,
    pub reasons: Vec<VerdictReason>,
    pub trust: Trust,
    pub findings: Vec<SessionFinding>,
    /// How it departed from what is learned, oldest first.
    #[serde(default)]
    pub departures: Vec<SessionDeparture>,
}

impl Session {
    /// When it first departed from what it may do; `None` for a session in scope.
    pub fn first_abuse(&self) -> Option<Timestamp> {
        self.reasons.iter().map(|reason| reason.at).min()
    }

    /// Why it is legitimate beyond being in scope, in words: the changes it names.
    pub fn legitimate_by(&self) -> Option<String> {
        let changes = self.change_tickets.join(", ");
        let in_scope = self.verdict == SessionVerdict::InScope;
        (in_scope && !changes.is_empty()).then(|| format!("legitimate (change {changes})"))
    }

    /// How unusual its most unusual departure is: at most one in so many sessions is; 0 where it has
    /// none.
    pub fn departs_one_in(&self) -> f64 {
        let each = self.departures.iter().map(SessionDeparture::one_in);
        each.fold(0.0, f64::max)
    }

    /// Whether destructive actions were among what it did.
    pub fn is_destructive(&self) -> bool {
        let destructive = |reason: &VerdictReason| reason.class == SessionVerdict::Destructive;
        self.reasons.iter().any(destructive)
    }
}

/// One action; the same one on the same thing again and again is one entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextAction {
    pub event_uid: EventUid,
    pub log_seq: Sequence,
    pub at: Timestamp,
    /// When it was last repeated.
    pub until: Timestamp,
    pub times: u32,
    pub system: Text,
    pub action: Action,
    pub operation: Text,
    pub target: Option<Text>,
    pub environment: Environment,
    pub outcome: OutcomeClass,
}

/// How far a session reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlastRadius {
    /// Tokens, keys and role sessions it had made.
    pub credentials_made: Reached,
    /// Roles and rights it gained or gave.
    pub rights_gained: Reached,
    pub secrets_read: Reached,
    /// Secrets and credentials it rotated.
    pub rotated: Reached,
    pub written: Reached,
    pub destroyed: Reached,
    pub identities_changed: Reached,
    pub files: Vec<FileChange>,
    pub files_left_out: u64,
    pub notified: Vec<Audience>,
    /// Messages to people and their readers, also those not listed.
    pub messages: u64,
    pub people_notified: u64,
    pub queues: Vec<QueueEdge>,
    pub objects_out: u64,
    pub bytes_out: u64,
}

impl BlastRadius {
    /// Its lists of things with what each is called, in the order they are shown.
    pub fn reached(&self) -> [(&'static str, &Reached); 7] {
        [
            ("credentials made", &self.credentials_made),
            ("rights gained", &self.rights_gained),
            ("secrets read", &self.secrets_read),
            ("rotated", &self.rotated),
            ("written", &self.written),
            ("destroyed", &self.destroyed),
            ("identities changed", &self.identities_changed),
        ]
    }
}

/// Things reached: the first by name, the rest by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    pub things: Vec<Thing>,
    /// Times that something else was reached.
    pub left_out: u64,
}

/// A thing reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    pub name: Text,
    pub kind: Option<Text>,
    pub environment: Environment,
    pub times: u64,
}

impl Reached {
    /// Nothing was.
    pub fn is_empty(&self) -> bool {
        self.things.is_empty()
    }

    /// Notes that a thing was reached.
    pub fn note(&mut self, name: &str, kind: Option<&Text>, environment: Environment) {
        if let Some(known) = self.things.iter_mut().find(|thing| thing.name == name) {
            known.times = known.times.saturating_add(1);
        } else if self.things.len() < REACHED_MAX {
            self.things.push(Thing {
                name: Text::new(name),
                kind: kind.cloned(),
                environment,
                times: 1,
            });
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }
}

/// A file that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    pub path: Text,
    pub before: Option<Text>,
    pub after: Option<Text>,
    pub environment: Environment,
    pub at: Timestamp,
}

/// People that a message went to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audience {
    /// Whom it went to, as a hash.
    pub reference: Option<ReferenceUid>,
    pub through: Text,
    pub count: u64,
    pub approver: Option<Text>,
    pub at: Timestamp,
}

/// What one session published and another consumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueEdge {
    pub from: SessionUid,
    pub from_actor: Text,
    pub topic: Text,
    pub to: SessionUid,
    pub to_actor: Text,
    pub at: Timestamp,
}

/// A permission that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionUse {
    pub permission: Text,
    pub uses: u64,
    pub first: Timestamp,
    /// First use that departed from what the session may do.
    pub first_abuse: Option<Timestamp>,
}

/// Why a session is not in scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerdictReason {
    pub class: SessionVerdict,
    pub at: Timestamp,
    /// The first event of this class.
    pub event_uid: EventUid,
    pub sentence: String,
    /// How often it happened.
    pub times: u64,
}

/// How much a session is trusted, 0 to 100, and how it came to that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    pub score: u8,
    pub lowest: u8,
    pub steps: Vec<TrustStep>,
    pub steps_left_out: u64,
}

/// One change of trust.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustStep {
    pub at: Timestamp,
    pub points: i32,
    /// Row of the table of points.
    pub row: Text,
    pub reason: Text,
    /// The score after it.
    pub score: u8,
    /// The threshold it crossed, downwards or upwards.
    pub crossed: Option<u8>,
}

/// A finding that names the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionFinding {
    pub id: FindingId,
    pub kind: Text,
    pub severity: Severity,
    pub title: Text,
    pub at: Timestamp,
}

/// A stretch of a session, without a pause of half an hour, that departs from what was learned of its
/// identity and peers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionDeparture {
    /// When the stretch began, and when it was seen to depart.
    pub since: Timestamp,
    pub at: Timestamp,
    /// Share of sessions at least as unusual, 0 to 1.
    pub share: f64,
    pub told_by: ToldBy,
    /// The finding that tells it.
    pub finding: Option<FindingId>,
    /// What is unusual, the most first.
    pub reasons: Vec<Text>,
}

impl SessionDeparture {
    /// At most one in so many sessions is as unusual; no history is long enough to say more than ten
    /// thousand.
    pub fn one_in(&self) -> f64 {
        (1.0 / self.share.clamp(1e-4, 1.0)).round()
    }
}

impl ToldBy {
    /// In words.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Finding => "a finding tells it",
            Self::OtherFinding => "another finding tells the same",
            Self::Session => "no finding: nothing in the session has weight",
        }
    }
}

/// That two sessions belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionJoin {
    pub tenant: TenantId,
    /// The one that led to the other.
    pub from: SessionUid,
    pub to: SessionUid,
    pub by: JoinBy,
    /// By what, in a sentence.
    pub reason: Text,
    /// 0 to 100.
    pub confidence: u8,
    pub at: Timestamp,
}

/// Sign-ins of an identity into a system that says nothing about what happens there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlindSession {
    pub tenant: TenantId,
    pub identity: IdentityId,
    pub actor: Text,
    /// The system or application signed in to.
    pub system: Text,
    /// Why nothing is seen: no feed ever, or silent since.
    pub silent_since: Option<Timestamp>,
    /// Rights the identity is known or named to have there.
    pub privilege: Text,
    pub severity: Severity,
    pub sign_ins: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}
