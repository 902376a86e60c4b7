//! Where a log ends, and its tree.

use deedtrail_core::port::log::{ReadError, Sequence};

use crate::check::last_check;
use crate::config::LogConfig;
use crate::disk::{Disk, read_file};
use crate::index::Row;
use crate::note::{Checkpoint, NoteSigner};
use crate::record;
use crate::segment::Check;
use crate::segments::{Damage, DamageOf, OpenSegment, Segments, Tail};
use crate::sync::Arc;
use crate::tree::Tree;
use crate::writer::{End, Writer};

use super::{OpenError, during};

pub(super) struct Recovered {
    pub(super) batches: u64,
    pub(super) end: Sequence,
    pub(super) tail: Option<(Arc<OpenSegment>, Tail)>,
}

impl Recovered {
    /// Where the next batch goes. In a damaged log, to which nothing is written, it follows none.
    pub(super) fn writes_at(
        &self,
        segments: &Segments,
        is_damaged: bool,
    ) -> Result<End, ReadError> {
        let previous = match self.batches.checked_sub(1) {
            Some(last) if !is_damaged => segments.batch_header(last)?.leaf(),
            _ => [0; 32],
        };
        Ok(End {
            batch: self.batches,
            sequence: self.end,
            previous,
        })
    }
}

/// Finds the end of the log. What was never acknowledged and is torn is cut; what was
/// acknowledged and is gone is damage, and then nothing is written at all.
pub(super) fn recover(
    segments: &Segments,
    marked: Sequence,
    config: &LogConfig,
    disk: &dyn Disk,
) -> Result<Recovered, OpenError> {
    let io = during("recover", &config.folder);
    let newest = loop {
        let Some(header) = segments.headers().last().copied() else {
            break None;
        };
        let (segment, scan) = segments.load(header, None, Check::Batches)?;
        let is_unused = crate::read_locked(&segment.frames).is_empty();
        if !is_unused || marked > header.first_sequence {
            break Some((segment, scan));
        }
        if scan.header.is_none() || scan.debris || !scan.frames.is_empty() {
            segments.set_aside(&segment, 0).map_err(&io)?;
        }
        tracing::info!(segment = %segment.path.display(), "removing a segment that was never used");
        segments.drop_unused(&header).map_err(&io)?;
    };
    let frames = newest
        .as_ref()
        .map(|(segment, _)| crate::read_locked(&segment.frames).clone());
    let last = frames.as_ref().and_then(|frames| frames.last().copied());
    let end = last.map_or(0, |frame| frame.header.end_sequence());
    let batches = last.map_or(0, |frame| frame.header.batch + 1);
    check_closed(segments, bytes_to_check(segments, disk, config))?;
    if marked > end {
        let reason = "acknowledged entries are missing at the end".to_owned();
        segments.report(Damage::of_entries(end..marked, reason));
    }
    let newest_damage = newest.iter().flat_map(|(segment, _)| &segment.damage);
    newest_damage.for_each(|damage| segments.report(damage.clone()));
    let (Some((segment, scan)), Some(frames)) = (newest, frames) else {
        return Ok(Recovered {
            batches,
            end: end.max(marked),
            tail: None,
        });
    };
    if !segments.damage().is_empty() {
        return Ok(Recovered {
            batches,
            end: end.max(marked),
            tail: None,
        });
    }
    let offset = last.map_or(crate::segment::ALIGNMENT, |frame| {
        frame.offset + frame.header.frame_bytes()
    });
    if scan.debris || scan.end > offset {
        tracing::warn!(
            segment = %segment.path.display(), offset, end,
            "cutting a torn tail; nothing says that it was acknowledged"
        );
        segments.set_aside(&segment, offset).map_err(&io)?;
    }
    let unacknowledged = frames.iter().find(|f| f.header.end_sequence() > marked);
    let unsure = unacknowledged.map_or(offset, |frame| frame.offset);
    let tail = segments
        .tail(segment.header, unsure..offset, config.segment_bytes)
        .map_err(&io)?;
    let segment = segments.open_newest(segment.header, Arc::clone(&tail.file), frames);
    segments.set_newest(Arc::clone(&segment));
    Ok(Recovered {
        batches,
        end,
        tail: Some((segment, tail)),
    })
}

/// All where the last full check found entries damaged: what was known is not forgotten by a restart.
/// What only a full check finds is known until one finds it no longer.
fn bytes_to_check(segments: &Segments, disk: &dyn Disk, config: &LogConfig) -> u64 {
    let Some(checked) = last_check(disk, &config.folder).filter(|checked| checked.entries_damaged)
    else {
        return config.check_on_open_bytes;
    };
    tracing::info!("the last check found damage: all segments are read before the log is used");
    if checked.not_as_signed {
        let found = checked.damage.unwrap_or_default();
        let reason = format!(
            "the check of {} found entries that are not what was signed ({found}); when they are put \
             back, `deedtrail evidence check` says so",
            checked.at
        );
        segments.report(Damage {
            range: 0..0,
            reason,
            of: DamageOf::History,
        });
    }
    u64::MAX
}

/// Checks closed segments, newest first, until so many bytes are checked.
fn check_closed(segments: &Segments, bytes: u64) -> Result<(), OpenError> {
    let headers = segments.headers();
    if let Some(first) = headers.first().filter(|first| first.first_sequence > 0) {
        let reason = "the first segment is missing".to_owned();
        segments.report(Damage::of_entries(0..first.first_sequence, reason));
    }
    let mut left = bytes;
    for pair in headers.windows(2).rev() {
        let (segment, scan) =
            segments.load(pair[0], Some(pair[1].first_sequence), Check::Batches)?;
        segment
            .damage
            .iter()
            .for_each(|damage| segments.report(damage.clone()));
        left = left.saturating_sub(scan.end);
        if left == 0 {
            break;
        }
    }
    Ok(())
}

/// The outer tree over all batches: from the tiles as of the last checkpoint when they are good,
/// the rest (or everything) from the batch headers in the segments.
pub(super) fn restore_tree(
    config: &LogConfig,
    disk: &Arc<dyn Disk>,
    signer: &NoteSigner,
    segments: &Segments,
    batches: u64,
) -> Result<Tree, OpenError> {
    let path = config.folder.join("checkpoint");
    let note = read_file(&**disk, &path).map_err(during("read", &path))?;
    let head = note
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|note| Checkpoint::verify(&note, &signer.verifier_key()).ok())
        .map(|checkpoint| checkpoint.head)
        .filter(|head| head.size <= batches);
    let restored =
        head.and_then(|head| Tree::restore(Arc::clone(disk), config.folder.clone(), head));
    let mut tree = match restored {
        Some(tree) => tree,
        None => Tree::empty(Arc::clone(disk), config.folder.clone()),
    };
    let mut previous = match tree.size().checked_sub(1) {
        Some(last) => segments.batch_header(last).ok().map(|header| header.leaf()),
        None => Some([0; 32]),
    };
    for batch in tree.size()..batches {
        let header = match segments.batch_header(batch) {
            Ok(header) => header,
            // Damage: what follows cannot be proved until the segment is restored.
            Err(ReadError::Damaged { .. }) => break,
            Err(error) => return Err(error.into()),
        };
        if previous.is_some_and(|previous| previous != header.previous) {
            let range = header.first_sequence..header.first_sequence + u64::from(header.count);
            let reason = format!("batch {batch} does not continue the batch before it");
            segments.report(Damage::of_entries(range, reason));
            break;
        }
        tree.push(header.leaf());
        previous = Some(header.leaf());
    }
    Ok(tree)
}

/// Reads the keyed entries that no run of the index covers.
pub(super) fn catch_up(writer: &mut Writer, covered: Sequence) -> Result<(), ReadError> {
    let end = writer.end.sequence;
    let mut at = covered;
    while at < end {
        let batch = writer.shared.segments.batch_with(at)?;
        let first = batch.header.first_sequence;
        let skip = usize::try_from(at - first).unwrap_or(0);
        let visited = batch.visit(skip, |index, bytes| {
            if let Some((key, content)) = record::view(bytes)?.prints()? {
                writer.index.insert(Row {
                    key,
                    sequence: first + index as u64,
                    content,
                });
            }
            Ok::<bool, record::RecordError>(true)
        });
        visited.map_err(|error| ReadError::Damaged {
            first,
            last: first + u64::from(batch.header.count) - 1,
            reason: error.to_string(),
        })?;
        at = first + u64::from(batch.header.count);
        writer.freeze_index(at);
    }
    Ok(())
}
