//! Checking a bundle: no network, no server, no configuration, only the file.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deedtrail_core::port::log::{EntryKind, Sequence};

use super::archive::{self, ArchiveError};
use super::export::sha256;
use super::stamps::{self, StampError, Stamped};
use super::{
    BUNDLE_BYTES_MAX, CHECKPOINT, COMPLETENESS, Cosigned, EVENTS, FORMAT, Files, KEY, MANIFEST,
    Manifest, POLICY, REPORT, RecordProof, RecordRow, SIGNATURE, header_name, manifest_text,
    policy, proof_name, raw_name, tlog_proof_name, withheld,
};
use crate::batch::BatchHeader;
use crate::merkle::{self, Hash};
use crate::note::{Checkpoint, Note, NoteError, VerifierKey};
use crate::proof::{ProofError, TlogProof};
use crate::witness::WitnessKey;

/// What a bundle proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Name of the log.
    pub origin: String,
    /// Key that signed everything. It comes from the bundle: compare it with one you know.
    pub verifier_key: String,
    pub title: String,
    /// When the bundle was made, RFC 3339, as its maker says.
    pub created: String,
    pub sequences: Vec<Sequence>,
    /// Parts with secrets or tool arguments that the bundle proves but does not hold.
    pub withheld: usize,
    pub checkpoint: Checkpoint,
    /// Lines of `events.ndjson`; signed with the manifest, not part of the log's tree.
    pub events: u64,
    /// Records that are audit entries: who looked, decided, revealed or exported.
    pub custody: usize,
    /// What the bundle says is known to be missing (`completeness.json`), as it stands there; signed
    /// with the manifest, not looked into.
    pub completeness: Option<Vec<u8>>,
    /// Witnesses that cosigned the checkpoint, of those the bundle names. Their keys come from the
    /// bundle as well.
    pub cosigned: Vec<Cosigned>,
    /// Time stamps that stamp this log; by whom they are is not checked.
    pub stamps: Vec<Stamped>,
    /// The checkpoint with all signatures.
    note: String,
}

impl Verified {
    /// When each of these witnesses cosigned the checkpoint, s since 1970; `None` for one that did
    /// not. A cosignature that does not hold is an error.
    pub fn vouched_by(&self, witnesses: &[WitnessKey]) -> Result<Vec<Option<u64>>, NoteError> {
        let note = Note::parse(&self.note)?;
        witnesses.iter().map(|key| key.cosigned(&note)).collect()
    }
}

/// What is wrong with a bundle.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("cannot read {path}: {source}")]
    Io {
        path: String,
        source: std::io::Error,
    },
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("{0} is missing")]
    Missing(String),
    #[error("{0} is not listed in the manifest")]
    Unlisted(String),
    #[error("{file} is malformed: {reason}")]
    Malformed { file: String, reason: String },
    #[error("{0} was changed after the bundle was made")]
    Changed(String),
    #[error("{file}: {source}")]
    Signature {
        file: &'static str,
        source: NoteError,
    },
    #[error("{file}: {source}")]
    Proof { file: String, source: ProofError },
    #[error(transparent)]
    Stamp(#[from] StampError),
    #[error("record {sequence} does not belong to its batch: {reason}")]
    Record {
        sequence: Sequence,
        reason: &'static str,
    },
}

pub(super) fn malformed(file: &str, reason: impl std::fmt::Display) -> VerifyError {
    VerifyError::Malformed {
        file: file.to_owned(),
        reason: reason.to_string(),
    }
}

/// Checks the bundle at `path`.
pub fn verify(path: &Path) -> Result<Verified, VerifyError> {
    let fault = |source| VerifyError::Io {
        path: path.display().to_string(),
        source,
    };
    let file = File::open(path).map_err(fault)?;
    if file.metadata().map_err(fault)?.len() > BUNDLE_BYTES_MAX {
        return Err(ArchiveError::TooLarge.into());
    }
    verify_from(BufReader::new(file.take(BUNDLE_BYTES_MAX)))
}

/// Checks a bundle held in memory.
pub fn verify_bytes(bundle: &[u8]) -> Result<Verified, VerifyError> {
    verify_from(bundle)
}

fn verify_from(bundle: impl Read) -> Result<Verified, VerifyError> {
    let files = archive::read(bundle)?;
    let key: VerifierKey = text(&files, KEY)?
        .strip_suffix('\n')
        .ok_or_else(|| malformed(KEY, "no line end"))?
        .parse()
        .map_err(|source| VerifyError::Signature { file: KEY, source })?;
    let manifest = verify_manifest(&files, &key)?;
    let checkpoint = Checkpoint::verify(text(&files, CHECKPOINT)?, &key).map_err(|source| {
        VerifyError::Signature {
            file: CHECKPOINT,
            source,
        }
    })?;
    if manifest.origin != checkpoint.origin {
        return Err(malformed(MANIFEST, "the origin is not the checkpoint's"));
    }
    let mut headers = std::collections::BTreeMap::new();
    for batch in &manifest.batches {
        headers.insert(*batch, verify_batch(&files, *batch, &key)?);
    }
    let cosigned = verify_policy(&files)?;
    let (mut withheld, mut custody) = (0, 0);
    for row in &manifest.records {
        let header = headers.get(&row.batch);
        let header = header.ok_or_else(|| VerifyError::Missing(header_name(row.batch)))?;
        let (out, kind) = verify_record(&files, row, header)?;
        withheld += out;
        custody += usize::from(kind == EntryKind::Audit);
    }
    let batches: Vec<u64> = manifest.records.iter().map(|row| row.batch).collect();
    let stamps = stamps::verify(&files, (&key, checkpoint.head), &batches)?;
    let events = text(&files, EVENTS)?.lines().count() as u64;
    Ok(Verified {
        origin: manifest.origin,
        verifier_key: key.to_string(),
        title: manifest.title,
        created: manifest.created,
        sequences: manifest.records.iter().map(|row| row.sequence).collect(),
        withheld,
        checkpoint,
        events,
        custody,
        completeness: files.get(COMPLETENESS).cloned(),
        cosigned,
        stamps,
        note: text(&files, CHECKPOINT)?.to_owned(),
    })
}

/// What the witnesses said that the bundle names.
fn verify_policy(files: &Files) -> Result<Vec<Cosigned>, VerifyError> {
    if !files.contains_key(POLICY) {
        return Ok(Vec::new());
    }
    let cosigned = policy::cosigned(text(files, POLICY)?, text(files, CHECKPOINT)?);
    cosigned.map_err(|source| VerifyError::Signature {
        file: POLICY,
        source,
    })
}

pub(super) fn bytes<'a>(files: &'a Files, name: &str) -> Result<&'a [u8], VerifyError> {
    let bytes = files
        .get(name)
        .ok_or_else(|| VerifyError::Missing(name.to_owned()))?;
    Ok(bytes)
}

pub(super) fn text<'a>(files: &'a Files, name: &str) -> Result<&'a str, VerifyError> {
    std::str::from_utf8(bytes(files, name)?).map_err(|error| malformed(name, error))
}

/// Checks the manifest's signature and that exactly the files it lists are there, unchanged.
fn verify_manifest(files: &Files, key: &VerifierKey) -> Result<Manifest, VerifyError> {
    let manifest = bytes(files, MANIFEST)?;
    let signature = |source| VerifyError::Signature {
        file: SIGNATURE,
        source,
    };
    let note = Note::parse(text(files, SIGNATURE)?).map_err(signature)?;
    key.verify_note(&note).map_err(signature)?;
    if note.text != manifest_text(manifest) || note.signatures.len() != 1 {
        return Err(VerifyError::Changed(MANIFEST.to_owned()));
    }
    let manifest: Manifest =
        serde_json::from_slice(manifest).map_err(|error| malformed(MANIFEST, error))?;
    if manifest.format != FORMAT {
        return Err(malformed(MANIFEST, "unknown format"));
    }
    for (name, hash) in &manifest.files {
        if sha256(bytes(files, name)?) != *hash {
            return Err(VerifyError::Changed(name.clone()));
        }
    }
    let expected = expected_names(&manifest);
    for name in files
        .keys()
        .filter(|name| *name != MANIFEST && *name != SIGNATURE)
    {
        let known = expected.contains(name) || name.starts_with("extra/") || stamps::is_name(name);
        if !known || !manifest.files.contains_key(name) {
            return Err(VerifyError::Unlisted(name.clone()));
        }
    }
    Ok(manifest)
}

fn expected_names(manifest: &Manifest) -> BTreeSet<String> {
    let fixed = [EVENTS, CHECKPOINT, KEY, REPORT, POLICY, COMPLETENESS].map(str::to_owned);
    let records = manifest.records.iter().map(|row| row.sequence);
    let records = records.flat_map(|sequence| [raw_name(sequence), proof_name(sequence)]);
    let batches = manifest.batches.iter();
    let batches = batches.flat_map(|batch| [header_name(*batch), tlog_proof_name(*batch)]);
    fixed.into_iter().chain(records).chain(batches).collect()
}

/// The header of a batch, after checking its proof against the bundle's one checkpoint.
fn verify_batch(files: &Files, batch: u64, key: &VerifierKey) -> Result<BatchHeader, VerifyError> {
    let name = header_name(batch);
    let header =
        BatchHeader::parse(bytes(files, &name)?).map_err(|error| malformed(&name, error))?;
    let file = tlog_proof_name(batch);
    let failed = |source| VerifyError::Proof {
        file: file.clone(),
        source,
    };
    let proof = TlogProof::parse(text(files, &file)?).map_err(failed)?;
    proof.verify(header.leaf(), key).map_err(failed)?;
    if header.batch != batch || proof.index != batch {
        return Err(malformed(&name, "it is another batch"));
    }
    if proof.checkpoint != text(files, CHECKPOINT)? {
        return Err(malformed(&file, "it has another checkpoint"));
    }
    Ok(header)
}

/// Checks one record; the number of its parts that are withheld, and its kind.
fn verify_record(
    files: &Files,
    row: &RecordRow,
    header: &BatchHeader,
) -> Result<(usize, EntryKind), VerifyError> {
    let name = proof_name(row.sequence);
    let proof: RecordProof =
        serde_json::from_slice(bytes(files, &name)?).map_err(|error| malformed(&name, error))?;
    let wrong = |reason| VerifyError::Record {
        sequence: row.sequence,
        reason,
    };
    if (proof.sequence, proof.batch) != (row.sequence, row.batch) {
        return Err(wrong("the proof is about another record"));
    }
    if header.first_sequence.checked_add(proof.index_in_batch) != Some(row.sequence) {
        return Err(wrong("its place in the batch is not its sequence"));
    }
    let head = STANDARD
        .decode(&proof.head)
        .map_err(|error| malformed(&name, error))?;
    let raw = bytes(files, &raw_name(row.sequence))?;
    let (leaf, kind) = withheld::leaf(&head, raw, &proof).map_err(wrong)?;
    if hex::encode(leaf) != proof.leaf_hash {
        return Err(wrong("the leaf hash differs"));
    }
    let path: Vec<Hash> = proof
        .inner_path
        .iter()
        .map(|hash| withheld::hash(hash))
        .collect::<Option<_>>()
        .ok_or_else(|| malformed(&name, "a hash of the path"))?;
    let count = u64::from(header.count);
    if merkle::root_from_path(leaf, proof.index_in_batch, count, &path) == Some(header.root) {
        Ok((proof.withheld.len(), kind))
    } else {
        Err(wrong("the path does not lead to the batch root"))
    }
}
