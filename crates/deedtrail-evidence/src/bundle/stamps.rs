//! Time stamps in a bundle: of each authority the answer, the checkpoint that it is about, and how that
//! and the bundle's own belong to one history.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deedtrail_core::port::log::ReadError;

use super::verify::{VerifyError, bytes, malformed, text};
use super::{CHECKPOINT, Files};
use crate::Log;
use crate::merkle::{self, Hash, Head};
use crate::note::{Checkpoint, VerifierKey};
use crate::timestamp::{Stamp, Token, TokenError, is_authority_name};

const FOLDER: &str = "timestamps/";
/// `TimeStampResp` of RFC 3161 in DER.
const ANSWER: &str = ".tsr";
/// The bytes that were stamped.
const STAMPED: &str = ".checkpoint";
/// Hashes in base64, one a line: from the smaller tree of the two checkpoints to the larger.
const CONSISTENCY: &str = ".consistency";
/// Most hashes of such a proof.
const PROOF_MAX: usize = 128;

/// A time stamp of a bundle. Whose it is, is not checked: see [`Token::check_signer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// What the exporter calls the authority.
    pub authority: String,
    pub token: Token,
    /// Batches of the log that were there by then.
    pub size: u64,
    /// How many of the bundle's records are in them.
    pub records: usize,
}

/// What is wrong with a time stamp of a bundle.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {source}")]
pub struct StampError {
    file: String,
    source: TokenError,
}

/// Adds stamps that were kept. One that does not fit the log, which was put back since, is left out.
pub(super) fn add(
    log: &Log,
    (stamps, checkpoint): (&[Stamp], &str),
    files: &mut Files,
) -> Result<(), ReadError> {
    // It is our own.
    let Ok(own) = Checkpoint::verify(checkpoint, &log.key()) else {
        return Ok(());
    };
    for stamp in stamps
        .iter()
        .filter(|one| is_authority_name(&one.authority))
    {
        let Ok(stamped) = Checkpoint::verify(&stamp.checkpoint, &log.key()) else {
            continue;
        };
        let (older, newer) = in_order(stamped.head, own.head);
        if !log.continues(newer) {
            continue;
        }
        let path = log.consistency(older.size, newer.size)?;
        if !merkle::is_consistent(older, newer, &path) {
            continue;
        }
        let lines = path
            .iter()
            .map(|hash| format!("{}\n", STANDARD.encode(hash)));
        let lines: String = lines.collect();
        for (ending, bytes) in [
            (ANSWER, stamp.answer.clone()),
            (STAMPED, stamp.checkpoint.clone().into_bytes()),
            (CONSISTENCY, lines.into_bytes()),
        ] {
            files.insert(format!("{FOLDER}{}{ending}", stamp.authority), bytes);
        }
    }
    Ok(())
}

fn in_order(one: Head, other: Head) -> (Head, Head) {
    if one.size <= other.size {
        (one, other)
    } else {
        (other, one)
    }
}

/// The authority that a file's name belongs to.
fn authority(name: &str) -> Option<&str> {
    let name = name.strip_prefix(FOLDER)?;
    let mut endings = [ANSWER, STAMPED, CONSISTENCY].into_iter();
    let name = endings.find_map(|ending| name.strip_suffix(ending))?;
    is_authority_name(name).then_some(name)
}

/// Whether a file of that name belongs to a time stamp.
pub(super) fn is_name(name: &str) -> bool {
    authority(name).is_some()
}

/// Checks what can be checked without knowing an authority. `batches` are those of the records.
pub(super) fn verify(
    files: &Files,
    (key, own): (&VerifierKey, Head),
    batches: &[u64],
) -> Result<Vec<Stamped>, VerifyError> {
    let authorities: BTreeSet<&str> = files.keys().filter_map(|name| authority(name)).collect();
    let stamps = authorities.into_iter().map(|authority| {
        let name = |ending: &str| format!("{FOLDER}{authority}{ending}");
        let file = name(STAMPED);
        let stamped = Checkpoint::verify(text(files, &file)?, key)
            .map_err(|error| malformed(&file, error))?;
        let file = name(CONSISTENCY);
        let path = path(text(files, &file)?).ok_or_else(|| malformed(&file, "no hashes"))?;
        let (older, newer) = in_order(stamped.head, own);
        if !merkle::is_consistent(older, newer, &path) {
            let reason = format!("the log of {} is another history", name(STAMPED));
            return Err(malformed(CHECKPOINT, reason));
        }
        let file = name(ANSWER);
        let fault = |source| StampError {
            file: file.clone(),
            source,
        };
        let token = Token::read(bytes(files, &file)?).map_err(fault)?;
        let covered = bytes(files, &name(STAMPED))?;
        token.check_imprint(covered).map_err(fault)?;
        let size = stamped.head.size;
        Ok(Stamped {
            authority: authority.to_owned(),
            token,
            size,
            records: batches.iter().filter(|batch| **batch < size).count(),
        })
    });
    stamps.collect()
}

fn path(text: &str) -> Option<Vec<Hash>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let lines = text.strip_suffix('\n')?.split('\n');
    let hashes = lines.map(|line| STANDARD.decode(line).ok()?.try_into().ok());
    let hashes: Vec<Hash> = hashes.collect::<Option<_>>()?;
    (hashes.len() <= PROOF_MAX).then_some(hashes)
}
