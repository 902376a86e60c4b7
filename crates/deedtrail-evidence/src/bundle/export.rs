//! Writing a bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deedtrail_core::port::log::{EvidenceLog as _, ReadError, Secrets, Sequence};
use deedtrail_core::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::archive::{self, ArchiveError};
use super::{
    CHECKPOINT, EVENTS, FORMAT, Files, KEY, MANIFEST, Manifest, RECORDS_MAX, REPORT, RecordProof,
    RecordRow, SIGNATURE, header_name, manifest_text, proof_name, raw_name, report,
    tlog_proof_name, withheld,
};
use crate::Log;
use crate::batch::Batch;
use crate::disk::{Access, Disk};
use crate::merkle::{self, Hash, Leaves};
use crate::proof::TlogProof;
use crate::record::{self, RecordError};

/// What goes into a bundle.
#[derive(Clone, Debug)]
pub struct BundleRequest {
    /// Shown in the report, for example the case's name.
    pub title: String,
    pub created: Timestamp,
    /// Entries to prove; sorted and made unique.
    pub sequences: Vec<Sequence>,
    /// Lines of `events.ndjson`: canonical events as JSON, without line ends.
    pub events: Vec<String>,
    /// Whether secrets and tool arguments are in it.
    pub secrets: Secrets,
    /// Further files by name below `extra/`, for example the custody record.
    pub extra: BTreeMap<String, Vec<u8>>,
}

/// Why a bundle cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("{0} records, at most {RECORDS_MAX} fit into one bundle; export in parts")]
    TooMany(usize),
    #[error("event line {0} contains a line end")]
    BrokenLine(usize),
    #[error("`{0}` is no plain file name for `extra/`")]
    BadName(String),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("entry {0} cannot be taken apart: {1}")]
    Record(Sequence, RecordError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("cannot write {path}: {source}")]
    Io {
        path: String,
        source: std::io::Error,
    },
}

/// Writes the bundle to `path`, which appears whole or not at all. It holds raw records: only its
/// owner can read it.
pub fn write(
    log: &Log,
    request: &BundleRequest,
    disk: &dyn Disk,
    path: &Path,
) -> Result<(), BundleError> {
    let files = collect(log, request)?;
    // Named after the content, so that no file of somebody else's is overwritten.
    let print = files
        .get(MANIFEST)
        .map_or_else(String::new, |bytes| sha256(bytes));
    let print: String = print.chars().take(16).collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{print}.new"));
    let written = write_file(&files, disk, &temporary).and_then(|()| {
        let moved = disk.rename(&temporary, path);
        moved.and_then(|()| disk.sync_folder(folder_of(path)))
    });
    written.map_err(|source| {
        if let Err(error) = disk.remove(&temporary) {
            tracing::warn!(%error, path = %temporary.display(), "cannot remove an unfinished bundle");
        }
        BundleError::Io {
            path: path.display().to_string(),
            source,
        }
    })
}

fn folder_of(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn write_file(files: &Files, disk: &dyn Disk, path: &Path) -> std::io::Result<()> {
    let file = disk.open(path, Access::CreateSecret)?;
    let mut offset = 0;
    let written = archive::write_to(files, &mut |bytes| {
        file.write_at(bytes, offset)?;
        offset += bytes.len() as u64;
        Ok(())
    });
    written.map_err(std::io::Error::other)?;
    file.sync()
}

/// The bundle's bytes. The same log, checkpoint and request give the same bytes.
pub fn to_bytes(log: &Log, request: &BundleRequest) -> Result<Vec<u8>, BundleError> {
    Ok(archive::write(&collect(log, request)?)?)
}

/// The bundle's files.
fn collect(log: &Log, request: &BundleRequest) -> Result<Files, BundleError> {
    let sequences: BTreeSet<Sequence> = request.sequences.iter().copied().collect();
    if sequences.len() > RECORDS_MAX {
        return Err(BundleError::TooMany(sequences.len()));
    }
    let mut files = Files::new();
    files.insert(EVENTS.to_owned(), event_lines(&request.events)?);
    for (name, bytes) in &request.extra {
        if !is_plain_name(name) {
            return Err(BundleError::BadName(name.clone()));
        }
        files.insert(format!("extra/{name}"), bytes.clone());
    }
    // One checkpoint for the whole bundle: the newest, renewed when it is too old for a record.
    if let Some(last) = sequences.last() {
        log.prove_batch(&*log.batch(*last)?)?;
    }
    let checkpoint = log.checkpoint();
    let (records, withheld) =
        add_records(log, &sequences, request.secrets, (&checkpoint, &mut files))?;
    let key = log.verifier_key();
    let batches: BTreeSet<u64> = records.iter().map(|row| row.batch).collect();
    let mut manifest = Manifest {
        format: FORMAT.to_owned(),
        software: concat!("deedtrail ", env!("CARGO_PKG_VERSION")).to_owned(),
        origin: log.origin().to_owned(),
        title: request.title.clone(),
        created: request.created.to_string(),
        records,
        batches: batches.into_iter().collect(),
        files: BTreeMap::new(),
    };
    let page = report::page(&manifest, withheld, &checkpoint, &key);
    files.insert(REPORT.to_owned(), page.into_bytes());
    files.insert(CHECKPOINT.to_owned(), checkpoint.into_bytes());
    files.insert(KEY.to_owned(), format!("{key}\n").into_bytes());
    manifest.files = files
        .iter()
        .map(|(name, bytes)| (name.clone(), sha256(bytes)))
        .collect();
    let manifest = json(&manifest);
    let note = log.sign_note(&manifest_text(&manifest));
    files.insert(MANIFEST.to_owned(), manifest);
    files.insert(SIGNATURE.to_owned(), note.into_bytes());
    Ok(files)
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Serialising these types cannot fail: they have string keys and no foreign parts.
fn json(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn is_plain_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.bytes().all(allowed)
}

fn event_lines(events: &[String]) -> Result<Vec<u8>, BundleError> {
    let mut lines = Vec::new();
    for (at, event) in events.iter().enumerate() {
        if event.contains(['\n', '\r']) {
            return Err(BundleError::BrokenLine(at));
        }
        lines.extend_from_slice(event.as_bytes());
        lines.push(b'\n');
    }
    Ok(lines)
}

/// Adds raw bytes and proofs of all records, batch by batch; also counts the withheld parts.
fn add_records(
    log: &Log,
    sequences: &BTreeSet<Sequence>,
    secrets: Secrets,
    (checkpoint, files): (&str, &mut Files),
) -> Result<(Vec<RecordRow>, usize), BundleError> {
    let mut rows = Vec::with_capacity(sequences.len());
    let mut withheld = 0;
    let mut rest = sequences.iter().copied().peekable();
    while let Some(first) = rest.peek().copied() {
        let batch = log.batch(first)?;
        let header = &batch.header;
        let end = header.first_sequence + u64::from(header.count);
        let failed = |error| BundleError::Record(first, error);
        let leaves = batch.leaves().map_err(failed)?;
        let proof = log.prove_batch_at(&batch, checkpoint)?;
        add_batch(&batch, &proof, files);
        while let Some(sequence) = rest.next_if(|sequence| *sequence < end) {
            withheld += add_record(&batch, sequence, secrets, (leaves, files))
                .map_err(|error| BundleError::Record(sequence, error))?;
            rows.push(RecordRow {
                sequence,
                batch: header.batch,
            });
        }
    }
    Ok((rows, withheld))
}

fn add_batch(batch: &Batch, proof: &TlogProof, files: &mut Files) {
    let number = batch.header.batch;
    files.insert(header_name(number), batch.header.to_bytes().to_vec());
    files.insert(tlog_proof_name(number), proof.to_text().into_bytes());
}

/// Adds one record; the number of its parts that are withheld.
fn add_record(
    batch: &Batch,
    sequence: Sequence,
    secrets: Secrets,
    (leaves, files): (&[Hash], &mut Files),
) -> Result<usize, RecordError> {
    let index = crate::log::index_in(batch, sequence);
    let leaf_hash = hex::encode(leaves[index]);
    let mut split = None;
    batch.visit(index, |_, bytes| {
        let view = record::view(bytes)?;
        split = Some((
            view.head.to_vec(),
            withheld::raw(&view, &leaf_hash, secrets),
        ));
        Ok::<bool, RecordError>(false)
    })?;
    let (head, (raw, withheld)) = split.ok_or(RecordError("it is missing"))?;
    let withheld_count = withheld.len();
    let Ok(path) = merkle::inclusion_path(&Leaves(leaves), index as u64, leaves.len() as u64);
    let proof = RecordProof {
        sequence,
        batch: batch.header.batch,
        index_in_batch: index as u64,
        head: STANDARD.encode(head),
        withheld,
        leaf_hash,
        inner_path: path.iter().map(hex::encode).collect(),
    };
    files.insert(proof_name(sequence), json(&proof));
    files.insert(raw_name(sequence), raw);
    Ok(withheld_count)
}
