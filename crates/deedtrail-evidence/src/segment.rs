//! Segment files: a header, then frames at multiples of 64 bytes, then zeroes.
//!
//! Everything here is a function of bytes; `docs/reference/evidence-format.md` specifies the
//! layout. All integers are big-endian.

use std::convert::Infallible;

use crate::batch;
use crate::limits::FRAME_BYTES_MAX;

/// Frames begin at multiples of this many bytes.
pub const ALIGNMENT: u64 = 64;
/// Bytes of the segment header and of a frame header.
pub const HEADER_BYTES: usize = 64;
const SEGMENT_MAGIC: [u8; 8] = *b"DTSEG\0\0\x01";
const FRAME_MAGIC: [u8; 4] = *b"DTF\x01";
/// Frame type of a batch, the only one so far.
const BATCH_FRAME: u8 = 1;
/// Bytes read at once while looking for the next frame after damage.
const RESYNC_BYTES: usize = 64 << 10;

/// Where a segment stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Random number of the log; frames of another log are not taken for ours.
    pub log_id: u64,
    pub first_batch: u64,
    pub first_sequence: u64,
}

impl SegmentHeader {
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&SEGMENT_MAGIC);
        bytes[8..16].copy_from_slice(&self.first_batch.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.first_sequence.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.log_id.to_be_bytes());
        seal_header(&mut bytes);
        bytes
    }

    /// `None` when the bytes are not an intact segment header.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = bytes.try_into().ok()?;
        let intact = bytes[..8] == SEGMENT_MAGIC && is_sealed(bytes);
        intact.then(|| Self {
            first_batch: u64_at(bytes, 8),
            first_sequence: u64_at(bytes, 16),
            log_id: u64_at(bytes, 24),
        })
    }
}

/// What a frame header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// As in the segment header. A record whose bytes look like a frame cannot know it.
    pub log_id: u64,
    pub batch: u64,
    pub first_sequence: u64,
    pub count: u32,
    pub body_bytes: u32,
    pub body_crc: u32,
    /// One past the newest sequence that was acknowledged before this frame was written.
    pub watermark: u64,
}

impl FrameHeader {
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&FRAME_MAGIC);
        bytes[4] = BATCH_FRAME;
        bytes[8..16].copy_from_slice(&self.batch.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.first_sequence.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.watermark.to_be_bytes());
        bytes[32..36].copy_from_slice(&self.count.to_be_bytes());
        bytes[36..40].copy_from_slice(&self.body_bytes.to_be_bytes());
        bytes[40..44].copy_from_slice(&self.body_crc.to_be_bytes());
        bytes[44..52].copy_from_slice(&self.log_id.to_be_bytes());
        seal_header(&mut bytes);
        bytes
    }

    /// `None` when the bytes are not an intact header of a frame we know.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = bytes.try_into().ok()?;
        let header = Self {
            batch: u64_at(bytes, 8),
            first_sequence: u64_at(bytes, 16),
            watermark: u64_at(bytes, 24),
            count: u32_at(bytes, 32),
            body_bytes: u32_at(bytes, 36),
            body_crc: u32_at(bytes, 40),
            log_id: u64_at(bytes, 44),
        };
        let known = bytes[..4] == FRAME_MAGIC && bytes[4] == BATCH_FRAME;
        let fits = header.body_bytes as usize <= FRAME_BYTES_MAX && header.count > 0;
        let counts = header
            .first_sequence
            .checked_add(u64::from(header.count))
            .is_some();
        (known && fits && counts && is_sealed(bytes)).then_some(header)
    }

    /// One past the frame's last sequence.
    pub fn end_sequence(&self) -> u64 {
        self.first_sequence + u64::from(self.count)
    }

    /// Bytes of the whole frame with its padding.
    pub fn frame_bytes(&self) -> u64 {
        (HEADER_BYTES as u64 + u64::from(self.body_bytes)).next_multiple_of(ALIGNMENT)
    }
}

/// The last four bytes of a header are the CRC-32C of the others.
fn seal_header(bytes: &mut [u8; HEADER_BYTES]) {
    let crc = crc32c::crc32c(&bytes[..HEADER_BYTES - 4]);
    bytes[HEADER_BYTES - 4..].copy_from_slice(&crc.to_be_bytes());
}

fn is_sealed(bytes: &[u8; HEADER_BYTES]) -> bool {
    u32_at(bytes, HEADER_BYTES - 4) == crc32c::crc32c(&bytes[..HEADER_BYTES - 4])
}

fn u64_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) << 32 | u64::from(u32_at(bytes, at + 4))
}

fn u32_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// A frame ready to be written: header, body, padding.
pub fn encode_frame(header: FrameHeader, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; HEADER_BYTES];
    frame.extend_from_slice(body);
    finish_frame(header, &mut frame);
    frame
}

/// Finishes a frame whose body begins after [`HEADER_BYTES`] bytes left free for its header.
pub(crate) fn finish_frame(mut header: FrameHeader, frame: &mut Vec<u8>) {
    let body = &frame[HEADER_BYTES..];
    header.body_bytes = u32::try_from(body.len()).unwrap_or(u32::MAX);
    header.body_crc = crc32c::crc32c(body);
    frame[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
    frame.resize(frame.len().next_multiple_of(HEADER_BYTES), 0);
}

/// The body of a frame that was read back whole; `None` unless body and padding are intact.
pub fn checked_body<'a>(header: &FrameHeader, frame: &'a [u8]) -> Option<&'a [u8]> {
    let rest = frame.get(HEADER_BYTES..)?;
    let (body, padding) = rest.split_at_checked(header.body_bytes as usize)?;
    let whole = frame.len() as u64 == header.frame_bytes();
    let intact = padding.iter().all(|byte| *byte == 0) && crc32c::crc32c(body) == header.body_crc;
    (whole && intact).then_some(body)
}

/// A frame and its place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameAt {
    pub offset: u64,
    pub header: FrameHeader,
    /// False when the body fails its check.
    pub intact: bool,
}

/// What a walk over a segment found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    pub header: Option<SegmentHeader>,
    /// Frames whose header is intact, in order of their offset.
    pub frames: Vec<FrameAt>,
    /// Offset after the last frame.
    pub end: u64,
    /// Whether there is anything but zeroes outside of frames.
    pub debris: bool,
}

/// How much a walk reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Frame headers only.
    Headers,
    /// Bodies too.
    Everything,
    /// Bodies too, and that their blocks are those their batch headers name.
    Batches,
}

/// Walks a segment held in memory. Pure; for the fuzz target and the tests.
pub fn scan(bytes: &[u8]) -> Scan {
    let read = |buffer: &mut [u8], offset: u64| {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|at| bytes.get(at..))
            .unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok::<usize, Infallible>(count)
    };
    let header = bytes.get(..HEADER_BYTES).and_then(SegmentHeader::parse);
    let log_id = header.map(|header| header.log_id);
    let Ok(found) = Walk {
        length: bytes.len() as u64,
        check: Check::Everything,
        log_id,
    }
    .run(read);
    found
}

/// Whether nothing was written there. What is reserved is read through at every start after a crash,
/// so many bytes at a time.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |any, byte| any | byte) == 0
}

/// A walk over the frames of a segment.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// Bytes of the segment.
    pub length: u64,
    pub check: Check,
    /// Frames of other logs are debris; `None` takes any.
    pub log_id: Option<u64>,
}

impl Walk {
    /// Reads through `read(buffer, offset)`, which returns the bytes read.
    pub fn run<E>(
        &self,
        mut read: impl FnMut(&mut [u8], u64) -> Result<usize, E>,
    ) -> Result<Scan, E> {
        let mut header = [0; HEADER_BYTES];
        let got = read(&mut header, 0)?;
        let header_found = SegmentHeader::parse(&header[..got]);
        let mut scan = Scan {
            header: header_found,
            end: ALIGNMENT,
            ..Scan::default()
        };
        let mut at = ALIGNMENT;
        while at + ALIGNMENT <= self.length {
            let got = read(&mut header, at)?;
            let Some(frame) = self.frame(&header[..got]) else {
                let (next, debris) = self.resync(at, &mut read)?;
                scan.debris |= debris;
                at = next;
                continue;
            };
            let intact = self.is_intact(&frame, at, &mut read)?;
            scan.frames.push(FrameAt {
                offset: at,
                header: frame,
                intact,
            });
            at += frame.frame_bytes();
            scan.end = at;
        }
        Ok(scan)
    }

    fn frame(&self, bytes: &[u8]) -> Option<FrameHeader> {
        FrameHeader::parse(bytes).filter(|frame| self.log_id.is_none_or(|id| id == frame.log_id))
    }

    fn is_intact<E>(
        &self,
        header: &FrameHeader,
        offset: u64,
        read: &mut impl FnMut(&mut [u8], u64) -> Result<usize, E>,
    ) -> Result<bool, E> {
        if offset + header.frame_bytes() > self.length {
            return Ok(false);
        }
        if self.check == Check::Headers {
            return Ok(true);
        }
        let mut frame = vec![0; usize::try_from(header.frame_bytes()).unwrap_or(0)];
        let got = read(&mut frame, offset)?;
        let body = checked_body(header, &frame[..got]);
        Ok(body.is_some_and(|body| self.check != Check::Batches || batch::is_whole(body)))
    }

    /// Offset of the next frame header from `from` on (the length when there is none), and
    /// whether anything but zeroes was skipped.
    fn resync<E>(
        &self,
        from: u64,
        read: &mut impl FnMut(&mut [u8], u64) -> Result<usize, E>,
    ) -> Result<(u64, bool), E> {
        let mut buffer = vec![0; RESYNC_BYTES];
        let (mut at, mut debris) = (from, false);
        while at < self.length {
            let got = read(&mut buffer, at)?;
            if got == 0 {
                break;
            }
            if is_zero(&buffer[..got]) {
                at += got as u64;
                continue;
            }
            for slice in buffer[..got].chunks(HEADER_BYTES) {
                if self.frame(slice).is_some() {
                    return Ok((at, debris));
                }
                debris |= !is_zero(slice);
                at += slice.len() as u64;
            }
        }
        Ok((self.length, debris))
    }
}
