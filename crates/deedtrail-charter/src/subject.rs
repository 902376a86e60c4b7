//! An event with what is known about who did it.

use deedtrail_core::Text;
use deedtrail_core::event::{ActorKind, Event, EventKind, OutcomeClass, TimeQuality};
use deedtrail_core::finding::FindingEvent;
use deedtrail_core::identity::Identity;

use crate::limits::KEPT_TEXT_BYTES_MAX;

/// One event to look at, in the order of the log.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub event: &'a Event,
    /// The resolved actor; `None` when the record names none.
    pub identity: Option<&'a Identity>,
    /// The network had been seen for the actor before.
    pub network_seen_before: Option<bool>,
    /// Says in a sentence what an event shows.
    pub describe: fn(&Event) -> String,
}

impl<'a> Subject<'a> {
    /// What the actor is: by declaration, else by the record.
    pub(crate) fn kind(&self) -> ActorKind {
        self.identity
            .map_or(self.event.mapped.actor_kind, |identity| identity.kind)
    }

    /// The event as departures and findings list it.
    pub(crate) fn finding_event(&self) -> FindingEvent {
        FindingEvent {
            event_uid: self.event.event_uid,
            log_seq: self.event.log_seq,
            time: self.event.time_effective,
            fact: cut(&(self.describe)(self.event), KEPT_TEXT_BYTES_MAX),
        }
    }

    /// What was acted on, in words.
    pub(crate) fn target(&self) -> String {
        let mapped = &self.event.mapped;
        let named = mapped.target_name.as_ref().or(mapped.target_ref.as_ref());
        let named = named.or(mapped.target_kind.as_ref());
        cut(named.unwrap_or(&mapped.system), 80)
    }

    /// The tool called, if the event is a call of one.
    pub(crate) fn tool(&self) -> Option<&'a Text> {
        let mapped = &self.event.mapped;
        (mapped.kind == EventKind::ToolCall).then_some(&mapped.operation)
    }

    /// It failed, or was not allowed.
    pub(crate) fn refused(&self) -> bool {
        let mapped = &self.event.mapped;
        let denied = mapped
            .policy_decision
            .as_ref()
            .is_some_and(|policy| !policy.allowed);
        denied || matches!(mapped.outcome, OutcomeClass::Failure | OutcomeClass::Denied)
    }

    /// The vendor says when it happened, and it can be believed.
    pub(crate) fn dated(&self) -> bool {
        self.event.mapped.time.is_some() && self.event.time_quality == TimeQuality::Vendor
    }
}

/// `text` cut to at most `bytes_max` bytes at a character boundary; control characters become
/// spaces, so that a hostile name cannot break a line.
pub(crate) fn cut(text: &str, bytes_max: usize) -> String {
    let mut short = String::with_capacity(text.len().min(bytes_max));
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

/// A hash of texts that depends on where they end (FNV-1a, 64 bits).
pub(crate) fn key(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut take = |byte: u8| {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    };
    for part in parts {
        for byte in (part.len() as u64).to_le_bytes() {
            take(byte);
        }
        for byte in *part {
            take(*byte);
        }
    }
    hash
}
