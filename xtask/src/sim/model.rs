//! What the log must hold, as its clients know it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deedtrail_core::Text;
use deedtrail_core::port::log::{
    Appended, EvidenceLog as _, NewEntry, Outcome, ReadError, StoredEntry,
};
use deedtrail_evidence::merkle::{self, Hash};
use deedtrail_evidence::note::Checkpoint;
use deedtrail_evidence::proof::verify_entry;
use deedtrail_evidence::{BatchHeader, Log, verify_receipt};

/// What was broken, in words.
#[derive(Debug)]
pub(super) struct Broken(pub(super) String);

pub(super) type Held = Result<(), Broken>;

pub(super) fn ensure(holds: bool, complaint: impl FnOnce() -> String) -> Held {
    if holds {
        Ok(())
    } else {
        Err(Broken(complaint()))
    }
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    pub(super) entry: NewEntry,
    id_conflict: bool,
    revision: u32,
}

impl Kept {
    fn is(&self, stored: &StoredEntry) -> bool {
        stored.entry == self.entry
            && (stored.id_conflict, stored.revision) == (self.id_conflict, self.revision)
    }
}

/// What a commit is to do: outcomes of each append, and what it adds.
#[derive(Debug, Default)]
pub(super) struct Expected {
    outcomes: Vec<Vec<Outcome>>,
    added: Vec<Kept>,
}

/// Everything acknowledged, in order, and what may have come into the log besides.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) kept: Vec<Kept>,
    /// Contents under each key with their places.
    keys: BTreeMap<Text, Vec<u64>>,
    /// Commits that were not acknowledged since the last one that was: one of them may be there
    /// after a restart, as a whole.
    doubtful: Vec<Vec<Kept>>,
    verifier_key: Option<String>,
    /// Leaf of each batch header seen so far, which never changes, and the sequence after it.
    leaves: Vec<(Hash, u64)>,
    signed: u64,
}

impl Model {
    /// What becomes of these appends when they are committed together.
    pub(super) fn expect(&self, appends: &[Vec<NewEntry>]) -> Expected {
        let mut expected = Expected::default();
        let mut fresh: BTreeMap<Text, Vec<u64>> = BTreeMap::new();
        for append in appends {
            let outcomes = append
                .iter()
                .map(|entry| self.expect_one(entry, &mut fresh, &mut expected.added))
                .collect();
            expected.outcomes.push(outcomes);
        }
        expected
    }

    fn expect_one(
        &self,
        entry: &NewEntry,
        fresh: &mut BTreeMap<Text, Vec<u64>>,
        added: &mut Vec<Kept>,
    ) -> Outcome {
        let at = (self.kept.len() + added.len()) as u64;
        let mut revision = 0;
        if let Some(key) = &entry.idempotency_key {
            let known = self.keys.get(key).into_iter().flatten();
            let places: Vec<u64> = known
                .chain(fresh.get(key).into_iter().flatten())
                .copied()
                .collect();
            let content = |place: u64| {
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                let kept = self
                    .kept
                    .get(place)
                    .or_else(|| added.get(place - self.kept.len()));
                kept.map(|kept| &kept.entry.parts)
            };
            let same = places
                .iter()
                .find(|place| content(**place) == Some(&entry.parts));
            if let Some(same) = same {
                return Outcome::Duplicate(*same);
            }
            revision = u32::try_from(places.len()).unwrap_or(u32::MAX);
            fresh.entry(key.clone()).or_default().push(at);
        }
        added.push(Kept {
            entry: entry.clone(),
            id_conflict: revision > 0,
            revision,
        });
        if revision > 0 {
            Outcome::IdConflict(at)
        } else {
            Outcome::Accepted(at)
        }
    }

    fn take(&mut self, added: Vec<Kept>) {
        for kept in added {
            if let Some(key) = &kept.entry.idempotency_key {
                let places = self.keys.entry(key.clone()).or_default();
                places.push(self.kept.len() as u64);
            }
            self.kept.push(kept);
        }
        self.doubtful.clear();
    }

    /// Holds answers against what was expected, and remembers what was promised.
    pub(super) fn acknowledged(
        &mut self,
        log: &Log,
        answers: &[Appended],
        expected: Expected,
    ) -> Held {
        let key = log
            .verifier_key()
            .parse()
            .map_err(|error| Broken(format!("{error}")))?;
        for (answer, outcomes) in answers.iter().zip(&expected.outcomes) {
            ensure(answer.outcomes == *outcomes, || {
                format!("answered {:?}, expected {outcomes:?}", answer.outcomes)
            })?;
            let wrote = |outcome: &&Outcome| !matches!(outcome, Outcome::Duplicate(_));
            let first = outcomes.iter().find(wrote).map(Outcome::sequence);
            let count = outcomes.iter().filter(wrote).count() as u64;
            let place = answer
                .receipt
                .as_ref()
                .map(|receipt| receipt.first_sequence);
            ensure(place == first, || "a receipt for other entries".to_owned())?;
            if let Some(receipt) = &answer.receipt {
                let valid = verify_receipt(receipt, &key);
                ensure(valid.is_ok() && receipt.count == count, || {
                    format!("a receipt that is not valid: {valid:?}")
                })?;
            }
        }
        if !expected.added.is_empty() {
            self.take(expected.added);
        }
        ensure(log.end() == self.kept.len() as u64, || {
            format!("{} entries, expected {}", log.end(), self.kept.len())
        })
    }

    /// A commit that nobody was promised.
    pub(super) fn refused(&mut self, expected: Expected) {
        if !expected.added.is_empty() {
            self.doubtful.push(expected.added);
        }
    }

    pub(super) fn verifier_key(&self) -> Option<&String> {
        self.verifier_key.as_ref()
    }

    pub(super) fn is_certain(&self) -> bool {
        self.doubtful.is_empty()
    }

    /// After a restart: everything acknowledged is there, at its place, and besides at most one of
    /// the commits that were not, whole.
    pub(super) fn recovered(&mut self, log: &Log) -> Held {
        if let Some(damage) = log.damage() {
            return Err(Broken(format!("damage: {damage}")));
        }
        let stored = self.prefix(log)?;
        let rest: Vec<StoredEntry> = stored.into_iter().skip(self.kept.len()).collect();
        if !rest.is_empty() {
            let is_rest = |commit: &&Vec<Kept>| {
                commit.len() == rest.len()
                    && commit
                        .iter()
                        .zip(&rest)
                        .all(|(kept, stored)| kept.is(stored))
            };
            let Some(found) = self.doubtful.iter().find(is_rest) else {
                return Err(Broken(format!(
                    "{} entries that no client sent so",
                    rest.len()
                )));
            };
            self.take(found.clone());
        }
        self.doubtful.clear();
        let key = log.verifier_key();
        let known = self.verifier_key.get_or_insert_with(|| key.clone());
        ensure(*known == key, || format!("signs as {key}, was {known}"))
    }

    /// Every entry of the log; those acknowledged must be there, byte for byte.
    fn prefix(&self, log: &Log) -> Result<Vec<StoredEntry>, Broken> {
        let mut all: Vec<StoredEntry> = Vec::new();
        loop {
            let next = log.read(all.len() as u64, 1 << 20);
            let next = next.map_err(|error| Broken(format!("cannot read: {error}")))?;
            if next.is_empty() {
                break;
            }
            all.extend(next);
        }
        for (at, kept) in self.kept.iter().enumerate() {
            let Some(stored) = all.get(at) else {
                return Err(Broken(format!("acknowledged entry {at} is lost")));
            };
            ensure(kept.is(stored) && stored.sequence == at as u64, || {
                format!("entry {at} is another one than acknowledged")
            })?;
        }
        Ok(all)
    }

    /// All entries are there and no others.
    pub(super) fn complete(&self, log: &Log) -> Held {
        let stored = self.prefix(log)?;
        ensure(stored.len() == self.kept.len(), || {
            format!("{} entries, expected {}", stored.len(), self.kept.len())
        })
    }

    /// What can be read of a damaged copy is what was acknowledged; returns what cannot.
    pub(super) fn readable(&self, log: &Log) -> Result<Vec<u64>, Broken> {
        let end = self.kept.len() as u64;
        ensure(log.end() == end, || {
            format!("ends at {}, acknowledged {end}", log.end())
        })?;
        let (mut at, mut lost) = (0, Vec::new());
        while at < end {
            match log.read(at, 1 << 20) {
                Ok(entries) => {
                    for stored in &entries {
                        let kept = usize::try_from(at).ok().and_then(|at| self.kept.get(at));
                        let right = kept.is_some_and(|kept| kept.is(stored));
                        ensure(right && stored.sequence == at, || {
                            format!("wrong bytes as entry {at}")
                        })?;
                        at += 1;
                    }
                    ensure(!entries.is_empty(), || format!("nothing at {at}"))?;
                }
                Err(ReadError::Damaged { first, last, .. }) if (first..=last).contains(&at) => {
                    lost.extend(at..=last.min(end - 1));
                    at = last + 1;
                }
                Err(error) => return Err(Broken(format!("reading {at}: {error}"))),
            }
        }
        Ok(lost)
    }

    /// The proof of one entry holds; `Ok(false)` when none could be made.
    pub(super) fn proved(&self, log: &Log, at: u64) -> Result<bool, Broken> {
        let Ok(proof) = log.prove(at) else {
            return Ok(false);
        };
        let stored = log.read(at, 1).map_err(|error| Broken(error.to_string()))?;
        let key = self.verifier_key.as_deref().unwrap_or_default();
        let held = stored
            .first()
            .map(|stored| verify_entry(stored, &proof, key));
        match held {
            Some(Ok(_)) => Ok(true),
            other => Err(Broken(format!("the proof of entry {at} fails: {other:?}"))),
        }
    }

    /// The newest checkpoint covers no less than any before it, and the same batches.
    pub(super) fn consistent(&mut self, log: &Log) -> Held {
        let note = log.checkpoint();
        let text = |error: &dyn std::fmt::Display| Broken(format!("checkpoint: {error}"));
        let key = log.verifier_key().parse().map_err(|error| text(&error))?;
        let head = Checkpoint::verify(&note, &key)
            .map_err(|error| text(&error))?
            .head;
        ensure(head.size >= self.signed, || {
            format!(
                "a checkpoint over {} batches after one over {}",
                head.size, self.signed
            )
        })?;
        self.signed = head.size;
        // Those seen before, one by one over the program; and all that are new.
        let again = self.leaves.len().checked_sub(1).map(|last| last as u64 / 2);
        for batch in again.into_iter().chain(self.leaves.len() as u64..head.size) {
            let at = usize::try_from(batch).unwrap_or(usize::MAX);
            let first = at.checked_sub(1).and_then(|before| self.leaves.get(before));
            let first = first.map_or(0, |(_, end)| *end);
            let proof = log.prove(first).map_err(|error| text(&error))?;
            let bytes = STANDARD.decode(&proof.batch_header).unwrap_or_default();
            let header = BatchHeader::parse(&bytes).map_err(|error| text(&error))?;
            let end = header.first_sequence + u64::from(header.count);
            match self.leaves.get(at) {
                Some((leaf, _)) => {
                    ensure(*leaf == header.leaf(), || format!("batch {batch} changed"))?;
                }
                None => self.leaves.push((header.leaf(), end)),
            }
        }
        let leaves: Vec<Hash> = self.leaves.iter().map(|(leaf, _)| *leaf).collect();
        let size = usize::try_from(head.size).unwrap_or(usize::MAX);
        let root = leaves.get(..size).map(merkle::root);
        ensure(root == Some(head.root), || {
            format!("the checkpoint over {size} batches has another root")
        })
    }
}
