//! What of a segment can be served, and what cannot.

use std::ops::Range;

use deedtrail_core::port::log::{ReadError, Sequence};

use super::{Segments, segment_name};
use crate::batch::BatchHeader;
use crate::segment::{FrameAt, FrameHeader, Scan, SegmentHeader};
use crate::sync::{Arc, Mutex, RwLock};
use crate::{locked, read_locked};

/// A range of entries that cannot be served; without entries, something else that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub range: Range<Sequence>,
    pub reason: String,
    pub of: DamageOf,
}

/// What is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DamageOf {
    /// What was acknowledged: nothing is taken in or signed until it is whole.
    Entries,
    /// The same, where no segment tells by itself: its bytes are as somebody wrote them, and not what was signed.
    History,
    /// What is made of the entries, which are whole.
    Tiles,
}

impl Damage {
    /// Whether both say something of the same entries.
    fn is_about(&self, other: &Self) -> bool {
        let (a, b) = (&self.range, &other.range);
        let meet = a == b || (a.start < b.end && b.start < a.end);
        meet && (self.of == DamageOf::Tiles) == (other.of == DamageOf::Tiles)
    }

    pub(crate) const fn of_entries(range: Range<Sequence>, reason: String) -> Self {
        Self {
            range,
            reason,
            of: DamageOf::Entries,
        }
    }

    pub(crate) fn to_error(&self) -> ReadError {
        let last = self.range.end.saturating_sub(1).max(self.range.start);
        ReadError::Damaged {
            first: self.range.start,
            last,
            reason: self.reason.clone(),
        }
    }
}

impl Segments {
    /// The same files, read from the disk again: nothing is known of their damage.
    pub(crate) fn afresh(&self) -> Self {
        let list = read_locked(&self.list);
        let newest = read_locked(&self.newest).clone();
        Self {
            disk: Arc::clone(&self.disk),
            folder: self.folder.clone(),
            log_id: self.log_id,
            list: RwLock::new(list.clone()),
            newest: RwLock::new(newest),
            open: Mutex::default(),
            batches: Mutex::default(),
            damage: Mutex::default(),
        }
    }

    /// Whether something that was acknowledged is known to be damaged.
    pub(crate) fn are_entries_damaged(&self) -> bool {
        let known = locked(&self.damage);
        known.iter().any(|damage| damage.of != DamageOf::Tiles)
    }

    /// How many entries are known to be damaged.
    pub(crate) fn damaged_entries(&self) -> u64 {
        let known = locked(&self.damage);
        let of_entries = known.iter().filter(|it| it.of != DamageOf::Tiles);
        let mut ranges: Vec<Range<Sequence>> = of_entries.map(|it| it.range.clone()).collect();
        ranges.sort_unstable_by_key(|range| range.start);
        let counted = ranges.iter().fold((0, 0), |(count, end), range| {
            let from = range.start.max(end);
            (count + range.end.saturating_sub(from), end.max(range.end))
        });
        counted.0
    }

    /// Of what was known `before` somebody read everything afresh, that is damaged which was found so; what
    /// others met meanwhile stays. Files that were exchanged are opened again.
    pub(crate) fn take_over(&self, found: &Self, before: &[Damage]) {
        let found = found.damage();
        {
            let mut known = locked(&self.damage);
            for healed in before {
                if !found.iter().any(|damage| damage.is_about(healed)) {
                    tracing::info!(
                        first = healed.range.start, end = healed.range.end, was = %healed.reason,
                        "what was damaged is whole"
                    );
                }
            }
            known.retain(|damage| !before.contains(damage) && !found.contains(damage));
            known.extend(found);
        }
        locked(&self.open).clear();
        locked(&self.batches).clear();
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
    let missing = |range: Range<u64>| {
        let reason = format!("frames are missing or unreadable in {name}");
        Damage::of_entries(range, reason)
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
