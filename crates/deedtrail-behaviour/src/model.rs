//! What was learned of the sessions of one identity, or of a group of peers.

use deedtrail_core::event::ActorKind;
use serde::{Deserialize, Serialize};

use crate::sequence::{self, Contexts, END};
use crate::shape::{Cost, Shape};
use crate::table::Counts;

/// Context of the next action for what follows a program.
const DEPTH_PROGRAMS: usize = 4;
/// Context of the next action for what varies from time to time.
const DEPTH_MINDS: usize = 2;
/// Sessions an identity needs before its own shapes say more than its peers'.
const OWN_SHAPE_SESSIONS_MIN: u32 = 30;

/// Sequences and shapes of sessions. Models merge by adding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    pub(crate) counts: Counts,
    pub(crate) shape: Shape,
}

/// How surprising one session is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Surprise {
    /// Nats of the most surprising action, the end included.
    pub event_nats: f64,
    /// Its place in the session.
    pub place: usize,
    /// Mean nats of an action, the end included.
    pub mean_nats: f64,
    /// Nats of the session's shape.
    pub shape_nats: f64,
}

/// Symbols of context that are worth counting for that kind of actor.
pub fn depth(kind: ActorKind) -> usize {
    match kind {
        ActorKind::Human | ActorKind::AiAgent | ActorKind::Unknown => DEPTH_MINDS,
        _ => DEPTH_PROGRAMS,
    }
}

impl Model {
    /// Scores a whole session of symbols; `pairs` is scratch space.
    pub fn score(&self, session: &[u32], depth: usize, pairs: &mut Vec<(u32, u16)>) -> Surprise {
        let mut surprise = Surprise {
            shape_nats: self.shape.cost(session, pairs).nats,
            ..Surprise::default()
        };
        let base = sequence::uniform(&self.counts);
        for (place, symbol) in session.iter().copied().chain([END]).enumerate() {
            let contexts = Contexts::after(&session[..place], depth);
            let p = sequence::probability(&self.counts, &contexts, symbol, || base);
            let nats = -p.ln();
            surprise.mean_nats += nats;
            if nats > surprise.event_nats {
                surprise.event_nats = nats;
                surprise.place = place;
            }
        }
        surprise.mean_nats /= session.len() as f64 + 1.0;
        surprise
    }

    /// Learns a session that ended on `day` (days since 1970).
    pub fn learn(&mut self, session: &[u32], depth: usize, day: u16) {
        sequence::learn(&mut self.counts, session, depth, day);
        self.shape.learn(session, day);
    }

    /// Forgets a session that was learned.
    pub fn forget(&mut self, session: &[u32], depth: usize) {
        sequence::forget(&mut self.counts, session, depth);
        self.shape.forget(session);
    }

    /// Adds what `other` learned.
    pub fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        self.shape.merge(&other.shape);
    }

    /// Halves every count: what is long ago counts less.
    pub fn halve(&mut self, today: u16) {
        self.counts.halve(today);
        self.shape.halve(today);
    }

    /// Sessions learned, halved with everything else.
    pub fn sessions(&self) -> u32 {
        self.shape.sessions()
    }

    /// Bytes held in memory.
    pub fn bytes(&self) -> usize {
        self.counts.bytes() + self.shape.bytes()
    }

    /// Entries of the table of counts.
    pub fn entries(&self) -> usize {
        self.counts.entries()
    }

    /// Nats of `symbol` in that place, with the peers' model below one's own.
    pub(crate) fn nats(&self, peers: Option<&Self>, contexts: &Contexts, symbol: u32) -> f64 {
        -self.probability(peers, contexts, symbol).ln()
    }

    pub(crate) fn probability(
        &self,
        peers: Option<&Self>,
        contexts: &Contexts,
        symbol: u32,
    ) -> f64 {
        let base = || match peers {
            Some(peers) => peers.probability(None, contexts, symbol),
            None => sequence::uniform(&self.counts),
        };
        sequence::probability(&self.counts, contexts, symbol, base)
    }

    /// Whose shapes to judge by: one's own once there are enough, else the peers' if they have more.
    pub(crate) fn shape_of<'a>(&'a self, peers: Option<&'a Self>) -> &'a Shape {
        match peers {
            Some(peers)
                if self.sessions() < OWN_SHAPE_SESSIONS_MIN
                    && peers.sessions() > self.sessions() =>
            {
                &peers.shape
            }
            _ => &self.shape,
        }
    }

    pub(crate) fn shape_cost(&self, peers: Option<&Self>, session: &[u32]) -> Cost {
        self.shape_of(peers).cost(session, &mut Vec::new())
    }
}
