//! What the engine says: a score, how rare it is, and why.

use deedtrail_core::Text;
use deedtrail_core::id::{EventUid, IdentityId, SessionUid};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Terms below this many nats (13 %) count in the sum and are not told.
const TOLD_NATS_MIN: f64 = 2.0;

/// What a term of the sum is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TermKind {
    /// What was done after what.
    Sequence,
    /// What the session as a whole did, how often, and what it left out.
    Shape,
    /// Where an argument's value came from.
    Argument,
    /// What is outside the declared tools or what peers use.
    Scope,
    /// Hour of the week.
    Hour,
    /// Events, distinct targets, bytes or audience within an hour.
    Volume,
    /// Network, AS, country.
    Network,
    /// User agent or client fingerprint.
    Client,
    /// Credential used.
    Credential,
    /// Many events of one credential within seconds.
    Burst,
}

/// One term of the sum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    pub kind: TermKind,
    /// What it adds to the score.
    pub nats: f64,
    /// The event it is about; `None` when it is about the session as a whole.
    pub event: Option<EventUid>,
    /// For people, with numbers.
    pub sentence: String,
}

/// What was expected instead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// The operation, or that the session ends.
    pub label: String,
    /// Probability, 0 to 1.
    pub share: f64,
}

/// When a session was assessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// While it goes on, because of the event just observed.
    Event,
    /// When it ended.
    End,
}

/// How far a session departs from what is usual, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    pub identity: IdentityId,
    pub session: SessionUid,
    pub at: Timestamp,
    pub moment: Moment,
    /// How surprising, in nats; larger is rarer.
    pub score_nats: f64,
    /// Nats of its most surprising event: the sum of that event's terms.
    pub event_nats: f64,
    /// Share of sessions at least as surprising, 0 to 1.
    pub p: f64,
    /// Whether it is among the alerts that the budget allows.
    pub alerts: bool,
    /// It is rare enough to alert, and the same thing alerted before on that day: one more case of
    /// it, not a new one.
    pub repeats: bool,
    /// What is most unusual, as a key: the same thing done again has the same.
    pub pattern: u64,
    /// Largest first; of a session that ended by itself, none where it neither alerts nor repeats.
    pub terms: Vec<Term>,
    /// Likewise the three most expected things in place of the most surprising event.
    pub expected: Vec<Expected>,
    /// The events it rests on, the most surprising first.
    pub events: Vec<EventUid>,
    /// Set when much of its peer group did the same new thing that day. Then only the session that
    /// made it so alerts: one finding for the group.
    pub deployment: Option<Deployment>,
}

/// A change of a whole group at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    pub peer_group: Text,
    /// Members that did the same new thing that day, this one included.
    pub identities: usize,
    /// Members active in the last week.
    pub members: usize,
}

/// Collects what is said about one event.
#[derive(Debug)]
pub(crate) struct Terms {
    event: EventUid,
    pub(crate) nats: f64,
    pub(crate) told: Vec<Term>,
    pub(crate) held: bool,
}

impl Terms {
    pub(crate) fn of(event: EventUid) -> Self {
        Self {
            event,
            nats: 0.0,
            told: Vec::new(),
            held: false,
        }
    }

    /// The session is learned only when somebody approves it, whatever its score.
    pub(crate) fn hold(&mut self) {
        self.held = true;
    }

    /// Adds `nats`; the sentence is made only where the term is large enough to be told.
    pub(crate) fn add(&mut self, kind: TermKind, nats: f64, sentence: impl FnOnce() -> String) {
        self.nats += nats;
        if nats >= TOLD_NATS_MIN {
            self.told.push(Term {
                kind,
                nats,
                event: Some(self.event),
                sentence: sentence(),
            });
        }
    }
}
