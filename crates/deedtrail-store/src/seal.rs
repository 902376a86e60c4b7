//! The seal of a closed file: check sums of it, beside it, from an orderly end to the next start.
//!
//! `SQLite` keeps check sums of its write-ahead log alone: a bit that flips in the file itself may be a
//! page it refuses, or another number or word in an answer. So who closes the file in order leaves
//! `control.db.seal` beside it; who opens it compares, and removes the seal before anything is
//! written. After a kill there is none, and nothing is compared.
//!
//! Layout, numbers in little-endian order:
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | `dtseal01` |
//! | 8..16 | size of the file, bytes |
//! | 16.. | CRC-32 of each block of 64 KiB, the last one perhaps shorter (4 bytes each) |
//! | last 4 | CRC-32 of the bytes before |

use std::fs::File;
use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = *b"dtseal01";
const BLOCK_BYTES: usize = 64 << 10;
const SUM_BYTES: usize = 4;

/// Where the seal of the file at `path` lies.
pub(crate) fn path_of(path: &Path) -> PathBuf {
    let mut seal = path.as_os_str().to_owned();
    seal.push(".seal");
    seal.into()
}

/// Compares the file with its seal, where it has one, and removes the seal. True when it had a seal that
/// fits.
pub(crate) fn open(path: &Path) -> std::io::Result<bool> {
    let seal = path_of(path);
    let sealed = match std::fs::read(&seal) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        sealed => sealed?,
    };
    let mut fits = false;
    if !path.try_exists()? {
        tracing::warn!(file = %path.display(), "the file is gone; it is made anew");
    } else if is_whole(&sealed) {
        let found = of_file(path)?;
        if let Some(what) = difference(&sealed, &found) {
            return Err(Error::other(told(path, &seal, &what)));
        }
        fits = true;
    } else {
        tracing::warn!(seal = %seal.display(), "the seal itself is damaged; the file is opened without");
    }
    std::fs::remove_file(&seal)?;
    sync_folder(path)?;
    Ok(fits)
}

/// Seals the file, which nobody may write to afterwards.
pub(crate) fn close(path: &Path) -> std::io::Result<()> {
    let fresh = path.with_extension("seal.new");
    let mut file = File::create(&fresh)?;
    file.write_all(&of_file(path)?)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path_of(path))?;
    sync_folder(path)
}

fn told(path: &Path, seal: &Path, what: &str) -> String {
    format!(
        "it is not what was written when it was closed last: {what}, be it damage or another program. {} \
         To go on with the file as it is, remove {} alone and run `deedtrail rebuild`",
        remedy(path),
        seal.display(),
    )
}

/// What to do about a file that is damaged.
pub(crate) fn remedy(path: &Path) -> String {
    format!(
        "While no server runs, put that of the newest backup in its place and remove {1}, {0}-wal and \
         {0}-shm: what came in since is derived from the log; decisions and tokens since then are as \
         they were, and what was revoked since holds again. Without a backup, move {0} and those away: \
         identities and findings are derived anew; tokens, sign-ins, decisions and settings are to be \
         made again.",
        path.display(),
        path_of(path).display(),
    )
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// The seal that fits the file as it is.
fn of_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut sums = Vec::new();
    let mut bytes = 0_u64;
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    loop {
        block.clear();
        (&file).take(BLOCK_BYTES as u64).read_to_end(&mut block)?;
        if block.is_empty() {
            break;
        }
        bytes += block.len() as u64;
        sums.extend(crc32fast::hash(&block).to_le_bytes());
    }
    let mut seal = [MAGIC.to_vec(), bytes.to_le_bytes().to_vec(), sums].concat();
    seal.extend(crc32fast::hash(&seal).to_le_bytes());
    Ok(seal)
}

fn is_whole(seal: &[u8]) -> bool {
    seal.split_last_chunk::<SUM_BYTES>()
        .is_some_and(|(rest, own)| {
            rest.starts_with(&MAGIC) && crc32fast::hash(rest) == u32::from_le_bytes(*own)
        })
}

/// Where what was sealed and what is found differ.
fn difference(sealed: &[u8], found: &[u8]) -> Option<String> {
    if sealed == found {
        return None;
    }
    let (size, sums) = (MAGIC.len()..MAGIC.len() + 8, MAGIC.len() + 8);
    if sealed.get(size.clone()) != found.get(size) {
        return Some("it has another size".to_owned());
    }
    let pairs = sealed.get(sums..)?.chunks(SUM_BYTES);
    let pairs = pairs.zip(found.get(sums..)?.chunks(SUM_BYTES));
    let first = pairs.into_iter().position(|(a, b)| a != b)?;
    Some(format!(
        "a byte between {} and {} changed",
        first * BLOCK_BYTES,
        (first + 1) * BLOCK_BYTES
    ))
}
