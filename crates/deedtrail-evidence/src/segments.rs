//! The segment files of one log: finding, reading and appending frames.

mod damage;

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use deedtrail_core::port::log::{ReadError, Sequence};

use crate::batch::{self, Batch, BatchHeader};
use crate::disk::{Access, Disk, DiskFile, replace_file};
use crate::segment::{self, Check, FrameAt, Scan, SegmentHeader, Walk};
use crate::sync::{Arc, Mutex, RwLock};
use crate::{locked, read_locked, write_locked};
pub(crate) use damage::{Damage, DamageOf};
use damage::{classify, is_same};

/// Segments kept open besides the newest one.
const OPEN_SEGMENTS_MAX: usize = 32;
/// Batches kept decoded.
const CACHED_BATCHES_MAX: usize = 4;

/// A segment with its table of frames.
#[derive(Debug)]
pub(crate) struct OpenSegment {
    pub header: SegmentHeader,
    pub path: PathBuf,
    pub file: Arc<dyn DiskFile>,
    pub frames: RwLock<Vec<FrameAt>>,
    pub damage: Vec<Damage>,
}

/// File name of a segment: it can be rebuilt from the name when the header is damaged.
fn segment_name(header: &SegmentHeader) -> String {
    format!(
        "{:020}-{:020}.segment",
        header.first_batch, header.first_sequence
    )
}

fn parse_name(name: &str, log_id: u64) -> Option<SegmentHeader> {
    let (batch, sequence) = name.strip_suffix(".segment")?.split_once('-')?;
    let (first_batch, first_sequence) = (batch.parse().ok()?, sequence.parse().ok()?);
    Some(SegmentHeader {
        log_id,
        first_batch,
        first_sequence,
    })
}

/// All segments of a log.
#[derive(Debug)]
pub(crate) struct Segments {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    log_id: u64,
    /// All segments in order; the last one is the one that is appended to.
    list: RwLock<Vec<SegmentHeader>>,
    newest: RwLock<Option<Arc<OpenSegment>>>,
    /// Most recently used first.
    open: Mutex<VecDeque<Arc<OpenSegment>>>,
    batches: Mutex<VecDeque<Arc<Batch>>>,
    /// Damage found so far, at start and while reading.
    damage: Mutex<Vec<Damage>>,
}

impl Segments {
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: PathBuf, log_id: u64) -> io::Result<Self> {
        disk.create_folder(&folder)?;
        // A removal that was not durable would bring a segment back with the next power cut, when
        // others have taken its place.
        disk.sync_folder(&folder)?;
        let names = disk.list(&folder)?;
        let list = names
            .iter()
            .filter_map(|name| parse_name(name, log_id))
            .collect();
        Ok(Self {
            disk,
            folder,
            log_id,
            list: RwLock::new(list),
            newest: RwLock::default(),
            open: Mutex::default(),
            batches: Mutex::default(),
            damage: Mutex::default(),
        })
    }

    pub(crate) fn headers(&self) -> Vec<SegmentHeader> {
        read_locked(&self.list).clone()
    }

    /// Files of all segments, in order; of the newest, which is written to, where its whole frames end.
    pub(crate) fn extents(&self) -> Vec<(PathBuf, Option<u64>)> {
        let list = self.headers();
        let newest = read_locked(&self.newest).clone();
        let extent = |header: &SegmentHeader| {
            let newest = newest.as_ref().filter(|newest| newest.header == *header);
            let end = newest.map(|newest| {
                let frames = read_locked(&newest.frames);
                let last = frames.last();
                last.map_or(segment::HEADER_BYTES as u64, |last| {
                    last.offset + last.header.frame_bytes()
                })
            });
            (self.path(header), end)
        };
        list.iter().map(extent).collect()
    }

    /// Bytes of all frames; of the segments that are full, their files' length.
    pub(crate) fn stored_bytes(&self) -> Result<u64, ReadError> {
        let mut bytes = 0;
        if let Some(newest) = &*read_locked(&self.newest) {
            let frames = read_locked(&newest.frames);
            bytes += frames
                .last()
                .map_or(0, |last| last.offset + last.header.frame_bytes());
        }
        for full in self.headers().iter().rev().skip(1) {
            let path = self.path(full);
            let length = self
                .disk
                .open(&path, Access::Read)
                .and_then(|file| file.length());
            bytes += length.map_err(|source| io_fault(&path, source))?;
        }
        Ok(bytes)
    }

    /// File of the segment that is appended to, or that would be.
    pub(crate) fn newest_file(&self) -> Option<PathBuf> {
        self.headers().last().map(|header| self.path(header))
    }

    pub(crate) fn damage(&self) -> Vec<Damage> {
        locked(&self.damage).clone()
    }

    /// Records damage once.
    pub(crate) fn report(&self, damage: Damage) {
        let mut known = locked(&self.damage);
        if !known.contains(&damage) {
            tracing::error!(
                first = damage.range.start, last = damage.range.end.saturating_sub(1),
                reason = %damage.reason,
                "entries are damaged; restore this segment from a backup, or the whole folder when it \
                 is the log's newest"
            );
            known.push(damage);
        }
    }

    fn path(&self, header: &SegmentHeader) -> PathBuf {
        self.folder.join(segment_name(header))
    }

    /// Walks one segment. `next` is the first sequence after it, when that is known.
    pub(crate) fn load(
        &self,
        header: SegmentHeader,
        next: Option<Sequence>,
        check: Check,
    ) -> Result<(OpenSegment, Scan), ReadError> {
        let path = self.path(&header);
        let fault = |source| io_fault(&path, source);
        let file = self.disk.open(&path, Access::Read).map_err(fault)?;
        let walk = Walk {
            length: file.length().map_err(fault)?,
            check,
            log_id: Some(self.log_id),
        };
        let scan = walk
            .run(|buffer, offset| file.read_at(buffer, offset))
            .map_err(fault)?;
        let (frames, mut damage) = classify(&scan, &header, next);
        let nothing = header.first_sequence..header.first_sequence;
        if scan.header != Some(header) {
            let reason = format!("the header of {} is damaged", segment_name(&header));
            damage.push(Damage::of_entries(nothing, reason));
        } else if next.is_some() && scan.debris && damage.is_empty() {
            let reason = format!("{} has bytes outside of frames", segment_name(&header));
            damage.push(Damage::of_entries(nothing, reason));
        }
        Ok((
            OpenSegment {
                header,
                path,
                file,
                frames: RwLock::new(frames),
                damage,
            },
            scan,
        ))
    }

    /// The segment that holds `wanted` by `key`, and the header after it.
    fn segment_for(
        &self,
        wanted: u64,
        key: impl Fn(&SegmentHeader) -> u64,
    ) -> Result<Option<Arc<OpenSegment>>, ReadError> {
        let (header, next) = {
            let list = read_locked(&self.list);
            let after = list.partition_point(|header| key(header) <= wanted);
            let Some(at) = after.checked_sub(1) else {
                return Ok(None);
            };
            (list[at], list.get(after).map(|next| next.first_sequence))
        };
        let newest = read_locked(&self.newest).clone();
        if let Some(newest) = newest.filter(|newest| newest.header == header) {
            return Ok(Some(newest));
        }
        let mut open = locked(&self.open);
        if let Some(at) = open.iter().position(|segment| segment.header == header) {
            let found = open.remove(at);
            open.extend(found.clone());
            return Ok(found);
        }
        let (segment, _) = self.load(header, next, Check::Headers)?;
        let segment = Arc::new(segment);
        open.push_back(Arc::clone(&segment));
        if open.len() > OPEN_SEGMENTS_MAX {
            open.pop_front();
        }
        // No lock is held while another one is taken.
        drop(open);
        for damage in &segment.damage {
            self.report(damage.clone());
        }
        Ok(Some(segment))
    }

    /// The batch that holds `sequence`, checked when it was read.
    pub(crate) fn batch_with(&self, sequence: Sequence) -> Result<Arc<Batch>, ReadError> {
        let holds = |batch: &&Arc<Batch>| {
            let header = &batch.header;
            (header.first_sequence..header.first_sequence + u64::from(header.count))
                .contains(&sequence)
        };
        if let Some(batch) = locked(&self.batches).iter().find(holds) {
            return Ok(Arc::clone(batch));
        }
        let batch = Arc::new(self.batch_on_disk(sequence)?);
        let mut batches = locked(&self.batches);
        batches.push_back(Arc::clone(&batch));
        if batches.len() > CACHED_BATCHES_MAX {
            batches.pop_front();
        }
        Ok(batch)
    }

    /// The batch that holds `sequence`, read and checked now.
    pub(crate) fn batch_on_disk(&self, sequence: Sequence) -> Result<Batch, ReadError> {
        let segment = self.segment_for(sequence, |header| header.first_sequence)?;
        let damaged = |damage: &&Damage| damage.range.contains(&sequence);
        if let Some(damage) = locked(&self.damage).iter().find(damaged) {
            return Err(damage.to_error());
        }
        let segment = segment.ok_or(ReadError::Missing(sequence))?;
        let frame = {
            let frames = read_locked(&segment.frames);
            let after = frames.partition_point(|frame| frame.header.first_sequence <= sequence);
            after.checked_sub(1).map(|at| frames[at])
        };
        let frame = frame.filter(|frame| sequence < frame.header.end_sequence());
        let frame = frame.ok_or(ReadError::Missing(sequence))?;
        self.read_batch(&segment, &frame)
    }

    fn read_batch(&self, segment: &OpenSegment, frame: &FrameAt) -> Result<Batch, ReadError> {
        let mut bytes = vec![0; usize::try_from(frame.header.frame_bytes()).unwrap_or(0)];
        let read = segment.file.read_at(&mut bytes, frame.offset);
        let read = read.map_err(|source| io_fault(&segment.path, source))?;
        bytes.truncate(read);
        let body = segment::checked_body(&frame.header, &bytes);
        let body = body.filter(|body| batch::is_whole(body)).map(<[u8]>::len);
        let parsed = body.and_then(|length| {
            bytes.truncate(segment::HEADER_BYTES + length);
            bytes.drain(..segment::HEADER_BYTES);
            Batch::parse(bytes)
                .ok()
                .filter(|batch| is_same(&batch.header, &frame.header))
        });
        parsed.ok_or_else(|| {
            let range = frame.header.first_sequence..frame.header.end_sequence();
            let reason = format!(
                "batch {} in {} fails its check",
                frame.header.batch,
                segment_name(&segment.header)
            );
            let damage = Damage::of_entries(range, reason);
            self.report(damage.clone());
            damage.to_error()
        })
    }

    /// The header of one batch, read without its records; its Merkle leaf is for the caller to
    /// compare.
    pub(crate) fn batch_header(&self, batch: u64) -> Result<BatchHeader, ReadError> {
        let segment = self.segment_for(batch, |header| header.first_batch)?;
        let segment = segment.ok_or(ReadError::Missing(batch))?;
        let frame = {
            let frames = read_locked(&segment.frames);
            let at = frames
                .binary_search_by_key(&batch, |frame| frame.header.batch)
                .ok();
            at.map(|at| frames[at])
        };
        let frame = frame.ok_or_else(|| ReadError::Damaged {
            first: segment.header.first_sequence,
            last: segment.header.first_sequence,
            reason: format!("batch {batch} cannot be read"),
        })?;
        let mut bytes = [0; batch::HEADER_BYTES];
        let offset = frame.offset + segment::HEADER_BYTES as u64;
        let read = segment.file.read_at(&mut bytes, offset);
        let read = read.map_err(|source| io_fault(&segment.path, source))?;
        let header = BatchHeader::parse(&bytes[..read]).ok();
        header
            .filter(|header| is_same(header, &frame.header))
            .ok_or_else(|| {
                let range = frame.header.first_sequence..frame.header.end_sequence();
                let reason = format!("the header of batch {batch} is damaged");
                let damage = Damage::of_entries(range, reason);
                self.report(damage.clone());
                damage.to_error()
            })
    }

    /// Makes `segment` the one that is appended to.
    pub(crate) fn set_newest(&self, segment: Arc<OpenSegment>) {
        let mut list = write_locked(&self.list);
        if list.last() != Some(&segment.header) {
            list.push(segment.header);
        }
        *write_locked(&self.newest) = Some(segment);
    }

    /// Keeps what lies in a segment from `offset` on in a file beside it, before it is cut.
    pub(crate) fn set_aside(&self, segment: &OpenSegment, offset: u64) -> io::Result<()> {
        let length = segment.file.length()?.saturating_sub(offset);
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        let read = segment.file.read_at(&mut bytes, offset)?;
        bytes.truncate(read);
        let used = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        if used == 0 {
            return Ok(());
        }
        let path = segment.path.with_extension(format!("{offset}.torn"));
        match replace_file(&*self.disk, &path, Access::Create, &bytes[..used]) {
            // Recovery goes on: what is cut was not acknowledged as far as we know.
            Err(error) if is_disk_full(&error) => {
                tracing::warn!(path = %path.display(), "no space to keep the torn tail");
                Ok(())
            }
            written => written,
        }
    }

    /// Forgets a segment file that never held a frame, and removes it.
    pub(crate) fn drop_unused(&self, header: &SegmentHeader) -> io::Result<()> {
        write_locked(&self.list).retain(|known| known != header);
        self.disk.remove(&self.path(header))?;
        self.disk.sync_folder(&self.folder)
    }

    /// Opens the newest segment for appending after `unsure`, the frames that were written but not
    /// acknowledged, and cuts what lies behind them.
    pub(crate) fn tail(
        &self,
        header: SegmentHeader,
        unsure: Range<u64>,
        bytes: u64,
    ) -> io::Result<Tail> {
        let file = self.disk.open(&self.path(&header), Access::Write)?;
        let offset = unsure.end;
        file.set_len(offset)?;
        // Frames that a killed process had written may not be durable yet, and after a failed
        // `fdatasync` another one does nothing for pages that were not written again.
        let length = usize::try_from(offset - unsure.start).map_err(io::Error::other)?;
        let mut frames = vec![0; length];
        let read = file.read_at(&mut frames, unsure.start)?;
        file.write_at(&frames[..read], unsure.start)?;
        file.sync()?;
        let is_full = match file.preallocate(bytes.max(offset)) {
            Ok(()) => false,
            Err(error) if is_disk_full(&error) => true,
            Err(error) => return Err(error),
        };
        let capacity = if is_full { offset } else { bytes.max(offset) };
        Ok(Tail {
            file,
            offset,
            capacity,
            is_torn: is_full,
        })
    }

    /// Creates the next segment, durably and with its space reserved.
    pub(crate) fn create(&self, header: SegmentHeader, bytes: u64) -> io::Result<Tail> {
        let path = self.path(&header);
        let created = self.disk.open(&path, Access::Create).and_then(|file| {
            file.preallocate(bytes)?;
            file.write_at(&header.to_bytes(), 0)?;
            file.sync()?;
            self.disk.sync_folder(&self.folder)?;
            Ok(file)
        });
        match created {
            Ok(file) => {
                let offset = segment::ALIGNMENT;
                Ok(Tail {
                    file,
                    offset,
                    capacity: bytes,
                    is_torn: false,
                })
            }
            Err(error) => {
                let removed = self.disk.remove(&path);
                let removed = removed.and_then(|()| self.disk.sync_folder(&self.folder));
                if let Err(second) = removed {
                    tracing::warn!(error = %second, "cannot remove an unused segment");
                }
                Err(error)
            }
        }
    }

    /// The opened form of a fresh or recovered newest segment.
    pub(crate) fn open_newest(
        &self,
        header: SegmentHeader,
        file: Arc<dyn DiskFile>,
        frames: Vec<FrameAt>,
    ) -> Arc<OpenSegment> {
        let path = self.path(&header);
        Arc::new(OpenSegment {
            header,
            path,
            file,
            frames: RwLock::new(frames),
            damage: vec![],
        })
    }
}

/// The place the next frame goes to.
#[derive(Debug)]
pub(crate) struct Tail {
    pub file: Arc<dyn DiskFile>,
    pub offset: u64,
    pub capacity: u64,
    /// A write failed half-way: what lies behind `offset` must be cut first.
    pub is_torn: bool,
}

pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn io_fault(path: &Path, source: io::Error) -> ReadError {
    ReadError::Io {
        path: path.display().to_string(),
        source,
    }
}
