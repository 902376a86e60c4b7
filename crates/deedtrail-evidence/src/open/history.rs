//! Whether a log continues what was signed.

use crate::checkpoint_store::CheckpointStore;
use crate::config::LogConfig;
use crate::disk::{Disk, read_file};
use crate::identity::{Grounds, Identity};
use crate::merkle::{self, Head};
use crate::note::{Checkpoint, NoteSigner};
use crate::tree::Tree;

use super::{OpenError, during};

/// What a log says of its past.
pub(super) struct History<'a> {
    pub(super) config: &'a LogConfig,
    pub(super) disk: &'a dyn Disk,
    pub(super) tree: &'a Tree,
    pub(super) is_damaged: bool,
}

/// The checkpoint store, and the newest checkpoint with its size: empty when there is none.
type Continued = (CheckpointStore, (String, u64));

impl History<'_> {
    /// Checks that the log is the one that signs as `identity`, and continues what it signed.
    pub(super) fn continues(
        &self,
        identity: &Identity,
        signer: &NoteSigner,
    ) -> Result<Continued, OpenError> {
        let store = CheckpointStore::new(&self.config.checkpoint_store, identity.current());
        let note = store.load(self.disk).map_err(during("read", &store.path))?;
        let signed = match &note {
            Some(note) => Some(Checkpoint::verify(note, &signer.verifier_key())?.head),
            None => None,
        };
        if !self.is_damaged {
            self.check_place(&store, identity)?;
            match signed {
                Some(signed) => self.check_signed(signed)?,
                None => self.check_unsigned(&store, identity.current())?,
            }
        }
        let size = signed.map_or(0, |signed| signed.size);
        Ok((store, (note.unwrap_or_default(), size)))
    }

    /// Only a log whose history was cut off or is signed elsewhere is taken over, unless the operator
    /// says what cannot be seen here. A damaged one is refused later, when all of the damage is known.
    pub(super) fn check_adoptable(
        &self,
        identity: &Identity,
        signer: &NoteSigner,
        grounds: Grounds,
    ) -> Result<(), OpenError> {
        match self.continues(identity, signer) {
            Ok(_) if !self.is_damaged && grounds == Grounds::Found => Err(OpenError::Healthy {
                origin: identity.current().to_owned(),
            }),
            Err(error @ (OpenError::Io { .. } | OpenError::Read(_))) => Err(error),
            _ => Ok(()),
        }
    }

    fn check_signed(&self, signed: Head) -> Result<(), OpenError> {
        if signed.size > self.tree.size() {
            return Err(OpenError::RolledBack {
                batches: self.tree.size(),
                signed: signed.size,
            });
        }
        if merkle::root_at(self.tree, signed.size)? != signed.root {
            return Err(OpenError::Forked {
                signed: signed.size,
            });
        }
        Ok(())
    }

    /// A copy must not sign beside its original: their histories would part, and the original
    /// would be the one that is refused.
    fn check_place(&self, store: &CheckpointStore, identity: &Identity) -> Result<(), OpenError> {
        let original = store.original(self.disk, &self.config.folder, identity);
        match original.map_err(during("look for the folder that signs", &store.path))? {
            Some(original) => Err(OpenError::Copied {
                origin: identity.current().to_owned(),
                original: original.display().to_string(),
            }),
            None => Ok(()),
        }
    }

    /// A log whose store knows nothing has not signed anything under this origin yet: the copy of
    /// the checkpoint, which is written after the store, must not be there either.
    fn check_unsigned(&self, store: &CheckpointStore, origin: &str) -> Result<(), OpenError> {
        let path = self.config.folder.join("checkpoint");
        let copy = read_file(self.disk, &path).map_err(during("read", &path))?;
        let first_line = copy
            .as_deref()
            .and_then(|note| note.split(|byte| *byte == b'\n').next());
        if first_line == Some(origin.as_bytes()) {
            return Err(OpenError::Moved {
                origin: origin.to_owned(),
                store: store.path.display().to_string(),
            });
        }
        Ok(())
    }
}
