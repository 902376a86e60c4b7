//! SETs of polls that cannot be proven yet: their key may be published a moment later, and clocks
//! differ. Reported as an error they would be gone at the transmitter, so they stay with it for a
//! while.

use std::collections::BTreeMap;
use std::sync::Mutex;

use deedtrail_core::time::Timestamp;

use super::key::{LOOK_EVERY_US, lock};
use super::{BadSet, SignalError, Stream};

/// How often a polled SET is tried that may be proven later, at most once a minute and each time
/// with keys that were looked up anew. After that it is kept in quarantine and acknowledged.
pub const UNPROVEN_TRIES_MAX: u32 = 10;
/// SETs of one stream whose tries are counted. With more, all are counted anew.
const COUNTED_MAX: usize = 10_000;

/// What becomes of a SET that is not proven.
pub(super) enum Fate {
    /// It never will be.
    Refused(BadSet),
    /// It is not as this stream's configuration says, which may be what is wrong: reported, and kept
    /// in quarantine, since the transmitter does not send it again.
    Unexpected(BadSet),
    /// It may be soon.
    Waits(BadSet),
    /// It was tried often enough.
    Kept(BadSet),
    /// Nothing can be said at the moment.
    Postponed(SignalError),
}

impl Fate {
    /// `id` is the one under which a poll brought it; a pushed one is sent again by its sender.
    pub(super) fn of(
        stream: &Stream,
        id: Option<&str>,
        error: SignalError,
        now: Timestamp,
    ) -> Self {
        let may_change = match &error {
            SignalError::Refused(BadSet::Ahead) => Some((BadSet::Ahead, now)),
            SignalError::Refused(BadSet::UnknownKey) | SignalError::KeysUnavailable { .. } => {
                let looked_up = stream.keys.looked_up();
                looked_up.map(|at| (BadSet::UnknownKey, at))
            }
            _ => None,
        };
        match (id, may_change, error) {
            (Some(id), Some((reason, at)), _) => {
                if stream.unproven.is_over(id, at) {
                    Self::Kept(reason)
                } else {
                    Self::Waits(reason)
                }
            }
            (
                Some(_),
                _,
                SignalError::Refused(
                    refused @ (BadSet::Issuer | BadSet::Audience | BadSet::Signature),
                ),
            ) => Self::Unexpected(refused),
            (_, _, SignalError::Refused(refused)) => Self::Refused(refused),
            (_, _, error) => Self::Postponed(error),
        }
    }
}

/// How often each was tried, by the id under which it comes.
#[derive(Debug, Default)]
pub(super) struct Unproven(Mutex<BTreeMap<String, Tried>>);

#[derive(Clone, Copy, Debug)]
struct Tried {
    times: u32,
    last: Timestamp,
}

impl Unproven {
    /// Counts a try with what was known `at` that time; true once there were enough.
    fn is_over(&self, id: &str, at: Timestamp) -> bool {
        let mut counted = lock(&self.0);
        if counted.len() >= COUNTED_MAX && !counted.contains_key(id) {
            counted.clear();
        }
        let first = Tried { times: 1, last: at };
        let tried = counted.entry(id.to_owned()).or_insert(first);
        if at.micros_since(tried.last) >= LOOK_EVERY_US {
            tried.times += 1;
            tried.last = at;
        }
        tried.times > UNPROVEN_TRIES_MAX
    }

    /// Forgets one that is done with.
    pub(super) fn settle(&self, id: &str) {
        lock(&self.0).remove(id);
    }
}
