//! What of a segment can be served, and what cannot.

use std::ops::Range;

use deedtrail_core::port::log::{ReadError, Sequence};

use super::segment_name;
use crate::batch::BatchHeader;
use crate::segment::{FrameAt, FrameHeader, Scan, SegmentHeader};

/// A range of entries that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub range: Range<Sequence>,
    pub reason: String,
}

impl Damage {
    pub(crate) fn to_error(&self) -> ReadError {
        let last = self.range.end.saturating_sub(1).max(self.range.start);
        ReadError::Damaged {
            first: self.range.start,
            last,
            reason: self.reason.clone(),
        }
    }
}

pub(super) fn is_same(batch: &BatchHeader, frame: &FrameHeader) -> bool {
    (batch.batch, batch.first_sequence, batch.count)
        == (frame.batch, frame.first_sequence, frame.count)
}

/// Frames that can be served, and the ranges that cannot. `next` is the first sequence after the
/// segment, when that is known.
pub(super) fn classify(
    scan: &Scan,
    header: &SegmentHeader,
    next: Option<Sequence>,
) -> (Vec<FrameAt>, Vec<Damage>) {
    let name = segment_name(header);
    let (mut frames, mut damage) = (Vec::new(), Vec::new());
    let mut expected = header.first_sequence;
    let missing = |range: Range<u64>| Damage {
        range,
        reason: format!("frames are missing or unreadable in {name}"),
    };
    for frame in scan.frames.iter().filter(|frame| frame.intact) {
        let first = frame.header.first_sequence;
        if first < expected || next.is_some_and(|next| frame.header.end_sequence() > next) {
            continue;
        }
        if first > expected {
            damage.push(missing(expected..first));
        }
        expected = frame.header.end_sequence();
        frames.push(*frame);
    }
    if let Some(next) = next.filter(|next| expected < *next) {
        damage.push(missing(expected..next));
    }
    (frames, damage)
}
