//! The file of one data file's index: which values its needle columns may hold.
//!
//! Layout, numbers in little-endian order: a header of [`HEADER_BYTES`], then the blocks of each
//! column, in the order the header names them.
//!
//! | header bytes | what |
//! |---|---|
//! | 0..8 | `dtneedl1` |
//! | 8..16 | size of the data file, bytes |
//! | 16..24 | `XxHash64`, seed 0, of the data file's name |
//! | 24..28 | number of columns |
//! | 28.. | per column: `XxHash64`, seed 0, of its name (8 bytes) and its number of blocks (4 bytes) |
//! | 508..512 | CRC-32 of the bytes before |
//!
//! A block is a Bloom filter of 480 bits with the CRC-32 of its number and its bits: a look-up
//! reads one, and knows whether what it read is what was written.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use twox_hash::XxHash64;

const MAGIC: [u8; 8] = *b"dtneedl1";
/// Bytes before the first block.
const HEADER_BYTES: usize = 512;
/// Where the header's check sum lies.
const HEADER_SUM_AT: usize = HEADER_BYTES - 4;
/// Where the header's columns begin, and bytes of each.
const COLUMNS_AT: usize = 28;
const COLUMN_BYTES: usize = 12;
/// Most columns a header has room for.
const COLUMNS_MAX: usize = (HEADER_SUM_AT - COLUMNS_AT) / COLUMN_BYTES;
const BLOCK_BYTES: usize = 64;
/// Where a block's check sum lies.
const BLOCK_SUM_AT: usize = BLOCK_BYTES - 4;
const BLOCK_BITS: u64 = 480;
/// Values a block is made for: 15 bits each, and some 3 in 1,000 look-ups find what is not there.
const VALUES_PER_BLOCK: usize = 32;
/// Bits that a value sets.
const BITS_PER_VALUE: u32 = 6;

/// What is known of a column in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    column: u64,
    /// Number of its first block in the file.
    first: u64,
    blocks: u32,
}

/// The different values of one column, hashed by [`hash_of`].
#[derive(Debug)]
pub(super) struct Values {
    pub(super) column: u64,
    pub(super) hashes: Vec<u64>,
}

/// A data file as its index knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct DataFile<'a> {
    /// Its name without folders.
    pub(super) name: &'a str,
    pub(super) bytes: u64,
}

/// Why an index cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it is not there")]
    Missing,
    #[error("{0}")]
    Damaged(&'static str),
    #[error("it cannot be read: {0}")]
    Unreadable(std::io::Error),
}

/// Number of a column: hash of its name.
pub(super) fn column_of(name: &str) -> u64 {
    XxHash64::oneshot(0, name.as_bytes())
}

/// Hash of a value of a column.
pub(super) fn hash_of(column: u64, value: &str) -> u64 {
    XxHash64::oneshot(column, value.as_bytes())
}

/// The bytes of an index of `data` with these columns; one beyond [`COLUMNS_MAX`] is left out, and
/// then every value may be in it.
pub(super) fn encode(data: DataFile<'_>, columns: &[Values]) -> Vec<u8> {
    let columns = &columns[..columns.len().min(COLUMNS_MAX)];
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..16].copy_from_slice(&data.bytes.to_le_bytes());
    bytes[16..24].copy_from_slice(&column_of(data.name).to_le_bytes());
    let count = u32::try_from(columns.len()).unwrap_or(0);
    bytes[24..28].copy_from_slice(&count.to_le_bytes());
    let mut first = 0;
    for (place, values) in columns.iter().enumerate() {
        let blocks = u32::try_from(values.hashes.len().div_ceil(VALUES_PER_BLOCK));
        let blocks = blocks.unwrap_or(u32::MAX);
        let at = COLUMNS_AT + place * COLUMN_BYTES;
        bytes[at..at + 8].copy_from_slice(&values.column.to_le_bytes());
        bytes[at + 8..at + 12].copy_from_slice(&blocks.to_le_bytes());
        bytes.extend(blocks_of(values, first, blocks));
        first += u64::from(blocks);
    }
    let sum = crc32fast::hash(&bytes[..HEADER_SUM_AT]);
    bytes[HEADER_SUM_AT..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn blocks_of(values: &Values, first: u64, blocks: u32) -> Vec<u8> {
    let mut bytes = vec![0_u8; blocks as usize * BLOCK_BYTES];
    for hash in &values.hashes {
        let at = block_of(*hash, blocks) as usize * BLOCK_BYTES;
        let block = &mut bytes[at..at + BLOCK_SUM_AT];
        for bit in bits_of(*hash) {
            block[bit / 8] |= 1 << (bit % 8);
        }
    }
    for (number, block) in bytes.chunks_exact_mut(BLOCK_BYTES).enumerate() {
        let sum = block_sum(first + number as u64, &block[..BLOCK_SUM_AT]);
        block[BLOCK_SUM_AT..].copy_from_slice(&sum.to_le_bytes());
    }
    bytes
}

/// The block of a column with so many that a value belongs to; there is at least one.
fn block_of(hash: u64, blocks: u32) -> u32 {
    let scaled = ((hash >> 32) * u64::from(blocks)) >> 32;
    u32::try_from(scaled).unwrap_or(0)
}

/// Places of a value's bits in its block. The block is chosen by the upper half of the hash; the
/// multiplication (by 2^64 over the golden ratio) lets all of it take part here.
fn bits_of(hash: u64) -> impl Iterator<Item = usize> {
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..BITS_PER_VALUE).map(move |turn| {
        let slice = (mixed >> (10 * turn)) & 1023;
        usize::try_from((slice * BLOCK_BITS) >> 10).unwrap_or(0)
    })
}

fn block_sum(number: u64, bits: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&number.to_le_bytes());
    sum.update(bits);
    sum.finalize()
}

/// An index, open to be asked.
#[derive(Debug)]
pub(super) struct Filter {
    file: File,
    columns: Vec<Entry>,
}

impl Filter {
    /// Opens the index at `path`, which has to be of `data`.
    pub(super) fn open(path: &Path, data: DataFile<'_>) -> Result<Self, Unusable> {
        let file = File::open(path).map_err(unreadable)?;
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, 0).map_err(unreadable)?;
        let columns = entries(&header, data)?;
        Ok(Self { file, columns })
    }

    /// As [`Self::may_hold`], one of several values.
    pub(super) fn may_hold_any(
        &self,
        column: u64,
        hashes: &mut dyn Iterator<Item = u64>,
    ) -> Result<bool, Unusable> {
        for hash in hashes {
            if self.may_hold(column, hash)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the data file may have a row with that value in that column; when not, it has none.
    pub(super) fn may_hold(&self, column: u64, hash: u64) -> Result<bool, Unusable> {
        let Some(entry) = self.columns.iter().find(|entry| entry.column == column) else {
            return Ok(true);
        };
        if entry.blocks == 0 {
            return Ok(false);
        }
        let number = entry.first + u64::from(block_of(hash, entry.blocks));
        let at = HEADER_BYTES as u64 + number * BLOCK_BYTES as u64;
        let mut block = [0; BLOCK_BYTES];
        self.file
            .read_exact_at(&mut block, at)
            .map_err(unreadable)?;
        let (bits, sum) = block.split_at(BLOCK_SUM_AT);
        if sum != block_sum(number, bits).to_le_bytes() {
            return Err(Unusable::Damaged("the check sum of a block is wrong"));
        }
        Ok(bits_of(hash).all(|bit| bits[bit / 8] & (1 << (bit % 8)) != 0))
    }
}

fn unreadable(error: std::io::Error) -> Unusable {
    match error.kind() {
        ErrorKind::NotFound => Unusable::Missing,
        ErrorKind::UnexpectedEof => Unusable::Damaged("it is cut short"),
        _ => Unusable::Unreadable(error),
    }
}

fn entries(header: &[u8; HEADER_BYTES], data: DataFile<'_>) -> Result<Vec<Entry>, Unusable> {
    let sum = crc32fast::hash(&header[..HEADER_SUM_AT]);
    if header[HEADER_SUM_AT..] != sum.to_le_bytes() {
        return Err(Unusable::Damaged("the check sum of its header is wrong"));
    }
    if header[..8] != MAGIC {
        return Err(Unusable::Damaged("it has another format"));
    }
    if number(&header[8..16]) != data.bytes || number(&header[16..24]) != column_of(data.name) {
        return Err(Unusable::Damaged("it is of another data file"));
    }
    let count = usize::try_from(number(&header[24..28])).unwrap_or(0);
    let mut first = 0;
    let listed = header[COLUMNS_AT..HEADER_SUM_AT].chunks_exact(COLUMN_BYTES);
    let entries = listed.take(count).map(|bytes| {
        let blocks = u32::try_from(number(&bytes[8..])).unwrap_or(0);
        let entry = Entry {
            column: number(&bytes[..8]),
            first,
            blocks,
        };
        first += u64::from(blocks);
        entry
    });
    Ok(entries.collect())
}

/// At most eight bytes as a number.
fn number(bytes: &[u8]) -> u64 {
    let low_first = bytes.iter().rev();
    low_first.fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: DataFile<'static> = DataFile {
        name: "part-1.parquet",
        bytes: 1_000,
    };

    fn values(name: &str, count: usize) -> Values {
        let column = column_of(name);
        let hashes = (0..count).map(|n| hash_of(column, &format!("{name}-{n}")));
        Values {
            column,
            hashes: hashes.collect(),
        }
    }

    fn written(folder: &Path, columns: &[Values]) -> std::path::PathBuf {
        let path = folder.join("index");
        std::fs::write(&path, encode(DATA, columns)).unwrap();
        path
    }

    #[test]
    fn every_value_is_found_and_few_others_are() {
        let folder = tempfile::tempdir().unwrap();
        let columns = [values("a", 20_000), values("b", 1), values("c", 0)];
        let filter = Filter::open(&written(folder.path(), &columns), DATA).unwrap();
        for of in &columns {
            for hash in &of.hashes {
                assert!(filter.may_hold(of.column, *hash).unwrap());
            }
        }
        let a = columns[0].column;
        let strangers = (0..100_000).filter(|n| {
            let hash = hash_of(a, &format!("stranger-{n}"));
            filter.may_hold(a, hash).unwrap()
        });
        let found = strangers.count();
        assert!(found < 600, "{found} of 100,000 strangers are found");
        assert!(
            !filter.may_hold(columns[2].column, 7).unwrap(),
            "it has no value"
        );
        assert!(filter.may_hold(column_of("unknown"), 7).unwrap());
    }

    /// Whatever bit is flipped, and wherever the file is cut: a value that is there is found, or
    /// the index says that it cannot be asked.
    #[test]
    fn damage_is_noticed_and_never_hides_a_value() {
        let folder = tempfile::tempdir().unwrap();
        let columns = [values("a", 40), values("b", 3)];
        let path = written(folder.path(), &columns);
        let whole = std::fs::read(&path).unwrap();
        let finds_all = |path: &Path| {
            let filter = Filter::open(path, DATA)?;
            for of in &columns {
                for hash in &of.hashes {
                    assert!(filter.may_hold(of.column, *hash)?);
                }
            }
            Ok::<(), Unusable>(())
        };
        finds_all(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, flipped).unwrap();
            let found = finds_all(&path);
            assert!(
                matches!(found, Err(Unusable::Damaged(_))),
                "bit {bit}: {found:?}"
            );
        }
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(
                matches!(finds_all(&path), Err(Unusable::Damaged(_))),
                "{length}"
            );
        }
    }

    #[test]
    fn an_index_of_another_file_is_not_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), &[values("a", 1)]);
        for other in [
            DataFile {
                bytes: 1_001,
                ..DATA
            },
            DataFile {
                name: "part-2.parquet",
                ..DATA
            },
        ] {
            let error = Filter::open(&path, other).unwrap_err();
            assert_eq!(error.to_string(), "it is of another data file");
        }
        let missing = Filter::open(&folder.path().join("none"), DATA);
        assert!(matches!(missing, Err(Unusable::Missing)));
    }
}
