//! The key that ids of events are made with: with another one, every event gets another id.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use deedtrail_core::port::Entropy;
use deedtrail_core::port::store::{Store, StoreError};

/// Setting of the store: what tells another key. It outlives a rebuild.
const CHECK: &str = "event_key_check";
/// What the check value is derived for; never the message of an event's id.
const CHECK_CONTEXT: &str = "deedtrail 2026-11-23 check value of the key of event ids";
/// Bytes of it that are kept: enough to tell a mistake, of no use to guess the key.
const CHECK_BYTES: usize = 8;

/// The key is not the one that the ids in the archive and in findings were made with.
#[derive(Debug)]
pub(crate) struct OtherKey;

impl std::fmt::Display for OtherKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "keys/event-id.key is not the key that the ids of events were made with: put back that of \
             a backup. Without one, run `deedtrail rebuild` while no server runs: all events get \
             other ids",
        )
    }
}

impl std::error::Error for OtherKey {}

/// The key as it lies in the data folder.
pub(crate) fn read(data: &Path) -> anyhow::Result<[u8; 32]> {
    let path = file(data);
    match fs::read(&path) {
        Ok(bytes) => bytes.try_into().map_err(|_| {
            anyhow::anyhow!("{} is damaged; restore it from a backup", path.display())
        }),
        Err(error) => Err(error).with_context(|| {
            format!(
                "the key {0} cannot be read: put back that of a backup. Without one, make another \
                 (`head -c 32 /dev/urandom > {0}`) and run `deedtrail rebuild`: all events get other ids",
                path.display()
            )
        }),
    }
}

fn file(data: &Path) -> PathBuf {
    data.join("keys").join("event-id.key")
}

/// As [`read`], of a log with so many entries: of one without it is made when missing.
pub(crate) fn of_log(data: &Path, entries: u64, entropy: &dyn Entropy) -> anyhow::Result<[u8; 32]> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = file(data);
    if entries > 0 || path.try_exists()? {
        return read(data);
    }
    let mut key = [0_u8; 32];
    entropy.fill(&mut key);
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("the key {}", path.display()))?;
    file.write_all(&key)?;
    file.sync_all()?;
    Ok(key)
}

/// An error when it is another key than the one that was used so far; the first one is remembered.
pub(crate) fn compare(store: &dyn Store, key: &[u8; 32]) -> anyhow::Result<()> {
    let (known, check) = (store.setting(CHECK)?, check_value(key));
    match known.filter(|known| !known.is_empty()) {
        Some(known) if known == check => Ok(()),
        Some(_) => Err(OtherKey.into()),
        None => match store.put_setting(CHECK, &check) {
            // It must not keep the log from being read.
            Err(StoreError::DiskFull { .. }) => Ok(()),
            put => Ok(put?),
        },
    }
}

/// The next start takes whatever key there is.
pub(crate) fn forget(store: &dyn Store) -> Result<(), StoreError> {
    store.put_setting(CHECK, "")
}

fn check_value(key: &[u8; 32]) -> String {
    let derived = blake3::derive_key(CHECK_CONTEXT, key);
    hex::encode(&derived[..CHECK_BYTES])
}

#[cfg(test)]
mod tests {
    use deedtrail_testkit::MemoryStore;

    use super::*;

    #[test]
    fn another_key_is_told_until_it_is_accepted() {
        let store = MemoryStore::default();
        compare(&store, &[7; 32]).unwrap();
        compare(&store, &[7; 32]).unwrap();
        let mut other = [7; 32];
        other[31] ^= 1;
        let told = compare(&store, &other).unwrap_err();
        assert!(told.is::<OtherKey>(), "{told}");
        compare(&store, &[7; 32]).unwrap();
        forget(&store).unwrap();
        compare(&store, &other).unwrap();
        compare(&store, &[7; 32]).unwrap_err();
    }
}
