//! Room: what goes when there is too much.

use deedtrail_core::id::SessionUid;

use crate::assessment::Assessment;
use crate::engine::Behaviour;
use crate::limits::{ENDED_MAX, IDENTITIES_MAX, OPEN_EVENTS_MAX, OPEN_SESSIONS_MAX};
use crate::part::Lesson;
use crate::session::Open;

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

    /// Keeps the assessment of a session that ended by itself until it is asked for.
    pub(super) fn hand_over(&mut self, ended: Option<Assessment>) {
        let full = self.ended.len() >= ENDED_MAX;
        self.ended
            .extend(ended.filter(|assessment| !full || assessment.alerts));
    }

    #[cold]
    fn end_quietest(&mut self) {
        let entry = |(session, open): (&_, &Open)| (open.idle_at(), *session);
        let mut quiet: Vec<_> = self.sessions.unordered().map(entry).collect();
        quiet.sort_unstable();
        quiet.truncate(quiet.len().div_ceil(GOES));
        for (_, session) in quiet {
            let ended = self.end_by_itself(session);
            self.hand_over(ended);
        }
    }

    #[cold]
    fn forget_quietest(&mut self) {
        let mut quiet = self.identities.quietest();
        quiet.truncate(quiet.len().div_ceil(GOES));
        for identity in &quiet {
            self.identities.remove(identity);
            self.drifting.remove(identity);
            for part in self.parts.each() {
                part.forget(*identity);
            }
        }
        let known = &self.identities;
        let lost = |(session, open): (&SessionUid, &Open)| {
            (!known.contains_key(&open.identity)).then_some(*session)
        };
        let mut lost: Vec<_> = self.sessions.unordered().filter_map(lost).collect();
        lost.sort_unstable();
        for session in lost {
            let open = self.sessions.remove(&session);
            self.open_events -= open.as_ref().map_or(0, |open| open.symbols.len());
            if let Some(open) = open {
                self.leave_stream(open.identity, session);
            }
            for part in self.parts.each() {
                part.close(session, Lesson::Forget);
            }
        }
    }
}
