//! The disk as the log sees it. Production code runs on [`RealDisk`]; crash tests run the same
//! code on a disk that forgets what was not synced.

mod real;
#[cfg(feature = "simulation")]
pub mod simulated;

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

use crate::sync::Arc;

pub use real::RealDisk;

/// How a file is opened. Files are always readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Existing file, read only.
    Read,
    /// Existing file, also written.
    Write,
    /// New file, also written; an existing file of that name is emptied.
    Create,
    /// As `Create`, readable by the owner only (mode 0600).
    CreateSecret,
}

/// An open file. Offsets and lengths in bytes.
pub trait DiskFile: Send + Sync + Debug {
    fn length(&self) -> io::Result<u64>;
    /// Reads at `offset` until `buffer` is full or the file ends; returns the bytes read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`. Not durable before [`DiskFile::sync`].
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts or extends (with zeroes) the file.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Reserves space so that the file has at least `length` bytes; new bytes are zero.
    fn preallocate(&self, length: u64) -> io::Result<()>;
    /// `fdatasync`: everything written so far survives a power cut once this returns.
    fn sync(&self) -> io::Result<()>;
}

/// Held for as long as the process may write below a folder; released on drop.
pub trait DiskLock: Send + Sync + Debug {}

/// Files below some folders.
pub trait Disk: Send + Sync + Debug {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>>;
    /// The folder's one absolute path, without symbolic links.
    fn canonical(&self, folder: &Path) -> io::Result<PathBuf>;
    /// Creates the folder and those above it, durably.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// Names in a folder, sorted; empty when the folder does not exist.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Renames a file within one folder, replacing the target. Not durable before `sync_folder`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file; one that is not there is no error.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder with its files; one that is not there is no error.
    fn remove_folder(&self, folder: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Takes the advisory lock on a file; `WouldBlock` when another process or handle holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;
}

/// Whole content of a file; `None` when it does not exist.
pub(crate) fn read_file(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open(path, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let length = usize::try_from(file.length()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(Some(bytes))
}

/// Replaces a file so that after a crash either the old or the new content is there.
pub(crate) fn replace_file(
    disk: &dyn Disk,
    path: &Path,
    access: Access,
    bytes: &[u8],
) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let file = disk.open(&temporary, access)?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    disk.rename(&temporary, path)?;
    disk.sync_folder(path.parent().unwrap_or(Path::new(".")))
}
