//! A session that is still open.

use deedtrail_core::Text;
use deedtrail_core::event::ActorKind;
use deedtrail_core::id::{EventUid, IdentityId};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::assessment::Term;

/// A session is over when nothing came for this long, microseconds.
pub(crate) const IDLE_US: i64 = 30 * Timestamp::MINUTE_US;

/// What a session showed so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(crate) identity: IdentityId,
    pub(crate) kind: ActorKind,
    pub(crate) group: Text,
    /// Time of the newest event, and when the newest came to us.
    pub(crate) last: Timestamp,
    pub(crate) received: Timestamp,
    pub(crate) symbols: Vec<u32>,
    /// Nats of the next actions, over all of them.
    pub(crate) sequence_nats: f64,
    pub(crate) top: Top,
    /// The newest event.
    pub(crate) newest: EventUid,
    /// Whether an alert was raised before the end.
    pub(crate) alerted: bool,
    /// Whether it was said before the end that what alerted that day came again.
    pub(crate) repeated: bool,
    /// How rare its most surprising events were when they came; 1 for what is below the floor.
    pub(crate) rarest: f64,
    /// Something in it is learned only when somebody approves.
    pub(crate) held: bool,
}

/// The most surprising event of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Top {
    pub(crate) nats: f64,
    /// Nats of the next action, as they count in the sum.
    pub(crate) sequence_nats: f64,
    /// Place in the session; after the last symbol for the end.
    pub(crate) place: usize,
    pub(crate) event: EventUid,
    /// What was said about it besides.
    pub(crate) told: Vec<Term>,
}

impl Open {
    /// What came before the most surprising event.
    pub(crate) fn before_top(&self) -> &[u32] {
        self.symbols.get(..self.top.place).unwrap_or_default()
    }

    /// When it has been quiet for too long.
    pub(crate) fn idle_at(&self) -> Timestamp {
        self.last.max(self.received).plus_micros(IDLE_US)
    }

    /// Whether an event at `at` is too late to belong to it.
    pub(crate) fn left_behind(&self, at: Timestamp) -> bool {
        at.micros_since(self.last) > IDLE_US
    }
}
