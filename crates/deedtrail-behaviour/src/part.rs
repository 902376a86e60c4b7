//! The parts of an event's score beside the next action: each sees every event of a session, says
//! what is unusual about it, and learns only when the session has ended.

use deedtrail_core::id::{IdentityId, SessionUid};

use crate::argument::Arguments;
use crate::assessment::Terms;
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

    /// What was learned of `merged` is added to `kept`: both are one identity.
    fn merge(&mut self, kept: IdentityId, merged: IdentityId);

    /// Everything about an identity goes.
    fn forget(&mut self, identity: IdentityId);

    /// Bytes held for an identity.
    fn bytes(&self, identity: IdentityId) -> usize;
}

/// Every part, in the order in which they are asked.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Parts {
    pub(crate) arguments: Arguments,
    pub(crate) scope: Scope,
}

impl Parts {
    fn each(&mut self) -> [&mut dyn Part; 2] {
        [&mut self.arguments, &mut self.scope]
    }

    pub(crate) fn score(&mut self, step: &Step<'_>, terms: &mut Terms) {
        for part in self.each() {
            part.score(step, terms);
        }
    }

    pub(crate) fn close(&mut self, session: SessionUid, lesson: Lesson) {
        for part in self.each() {
            part.close(session, lesson);
        }
    }

    pub(crate) fn merge(&mut self, kept: IdentityId, merged: IdentityId) {
        for part in self.each() {
            part.merge(kept, merged);
        }
    }

    pub(crate) fn forget(&mut self, identity: IdentityId) {
        for part in self.each() {
            part.forget(identity);
        }
    }

    pub(crate) fn bytes(&self, identity: IdentityId) -> usize {
        self.arguments.bytes(identity) + self.scope.bytes(identity)
    }
}
