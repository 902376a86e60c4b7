//! The parts of an event's score beside the next action: each sees every event of a session, says
//! what is unusual about it, and learns only when the session has ended.

use deedtrail_core::id::{IdentityId, SessionUid};
use serde::{Deserialize, Serialize};

use crate::argument::Arguments;
use crate::assessment::Terms;
use crate::context::Context;
use crate::scope::Scope;
use crate::step::Step;

/// What becomes of what a session showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lesson {
    /// It becomes history.
    Learn,
    /// It is forgotten: on probation, or misuse.
    Forget,
}

/// One part of an event's score.
pub(crate) trait Part {
    /// Adds what is unusual about the event, in nats, judged by what was learned of *other*
    /// sessions; may remember the event until its session closes.
    fn score(&mut self, step: &Step<'_>, terms: &mut Terms);

    /// The session is over: what it showed becomes history or is forgotten.
    fn close(&mut self, session: SessionUid, lesson: Lesson);

    /// A month has passed: what is long ago counts half.
    fn age(&mut self, identity: IdentityId, day: u16);

    /// Packs what is known of those who were quiet since this was last called.
    fn pack_quiet(&mut self);

    /// The identity is forgotten.
    fn forget(&mut self, identity: IdentityId);

    /// Both are one identity: what is known of `merged` belongs to `kept`.
    fn merge(&mut self, kept: IdentityId, merged: IdentityId);

    /// Bytes held for an identity.
    fn bytes(&self, identity: IdentityId) -> usize;
}

/// Every part, in the order in which they are asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Parts {
    pub(crate) arguments: Arguments,
    scope: Scope,
    context: Context,
}

impl Parts {
    /// Every part; the one place that names them.
    pub(crate) fn each(&mut self) -> impl Iterator<Item = &mut dyn Part> {
        let parts: [&mut dyn Part; 3] = [&mut self.arguments, &mut self.scope, &mut self.context];
        parts.into_iter()
    }

    pub(crate) fn bytes(&self, identity: IdentityId) -> usize {
        let parts: [&dyn Part; 3] = [&self.arguments, &self.scope, &self.context];
        parts.iter().map(|part| part.bytes(identity)).sum()
    }
}
