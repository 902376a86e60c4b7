//! Reading the live generation's files back, to tell damage before a query meets it.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use deltalake::parquet::file::reader::ChunkReader as _;

use super::DeltaArchive;
use crate::engine::EngineError;
use crate::generation::file_error;
use crate::sums::KnownSums;

/// Folder of a Delta table's log.
const LOG_FOLDER: &str = "_delta_log";

/// What reading the files of the live table back found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadBack {
    /// Files of the table and of its log.
    pub files: u64,
    /// Of those, how many were read and compared with their check sums; the others wait for more time.
    pub compared: u64,
    /// Of those, how many have no check sums, since an earlier version wrote them: they can be read,
    /// but not be compared.
    pub without_sums: u64,
    /// What is wrong with each file that is not what was written, or cannot be read, or whose check
    /// sums are damaged or gone.
    pub damaged: Vec<String>,
}

impl DeltaArchive {
    /// Reads the log and the files of the live table, newest first, until `time_max` is over.
    pub fn read_back(&self, time_max: Duration) -> ReadBack {
        let end = Instant::now() + time_max;
        let live = self.live();
        let (generation, sums) = (live.generation.folder(), live.generation.sums());
        let mut found = ReadBack::default();
        let files = match table_log(generation) {
            Ok(files) => files,
            Err(error) => {
                found.damaged.push(error.to_string());
                Vec::new()
            }
        };
        let mut data: Vec<_> = live.table.log_data().iter().collect();
        data.sort_by_key(|file| std::cmp::Reverse(file.modification_time()));
        let data = data.iter().map(|file| generation.join(&*file.path()));
        for file in files.into_iter().chain(data) {
            found.files += 1;
            if Instant::now() < end {
                found.compare(&sums, &file);
            }
        }
        found
    }
}

impl ReadBack {
    fn compare(&mut self, sums: &KnownSums, path: &Path) {
        let whole = || {
            let file = sums.open(path)?;
            let mut blocks = file.get_read(0).map_err(Error::other)?;
            std::io::copy(&mut blocks, &mut std::io::sink())?;
            if let Some(fault) = sums.fault(path)? {
                return Err(Error::other(fault));
            }
            Ok::<_, Error>(file.has_sums())
        };
        match whole() {
            Ok(true) => self.compared += 1,
            Ok(false) => self.without_sums += 1,
            // Old commits leave while it is looked at.
            Err(error) if error.kind() == ErrorKind::NotFound && is_log(path) => self.files -= 1,
            // It names the file.
            Err(error) if error.kind() == ErrorKind::Other => self.damaged.push(error.to_string()),
            Err(error) => self.damaged.push(format!("{}: {error}", path.display())),
        }
    }
}

fn is_log(path: &Path) -> bool {
    path.parent()
        .is_some_and(|folder| folder.ends_with(LOG_FOLDER))
}

/// Commits and checkpoints of the Delta log of a generation.
fn table_log(generation: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let folder = generation.join(LOG_FOLDER);
    let entries = std::fs::read_dir(&folder).map_err(|source| file_error(&folder, source))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths: Vec<PathBuf> = paths
        .collect::<Result<_, _>>()
        .map_err(|source| file_error(&folder, source))?;
    let is_version = |name: &str| {
        let (version, rest) = name.split_once('.').unwrap_or_default();
        let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        is_number && matches!(rest, "json" | "checkpoint.parquet")
    };
    let name = |path: &PathBuf| Some(path.file_name()?.to_str()?.to_owned());
    let is_of_table = |path: &PathBuf| name(path).is_some_and(|name| is_version(&name));
    Ok(paths.into_iter().filter(is_of_table).collect())
}
