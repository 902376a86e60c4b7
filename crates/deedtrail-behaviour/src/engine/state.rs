//! Snapshots, and identities that turn out to be one.

use deedtrail_core::id::IdentityId;

use crate::engine::Behaviour;

/// First bytes of a snapshot: format and version.
const HEADER: &[u8] = b"deedtrail.behaviour.4\n";

/// Why a snapshot cannot be used; learn again by replaying the log.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    #[error("the snapshot of behaviour has another format; it is learned again from the log")]
    Format,
    #[error("the snapshot of behaviour is damaged ({0}); it is learned again from the log")]
    Damaged(String),
}

impl Behaviour {
    /// Everything learned and every open session: equal states give equal bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        // Writing into memory fails for no type of this state.
        bytes.extend(postcard::to_allocvec(self).unwrap_or_default());
        bytes
    }

    /// The engine as it was when the snapshot was taken.
    pub fn restore(snapshot: &[u8]) -> Result<Self, RestoreError> {
        let body = snapshot.strip_prefix(HEADER).ok_or(RestoreError::Format)?;
        postcard::from_bytes(body).map_err(|error| RestoreError::Damaged(error.to_string()))
    }

    /// Packs what is known of those who were quiet since this was last called.
    pub fn pack_quiet(&mut self) {
        self.identities.pack_quiet();
        for part in self.parts.each() {
            part.pack_quiet();
        }
    }

    /// Adds what was learned of `merged` to `kept`, because both are one identity.
    pub fn merge(&mut self, kept: IdentityId, merged: IdentityId) {
        if kept == merged {
            return;
        }
        for part in self.parts.each() {
            part.merge(kept, merged);
        }
        if let Some(streams) = self.streams.remove(&merged) {
            let of_kept = self.streams.get_or_insert_with(kept, Vec::new);
            of_kept.extend(streams);
        }
        self.drifting.remove(&merged);
        let Some(other) = self.identities.remove(&merged) else {
            return;
        };
        self.drifting.insert(kept);
        match self.identities.get_mut(&kept) {
            Some(known) => known.merge(&other),
            None => self.identities.insert(kept, other),
        }
        let sessions = self.sessions.unordered_mut().map(|(_, open)| open);
        for open in sessions.filter(|open| open.identity == merged) {
            open.identity = kept;
        }
    }
}
