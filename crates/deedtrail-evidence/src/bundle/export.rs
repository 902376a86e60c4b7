//! Writing a bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _, ReadError, Secrets, Sequence};
use deedtrail_core::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::archive::{self, ArchiveError};
use super::custody::Deed;
use super::{
    CHECKPOINT, COMPLETENESS, EVENTS, FORMAT, Files, KEY, MANIFEST, Manifest, POLICY, RECORDS_MAX,
    REPORT, RecordProof, RecordRow, SIGNATURE, header_name, manifest_text, policy, proof_name,
    raw_name, report, stamps, tlog_proof_name, withheld,
};
use crate::Log;
use crate::batch::Batch;
use crate::disk::{Access, Disk};
use crate::merkle::{self, Hash, Leaves};
use crate::note::Checkpoint;
use crate::proof::TlogProof;
use crate::record::{self, RecordError};
use crate::timestamp::Stamp;

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
    /// What witnesses said; `None` where none is asked.
    pub witnessed: Option<Witnessed>,
    /// What is known to be missing from the sources, as JSON.
    pub completeness: Option<Vec<u8>>,
    /// Time stamps of the log's checkpoints.
    pub stamps: Vec<Stamp>,
    /// What those are called who are told of by an id: what an audit entry calls them, and their name.
    /// Only the report shows it.
    pub names: BTreeMap<String, String>,
    /// Further files by name below `extra/`.
    pub extra: BTreeMap<String, Vec<u8>>,
}

/// What witnesses said of the log.
#[derive(Clone, Debug)]
pub struct Witnessed {
    /// Who is asked (c2sp.org/tlog-policy).
    pub policy: String,
    /// Cosigned checkpoint of this log; the newest one takes its place where it covers too little.
    pub checkpoint: Option<String>,
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
    let checkpoint = checkpoint(log, &sequences, request.witnessed.as_ref())?;
    let (records, added) =
        add_records(log, &sequences, request.secrets, (&checkpoint, &mut files))?;
    add_statements(request, &mut files);
    stamps::add(log, (&request.stamps, &checkpoint), &mut files)?;
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
    let cosigned = request.witnessed.as_ref().map(|witnessed| {
        // Both are our own.
        policy::cosigned(&witnessed.policy, &checkpoint).unwrap_or_default()
    });
    let page = report::page(&report::Facts {
        manifest: &manifest,
        added: &added,
        checkpoint: &checkpoint,
        key: &key,
        cosigned: cosigned.as_deref().unwrap_or_default(),
        completeness: request.completeness.as_deref(),
        stamps: &request.stamps,
        names: &request.names,
    });
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

/// One checkpoint for the whole bundle: the cosigned one where it covers every record, else the
/// newest, renewed when it is too old for a record.
fn checkpoint(
    log: &Log,
    sequences: &BTreeSet<Sequence>,
    witnessed: Option<&Witnessed>,
) -> Result<String, ReadError> {
    let last = sequences.last().map(|last| log.batch(*last)).transpose()?;
    let cosigned = witnessed.and_then(|witnessed| witnessed.checkpoint.as_ref());
    if let Some(note) = cosigned
        && let Ok(signed) = Checkpoint::verify(note, &log.key())
        && (last.as_ref()).is_none_or(|last| last.header.batch < signed.head.size)
    {
        return Ok(note.clone());
    }
    if let Some(last) = last {
        log.prove_batch(&last)?;
    }
    Ok(log.checkpoint())
}

/// Adds what the exporter says besides the records.
fn add_statements(request: &BundleRequest, files: &mut Files) {
    if let Some(witnessed) = &request.witnessed {
        files.insert(POLICY.to_owned(), witnessed.policy.clone().into_bytes());
    }
    if let Some(completeness) = &request.completeness {
        files.insert(COMPLETENESS.to_owned(), completeness.clone());
    }
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

/// What the records of a bundle are.
#[derive(Default)]
pub(super) struct Added {
    /// Parts that are not in it.
    pub(super) withheld: usize,
    /// What audit entries say: who looked, decided, revealed or exported.
    pub(super) custody: Vec<Deed>,
}

/// Adds raw bytes and proofs of all records, batch by batch.
fn add_records(
    log: &Log,
    sequences: &BTreeSet<Sequence>,
    secrets: Secrets,
    (checkpoint, files): (&str, &mut Files),
) -> Result<(Vec<RecordRow>, Added), BundleError> {
    let mut rows = Vec::with_capacity(sequences.len());
    let mut added = Added::default();
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
            add_record(&batch, (sequence, secrets), (leaves, files), &mut added)
                .map_err(|error| BundleError::Record(sequence, error))?;
            rows.push(RecordRow {
                sequence,
                batch: header.batch,
            });
        }
    }
    Ok((rows, added))
}

fn add_batch(batch: &Batch, proof: &TlogProof, files: &mut Files) {
    let number = batch.header.batch;
    files.insert(header_name(number), batch.header.to_bytes().to_vec());
    files.insert(tlog_proof_name(number), proof.to_text().into_bytes());
}

/// Adds one record.
fn add_record(
    batch: &Batch,
    (sequence, secrets): (Sequence, Secrets),
    (leaves, files): (&[Hash], &mut Files),
    added: &mut Added,
) -> Result<(), RecordError> {
    let index = crate::log::index_in(batch, sequence);
    let leaf_hash = hex::encode(leaves[index]);
    let mut split = None;
    batch.visit(index, |_, bytes| {
        let view = record::view(bytes)?;
        if view.kind() == EntryKind::Audit {
            added
                .custody
                .push(Deed::read(&record::decode(bytes)?.entry));
        }
        split = Some((
            view.head.to_vec(),
            withheld::raw(&view, &leaf_hash, secrets),
        ));
        Ok::<bool, RecordError>(false)
    })?;
    let (head, (raw, withheld)) = split.ok_or(RecordError("it is missing"))?;
    added.withheld += withheld.len();
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
    Ok(())
}
