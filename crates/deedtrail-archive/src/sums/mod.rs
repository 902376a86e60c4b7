//! Check sums of the archive's files: whether what is read is what was written.
//!
//! Parquet and Delta Lake notice few flipped bits by themselves: a number that became another one is
//! a number. So for each file of a generation, its Delta log included, there is one in the folder
//! [`FOLDER`] with the CRC-32 of each block of [`BLOCK_BYTES`], and whoever reads compares
//! ([`CheckedFiles`], [`KnownSums::open`]). A file without sums, which an earlier version wrote, is read as it is;
//! in a generation with the file [`MARK`], which has them from its beginning, they were lost.
//!
//! Layout, numbers in little-endian order:
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | `dtsums01` |
//! | 8..16 | size of the file, bytes |
//! | 16.. | CRC-32 of each block of 16 KiB, the last one perhaps shorter (4 bytes each) |
//! | last 4 | CRC-32 of the bytes before |

mod files;
mod known;

pub(crate) use files::CheckedFiles;
pub(crate) use known::{CheckedFile, KnownSums};

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Folder of a generation with the sums of each of its files. Engines that read Delta tables take
/// no notice of folders whose names begin with `_`.
const FOLDER: &str = "_sums";
/// File of a generation each of whose files was written with sums.
const MARK: &str = "_summed";
const MAGIC: [u8; 8] = *b"dtsums01";
/// Bytes of a block: what is read more than was asked for, at each end.
const BLOCK_BYTES: usize = 16 << 10;
const BLOCK: u64 = BLOCK_BYTES as u64;
/// Age at which sums without a file are nobody's.
const ORPHAN_AGE: Duration = Duration::from_hours(24);
/// Bytes before the first sum.
const HEADER_BYTES: usize = 16;
const SUM_BYTES: usize = 4;

/// A file is not what was written.
#[derive(Debug, thiserror::Error)]
#[error("{} is damaged: {what}", .path.display())]
pub(crate) struct Damaged {
    path: PathBuf,
    what: String,
}

/// Notes that every file of a generation is written with sums, before there is one; where it is noted.
pub(crate) fn begin(generation: &Path) -> std::io::Result<PathBuf> {
    let mark = generation.join(MARK);
    let says = format!("every file is written with check sums in {FOLDER}\n");
    std::fs::write(&mark, says)?;
    Ok(mark)
}

/// Where the sums of a file lie; none for what is no file of the generation, or is a sum itself.
pub(crate) fn path_of(generation: &Path, file: &Path) -> Option<PathBuf> {
    let name = file.strip_prefix(generation).ok()?;
    if name.starts_with(FOLDER) || name.as_os_str().is_empty() {
        return None;
    }
    let mut path = generation.join(FOLDER).join(name).into_os_string();
    path.push(".sums");
    Some(path.into())
}

/// The sums of one file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sums {
    bytes: u64,
    blocks: Vec<u32>,
}

impl Sums {
    /// What is wrong with those of the file at `path`, as they lie on disk.
    pub(crate) fn fault(generation: &Path, path: &Path) -> std::io::Result<Option<Damaged>> {
        let Some(sums) = path_of(generation, path) else {
            return Ok(None);
        };
        let is_file_there = || path.try_exists();
        let what = match std::fs::read(&sums) {
            Ok(found) if Self::decode(&found).is_some() => return Ok(None),
            Ok(_) => "its own check sum does not fit",
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Err(_) if !generation.join(MARK).try_exists()? || !is_file_there()? => return Ok(None),
            Err(_) => "it is gone",
        };
        let what = format!("{what}; nothing tells whether its file is what was written");
        Ok(Some(damaged(&sums, what)))
    }

    /// Of the file at `path` below `generation`; none when it has none, or they are damaged
    /// themselves, which is told.
    pub(crate) fn read(generation: &Path, path: &Path) -> std::io::Result<Option<Self>> {
        let Some(sums) = path_of(generation, path) else {
            return Ok(None);
        };
        let found = match std::fs::read(&sums) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if let Some(fault) = Self::fault(generation, path)? {
                    tracing::warn!(%fault, "a file of the archive is read without check sums");
                }
                return Ok(None);
            }
            found => found?,
        };
        let decoded = Self::decode(&found);
        if decoded.is_none() {
            tracing::warn!(sums = %sums.display(), "check sums of the archive are damaged; their file is read without");
        }
        Ok(decoded)
    }

    fn decode(encoded: &[u8]) -> Option<Self> {
        let (rest, own) = encoded.split_last_chunk::<SUM_BYTES>()?;
        let (header, sums) = rest.split_first_chunk::<HEADER_BYTES>()?;
        let (magic, bytes) = header.split_first_chunk::<8>()?;
        let bytes = u64::from_le_bytes(bytes.try_into().ok()?);
        let is_whole = *magic == MAGIC && crc32fast::hash(rest) == u32::from_le_bytes(*own);
        let blocks: Vec<u32> = sums
            .chunks_exact(SUM_BYTES)
            .filter_map(|sum| Some(u32::from_le_bytes(sum.try_into().ok()?)))
            .collect();
        let fits = blocks.len() as u64 == bytes.div_ceil(BLOCK);
        (is_whole && fits).then_some(Self { bytes, blocks })
    }

    fn encode(&self) -> Vec<u8> {
        let mut encoded = MAGIC.to_vec();
        encoded.extend(self.bytes.to_le_bytes());
        encoded.extend(self.blocks.iter().flat_map(|sum| sum.to_le_bytes()));
        encoded.extend(crc32fast::hash(&encoded).to_le_bytes());
        encoded
    }

    /// The blocks that `range` lies in, as a range of bytes.
    fn around(&self, range: &Range<u64>) -> Range<u64> {
        let end = range.end.div_ceil(BLOCK).saturating_mul(BLOCK);
        range.start / BLOCK * BLOCK..end.min(self.bytes)
    }

    /// Holds whole blocks of the file at `path`, of which the first begins at `start`, against the sums.
    fn compare(&self, path: &Path, start: u64, blocks: &[u8]) -> Result<(), Damaged> {
        let first = usize::try_from(start / BLOCK).unwrap_or(usize::MAX);
        let sums = self.blocks.get(first..).unwrap_or_default();
        let mut at = start;
        for (number, block) in blocks.chunks(BLOCK_BYTES).enumerate() {
            if sums.get(number) != Some(&crc32fast::hash(block)) {
                let what = format!("not what was written within {BLOCK} bytes from byte {at} on");
                return Err(damaged(path, what));
            }
            at += block.len() as u64;
        }
        Ok(())
    }

    /// That a file has as many bytes as it was written with.
    fn compare_size(&self, path: &Path, bytes: u64) -> Result<(), Damaged> {
        if bytes == self.bytes {
            return Ok(());
        }
        let what = format!("it has {bytes} bytes and was written with {}", self.bytes);
        Err(damaged(path, what))
    }
}

/// Removes sums whose file is gone, or never came: those of a day ago and older, since a file that is
/// being written has its sums first.
pub(crate) fn clean(generation: &Path) -> std::io::Result<()> {
    let folder = generation.join(FOLDER);
    match sweep(&folder, generation) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        swept => swept,
    }
}

fn sweep(sums: &Path, files: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(sums)? {
        let entry = entry?;
        let path = entry.path();
        let of = path.file_name().map(|name| files.join(name));
        let of = of.unwrap_or_default();
        if entry.file_type()?.is_dir() {
            sweep(&path, &of)?;
            continue;
        }
        let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
        if age >= ORPHAN_AGE && !of.with_extension("").try_exists()? {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn damaged(path: &Path, what: String) -> Damaged {
    Damaged {
        path: path.to_owned(),
        what,
    }
}

/// Sums of bytes that come piece by piece.
#[derive(Debug, Default)]
struct Summing {
    bytes: u64,
    blocks: Vec<u32>,
    block: crc32fast::Hasher,
}

impl Summing {
    fn add(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let filled = usize::try_from(self.bytes % BLOCK).unwrap_or(0);
            let (now, later) = piece.split_at(piece.len().min(BLOCK_BYTES - filled));
            self.block.update(now);
            self.bytes += now.len() as u64;
            if self.bytes.is_multiple_of(BLOCK) {
                self.blocks.push(std::mem::take(&mut self.block).finalize());
            }
            piece = later;
        }
    }

    fn sums(&self) -> Sums {
        let mut blocks = self.blocks.clone();
        if !self.bytes.is_multiple_of(BLOCK) {
            blocks.push(self.block.clone().finalize());
        }
        Sums {
            bytes: self.bytes,
            blocks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(bytes: &[u8], piece: usize) -> Sums {
        let mut summing = Summing::default();
        bytes.chunks(piece).for_each(|piece| summing.add(piece));
        summing.sums()
    }

    #[test]
    fn sums_are_the_same_in_whatever_pieces_a_file_comes() {
        for size in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, 3 * BLOCK_BYTES + 7] {
            let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
            let whole = sums(&bytes, usize::MAX);
            for piece in [1000, BLOCK_BYTES, BLOCK_BYTES + 1] {
                assert_eq!(sums(&bytes, piece), whole, "{size} in {piece}");
            }
            assert_eq!(Sums::decode(&whole.encode()), Some(whole));
        }
    }

    #[test]
    fn old_sums_of_no_file_go_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let generation = folder.path();
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        let place = |name: &str, is_there: bool, is_old: bool| {
            let file = generation.join("tenant=a").join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            let sums = path_of(generation, &file).unwrap();
            std::fs::create_dir_all(sums.parent().unwrap()).unwrap();
            let written = std::fs::File::create(&sums).unwrap();
            if is_there {
                std::fs::write(&file, "x").unwrap();
            }
            if is_old {
                written.set_modified(long_ago).unwrap();
            }
            sums
        };
        let whole = place("1.zstd.parquet", true, true);
        let gone = place("2.zstd.parquet", false, true);
        let coming = place("3.zstd.parquet", false, false);
        clean(generation).unwrap();
        let there = [whole, gone, coming].map(|sums| sums.try_exists().unwrap());
        assert_eq!(there, [true, false, true]);
        clean(&generation.join("none")).unwrap();
    }

    #[test]
    fn every_flipped_bit_of_sums_is_noticed() {
        let encoded = sums(&vec![7; 40_000], usize::MAX).encode();
        for bit in 0..encoded.len() * 8 {
            let mut flipped = encoded.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Sums::decode(&flipped), None, "bit {bit}");
        }
    }
}
