//! The one writer: takes what waits, writes it as one batch, syncs, then answers everyone.

use std::io;

use deedtrail_core::port::log::{Outcome, Sequence};

use crate::batch::{self, BatchHeader, BlockWriter, stored_hash};
use crate::index::{Index, IndexFault, Row};
use crate::limits::COMMIT_BYTES;
use crate::merkle::{self, Hash};
use crate::queue::{Append, Committed, Refusal, Request, Written};
use crate::record;
use crate::segment::{self, FrameAt, FrameHeader, SegmentHeader};
use crate::segments::{OpenSegment, Tail, is_disk_full};
use crate::shared::Shared;
use crate::sync::{Arc, thread};
use crate::watermark::Watermark;
use crate::write_locked;

/// Offset of the blocks within a frame.
const BLOCKS_AT: usize = segment::HEADER_BYTES + batch::HEADER_BYTES;
/// Memory for frames that is kept between commits, bytes.
const FRAME_BYTES_KEPT: usize = 2 * COMMIT_BYTES;

/// Where the log ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub batch: u64,
    pub sequence: Sequence,
    /// Leaf hash of the newest batch header; zero when there is none.
    pub previous: Hash,
}

/// State that only the writer thread touches.
#[derive(Debug)]
pub(crate) struct Writer {
    pub shared: Arc<Shared>,
    pub index: Index,
    pub watermark: Watermark,
    pub end: End,
    /// The newest segment, opened for writing; `None` before the first batch.
    pub tail: Option<(Arc<OpenSegment>, Tail)>,
    pub segment_bytes: u64,
    /// The frame written last: its memory is used again.
    pub frame: Vec<u8>,
}

/// A batch on its way to disk.
#[derive(Default)]
struct Draft {
    replies: Vec<Committed>,
    leaves: Vec<Hash>,
    blocks: BlockWriter,
    /// Rows added to the index for this batch.
    rows: Vec<(u128, Sequence)>,
    received: Option<(i64, i64)>,
}

/// Why a commit did not happen.
enum Fault {
    DiskFull,
    /// The disk or the index cannot be trusted any more; never retried.
    Broken(String),
}

impl From<IndexFault> for Fault {
    fn from(fault: IndexFault) -> Self {
        Self::Broken(format!(
            "{} could not be read ({}): this part of the index of idempotency keys was removed \
             and is built again from the log at the next start",
            fault.path.display(),
            fault.error
        ))
    }
}

/// A fault of the disk before anything was handed to `fdatasync`.
fn write_fault(what: &str, error: &io::Error) -> Fault {
    if is_disk_full(error) {
        Fault::DiskFull
    } else {
        Fault::Broken(format!("{what}: {error}"))
    }
}

/// Lets nobody wait for a writer that is gone, also when it panicked.
struct Leaving(Arc<Shared>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.queue.abandon();
    }
}

/// Refuses appends before the callers of a commit that panicked hear that it failed.
struct Panicking(Arc<Shared>);

impl Drop for Panicking {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.queue.abandon();
        }
    }
}

impl Writer {
    /// Commits until the queue is closed and drained.
    pub(crate) fn run(mut self) {
        let _leaving = Leaving(Arc::clone(&self.shared));
        loop {
            let requests = self.shared.queue.take();
            if requests.is_empty() {
                break;
            }
            self.serve(requests);
        }
        self.release();
    }

    /// Gives back what is reserved behind the last batch: the next start would read through it.
    fn release(&self) {
        let is_broken = matches!(self.shared.queue.refusal(), Some(Refusal::Failed { .. }));
        let tail = self.tail.as_ref().map(|(_, tail)| tail);
        let Some(tail) = tail.filter(|tail| !is_broken && !tail.is_torn) else {
            return;
        };
        if let Err(error) = tail.file.set_len(tail.offset) {
            tracing::info!(%error, "the space that the log reserved stays reserved");
        }
    }

    /// Commits these appends and answers their callers.
    pub(crate) fn serve(&mut self, requests: Vec<Request>) {
        let (mut appends, replies): (Vec<Append>, Vec<_>) = requests
            .into_iter()
            .map(|request| (request.append, request.reply))
            .unzip();
        // Declared after the replies, so it is dropped before them.
        let _panicking = Panicking(Arc::clone(&self.shared));
        let answers: Vec<_> = match self.commit(&mut appends) {
            Ok(committed) => {
                self.shared.queue.ended(None);
                committed.into_iter().map(Ok::<_, Refusal>).collect()
            }
            Err(fault) => {
                let refusal = self.refusal(fault);
                self.shared.queue.ended(Some(refusal.clone()));
                replies.iter().map(|_| Err(refusal.clone())).collect()
            }
        };
        for (reply, answer) in replies.into_iter().zip(answers) {
            // A caller that went away needs no answer.
            reply.send(answer).unwrap_or_default();
        }
    }

    fn refusal(&self, fault: Fault) -> Refusal {
        match fault {
            Fault::DiskFull => {
                tracing::warn!("the disk is full; appends are refused until there is space");
                Refusal::DiskFull {
                    folder: self.shared.folder.display().to_string(),
                }
            }
            Fault::Broken(reason) => {
                tracing::error!(%reason, "the log stops acknowledging");
                let refusal = Refusal::Failed { reason };
                self.shared.queue.refuse(refusal.clone());
                self.shared.queue.refusal().unwrap_or(refusal)
            }
        }
    }

    /// One answer per append, once they are durable.
    fn commit(&mut self, appends: &mut [Append]) -> Result<Vec<Committed>, Fault> {
        if let Some(Refusal::Failed { reason }) = self.shared.queue.refusal() {
            return Err(Fault::Broken(reason));
        }
        self.index.refresh();
        let mut frame = std::mem::take(&mut self.frame);
        frame.clear();
        frame.resize(BLOCKS_AT, 0);
        let mut draft = Draft {
            blocks: BlockWriter::behind(frame),
            ..Draft::default()
        };
        let written = self
            .draft(appends, &mut draft)
            .and_then(|()| self.write(&mut draft));
        if written.is_err() {
            self.index.undo(&draft.rows);
        }
        let header = written?;
        if let Some(header) = header {
            self.publish(&header);
            for written in draft
                .replies
                .iter_mut()
                .filter_map(|reply| reply.written.as_mut())
            {
                written.root = header.root;
            }
        }
        Ok(draft.replies)
    }

    /// Decides what becomes of every entry and collects what is to be written.
    fn draft(&mut self, appends: &mut [Append], draft: &mut Draft) -> Result<(), Fault> {
        for append in appends {
            let first_leaf = draft.leaves.len();
            let mut outcomes = Vec::with_capacity(append.entries.len());
            let mut as_prepared = true;
            for at in 0..append.entries.len() {
                let outcome = self.decide(append, at, draft)?;
                as_prepared &= matches!(outcome, Outcome::Accepted(_));
                outcomes.push(outcome);
            }
            let count = (draft.leaves.len() - first_leaf) as u64;
            let written = Written {
                batch: self.end.batch,
                root: [0; 32],
                first_sequence: self.end.sequence + first_leaf as u64,
                count,
            };
            let compressors = &self.shared.compressors;
            if let Some(blocks) = append.blocks.take().filter(|_| as_prepared) {
                draft.blocks.push_blocks(&blocks, compressors);
            } else {
                let kept = append.entries.iter().zip(&outcomes);
                for (entry, _) in kept.filter(|(_, o)| !matches!(o, Outcome::Duplicate(_))) {
                    draft
                        .blocks
                        .push(&append.records[entry.record.clone()], compressors);
                }
            }
            draft.replies.push(Committed {
                outcomes,
                written: (count > 0).then_some(written),
            });
        }
        Ok(())
    }

    fn decide(
        &mut self,
        append: &mut Append,
        at: usize,
        draft: &mut Draft,
    ) -> Result<Outcome, Fault> {
        let sequence = self.end.sequence + draft.leaves.len() as u64;
        let entry = &append.entries[at];
        let mut leaf = entry.leaf;
        let mut outcome = Outcome::Accepted(sequence);
        if let Some((key, content)) = entry.prints {
            let hits = self
                .index
                .find(key)
                .inspect_err(|f| self.index.discard(&f.path))?;
            if let Some(same) = hits.iter().find(|hit| hit.content == content) {
                return Ok(Outcome::Duplicate(same.sequence));
            }
            if !hits.is_empty() {
                let record = &mut append.records[entry.record.clone()];
                record::mark_conflict(record, u32::try_from(hits.len()).unwrap_or(u32::MAX));
                let view = record::view(record).map_err(|e| Fault::Broken(e.to_string()))?;
                leaf = view.leaf();
                outcome = Outcome::IdConflict(sequence);
            }
            self.index.insert(Row {
                key,
                sequence,
                content,
            });
            draft.rows.push((key, sequence));
        }
        let at = entry.received_us;
        let (min, max) = draft.received.unwrap_or((at, at));
        draft.received = Some((min.min(at), max.max(at)));
        draft.leaves.push(leaf);
        Ok(outcome)
    }

    /// Writes and syncs the batch; `None` when everything was a duplicate.
    fn write(&mut self, draft: &mut Draft) -> Result<Option<BatchHeader>, Fault> {
        let Some((received_min_us, received_max_us)) = draft.received else {
            return Ok(None);
        };
        draft.blocks.flush(&self.shared.compressors);
        let header = BatchHeader {
            batch: self.end.batch,
            first_sequence: self.end.sequence,
            count: u32::try_from(draft.leaves.len()).unwrap_or(u32::MAX),
            key_epoch: 0,
            committed_us: self.shared.clock.now().as_micros(),
            received_min_us,
            received_max_us,
            root: merkle::root(&draft.leaves),
            stored: stored_hash(&draft.blocks.out[BLOCKS_AT..]),
            previous: self.end.previous,
        };
        let frame_header = FrameHeader {
            log_id: self.shared.log_id,
            batch: header.batch,
            first_sequence: header.first_sequence,
            count: header.count,
            body_bytes: 0,
            body_crc: 0,
            watermark: self.end.sequence,
        };
        let mut frame = std::mem::take(&mut draft.blocks.out);
        frame[segment::HEADER_BYTES..BLOCKS_AT].copy_from_slice(&header.to_bytes());
        segment::finish_frame(frame_header, &mut frame);
        self.make_room(frame.len() as u64)?;
        self.write_frame(&frame)?;
        if frame.capacity() <= FRAME_BYTES_KEPT {
            self.frame = frame;
        }
        Ok(Some(header))
    }

    fn write_frame(&mut self, frame: &[u8]) -> Result<(), Fault> {
        let Some((newest, tail)) = &mut self.tail else {
            return Err(Fault::Broken("there is no segment to write to".to_owned()));
        };
        if let Err(error) = tail.file.write_at(frame, tail.offset) {
            tail.is_torn = true;
            return Err(write_fault("cannot write the batch", &error));
        }
        // A failed sync may have dropped the pages: nothing after it can be trusted.
        tail.file
            .sync()
            .map_err(|e| Fault::Broken(format!("fdatasync failed: {e}")))?;
        let header = FrameHeader::parse(&frame[..segment::HEADER_BYTES])
            .ok_or_else(|| Fault::Broken("the frame just written is malformed".to_owned()))?;
        write_locked(&newest.frames).push(FrameAt {
            offset: tail.offset,
            header,
            intact: true,
        });
        tail.offset += frame.len() as u64;
        Ok(())
    }

    /// Makes sure that the tail has room for a frame.
    fn make_room(&mut self, frame_bytes: u64) -> Result<(), Fault> {
        if let Some((_, tail)) = &mut self.tail {
            if tail.is_torn {
                let full = tail.capacity.max(self.segment_bytes);
                let cut = tail.file.set_len(tail.offset);
                let restored = cut.and_then(|()| tail.file.preallocate(full));
                restored.map_err(|error| write_fault("cannot clean the segment", &error))?;
                (tail.capacity, tail.is_torn) = (full, false);
            }
            if tail.offset + frame_bytes <= tail.capacity {
                return Ok(());
            }
            let cut = tail
                .file
                .set_len(tail.offset)
                .and_then(|()| tail.file.sync());
            cut.map_err(|error| write_fault("cannot close the segment", &error))?;
            tail.capacity = tail.offset;
        }
        let header = SegmentHeader {
            log_id: self.shared.log_id,
            first_batch: self.end.batch,
            first_sequence: self.end.sequence,
        };
        let bytes = self.segment_bytes.max(segment::ALIGNMENT + frame_bytes);
        let segments = &self.shared.segments;
        let tail = segments
            .create(header, bytes)
            .map_err(|error| write_fault("cannot create a segment", &error))?;
        let newest = segments.open_newest(header, Arc::clone(&tail.file), vec![]);
        segments.set_newest(Arc::clone(&newest));
        self.tail = Some((newest, tail));
        Ok(())
    }

    /// Lets everybody see the durable batch.
    fn publish(&mut self, header: &BatchHeader) {
        let leaf = header.leaf();
        self.end = End {
            batch: header.batch + 1,
            sequence: header.first_sequence + u64::from(header.count),
            previous: leaf,
        };
        crate::locked(&self.shared.tree).push(leaf);
        if let Err(error) = self.watermark.set(self.end.sequence) {
            tracing::warn!(%error, "cannot write the watermark");
        }
        self.shared.advance(self.end.sequence);
        self.freeze_index(self.end.sequence);
    }

    /// Hands index rows over to the upkeep when there are enough; entries before `end` are durable.
    pub(crate) fn freeze_index(&mut self, end: Sequence) {
        if let Err(error) = self.index.freeze_when_due(end) {
            tracing::warn!(%error, "cannot write a run of the index; it stays in memory");
        }
    }
}
