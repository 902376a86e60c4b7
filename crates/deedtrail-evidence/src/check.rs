//! Reading everything back: every byte, every hash, every batch against what was signed.

use std::ops::Range;

use deedtrail_core::port::log::{EvidenceLog as _, ReadError, Sequence};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::batch::{Batch, BatchHeader};
use crate::disk::{Access, read_file, replace_file};
use crate::merkle::{Accumulator, Hash, Head, Nodes as _};
use crate::note::{Checkpoint, Note};
use crate::segment::Check;
use crate::segments::Damage;
use crate::{Log, locked};

/// Name of the file, below the log's folder, that says what the last full check found.
const FILE: &str = "last-check.json";

/// What a full check read and found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    /// When it ended.
    pub at: Timestamp,
    /// Entries and batches that the log had when it began; all of them were read.
    pub entries: u64,
    pub batches: u64,
    /// Batches under the signed checkpoint that the entries were compared with.
    pub signed: u64,
    /// What is wrong, for people; `None` when nothing is.
    pub damage: Option<String>,
}

/// A full check under way.
struct Walk<'a> {
    log: &'a Log,
    signed: Head,
    tree: Accumulator,
    /// Root over the first `signed.size` batches as the segments have them.
    root: Option<Hash>,
    /// Leaf of the batch before; `None` after one that could not be read or is another's.
    previous: Option<Hash>,
    /// Batches whose leaf is not the one in the tiles.
    strangers: Vec<(u64, Range<Sequence>)>,
    batches: u64,
}

impl Log {
    /// Reads every entry and compares it with its leaf, every batch with its header, and all batch
    /// headers with the tree and the newest checkpoint. What is found is in `damage` afterwards,
    /// and the outcome is kept for [`Log::last_check`].
    pub fn check_everything(&self) -> Result<Checked, ReadError> {
        let end = self.end();
        let mut walk = Walk::new(self);
        walk.frames()?;
        let mut at = 0;
        while at < end {
            at = walk.batch(at)?;
        }
        let (batches, signed) = (walk.batches, walk.signed.size);
        walk.conclude();
        let checked = Checked {
            at: self.shared.clock.now(),
            entries: end,
            batches,
            signed,
            damage: self.damage(),
        };
        let bytes = serde_json::to_vec_pretty(&checked).unwrap_or_default();
        let path = self.shared.folder.join(FILE);
        if let Err(error) = replace_file(&*self.shared.disk, &path, Access::Create, &bytes) {
            tracing::warn!(%error, path = %path.display(), "cannot keep the outcome of the check");
        }
        Ok(checked)
    }

    /// What the last full check of this folder found; `None` when there was none.
    pub fn last_check(&self) -> Option<Checked> {
        let read = read_file(&*self.shared.disk, &self.shared.folder.join(FILE));
        serde_json::from_slice(&read.ok()??).ok()
    }
}

impl<'a> Walk<'a> {
    fn new(log: &'a Log) -> Self {
        let note = log.checkpoint();
        let parsed = Note::parse(&note).and_then(|note| Checkpoint::parse(note.text));
        let tree = Accumulator::default();
        let unsigned = Head {
            size: 0,
            root: tree.root(),
        };
        Self {
            log,
            signed: parsed.map_or(unsigned, |checkpoint| checkpoint.head),
            root: None,
            tree,
            previous: Some([0; 32]),
            strangers: vec![],
            batches: 0,
        }
    }

    /// Walks the frames of all closed segments, also for bytes between them.
    fn frames(&self) -> Result<(), ReadError> {
        let segments = &self.log.shared.segments;
        for pair in segments.headers().windows(2) {
            let next = Some(pair[1].first_sequence);
            let (segment, _) = segments.load(pair[0], next, Check::Headers)?;
            segment
                .damage
                .into_iter()
                .for_each(|damage| segments.report(damage));
        }
        Ok(())
    }

    /// Checks the batch that holds `at`; one past its last entry.
    fn batch(&mut self, at: Sequence) -> Result<Sequence, ReadError> {
        let batch = match self.log.shared.segments.batch_on_disk(at) {
            Ok(batch) => batch,
            Err(ReadError::Damaged { last, .. }) => {
                self.previous = None;
                return Ok(last + 1);
            }
            Err(error) => return Err(error),
        };
        self.entries(&batch);
        self.header(&batch.header);
        self.batches += 1;
        Ok(range_of(&batch.header).end)
    }

    /// The entries lead to the header.
    fn entries(&self, batch: &Batch) {
        if let Err(error) = batch.leaves() {
            self.report(
                range_of(&batch.header),
                format!("batch {}: {error}", batch.header.batch),
            );
        }
    }

    /// The header is the one that the tree has, or continues the one before it.
    fn header(&mut self, header: &BatchHeader) {
        let leaf = header.leaf();
        let is_next = self
            .previous
            .is_none_or(|previous| previous == header.previous);
        let in_tiles = locked(&self.log.shared.tree).perfect(0, header.batch).ok();
        let is_signed = header.batch < self.signed.size;
        self.previous = Some(leaf);
        if is_signed && in_tiles != Some(leaf) {
            self.strangers.push((header.batch, range_of(header)));
            // The batch after it is not to blame.
            self.previous = None;
        } else if !is_signed && !is_next {
            let reason = format!("batch {} does not continue the one before it", header.batch);
            self.report(range_of(header), reason);
        }
        // After a gap the tree cannot be built any more: `root` stays `None`.
        if self.tree.size() == header.batch {
            self.tree.push(leaf);
            if self.tree.size() == self.signed.size {
                self.root = Some(self.tree.root());
            }
        }
    }

    /// Says which batches are not what was signed, or that the tiles are not.
    fn conclude(self) {
        if self.root == Some(self.signed.root) {
            if let Some((batch, _)) = self.strangers.first() {
                let reason = format!(
                    "the tiles do not hold batch {batch}, though it is what was signed: remove \
                     the folder `tile` of the log, the next start writes it again"
                );
                self.report(0..0, reason);
            }
            return;
        }
        for (batch, range) in &self.strangers {
            let reason = format!("batch {batch} is not the one that was signed");
            self.report(range.clone(), reason);
        }
        if self.strangers.is_empty() && self.root.is_some() {
            let reason = "the entries do not lead to the signed checkpoint".to_owned();
            self.report(0..0, reason);
        }
    }

    fn report(&self, range: Range<Sequence>, reason: String) {
        self.log.shared.segments.report(Damage { range, reason });
    }
}

fn range_of(header: &BatchHeader) -> Range<Sequence> {
    header.first_sequence..header.first_sequence + u64::from(header.count)
}
