//! Events and numbers as sentences, for reasons and for the events a finding lists.

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{Event, OutcomeClass};
use deedtrail_core::time::Timestamp;

use crate::Observation;
use crate::limits::TRACE_TEXT_BYTES_MAX;

/// `text` cut to at most `bytes_max` bytes at a character boundary; control characters become
/// spaces, so that a hostile name cannot break a line.
pub fn cut(text: &str, bytes_max: usize) -> String {
    let kept = text.get(..text.floor_char_boundary(bytes_max));
    let kept = kept.unwrap_or_default();
    // Nearly all there is.
    if kept.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return kept.to_owned();
    }
    let mut short = String::with_capacity(kept.len());
    for character in text.chars() {
        if short.len() + character.len_utf8() > bytes_max {
            break;
        }
        short.push(if character.is_control() {
            ' '
        } else {
            character
        });
    }
    short
}

/// The name of the actor for sentences: the identity's, else what the record says.
pub fn actor_name(observation: &Observation<'_>) -> String {
    let mapped = &observation.event.mapped;
    let named = observation
        .identity
        .map(|identity| &identity.name)
        .filter(|name| !name.is_empty())
        .or(mapped.actor_name.as_ref())
        .or(mapped.actor_ref.as_ref());
    named.map_or_else(
        || "an actor without a name".to_owned(),
        |name| cut(name, TRACE_TEXT_BYTES_MAX),
    )
}

/// What was acted on: name, else reference, else kind, else system.
pub fn target_name(event: &Event) -> String {
    let mapped = &event.mapped;
    let named = mapped
        .target_name
        .as_ref()
        .or(mapped.target_ref.as_ref())
        .or(mapped.target_kind.as_ref());
    cut(named.unwrap_or(&mapped.system), TRACE_TEXT_BYTES_MAX)
}

/// Where an event came from: AS and country if known, else address, else nothing.
pub fn origin(event: &Event) -> Option<String> {
    let mapped = &event.mapped;
    let country = mapped
        .src_country
        .as_ref()
        .map(|c| format!(" ({})", cut(c, 8)));
    let country = country.unwrap_or_default();
    match (mapped.src_asn, &mapped.src_ip) {
        (Some(asn), _) => Some(format!("AS{asn}{country}")),
        (None, Some(ip)) => Some(format!("{}{country}", cut(ip, 45))),
        (None, None) => None,
    }
}

/// One sentence on what an event shows.
pub fn sentence(event: &Event) -> String {
    let mapped = &event.mapped;
    let mut text = match mapped.action {
        Action::Authenticate => format!("sign-in to {}", cut(&mapped.system, 40)),
        Action::Click => match &mapped.url_domain {
            Some(domain) => format!("opened a link to {}", cut(domain, 80)),
            None => "opened a link".to_owned(),
        },
        action => format!("{} {}", verb(action), cut(&target_name(event), 60)),
    };
    if !mapped.operation.is_empty() {
        text.extend([" (", &cut(&mapped.operation, 40), ")"]);
    }
    if let Some(from) = origin(event) {
        text.push_str(" from ");
        text.push_str(&from);
    }
    text.push_str(match mapped.outcome {
        OutcomeClass::Success => ": succeeded",
        OutcomeClass::Failure => ": failed",
        OutcomeClass::Denied => ": denied",
        OutcomeClass::Unknown => "",
    });
    if let (OutcomeClass::Failure | OutcomeClass::Denied, Some(detail)) =
        (mapped.outcome, &mapped.outcome_detail)
    {
        text.extend([" (", &cut(detail, 60), ")"]);
    }
    text
}

/// The action in the past tense, as a sentence needs it.
const fn verb(action: Action) -> &'static str {
    match action {
        Action::Read => "read",
        Action::Enumerate => "listed",
        Action::Write => "wrote",
        Action::Delete => "deleted",
        Action::Destroy => "destroyed",
        Action::ConfigChange => "changed the configuration of",
        Action::CodeChange => "changed code in",
        Action::Deploy => "deployed",
        Action::Execute => "ran",
        Action::PrivilegeGrant => "granted rights on",
        Action::PrivilegeRevoke => "took rights from",
        Action::CredentialCreate => "created a credential for",
        Action::CredentialRotate => "rotated the credential of",
        Action::CredentialRevoke => "revoked the credential of",
        Action::SecretRead => "read the secret",
        Action::Export => "exported",
        Action::Share => "shared",
        Action::MessagePublish => "published to",
        Action::MessageConsume => "consumed from",
        Action::NotifyPeople => "sent a message to people through",
        Action::ConsentGrant => "consented to",
        Action::IdentityCreate => "created the identity",
        Action::IdentityChange => "changed the identity",
        Action::IdentityDisable => "disabled the identity",
        Action::LicenceChange => "changed the licence of",
        Action::LoggingChange => "changed the logging of",
        Action::SessionChange => "changed the session on",
        Action::Authenticate | Action::Click | Action::Other => "acted on",
    }
}

/// A span in words, at the grain a reader needs: `8 s`, `12 min`, `5 h`, `140 days`.
pub fn span(micros: i64) -> String {
    let micros = micros.max(0);
    match micros {
        us if us < Timestamp::MINUTE_US => format!("{} s", us / Timestamp::SECOND_US),
        us if us < 2 * Timestamp::HOUR_US => format!("{} min", us / Timestamp::MINUTE_US),
        us if us < 2 * Timestamp::DAY_US => format!("{} h", us / Timestamp::HOUR_US),
        us => format!("{} days", us / Timestamp::DAY_US),
    }
}

/// `a`, `a or b`, `a, b or c`.
pub fn or(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [all @ .., last] => format!("{} or {last}", all.join(", ")),
    }
}

/// `count` with its noun: `1 sign-in`, `6 sign-ins`.
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

/// The AS, or the /24 (IPv4) or /48 (IPv6), an event came from.
pub fn network(event: &Event) -> Option<Text> {
    let address = event
        .mapped
        .src_ip
        .as_ref()?
        .parse::<std::net::IpAddr>()
        .ok()?;
    Some(match address {
        std::net::IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            Text::from(format!("{a}.{b}.{c}.0/24"))
        }
        std::net::IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            Text::from(format!("{a:x}:{b:x}:{c:x}::/48"))
        }
    })
}
