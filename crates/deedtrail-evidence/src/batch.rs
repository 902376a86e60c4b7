//! A batch: the records of one commit. Its header is a leaf of the outer log; its body is the
//! header followed by blocks of records.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

use crate::limits::{BLOCK_BYTES, BLOCK_BYTES_MAX};
use crate::merkle::{self, Hash};
use crate::record::{self, RecordError};
use crate::sync::{Mutex, OnceLock};

/// First bytes of a header, with the version of its layout as the last.
const HEADER_MAGIC: [u8; 4] = *b"DTB\x01";
/// Bytes of a header of this version.
pub const HEADER_BYTES: usize = 152;
/// Bytes before the stored bytes of a block.
const BLOCK_HEADER_BYTES: usize = 20;
const CODEC_NONE: u8 = 0;
const CODEC_ZSTD: u8 = 1;
/// Blocks shorter than this are not worth compressing.
const COMPRESS_BYTES_MIN: usize = 256;
const ZSTD_LEVEL: i32 = 1;

/// What the outer log commits to for one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    pub batch: u64,
    pub first_sequence: u64,
    pub count: u32,
    /// Key-encryption epoch; 0 while nothing is sealed.
    pub key_epoch: u32,
    /// Time of commit by our clock, µs since 1970.
    pub committed_us: i64,
    /// Smallest and largest receipt time of the records, µs since 1970.
    pub received_min_us: i64,
    pub received_max_us: i64,
    /// RFC 6962 root over the leaves of the records.
    pub root: Hash,
    /// SHA-256 of the stored blocks.
    pub stored: Hash,
    /// Leaf hash of the header before this one; zero for batch 0.
    pub previous: Hash,
}

impl BatchHeader {
    /// The header's bytes.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&HEADER_MAGIC);
        bytes.extend_from_slice(&self.key_epoch.to_be_bytes());
        bytes.extend_from_slice(&self.batch.to_be_bytes());
        bytes.extend_from_slice(&self.first_sequence.to_be_bytes());
        bytes.extend_from_slice(&u64::from(self.count).to_be_bytes());
        for time in [
            self.committed_us,
            self.received_min_us,
            self.received_max_us,
        ] {
            bytes.extend_from_slice(&time.to_be_bytes());
        }
        for hash in [self.root, self.stored, self.previous] {
            bytes.extend_from_slice(&hash);
        }
        let mut fixed = [0; HEADER_BYTES];
        fixed.copy_from_slice(&bytes);
        fixed
    }

    /// Parses a header.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let bytes: &[u8; HEADER_BYTES] = bytes
            .try_into()
            .map_err(|_| RecordError("length of the batch header"))?;
        if bytes[..4] != HEADER_MAGIC {
            return Err(RecordError("unknown batch header"));
        }
        let number = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&bytes[at..at + 8]);
            u64::from_be_bytes(eight)
        };
        let hash = |at: usize| {
            let mut hash = [0; 32];
            hash.copy_from_slice(&bytes[at..at + 32]);
            hash
        };
        Ok(Self {
            key_epoch: u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            batch: number(8),
            first_sequence: number(16),
            count: u32::try_from(number(24)).map_err(|_| RecordError("count of the batch"))?,
            committed_us: number(32).cast_signed(),
            received_min_us: number(40).cast_signed(),
            received_max_us: number(48).cast_signed(),
            root: hash(56),
            stored: hash(88),
            previous: hash(120),
        })
    }

    /// Leaf hash in the outer log.
    pub fn leaf(&self) -> Hash {
        merkle::leaf_hash(&self.to_bytes())
    }
}

/// zstd contexts, kept because making one costs more than compressing a block.
#[derive(Default)]
pub(crate) struct Compressors(Mutex<Vec<zstd::bulk::Compressor<'static>>>);

impl std::fmt::Debug for Compressors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Compressors")
    }
}

impl Compressors {
    /// Appends `raw` compressed to `out` when that saves at least a tenth; the codec.
    fn compress(&self, raw: &[u8], out: &mut Vec<u8>) -> Option<u8> {
        if raw.len() < COMPRESS_BYTES_MIN {
            return None;
        }
        let pooled = crate::locked(&self.0).pop();
        let mut compressor = match pooled {
            Some(compressor) => compressor,
            None => zstd::bulk::Compressor::new(ZSTD_LEVEL).ok()?,
        };
        let start = out.len();
        // What does not fit here does not save enough: zstd gives up.
        out.resize(start + raw.len() - raw.len() / 10, 0);
        let compressed = compressor.compress_to_buffer(raw, &mut out[start..]).ok();
        out.truncate(start + compressed.unwrap_or(0));
        crate::locked(&self.0).push(compressor);
        compressed.map(|_| CODEC_ZSTD)
    }

    /// Appends a block of `count` records to `out`.
    pub(crate) fn write_block(&self, raw: &[u8], count: usize, out: &mut Vec<u8>) {
        let start = out.len();
        let body = start + BLOCK_HEADER_BYTES;
        out.resize(body, 0);
        let codec = self.compress(raw, out).unwrap_or_else(|| {
            out.extend_from_slice(raw);
            CODEC_NONE
        });
        out[start] = codec;
        let numbers = [count, raw.len(), out.len() - body];
        for (number, place) in numbers
            .into_iter()
            .zip(out[start + 8..body].chunks_exact_mut(4))
        {
            // All three are bounded by BLOCK_BYTES_MAX.
            place.copy_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
}

/// Collects framed records into blocks.
#[derive(Debug, Default)]
pub(crate) struct BlockWriter {
    raw: Vec<u8>,
    count: usize,
    pub out: Vec<u8>,
}

impl BlockWriter {
    /// Writes behind what is in `out`.
    pub(crate) fn behind(out: Vec<u8>) -> Self {
        Self {
            out,
            ..Self::default()
        }
    }

    /// Adds one record, closing the block when it is full.
    pub(crate) fn push(&mut self, record: &[u8], compressors: &Compressors) {
        if !self.raw.is_empty() && self.raw.len() + record.len() > BLOCK_BYTES {
            self.flush(compressors);
        }
        // Records are bounded by RECORD_BYTES_MAX plus the head.
        let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
        self.raw.extend_from_slice(&length.to_be_bytes());
        self.raw.extend_from_slice(record);
        self.count += 1;
    }

    /// Adds blocks that were closed elsewhere.
    pub(crate) fn push_blocks(&mut self, blocks: &[u8], compressors: &Compressors) {
        self.flush(compressors);
        self.out.extend_from_slice(blocks);
    }

    /// Closes the open block.
    pub(crate) fn flush(&mut self, compressors: &Compressors) {
        if self.count > 0 {
            compressors.write_block(&self.raw, self.count, &mut self.out);
            self.raw.clear();
            self.count = 0;
        }
    }
}

/// One block of a body, still compressed.
#[derive(Clone, Debug)]
struct Block {
    codec: u8,
    /// Index in the batch of the block's first record.
    first_index: usize,
    count: usize,
    raw_bytes: usize,
    stored: Range<usize>,
    opened: OnceLock<Result<Vec<u8>, RecordError>>,
}

/// A batch read back; its blocks are decompressed when first used.
#[derive(Debug)]
pub(crate) struct Batch {
    pub header: BatchHeader,
    body: Vec<u8>,
    blocks: Vec<Block>,
    leaves: OnceLock<Result<Vec<Hash>, RecordError>>,
}

impl Batch {
    /// Takes a body apart; the bytes have passed the frame's check.
    pub(crate) fn parse(body: Vec<u8>) -> Result<Self, RecordError> {
        let header = BatchHeader::parse(body.get(..HEADER_BYTES).unwrap_or(&[]))?;
        let blocks = split_blocks(&body)?;
        let records: usize = blocks.iter().map(|block| block.count).sum();
        if records != header.count as usize {
            return Err(RecordError("count of the batch"));
        }
        Ok(Self {
            header,
            body,
            blocks,
            leaves: OnceLock::new(),
        })
    }

    /// Visits the records from `index` on, in order, until `visit` returns false.
    pub(crate) fn visit<E: From<RecordError>>(
        &self,
        index: usize,
        mut visit: impl FnMut(usize, &[u8]) -> Result<bool, E>,
    ) -> Result<(), E> {
        for block in self
            .blocks
            .iter()
            .filter(|block| block.first_index + block.count > index)
        {
            let opened = block
                .opened
                .get_or_init(|| block.open(&self.body[block.stored.clone()]));
            let raw = opened.as_ref().map_err(|error| *error)?;
            let mut seen = 0;
            for (at, record) in split_records(raw).enumerate() {
                let record = record?;
                seen += 1;
                let at = block.first_index + at;
                if at >= index && !visit(at, record)? {
                    return Ok(());
                }
            }
            if seen != block.count {
                return Err(RecordError("count of a block").into());
            }
        }
        Ok(())
    }

    /// Leaf hashes of all records, which lead to the header's root.
    pub(crate) fn leaves(&self) -> Result<&[Hash], RecordError> {
        let leaves = self.leaves.get_or_init(|| {
            let mut leaves = Vec::with_capacity(self.header.count as usize);
            self.visit(0, |_, bytes| {
                leaves.push(record::view(bytes)?.leaf());
                Ok::<bool, RecordError>(true)
            })?;
            let leads = merkle::root(&leaves) == self.header.root;
            if leads {
                Ok(leaves)
            } else {
                Err(RecordError("the batch root does not match"))
            }
        });
        leaves.as_deref().map_err(|error| *error)
    }
}

impl Block {
    fn open(&self, stored: &[u8]) -> Result<Vec<u8>, RecordError> {
        let raw = match self.codec {
            CODEC_NONE => stored.to_vec(),
            _ => zstd::bulk::decompress(stored, self.raw_bytes)
                .map_err(|_| RecordError("a block does not decompress"))?,
        };
        if raw.len() == self.raw_bytes {
            Ok(raw)
        } else {
            Err(RecordError("length of a block"))
        }
    }
}

fn split_blocks(body: &[u8]) -> Result<Vec<Block>, RecordError> {
    let (mut blocks, mut at, mut first_index) = (Vec::new(), HEADER_BYTES, 0);
    while let Some((header, rest)) = body[at..].split_first_chunk::<BLOCK_HEADER_BYTES>() {
        let number = |at: usize| {
            let four = [header[at], header[at + 1], header[at + 2], header[at + 3]];
            u32::from_be_bytes(four) as usize
        };
        let (codec, count, raw_bytes, length) = (header[0], number(8), number(12), number(16));
        if header[1..8] != [0; 7] || codec > CODEC_ZSTD || raw_bytes > BLOCK_BYTES_MAX {
            return Err(RecordError("header of a block"));
        }
        if length > rest.len() {
            return Err(RecordError("a block ends early"));
        }
        let stored = at + BLOCK_HEADER_BYTES..at + BLOCK_HEADER_BYTES + length;
        at = stored.end;
        blocks.push(Block {
            codec,
            first_index,
            count,
            raw_bytes,
            stored,
            opened: OnceLock::new(),
        });
        first_index += count;
    }
    if at == body.len() {
        Ok(blocks)
    } else {
        Err(RecordError("bytes after the last block"))
    }
}

/// Splits framed records: a length of four bytes before each.
fn split_records(raw: &[u8]) -> impl Iterator<Item = Result<&[u8], RecordError>> {
    let mut rest = raw;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((record, after)) = first_record(rest) else {
            rest = &[];
            return Some(Err(RecordError("a record ends early")));
        };
        rest = after;
        Some(Ok(record))
    })
}

fn first_record(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = raw.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// Whether a body is a batch header and the blocks that the header names by their hash.
pub(crate) fn is_whole(body: &[u8]) -> bool {
    let Some((header, blocks)) = body.split_at_checked(HEADER_BYTES) else {
        return false;
    };
    BatchHeader::parse(header).is_ok_and(|header| header.stored == stored_hash(blocks))
}

/// SHA-256 of the stored blocks, for the header.
pub(crate) fn stored_hash(blocks: &[u8]) -> Hash {
    Sha256::digest(blocks).into()
}
