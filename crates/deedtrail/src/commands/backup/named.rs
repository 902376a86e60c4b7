//! Folders and files that the configuration names and nothing can derive.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::copy_file;
use crate::config::Config;
use crate::instance::make_private;

/// What the data folder holds of the server's own: copied with care, or derived.
const OWN: [&str; 4] = ["archive", "keys", "log", "state"];

/// What a backup takes of them, and what not.
pub(super) struct Named {
    /// Where it is, and where below the data folder it is named.
    inside: Vec<(PathBuf, PathBuf)>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Something that is named and not in the backup.
pub(super) struct LeftOut {
    setting: String,
    path: PathBuf,
    because: &'static str,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (setting, path) = (&self.setting, self.path.display());
        write!(
            f,
            "not in it: `{setting}`, {path}, because it {}",
            self.because
        )
    }
}

impl Named {
    pub(super) fn of(config: &Config) -> anyhow::Result<Self> {
        let mut named = Self {
            inside: Vec::new(),
            left_out: Vec::new(),
        };
        for (setting, path) in config.files() {
            match below(&config.data, &path)? {
                Ok(below) => named.inside.push((path, below)),
                Err(because) => named.left_out.push(LeftOut {
                    setting,
                    path,
                    because,
                }),
            }
        }
        Ok(named)
    }

    /// Copies them, all of it on disk but the entries of `folder` itself.
    pub(super) fn copy_to(&self, folder: &Path) -> anyhow::Result<()> {
        for (from, below) in &self.inside {
            let parents = below.ancestors().skip(1);
            for parent in parents.filter(|parent| *parent != Path::new("")) {
                make_private(&folder.join(parent))?;
            }
            copy_tree(from, &folder.join(below), 0).with_context(|| from.display().to_string())?;
            for parent in below.ancestors().skip(1) {
                File::open(folder.join(parent))?.sync_all()?;
            }
        }
        Ok(())
    }
}

/// Where below the data folder a path is, as it is named; else why it is not copied.
fn below(data: &Path, path: &Path) -> anyhow::Result<Result<PathBuf, &'static str>> {
    let Ok(found) = path.canonicalize() else {
        return Ok(Err("is not there"));
    };
    let named = std::path::absolute(path)?;
    let named = named.strip_prefix(std::path::absolute(data)?);
    let is_plain = |below: &&Path| !below.components().any(|part| part.as_os_str() == "..");
    let below = match named.ok().filter(is_plain) {
        Some(below) => below.to_owned(),
        None => match found.strip_prefix(data.canonicalize()?) {
            Ok(below) => below.to_owned(),
            Err(_) => return Ok(Err("is outside of the data folder")),
        },
    };
    let Some(first) = below.iter().next() else {
        return Ok(Err("is the data folder itself"));
    };
    if OWN.iter().any(|own| first == *own) && found.is_dir() {
        return Ok(Err("is a folder of the server's own"));
    }
    Ok(Ok(below))
}

/// Copies a file that is not there yet, or a folder with the files in it. Links to folders are followed
/// where a source may be one: as the folder that is named, or in it.
fn copy_tree(from: &Path, to: &Path, depth: usize) -> anyhow::Result<()> {
    let Ok(found) = from.metadata() else {
        // It went away meanwhile, or is a link to nothing.
        return Ok(());
    };
    if found.is_file() && !to.try_exists()? {
        return Ok(copy_file(from, to)?);
    }
    let is_link = from.symlink_metadata().is_ok_and(|it| it.is_symlink());
    if !found.is_dir() || (is_link && depth > 1) {
        return Ok(());
    }
    make_private(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy_tree(&entry.path(), &to.join(entry.file_name()), depth + 1)?;
    }
    Ok(File::open(to)?.sync_all()?)
}
