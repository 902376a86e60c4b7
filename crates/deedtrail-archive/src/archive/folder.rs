//! The archive's folder: its generations, and the link to the live one.

use std::path::{Path, PathBuf};

use super::LIVE_LINK;
use crate::engine::EngineError;
use crate::generation::{file_error, sync_all};

/// The folder of the next generation: one past the highest there is.
pub(super) fn free_folder(folder: &Path) -> Result<PathBuf, EngineError> {
    let numbers = generations(folder)?;
    let next = numbers
        .iter()
        .filter_map(|path| number_of(path))
        .max()
        .map_or(1, |n| n + 1);
    Ok(folder.join(format!("{LIVE_LINK}-{next:06}")))
}

fn number_of(generation: &Path) -> Option<u64> {
    generation
        .file_name()?
        .to_str()?
        .strip_prefix("events-")?
        .parse()
        .ok()
}

/// Folders of all generations in `folder`.
fn generations(folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let entries = std::fs::read_dir(folder).map_err(|source| file_error(folder, source))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths = paths
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| file_error(folder, source))?;
    Ok(paths
        .into_iter()
        .filter(|path| number_of(path).is_some())
        .collect())
}

/// Makes `events` link to `generation`, atomically and durably.
pub(super) fn point_to(folder: &Path, generation: &Path) -> Result<(), EngineError> {
    let fresh = folder.join(format!("{LIVE_LINK}.new"));
    let name = generation.strip_prefix(folder).unwrap_or(generation);
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(file_error(&fresh, error));
        }
        _ => {}
    }
    std::os::unix::fs::symlink(name, &fresh)
        .and_then(|()| std::fs::rename(&fresh, folder.join(LIVE_LINK)))
        .map_err(|source| file_error(&fresh, source))?;
    sync_all([folder.to_path_buf()])
}

/// Removes what a rebuild that did not finish, or whose end was cut short, left behind.
pub(super) fn remove_others(folder: &Path, live: &Path) -> Result<(), EngineError> {
    for other in generations(folder)?.iter().filter(|path| *path != live) {
        std::fs::remove_dir_all(other).map_err(|source| file_error(other, source))?;
    }
    Ok(())
}
