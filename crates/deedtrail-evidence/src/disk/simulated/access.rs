//! The simulated disk as the log sees it.

use std::io;
use std::path::{Path, PathBuf};

use super::{
    Change, Content, NameChange, SimulatedDisk, SimulatedFile, SimulatedLock, State, Syncing,
};
use crate::disk::{Access, Disk, DiskFile, DiskLock};
use crate::locked;
use crate::sync::Arc;

impl DiskFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        let state = locked(&self.state);
        state.up()?;
        Ok(state
            .files
            .get(&self.file)
            .map_or(0, |content| content.current.len() as u64))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = locked(&self.state);
        state.up()?;
        let content = state
            .files
            .get(&self.file)
            .map_or(&[][..], |content| &content.current);
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|at| content.get(at..))
            .unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        locked(&self.state).change(
            self.file,
            Change::Write {
                offset,
                bytes: bytes.to_vec(),
            },
        )
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        locked(&self.state).change(self.file, Change::Length(length))
    }

    fn preallocate(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        locked(&self.state).change(self.file, Change::Grow(length))
    }

    fn sync(&self) -> io::Result<()> {
        locked(&self.state).sync(self.file)
    }
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = locked(&self.0);
        state.up()?;
        let known = state.names.get(path).copied();
        let file = match (access, known) {
            (Access::Read | Access::Write, Some(file)) => file,
            (Access::Read | Access::Write, None) => return Err(io::ErrorKind::NotFound.into()),
            (Access::Create | Access::CreateSecret, Some(file)) => {
                state.change(file, Change::Length(0))?;
                file
            }
            (Access::Create | Access::CreateSecret, None) => {
                let file = state.next_file;
                state.next_file += 1;
                state.files.insert(file, Content::default());
                state.rename_step(NameChange::Set(path.to_owned(), file))?;
                file
            }
        };
        Ok(Arc::new(SimulatedFile {
            state: Arc::clone(&self.0),
            file,
        }))
    }

    fn canonical(&self, folder: &Path) -> io::Result<PathBuf> {
        Ok(folder.to_owned())
    }

    fn create_folder(&self, _folder: &Path) -> io::Result<()> {
        locked(&self.0).up()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = locked(&self.0);
        state.up()?;
        let names = state
            .names
            .keys()
            .filter(|path| path.parent() == Some(folder));
        let names = names.filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
        Ok(names.collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        locked(&self.0).rename_step(NameChange::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = locked(&self.0);
        if state.names.contains_key(path) {
            state.rename_step(NameChange::Remove(path.to_owned()))
        } else {
            state.up()
        }
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = locked(&self.0);
        let inside: Vec<PathBuf> = state
            .names
            .keys()
            .filter(|path| path.starts_with(folder))
            .cloned()
            .collect();
        inside
            .into_iter()
            .try_for_each(|path| state.rename_step(NameChange::Remove(path)))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = locked(&self.0);
        state.step()?;
        if state.syncing != Syncing::Honest {
            return Ok(());
        }
        let State {
            durable_names,
            pending_names,
            ..
        } = &mut *state;
        pending_names.retain(|change| {
            let is_inside = change.folder() == folder;
            if is_inside {
                change.apply(durable_names);
            }
            !is_inside
        });
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let mut state = locked(&self.0);
        state.up()?;
        if !state.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimulatedLock {
            state: Arc::clone(&self.0),
            path: path.to_owned(),
        }))
    }
}
