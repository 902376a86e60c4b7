//! Reading everything back: every byte, every hash, every batch against what was signed.

use std::ops::Range;
use std::path::{Path, PathBuf};

use deedtrail_core::port::log::{EvidenceLog as _, ReadError, Sequence};
use deedtrail_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::batch::{Batch, BatchHeader};
use crate::disk::{Access, Disk, read_file, replace_file};
use crate::merkle::{Accumulator, Hash, Head, Nodes as _};
use crate::note::{Checkpoint, Note};
use crate::segment::Check;
use crate::segments::{Damage, DamageOf, Segments};
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
    /// Whether some of it is of entries.
    #[serde(default)]
    pub entries_damaged: bool,
    /// How many entries are damaged; 0 where all that is wrong lies beside them.
    #[serde(default)]
    pub damaged: u64,
    /// Whether some of it only a full check finds: entries that are whole and not what was signed.
    #[serde(default)]
    pub not_as_signed: bool,
}

/// A full check under way.
struct Walk<'a> {
    log: &'a Log,
    /// The log's files, opened again: some may have been exchanged since.
    segments: Segments,
    /// What was known to be damaged when it began.
    before: Vec<Damage>,
    end: Sequence,
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
    /// headers with the tree and the newest checkpoint. What is found is in `damage` afterwards, what
    /// was damaged before and is whole now no longer, and the outcome is kept for
    /// [`Log::last_check`].
    pub fn check_everything(&self) -> Result<Checked, ReadError> {
        let end = self.end();
        let mut walk = Walk::new(self, end);
        if let Err(error) = walk.through() {
            // What was found until then is known from here on, and nothing is whole for it.
            self.shared.segments.take_over(&walk.segments, &[]);
            return Err(error);
        }
        let (batches, signed) = (walk.batches, walk.signed.size);
        let before = std::mem::take(&mut walk.before);
        let found = walk.conclude();
        self.shared.segments.take_over(&found, &before);
        let mut found = found.damage().into_iter();
        let checked = Checked {
            at: self.shared.clock.now(),
            entries: end,
            batches,
            signed,
            damage: self.shared.found_text(),
            entries_damaged: self.shared.segments.are_entries_damaged(),
            damaged: self.shared.segments.damaged_entries(),
            not_as_signed: found.any(|damage| damage.of == DamageOf::History),
        };
        let bytes = serde_json::to_vec_pretty(&checked).unwrap_or_default();
        let path = self.shared.folder.join(FILE);
        if let Err(error) = replace_file(&*self.shared.disk, &path, Access::Create, &bytes) {
            tracing::warn!(%error, path = %path.display(), "cannot keep the outcome of the check");
        }
        Ok(checked)
    }

    /// File of the newest segment, the only one that is written to; `None` when there is none.
    pub fn newest_segment(&self) -> Option<PathBuf> {
        self.shared.segments.newest_file()
    }

    /// What the last full check of this folder found; `None` when there was none.
    pub fn last_check(&self) -> Option<Checked> {
        last_check(&*self.shared.disk, &self.shared.folder)
    }
}

/// What the last full check of a log's folder found; `None` when there was none.
pub(crate) fn last_check(disk: &dyn Disk, folder: &Path) -> Option<Checked> {
    let read = read_file(disk, &folder.join(FILE));
    serde_json::from_slice(&read.ok()??).ok()
}

impl<'a> Walk<'a> {
    fn new(log: &'a Log, end: Sequence) -> Self {
        let note = log.checkpoint();
        let parsed = Note::parse(&note).and_then(|note| Checkpoint::parse(note.text));
        let tree = Accumulator::default();
        let unsigned = Head {
            size: 0,
            root: tree.root(),
        };
        Self {
            log,
            before: log.shared.segments.damage(),
            segments: log.shared.segments.afresh(),
            end,
            signed: parsed.map_or(unsigned, |checkpoint| checkpoint.head),
            root: None,
            tree,
            previous: Some([0; 32]),
            strangers: vec![],
            batches: 0,
        }
    }

    fn through(&mut self) -> Result<(), ReadError> {
        self.frames()?;
        let mut at = 0;
        while at < self.end {
            at = self.batch(at)?;
        }
        Ok(())
    }

    /// Walks the frames of all closed segments, also for bytes between them.
    fn frames(&self) -> Result<(), ReadError> {
        let segments = &self.segments;
        for pair in segments.headers().windows(2) {
            let next = Some(pair[1].first_sequence);
            let segment = match segments.load(pair[0], next, Check::Headers) {
                // Its entries are found missing one by one.
                Err(error) if is_gone(&error) => continue,
                loaded => loaded?.0,
            };
            segment
                .damage
                .into_iter()
                .for_each(|damage| segments.report(damage));
        }
        Ok(())
    }

    /// Checks the batch that holds `at`; one past its last entry.
    fn batch(&mut self, at: Sequence) -> Result<Sequence, ReadError> {
        let batch = match self.segments.batch_on_disk(at) {
            Ok(batch) => batch,
            Err(error) if matches!(error, ReadError::Missing(_)) || is_gone(&error) => {
                self.previous = None;
                return Ok(self.missing(at));
            }
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

    /// No segment holds this entry, though it was acknowledged; the first after it that one may hold.
    fn missing(&self, at: Sequence) -> Sequence {
        let headers = self.segments.headers();
        let mut firsts = headers.iter().map(|header| header.first_sequence);
        let next = firsts.find(|first| *first > at).unwrap_or(self.end);
        self.report(at..next, "acknowledged entries are missing".to_owned());
        next
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
        let (size, in_tiles) = {
            let tree = locked(&self.log.shared.tree);
            (tree.size(), tree.perfect(0, header.batch).ok())
        };
        // The tree of a log that was opened while damaged may end before what was signed.
        let is_signed = header.batch < self.signed.size.min(size);
        self.previous = Some(leaf);
        if is_signed && in_tiles != Some(leaf) {
            self.strangers.push((header.batch, range_of(header)));
            // The batch after it is not to blame.
            self.previous = None;
        } else if !is_signed && !is_next {
            let reason = format!("batch {} does not continue the one before it", header.batch);
            self.stray(range_of(header), reason);
        }
        // After a gap the tree cannot be built any more: `root` stays `None`.
        if self.tree.size() == header.batch {
            self.tree.push(leaf);
            if self.tree.size() == self.signed.size {
                self.root = Some(self.tree.root());
            }
        }
    }

    /// Says which batches are not what was signed, or that the tiles are not; everything found.
    fn conclude(self) -> Segments {
        if self.root == Some(self.signed.root) {
            if let Some((batch, _)) = self.strangers.first() {
                let reason = format!(
                    "the tiles do not hold batch {batch}, though it is what was signed: remove \
                     the folder `tile` of the log, the next start writes it again"
                );
                self.segments.report(Damage {
                    range: 0..0,
                    reason,
                    of: DamageOf::Tiles,
                });
            }
            return self.segments;
        }
        for (batch, range) in &self.strangers {
            let reason = format!("batch {batch} is not the one that was signed");
            self.stray(range.clone(), reason);
        }
        if self.strangers.is_empty() && self.root.is_some() {
            let reason = "the entries do not lead to the signed checkpoint".to_owned();
            self.stray(0..0, reason);
        }
        self.segments
    }

    /// Entries that are whole and not what was signed.
    fn stray(&self, range: Range<Sequence>, reason: String) {
        self.segments.report(Damage {
            range,
            reason,
            of: DamageOf::History,
        });
    }

    fn report(&self, range: Range<Sequence>, reason: String) {
        self.segments.report(Damage::of_entries(range, reason));
    }
}

fn range_of(header: &BatchHeader) -> Range<Sequence> {
    header.first_sequence..header.first_sequence + u64::from(header.count)
}

/// Whether a segment's file is not there.
fn is_gone(error: &ReadError) -> bool {
    matches!(error, ReadError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}
