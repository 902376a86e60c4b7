//! What is remembered of a log outside of its data folder: the newest checkpoint it signed, and
//! which folder signs.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::disk::{Access, Disk, read_file, replace_file};
use crate::identity::Identity;

/// Memory of one origin.
#[derive(Debug)]
pub(crate) struct CheckpointStore {
    /// File of the newest signed checkpoint.
    pub path: PathBuf,
}

impl CheckpointStore {
    /// The store of one origin below `folder`.
    pub(crate) fn new(folder: &Path, origin: &str) -> Self {
        let name = hex::encode(&Sha256::digest(origin)[..16]);
        Self {
            path: folder.join(format!("{name}.checkpoint")),
        }
    }

    pub(crate) fn load(&self, disk: &dyn Disk) -> io::Result<Option<String>> {
        let Some(bytes) = read_file(disk, &self.path)? else {
            return Ok(None);
        };
        String::from_utf8(bytes).map(Some).map_err(io::Error::other)
    }

    /// Another folder that signs as `identity` and is still there, so that `folder` is a copy of
    /// it. A log that was moved has left its old folder and is no copy.
    pub(crate) fn original(
        &self,
        disk: &dyn Disk,
        folder: &Path,
        identity: &Identity,
    ) -> io::Result<Option<PathBuf>> {
        let Some(signs) = read_file(disk, &self.folder_file())? else {
            return Ok(None);
        };
        let signs = PathBuf::from(OsString::from_vec(signs));
        // Its old path may lead here: a folder that was moved and left a symbolic link behind.
        let signs = match disk.canonical(&signs) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            signs => signs?,
        };
        if signs == disk.canonical(folder)? {
            return Ok(None);
        }
        let there = Identity::load(disk, &Identity::path(&signs))?;
        let is_same = |there: Identity| {
            there.log_id == identity.log_id && there.current() == identity.current()
        };
        Ok(there.is_some_and(is_same).then_some(signs))
    }

    /// Remembers that `folder` signs from now on.
    pub(crate) fn bind(&self, disk: &dyn Disk, folder: &Path) -> io::Result<()> {
        let folder = disk.canonical(folder)?.into_os_string().into_vec();
        let file = self.folder_file();
        if read_file(disk, &file)?.as_ref() == Some(&folder) {
            return Ok(());
        }
        replace_file(disk, &file, Access::Create, &folder)
    }

    fn folder_file(&self) -> PathBuf {
        self.path.with_extension("folder")
    }
}
