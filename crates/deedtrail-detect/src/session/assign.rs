//! Which session an event belongs to.

use deedtrail_core::event::{Event, Plane};
use deedtrail_core::id::{Id, IdentityId, SessionUid};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Sessions, pause_us};
use crate::limits::SPANS_MAX;
use crate::{Settings, profile};

/// Sessions of one actor, credential and client that are told apart by the pauses between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Span {
    pub(super) uid: SessionUid,
    started: Timestamp,
    last: Timestamp,
}

impl Sessions {
    /// The session of an event: the vendor's id where there is one, else by pauses.
    pub(crate) fn assign(
        &mut self,
        event: &Event,
        subject: IdentityId,
        settings: &Settings,
    ) -> SessionUid {
        let credential = event.credential_uid.map_or([0; 16], Id::to_bytes);
        if let Some(vendor) = event.session_uid {
            // Ids of agents' conversations are chosen by clients (`mcp.session.id`): two of them may
            // choose the same.
            if event.mapped.plane != Plane::Agent {
                return vendor;
            }
            let parts = [&vendor.to_bytes(), &subject.to_bytes(), &credential];
            return SessionUid::derive(&parts.map(|part| &part[..]));
        }
        let key = span_key(event, subject);
        self.by_pause(event, key, pause_us(event, settings))
    }

    fn by_pause(&mut self, event: &Event, key: u64, pause_us: i64) -> SessionUid {
        let at = event.time_effective;
        let near = |span: &&mut Span| {
            let before = span.started.micros_since(at);
            before < pause_us && at.micros_since(span.last) < pause_us
        };
        let spans = self.spans.get_mut(&key);
        if let Some(span) = spans.and_then(|spans| spans.iter_mut().rev().find(near)) {
            span.started = span.started.min(at);
            span.last = span.last.max(at);
            return span.uid;
        }
        if event.mapped.is_failed_sign_in() {
            // Attempts of a day share an id and leave nothing behind.
            let day = at.utc_day().to_le_bytes();
            return SessionUid::derive(&[b"attempts", &key.to_le_bytes(), &day]);
        }
        let uid = SessionUid::derive(&[b"began with", &event.event_uid.to_bytes()]);
        let spans = self.spans.get_or_insert_with(key, Vec::new);
        if spans.len() >= SPANS_MAX {
            spans.remove(0);
        }
        spans.push(Span {
            uid,
            started: at,
            last: at,
        });
        uid
    }
}

/// Hash of actor, credential and client.
pub(super) fn span_key(event: &Event, subject: IdentityId) -> u64 {
    let credential = event.credential_uid.map_or([0; 16], Id::to_bytes);
    let mapped = &event.mapped;
    let client = mapped.client_fingerprint.as_ref();
    let client = client.or(mapped.user_agent.as_ref());
    profile::key(&[event.tenant.as_str(), client.map_or("", |text| text)])
        ^ half(subject.to_bytes()).rotate_left(17)
        ^ half(credential).rotate_left(31)
}

fn half(id: [u8; 16]) -> u64 {
    let (first, _) = id.as_chunks::<8>();
    first.first().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
