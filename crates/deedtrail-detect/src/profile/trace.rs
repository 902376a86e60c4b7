//! The few events of an identity that patterns are made of, kept in event time.

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{Event, EventKind, OutcomeClass, Sensitivity, Verdict};
use deedtrail_core::finding::FindingEvent;
use deedtrail_core::id::{EventUid, ReferenceUid};
use deedtrail_core::port::log::Sequence;
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Facts;
use crate::fact;
use crate::limits::TRACE_TEXT_BYTES_MAX;

/// What a click is called whose link carries a credential.
const TOKEN_BEARING: &str = "a token-bearing link";
/// Records of one sign-in that come closer together than this are one attempt, unless the vendor
/// says otherwise.
const ATTEMPT_US: i64 = 30 * Timestamp::SECOND_US;

/// What an event can be part of. Each kind has its own small ring, so that a noisy kind cannot
/// push out a rare one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TraceKind {
    Click,
    SignIn,
    /// A sign-in that succeeded, from a network never seen for the identity.
    StrangeSignIn,
    SignInFailure,
    /// Access refused: by what was asked for, or at its door by the identity provider.
    Denied,
    ConsentGrant,
    CredentialCreate,
    PrivilegeGrant,
    IdentityCreate,
    /// A mailbox rule was made or changed.
    InboxRule,
    SecretRead,
    CredentialRotate,
    /// A change that failed or was denied, of anything but data.
    FailedChange,
    /// An attempt to change anything, whatever came of it.
    WriteAttempt,
    /// A listing of roles, policies, identities or permissions.
    Enumeration,
    LoggingChange,
}

impl TraceKind {
    /// How many of this kind are kept per identity; beyond it the oldest by event time goes.
    const fn capacity(self) -> usize {
        match self {
            Self::Enumeration => 16,
            Self::SignInFailure => 8,
            Self::Denied | Self::SecretRead | Self::WriteAttempt => 6,
            Self::Click => 4,
            _ => 3,
        }
    }
}

/// One such event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    pub kind: TraceKind,
    pub time: Timestamp,
    pub event_uid: EventUid,
    pub log_seq: Sequence,
    pub asn: Option<i64>,
    /// /24 or /48.
    pub network: Option<Text>,
    pub device: Option<ReferenceUid>,
    /// Hash of the target's name.
    pub target: u64,
    pub target_name: Text,
    pub change_ticket: Option<Text>,
    /// Token-bearing link, malicious verdict, sensitive target: what makes it weigh more.
    pub weight: Option<Text>,
    /// The origin had been seen for this actor before the event.
    pub network_seen: Option<bool>,
    /// The identity had never done this kind of action before.
    pub first_time: bool,
    pub outcome: OutcomeClass,
    /// Hash of what the vendor calls the attempt this record is part of.
    pub attempt: Option<u64>,
    pub sentence: Text,
}

impl Trace {
    fn of(kind: TraceKind, event: &Event, facts: &Facts) -> Self {
        let target = fact::target_name(event);
        Self {
            kind,
            time: event.time_effective,
            event_uid: event.event_uid,
            log_seq: event.log_seq,
            asn: event.mapped.src_asn,
            network: fact::network(event),
            device: event.device_uid,
            target: super::key(&[&event.mapped.system, &target]),
            target_name: Text::from(fact::cut(&target, TRACE_TEXT_BYTES_MAX / 2)),
            change_ticket: event
                .mapped
                .change_ticket
                .as_deref()
                .map(|t| Text::from(fact::cut(t, 40))),
            weight: weight(kind, event),
            network_seen: facts.network_seen_before,
            first_time: facts.first_time_action == Some(true),
            outcome: event.mapped.outcome,
            attempt: event
                .mapped
                .labels
                .get("transaction")
                .map(|id| super::key(&[&event.mapped.system, id])),
            sentence: Text::from(fact::cut(&fact::sentence(event), TRACE_TEXT_BYTES_MAX + 20)),
        }
    }

    pub fn finding_event(&self) -> FindingEvent {
        FindingEvent {
            event_uid: self.event_uid,
            log_seq: self.log_seq,
            time: self.time,
            fact: self.sentence.to_string(),
        }
    }

    /// Whether both came from one AS, or one /24 where the AS is not known; `None` when unknown.
    pub fn same_network(&self, other: &Self) -> Option<bool> {
        match (self.asn, other.asn, &self.network, &other.network) {
            (Some(mine), Some(theirs), _, _) => Some(mine == theirs),
            (_, _, Some(mine), Some(theirs)) => Some(mine == theirs),
            _ => None,
        }
    }

    /// A click on a link that carries a credential.
    pub fn token_bearing(&self) -> bool {
        self.kind == TraceKind::Click && self.weight.as_deref() == Some(TOKEN_BEARING)
    }

    /// Whether both are records of one attempt: the vendor says so, or they are too close together
    /// for somebody to have tried twice.
    pub fn same_attempt(&self, other: &Self) -> bool {
        match (self.attempt, other.attempt) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => self.time.micros_since(other.time).abs() < ATTEMPT_US,
        }
    }

    /// The AS or network in words.
    pub fn origin(&self) -> String {
        match (self.asn, &self.network) {
            (Some(asn), _) => format!("AS{asn}"),
            (None, Some(network)) => network.to_string(),
            (None, None) => "an unknown network".to_owned(),
        }
    }
}

/// Traces of one identity, sorted by (time, position in the log).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traces {
    entries: Vec<Trace>,
}

impl Traces {
    /// Files `event` under every kind it is; returns the kinds.
    ///
    /// Write attempts are filed for read-only identities alone: for others they make no pattern.
    pub(super) fn insert(
        &mut self,
        event: &Event,
        facts: &Facts,
        read_only: bool,
    ) -> Vec<TraceKind> {
        // Heartbeats and half-told requests are no part of a pattern.
        if !event.mapped.meaningful {
            return Vec::new();
        }
        let mut kinds = kinds_of(event);
        let signed_in = event.mapped.action == Action::Authenticate
            && event.mapped.outcome == OutcomeClass::Success;
        if signed_in && facts.network_seen_before == Some(false) {
            kinds.push(TraceKind::StrangeSignIn);
        }
        if read_only && changes_something(event.mapped.action) {
            kinds.push(TraceKind::WriteAttempt);
        }
        // Of what is not dated nobody knows what it came before or after.
        for kind in kinds.iter().filter(|_| super::is_dated(event)) {
            let trace = Trace::of(*kind, event, facts);
            let order = |t: &Trace| (t.time, t.log_seq, t.event_uid);
            let at = self
                .entries
                .partition_point(|known| order(known) <= order(&trace));
            self.entries.insert(at, trace);
            let same = self
                .entries
                .iter()
                .filter(|known| known.kind == *kind)
                .count();
            if same > kind.capacity()
                && let Some(oldest) = self.entries.iter().position(|known| known.kind == *kind)
            {
                self.entries.remove(oldest);
            }
        }
        kinds
    }

    /// Traces of `kind` with a time in `from..=to`, in order of time.
    pub fn within(
        &self,
        kind: TraceKind,
        from: Timestamp,
        to: Timestamp,
    ) -> impl DoubleEndedIterator<Item = &Trace> {
        let inside = move |t: &&Trace| t.kind == kind && from <= t.time && t.time <= to;
        self.entries.iter().filter(inside)
    }

    /// The trace this event left under `kind`.
    pub fn of_event(&self, kind: TraceKind, event: EventUid) -> Option<&Trace> {
        self.entries
            .iter()
            .find(|t| t.kind == kind && t.event_uid == event)
    }

    /// The newest trace of `kind` at or before `time`.
    pub fn latest(&self, kind: TraceKind, time: Timestamp) -> Option<&Trace> {
        let earlier = |t: &&Trace| t.kind == kind && t.time <= time;
        self.entries.iter().rev().find(earlier)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Why a click or refusal weighs more than others, in words.
fn weight(kind: TraceKind, event: &Event) -> Option<Text> {
    let mapped = &event.mapped;
    match kind {
        TraceKind::Click => {
            let label = |name: &str| mapped.labels.get(name).filter(|v| v.as_str() != "false");
            let malicious = matches!(mapped.verdict, Some(Verdict::Block | Verdict::Warn));
            if label("token_bearing").is_some() {
                Some(Text::new_static(TOKEN_BEARING))
            } else if let Some(threat) = &mapped.threat {
                Some(Text::from(format!(
                    "a link of the threat {}",
                    fact::cut(threat, 60)
                )))
            } else if malicious {
                Some(Text::new_static("a link judged malicious"))
            } else {
                None
            }
        }
        TraceKind::Denied => sensitive(event).then(|| Text::new_static("a sensitive target")),
        _ => None,
    }
}

/// Whether the target is one an intruder would look for.
pub fn sensitive(event: &Event) -> bool {
    let sensitivity = event.mapped.target_sensitivity;
    let declared = matches!(sensitivity, Sensitivity::Confidential | Sensitivity::Secret);
    declared
        || event.mapped.action == Action::SecretRead
        || contains_any(
            &fact::target_name(event),
            &[
                "portal", "admin", "payroll", "finance", "secret", "vault", "billing", "hr-",
                "console",
            ],
        )
}

/// Whether `text` contains one of `words`, ignoring ASCII case.
pub fn contains_any(text: &str, words: &[&str]) -> bool {
    let lower = text.to_ascii_lowercase();
    words.iter().any(|word| lower.contains(word))
}

/// Every kind an event is.
fn kinds_of(event: &Event) -> Vec<TraceKind> {
    let mapped = &event.mapped;
    let refused = matches!(mapped.outcome, OutcomeClass::Failure | OutcomeClass::Denied);
    let succeeded = !refused;
    let mut kinds = Vec::new();
    match mapped.action {
        Action::Click => kinds.push(TraceKind::Click),
        Action::Authenticate if refused => kinds.push(TraceKind::SignInFailure),
        Action::Authenticate => kinds.push(TraceKind::SignIn),
        Action::ConsentGrant if succeeded => kinds.push(TraceKind::ConsentGrant),
        Action::CredentialCreate if succeeded => kinds.push(TraceKind::CredentialCreate),
        Action::PrivilegeGrant if succeeded => kinds.push(TraceKind::PrivilegeGrant),
        Action::IdentityCreate if succeeded => kinds.push(TraceKind::IdentityCreate),
        Action::SecretRead if succeeded => kinds.push(TraceKind::SecretRead),
        Action::CredentialRotate if succeeded => kinds.push(TraceKind::CredentialRotate),
        Action::LoggingChange if succeeded => kinds.push(TraceKind::LoggingChange),
        Action::Enumerate if lists_authority(event) => kinds.push(TraceKind::Enumeration),
        _ => {}
    }
    if mapped.kind == EventKind::Click && mapped.action != Action::Click {
        kinds.push(TraceKind::Click);
    }
    let may_be_mailbox = matches!(
        mapped.action,
        Action::ConfigChange | Action::Write | Action::Share | Action::Other
    );
    if succeeded
        && may_be_mailbox
        && contains_any(
            &mapped.operation,
            &["inboxrule", "inbox_rule", "mailbox rule"],
        )
    {
        kinds.push(TraceKind::InboxRule);
    }
    if refused && changes_something(mapped.action) && mapped.action != Action::Write {
        kinds.push(TraceKind::FailedChange);
    }
    let denied = match mapped.action {
        Action::Authenticate => mapped.outcome == OutcomeClass::Denied && names_application(event),
        _ => refused && mapped.kind != EventKind::Click,
    };
    if denied {
        kinds.push(TraceKind::Denied);
    }
    kinds
}

/// Whether a sign-in was to an application, not to the identity provider itself.
fn names_application(event: &Event) -> bool {
    let mapped = &event.mapped;
    let application = mapped
        .target_kind
        .as_ref()
        .is_some_and(|kind| contains_any(kind, &["app"]));
    let provider = mapped.system.as_str().to_ascii_lowercase();
    application && !contains_any(&fact::target_name(event), &[&provider])
}

/// Whether an action changes what it acts on.
pub const fn changes_something(action: Action) -> bool {
    matches!(
        action,
        Action::Write
            | Action::Delete
            | Action::Destroy
            | Action::CodeChange
            | Action::ConfigChange
            | Action::Deploy
            | Action::PrivilegeGrant
            | Action::PrivilegeRevoke
            | Action::CredentialCreate
            | Action::CredentialRotate
            | Action::CredentialRevoke
            | Action::IdentityCreate
            | Action::IdentityChange
            | Action::IdentityDisable
            | Action::LoggingChange
            | Action::Share
    )
}

/// Whether a listing is of who may do what.
pub fn lists_authority(event: &Event) -> bool {
    const WORDS: [&str; 9] = [
        "role",
        "polic",
        "user",
        "identit",
        "group",
        "member",
        "binding",
        "permission",
        "serviceaccount",
    ];
    // Asking who one is oneself lists nobody's rights.
    const OWN: [&str; 4] = ["calleridentity", "whoami", "lookup-self", "selfsubject"];
    let mapped = &event.mapped;
    if mapped.operation.starts_with("sts:") || contains_any(&mapped.operation, &OWN) {
        return false;
    }
    contains_any(&mapped.operation, &WORDS)
        || mapped
            .target_kind
            .as_ref()
            .is_some_and(|kind| contains_any(kind, &WORDS))
}
