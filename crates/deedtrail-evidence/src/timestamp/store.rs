//! Stamps on disk: below the folder one file each, `<authority>/<size, 20 digits>.json`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::disk::{Access, Disk, read_file, replace_file};

/// Most stamps of one authority that are kept. Beyond it every second one goes, the newest stays: the
/// time from one to the next doubles.
pub const KEPT_MAX: usize = 4_096;
const ENDING: &str = ".json";

/// A checkpoint, and what an authority answered about its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// What the operator calls the authority.
    pub authority: String,
    /// The signed checkpoint that was stamped.
    pub checkpoint: String,
    /// The answer (`TimeStampResp` of RFC 3161) in DER.
    pub answer: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnDisk {
    checkpoint: String,
    /// Base64.
    answer: String,
}

/// Where stamps are kept.
#[derive(Debug)]
pub(super) struct Store {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// [`KEPT_MAX`] but in tests.
    kept_max: usize,
}

impl Store {
    /// The folder above is there.
    pub(super) fn new(disk: Arc<dyn Disk>, folder: PathBuf) -> Self {
        Self {
            disk,
            folder,
            kept_max: KEPT_MAX,
        }
    }

    /// Keeps a stamp of a checkpoint over `size` batches, durably.
    pub(super) fn keep(&self, size: u64, stamp: &Stamp) -> io::Result<()> {
        let folder = self.folder.join(&stamp.authority);
        self.disk.create_folder(&folder)?;
        let on_disk = OnDisk {
            checkpoint: stamp.checkpoint.clone(),
            answer: STANDARD.encode(&stamp.answer),
        };
        let bytes = serde_json::to_vec(&on_disk)?;
        let file = file(&folder, size);
        replace_file(&*self.disk, &file, Access::CreateSecret, &bytes)?;
        self.thin_out(&stamp.authority, &folder)
    }

    fn thin_out(&self, authority: &str, folder: &Path) -> io::Result<()> {
        let sizes = self.sizes(authority)?;
        if sizes.len() <= self.kept_max {
            return Ok(());
        }
        for size in sizes.iter().rev().skip(1).step_by(2) {
            self.disk.remove(&file(folder, *size))?;
        }
        self.disk.sync_folder(folder)
    }

    /// Of which sizes of the log there are stamps of an authority, ascending; also under origins that
    /// the log had before.
    pub(super) fn sizes(&self, authority: &str) -> io::Result<Vec<u64>> {
        let names = self.disk.list(&self.folder.join(authority))?;
        let sizes = names.iter().filter_map(|name| {
            let digits = name.strip_suffix(ENDING)?;
            digits.parse().ok()
        });
        let mut sizes: Vec<u64> = sizes.collect();
        sizes.sort_unstable();
        Ok(sizes)
    }

    /// One of those.
    pub(super) fn read(&self, authority: &str, size: u64) -> io::Result<Option<Stamp>> {
        let file = file(&self.folder.join(authority), size);
        let Some(bytes) = read_file(&*self.disk, &file)? else {
            return Ok(None);
        };
        let on_disk: OnDisk = serde_json::from_slice(&bytes)?;
        let answer = STANDARD.decode(on_disk.answer);
        Ok(Some(Stamp {
            authority: authority.to_owned(),
            checkpoint: on_disk.checkpoint,
            answer: answer.map_err(io::Error::other)?,
        }))
    }
}

fn file(folder: &Path, size: u64) -> PathBuf {
    folder.join(format!("{size:020}{ENDING}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn beyond_the_limit_every_second_one_goes_and_the_newest_stays() {
        let root = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let store = Store {
            kept_max: 4,
            ..Store::new(disk, root.path().join("stamps"))
        };
        let stamp = |text: &str| Stamp {
            authority: "tsa".to_owned(),
            checkpoint: text.to_owned(),
            answer: text.as_bytes().to_vec(),
        };
        assert_eq!(store.sizes("tsa").unwrap(), Vec::<u64>::new());
        for size in 1..=4 {
            store.keep(size, &stamp("old")).unwrap();
        }
        store.keep(4, &stamp("again")).unwrap();
        assert_eq!(store.sizes("tsa").unwrap(), [1, 2, 3, 4]);
        assert_eq!(store.read("tsa", 4).unwrap(), Some(stamp("again")));
        store.keep(50, &stamp("newest")).unwrap();
        assert_eq!(store.sizes("tsa").unwrap(), [1, 3, 50]);
        assert_eq!(store.read("tsa", 2).unwrap(), None);
        assert_eq!(store.read("other", 50).unwrap(), None);
        let broken = root.path().join("stamps/tsa/00000000000000000003.json");
        std::fs::write(broken, "{").unwrap();
        assert!(store.read("tsa", 3).is_err());
    }
}
