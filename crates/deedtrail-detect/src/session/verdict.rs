//! What became of a session: in scope, or how it departed.

use deedtrail_core::action::Action;
use deedtrail_core::event::Event;
use deedtrail_core::id::EventUid;
use deedtrail_core::session::{BlastRadius, Session, SessionVerdict, VerdictReason};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Seen;
use crate::{fact, profile};

/// Days on which an identity did a kind of action before, from which on it is its routine.
const ROUTINE_DAYS: u32 = 3;
/// Different secrets read in one session that make an extraction.
const SECRETS_MIN: usize = 5;
/// Objects deleted at once that make a deletion destructive.
const OBJECTS_MIN: i64 = 100;
/// What takes everything in it along when it is deleted.
const CONTAINERS: [&str; 11] = [
    "bucket", "database", "cluster", "repo", "volume", "vault", "project", "organi", "account",
    "snapshot", "backup",
];

/// An event that a verdict may begin with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cause {
    pub(super) at: Timestamp,
    event_uid: EventUid,
    sentence: String,
}

impl Cause {
    pub(super) fn of(event: &Event) -> Self {
        Self {
            at: event.time_effective,
            event_uid: event.event_uid,
            sentence: fact::sentence(event),
        }
    }
}

/// A verdict that an event leads to.
pub(super) struct Departs {
    pub(super) class: SessionVerdict,
    /// What it begins with: the event itself, or the first of a run that it completes.
    pub(super) cause: Cause,
}

impl Departs {
    /// In words, for a step of trust.
    pub(super) fn reason(&self) -> String {
        format!("{}: {}", self.class.name(), self.cause.sentence)
    }
}

/// Remembers the first read of a secret that no change ticket covers.
pub(super) fn note_read(first: &mut Option<Cause>, event: &Event) {
    let mapped = &event.mapped;
    let reads = mapped.action == Action::SecretRead && mapped.change_ticket.is_none();
    let earlier = first
        .as_ref()
        .is_none_or(|known| event.time_effective < known.at);
    if reads && earlier {
        *first = Some(Cause::of(event));
    }
}

/// Which verdicts an event leads to, where `first_read` is the first of its session's secrets.
pub(super) fn of(seen: &Seen<'_>, blast: &BlastRadius, first_read: Option<&Cause>) -> Vec<Departs> {
    let event = seen.observation.event;
    let mut all = Vec::new();
    if profile::took_place(event)
        && let Some((class, why)) = by_action(seen, blast)
    {
        let run = first_read.filter(|_| class == SessionVerdict::SecretExtraction);
        let mut cause = run.cloned().unwrap_or_else(|| Cause::of(event));
        if run.is_some() {
            let read = blast.secrets_read.things.len();
            cause.sentence = format!("{read} different secrets, the first: {}", cause.sentence);
        }
        cause.sentence.push_str(&why);
        all.push(Departs { class, cause });
    }
    for draft in seen.drafts_of_session() {
        // What one refused request would have been, it was not.
        let in_vain = !profile::took_place(event) && draft.events.len() <= 1;
        if let Some(class) = by_finding(&draft.kind).filter(|_| !in_vain) {
            let sentence = fact::cut(&draft.title, 200);
            let cause = Cause {
                sentence,
                ..Cause::of(event)
            };
            all.push(Departs { class, cause });
        }
    }
    all
}

/// By what was done alone; what is routine or names a change ticket is in scope, unless it destroys.
fn by_action(seen: &Seen<'_>, blast: &BlastRadius) -> Option<(SessionVerdict, String)> {
    let mapped = &seen.observation.event.mapped;
    let class = match mapped.action {
        Action::Destroy => return Some((SessionVerdict::Destructive, String::new())),
        Action::Delete if destroys(seen.observation.event) => {
            return Some((SessionVerdict::Destructive, String::new()));
        }
        Action::PrivilegeGrant => SessionVerdict::Escalated,
        Action::CredentialCreate | Action::IdentityCreate | Action::ConsentGrant => {
            SessionVerdict::Persistence
        }
        Action::SecretRead if blast.secrets_read.things.len() >= SECRETS_MIN => {
            SessionVerdict::SecretExtraction
        }
        _ => return None,
    };
    if seen.days_of_action >= ROUTINE_DAYS || mapped.change_ticket.is_some() {
        return None;
    }
    let days = usize::try_from(seen.days_of_action).unwrap_or_default();
    let before = fact::counted(days, "earlier day");
    Some((class, format!("; done on {before}, no change ticket")))
}

fn destroys(event: &Event) -> bool {
    let mapped = &event.mapped;
    let many = mapped
        .object_count
        .is_some_and(|count| count >= OBJECTS_MIN);
    let kind = mapped.target_kind.as_deref().unwrap_or_default();
    let operation = mapped.operation.to_ascii_lowercase();
    let whole = CONTAINERS
        .iter()
        .any(|container| operation.ends_with(container) || kind.eq_ignore_ascii_case(container));
    many || whole
}

/// By what was found.
pub(super) fn by_finding(kind: &str) -> Option<SessionVerdict> {
    Some(match kind {
        "data_destroyed" => SessionVerdict::Destructive,
        "secret_extraction" | "unpaired_secret_read" | "metadata_read" | "exfiltration" => {
            SessionVerdict::SecretExtraction
        }
        "credential_planted" | "identity_planted" | "session_minted" | "trust_backdoor"
        | "mail_forwarded" | "consent_risk" | "code_planted" => SessionVerdict::Persistence,
        "escalation_after_login" | "privilege_escalation" => SessionVerdict::Escalated,
        "scope_departure"
        | "control_gap"
        | "deployment_manifest_change"
        | "authentication_weakened"
        | "logging_disabled"
        | "guardrail_removed"
        | "network_exposed"
        | "network_changed"
        | "traffic_captured"
        | "external_share"
        | "repository_exposed"
        | "code_tampered"
        | "resource_hijacked"
        | "allowed_but_unsafe" => SessionVerdict::UnauthorisedChange,
        _ => return None,
    })
}

/// Notes why a session is not in scope; true for the first of its class.
pub(super) fn note(session: &mut Session, Departs { class, cause }: Departs) -> bool {
    session.verdict = session.verdict.max(class);
    let mut known = session.reasons.iter_mut();
    if let Some(known) = known.find(|reason| reason.class == class) {
        known.times = known.times.saturating_add(1);
        known.at = known.at.min(cause.at);
        return false;
    }
    session.reasons.push(VerdictReason {
        class,
        at: cause.at,
        event_uid: cause.event_uid,
        sentence: cause.sentence,
        times: 1,
    });
    true
}
