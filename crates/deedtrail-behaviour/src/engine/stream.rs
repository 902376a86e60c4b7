//! Sessions that their own source has left behind: when a history is taken in at once, no tick ends
//! them in time.

use deedtrail_core::id::{IdentityId, SessionUid, SourceName};

use crate::engine::Behaviour;
use crate::limits::STREAM_SESSIONS_MAX;
use crate::session::IDLE_US;
use crate::step::Step;

/// What a source may be out of order by, beside the time a session is idle, microseconds.
const DISORDER_US: i64 = IDLE_US;

impl Behaviour {
    /// Ends the identity's sessions of the step's source that this source has long left behind.
    pub(super) fn end_outlived(&mut self, step: &Step<'_>) {
        let at = step.event.time_effective;
        let of_identity = self.streams.get(&step.subject.identity);
        let sessions = of_identity.into_iter().flatten();
        let mut outlived: Vec<_> = sessions
            .filter(|(source, session)| *source == step.event.source && *session != step.session)
            .filter_map(|(_, session)| Some((self.sessions.get(session)?.last, *session)))
            .filter(|(last, _)| at.micros_since(*last) > IDLE_US + DISORDER_US)
            .collect();
        outlived.sort_unstable();
        for (_, session) in outlived {
            let ended = self.end_by_itself(session);
            self.hand_over(ended);
        }
    }

    /// Notes that a session began.
    pub(super) fn note_stream(
        &mut self,
        identity: IdentityId,
        source: &SourceName,
        session: SessionUid,
    ) {
        let sessions = self.streams.get_or_insert_with(identity, Vec::new);
        if sessions.len() < STREAM_SESSIONS_MAX {
            sessions.push((source.clone(), session));
        }
    }

    /// Forgets one that ended.
    pub(super) fn leave_stream(&mut self, identity: IdentityId, session: SessionUid) {
        if let Some(sessions) = self.streams.get_mut(&identity) {
            sessions.retain(|(_, known)| *known != session);
            if sessions.is_empty() {
                self.streams.remove(&identity);
            }
        }
    }
}
