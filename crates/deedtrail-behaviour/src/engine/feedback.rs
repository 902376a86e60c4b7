//! What analysts say of a session changes what is learned; saying otherwise changes it back.

use deedtrail_core::id::{IdentityId, SessionUid};
use serde::{Deserialize, Serialize};

use crate::engine::{Behaviour, day_of};
use crate::limits::{ANSWERABLE_EVENTS_MAX, ANSWERABLE_MAX};
use crate::model::depth;
use crate::part::Lesson;
use crate::session::Open;
use crate::subject::Said;

/// What an analyst says of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// It is what the identity is for: learned, and its pattern is usual from now on.
    Benign,
    /// The identity's work has changed: as benign, and drift is measured from here.
    Drift,
    /// It is misuse: not learned, or no longer, and its pattern never becomes usual by itself.
    Misuse,
}

/// A session that can still be answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answerable {
    session: SessionUid,
    identity: IdentityId,
    depth: usize,
    group: deedtrail_core::Text,
    day: u16,
    symbols: Vec<u32>,
    pattern: u64,
    /// Whether it was learned before anybody answered, and whether it is now.
    learned_first: bool,
    learned: bool,
}

impl Answerable {
    pub(crate) fn of(session: SessionUid, open: Open, pattern: u64, lesson: Lesson) -> Self {
        let mut symbols = open.symbols;
        symbols.truncate(ANSWERABLE_EVENTS_MAX);
        Self {
            session,
            identity: open.identity,
            depth: depth(open.kind),
            group: open.group,
            day: day_of(open.last),
            symbols,
            pattern,
            learned_first: lesson == Lesson::Learn,
            learned: lesson == Lesson::Learn,
        }
    }
}

impl Behaviour {
    /// Takes what an analyst says of an ended session; `None` takes back what was said before.
    /// False when the session cannot be answered (any more): nothing changed.
    pub fn feedback(&mut self, session: SessionUid, disposition: Option<Disposition>) -> bool {
        let newest = self
            .answerable
            .iter()
            .rposition(|known| known.session == session);
        let Some(at) = newest else { return false };
        let mut answered = self.answerable[at].clone();
        let learned = match disposition {
            Some(Disposition::Benign | Disposition::Drift) => true,
            Some(Disposition::Misuse) => false,
            None => answered.learned_first,
        };
        let Some(known) = self.identities.get_mut(&answered.identity) else {
            return false;
        };
        match disposition {
            None => known.probation.reopen(answered.pattern),
            Some(said) => {
                let said = if said == Disposition::Misuse {
                    Said::Misuse
                } else {
                    Said::Usual
                };
                known.probation.decide(answered.pattern, answered.day, said);
            }
        }
        if disposition == Some(Disposition::Drift) {
            known.drift.accept();
            self.drifting.insert(answered.identity);
        }
        if learned != answered.learned {
            let group = self
                .groups
                .get_mut(&answered.group)
                .map(|group| &mut group.model);
            for model in [Some(&mut known.model), group].into_iter().flatten() {
                if learned {
                    model.learn(&answered.symbols, answered.depth, answered.day);
                } else {
                    model.forget(&answered.symbols, answered.depth);
                }
            }
        }
        answered.learned = learned;
        self.answerable[at] = answered;
        true
    }

    pub(super) fn remember(&mut self, answerable: Answerable) {
        self.answerable.push_back(answerable);
        if self.answerable.len() > ANSWERABLE_MAX {
            self.answerable.pop_front();
        }
    }
}
