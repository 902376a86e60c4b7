//! Room: what goes when there is too much.

use crate::engine::Behaviour;
use crate::limits::{IDENTITIES_MAX, OPEN_EVENTS_MAX, OPEN_SESSIONS_MAX};

/// What goes at once, as a part of what there is.
const GOES: usize = 8;

impl Behaviour {
    pub(super) fn make_room(&mut self) {
        if self.sessions.len() >= OPEN_SESSIONS_MAX || self.open_events >= OPEN_EVENTS_MAX {
            self.end_quietest();
        }
        if self.identities.len() >= IDENTITIES_MAX {
            self.forget_quietest();
        }
    }

    #[cold]
    fn end_quietest(&mut self) {
        let entry = |(session, open): (&_, &crate::session::Open)| (open.idle_at(), *session);
        let mut quiet: Vec<_> = self.sessions.iter().map(entry).collect();
        quiet.sort_unstable();
        quiet.truncate(quiet.len().div_ceil(GOES));
        for (_, session) in quiet {
            let ended = self.end(session);
            self.ended.extend(ended.filter(|assessment| assessment.alerts));
        }
    }

    #[cold]
    fn forget_quietest(&mut self) {
        let entry = |(identity, known): (&_, &crate::subject::Known)| (known.last, *identity);
        let mut quiet: Vec<_> = self.identities.iter().map(entry).collect();
        quiet.sort_unstable();
        quiet.truncate(quiet.len().div_ceil(GOES));
        for (_, identity) in &quiet {
            self.identities.remove(identity);
            self.parts.forget(*identity);
        }
        let known = &self.identities;
        let events = &mut self.open_events;
        self.sessions.retain(|_, open| {
            let stays = known.contains_key(&open.identity);
            *events -= if stays { 0 } else { open.symbols.len() };
            stays
        });
    }
}
