//! What the engine says of arguments, for the event's own row.

use deedtrail_core::event::Provenance;

use crate::engine::Behaviour;
use crate::step::Step;

impl Behaviour {
    /// Where each argument of a call came from, in the order of the event's `tool_arguments`. Ask
    /// before or after the event is observed, while its session is open.
    pub fn provenances(&self, step: &Step<'_>) -> Vec<Provenance> {
        self.parts.arguments.provenances(step)
    }
}
