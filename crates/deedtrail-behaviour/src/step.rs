//! What the engine is told: one event of one session of one identity.

use deedtrail_core::Text;
use deedtrail_core::event::{ActorKind, Event};
use deedtrail_core::id::{IdentityId, SessionUid};

/// Who acts, and whom and what to compare it with.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub identity: IdentityId,
    pub kind: ActorKind,
    /// Identities that do the same job bear the same name here; empty when it has no peers.
    pub peer_group: &'a str,
    /// Tools the identity declares; empty when it declares none.
    pub declared_tools: &'a [Text],
}

/// One event of an open session.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    pub event: &'a Event,
    pub session: SessionUid,
    pub subject: Subject<'a>,
}
