//! A sorted run of the idempotency index: pages of rows, then one fence per page, then a filter.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Access, Disk, DiskFile};
use crate::sync::Arc;

use super::{Hit, Row};

const MAGIC: [u8; 8] = *b"DTIDX\0\0\x01";
const PAGE_BYTES: usize = 4096;
const ROW_BYTES: usize = 40;
const ROWS_PER_PAGE: usize = 102;
/// Bytes of a filter block: one cache line.
const FILTER_BLOCK_BYTES: usize = 64;
/// Runs up to this many rows get a filter of 10 bits a row, larger ones of 4.
const SMALL_RUN_ROWS: u64 = 1 << 22;

/// Sequences a run covers: all keyed entries of `from..to` are in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cover {
    pub from: u64,
    pub to: u64,
}

impl Cover {
    pub(crate) fn file_name(&self) -> String {
        format!("{:020}-{:020}.run", self.from, self.to)
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (from, to) = name.strip_suffix(".run")?.split_once('-')?;
        let cover = Self {
            from: from.parse().ok()?,
            to: to.parse().ok()?,
        };
        (cover.from < cover.to).then_some(cover)
    }
}

/// A blocked Bloom filter over the key prints.
#[derive(Debug)]
struct Filter {
    bits: Vec<u8>,
    probes: u32,
}

impl Filter {
    fn sized(rows: u64) -> Self {
        let (bits, probes) = if rows <= SMALL_RUN_ROWS {
            (10, 6)
        } else {
            (4, 3)
        };
        let blocks = (rows * bits).div_ceil(FILTER_BLOCK_BYTES as u64 * 8).max(1);
        let bytes = usize::try_from(blocks).unwrap_or(1) * FILTER_BLOCK_BYTES;
        Self {
            bits: vec![0; bytes],
            probes,
        }
    }

    /// Block and bits of a key: the print is a hash already.
    fn places(&self, key: u128) -> impl Iterator<Item = (usize, u8)> + use<> {
        let blocks = (self.bits.len() / FILTER_BLOCK_BYTES) as u128;
        let block = usize::try_from(((key >> 64) * blocks) >> 64).unwrap_or(0);
        (0..self.probes).map(move |probe| {
            let bit = usize::try_from((key >> (9 * probe)) & 511).unwrap_or(0);
            (block * FILTER_BLOCK_BYTES + bit / 8, 1 << (bit % 8))
        })
    }

    fn insert(&mut self, key: u128) {
        for (byte, bit) in self.places(key) {
            self.bits[byte] |= bit;
        }
    }

    fn may_hold(&self, key: u128) -> bool {
        self.places(key)
            .all(|(byte, bit)| self.bits[byte] & bit != 0)
    }
}

/// A run on disk with its filter and fences in memory.
#[derive(Debug)]
pub(crate) struct Run {
    pub cover: Cover,
    pub rows: u64,
    pub path: PathBuf,
    file: Arc<dyn DiskFile>,
    filter: Filter,
    /// High half of the first key of each page.
    fences: Vec<u64>,
}

impl Run {
    /// Opens a run; an error when its header, fences or filter fail their check.
    pub(crate) fn open(disk: &dyn Disk, path: PathBuf, cover: Cover) -> io::Result<Self> {
        let file = disk.open(&path, Access::Read)?;
        let mut header = [0; PAGE_BYTES];
        file.read_at(&mut header, 0)?;
        check_page(&header)?;
        let number = |at: usize| u64::from_be_bytes(eight(&header, at));
        let expected = (MAGIC, cover.from, cover.to);
        if (eight(&header, 0), number(8), number(16)) != expected {
            return Err(damaged());
        }
        let rows = number(24);
        let mut filter = Filter::sized(rows);
        let pages = rows.div_ceil(ROWS_PER_PAGE as u64);
        let fence_bytes = usize::try_from(pages * 8).map_err(io::Error::other)?;
        let fences_at = (1 + pages) * PAGE_BYTES as u64;
        let mut tail = vec![0; fence_bytes + filter.bits.len()];
        let read = file.read_at(&mut tail, fences_at)?;
        if read != tail.len() || number(32) != u64::from(crc32c::crc32c(&tail)) {
            return Err(damaged());
        }
        filter.bits.copy_from_slice(&tail[fence_bytes..]);
        let fences = tail[..fence_bytes]
            .chunks_exact(8)
            .map(|b| u64::from_be_bytes(eight(b, 0)));
        let fences = fences.collect();
        Ok(Self {
            cover,
            rows,
            path,
            file,
            filter,
            fences,
        })
    }

    /// Adds what is stored under `key` to `hits`.
    pub(crate) fn find(&self, key: u128, hits: &mut Vec<Hit>) -> io::Result<()> {
        if !self.filter.may_hold(key) {
            return Ok(());
        }
        let high = high_half(key);
        let first = self
            .fences
            .partition_point(|fence| *fence < high)
            .saturating_sub(1);
        let mut page = Vec::new();
        for at in first..self.fences.len() {
            if at > first && self.fences[at] > high {
                break;
            }
            self.read_page(at as u64, &mut page)?;
            let from = page.partition_point(|row| row.key < key);
            let equal = page[from..].iter().take_while(|row| row.key == key);
            hits.extend(equal.map(|row| Hit {
                content: row.content,
                sequence: row.sequence,
            }));
        }
        Ok(())
    }

    fn read_page(&self, page: u64, rows: &mut Vec<Row>) -> io::Result<()> {
        let mut bytes = [0; PAGE_BYTES];
        self.file
            .read_at(&mut bytes, (1 + page) * PAGE_BYTES as u64)?;
        check_page(&bytes)?;
        let left = self.rows - page * ROWS_PER_PAGE as u64;
        let count = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(ROWS_PER_PAGE);
        rows.clear();
        rows.extend(bytes.chunks_exact(ROW_BYTES).take(count).map(parse_row));
        Ok(())
    }

    /// All rows in order; an unreadable page ends them with an error.
    pub(crate) fn iter(&self) -> impl Iterator<Item = io::Result<Row>> {
        (0..self.fences.len() as u64).flat_map(move |page| {
            let mut rows = Vec::new();
            let failed = self.read_page(page, &mut rows).err().map(Err);
            rows.into_iter().map(Ok).chain(failed)
        })
    }
}

fn eight(bytes: &[u8], at: usize) -> [u8; 8] {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    eight
}

fn high_half(key: u128) -> u64 {
    u64::from_be_bytes(eight(&key.to_be_bytes(), 0))
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "a run of the idempotency index is damaged",
    )
}

/// The last four bytes of a page are the CRC-32C of the others.
fn check_page(page: &[u8; PAGE_BYTES]) -> io::Result<()> {
    let crc = crc32c::crc32c(&page[..PAGE_BYTES - 4]).to_be_bytes();
    if page[PAGE_BYTES - 4..] == crc {
        Ok(())
    } else {
        Err(damaged())
    }
}

fn seal_page(page: &mut [u8; PAGE_BYTES]) {
    let crc = crc32c::crc32c(&page[..PAGE_BYTES - 4]).to_be_bytes();
    page[PAGE_BYTES - 4..].copy_from_slice(&crc);
}

fn parse_row(bytes: &[u8]) -> Row {
    let wide = |at: usize| {
        let mut sixteen = [0; 16];
        sixteen.copy_from_slice(&bytes[at..at + 16]);
        u128::from_be_bytes(sixteen)
    };
    Row {
        key: wide(0),
        content: wide(16),
        sequence: u64::from_be_bytes(eight(bytes, 32)),
    }
}

fn write_row(row: &Row, out: &mut [u8]) {
    out[..16].copy_from_slice(&row.key.to_be_bytes());
    out[16..32].copy_from_slice(&row.content.to_be_bytes());
    out[32..40].copy_from_slice(&row.sequence.to_be_bytes());
}

/// Writes `rows` (sorted, `count` of them) as a run, durably, and opens it.
pub(crate) fn write(
    disk: &dyn Disk,
    folder: &Path,
    cover: Cover,
    count: u64,
    rows: impl Iterator<Item = io::Result<Row>>,
) -> io::Result<Run> {
    let path = folder.join(cover.file_name());
    let temporary = path.with_extension("new");
    let file = disk.open(&temporary, Access::Create)?;
    let mut filter = Filter::sized(count);
    let mut tail = Vec::new();
    let (mut page, mut filled, mut offset) = ([0; PAGE_BYTES], 0, PAGE_BYTES as u64);
    let mut written = 0;
    for row in rows {
        let row = row?;
        filter.insert(row.key);
        if filled == 0 {
            tail.extend_from_slice(&high_half(row.key).to_be_bytes());
        }
        write_row(
            &row,
            &mut page[filled * ROW_BYTES..(filled + 1) * ROW_BYTES],
        );
        (filled, written) = (filled + 1, written + 1);
        if filled == ROWS_PER_PAGE || written == count {
            seal_page(&mut page);
            file.write_at(&page, offset)?;
            offset += PAGE_BYTES as u64;
            (page, filled) = ([0; PAGE_BYTES], 0);
        }
    }
    if written != count {
        return Err(damaged());
    }
    tail.extend_from_slice(&filter.bits);
    file.write_at(&tail, offset)?;
    let mut header = [0; PAGE_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    let tail_crc = u64::from(crc32c::crc32c(&tail));
    for (at, number) in [(8, cover.from), (16, cover.to), (24, count), (32, tail_crc)] {
        header[at..at + 8].copy_from_slice(&number.to_be_bytes());
    }
    seal_page(&mut header);
    file.write_at(&header, 0)?;
    file.sync()?;
    disk.rename(&temporary, &path)?;
    disk.sync_folder(folder)?;
    Run::open(disk, path, cover)
}
