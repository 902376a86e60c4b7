//! C2SP tlog-proof (c2sp.org/tlog-proof): inclusion of one leaf in a checkpointed tree.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use deedtrail_core::port::log::{EntryProof, StoredEntry};

use crate::batch::BatchHeader;
use crate::merkle::{self, Hash};
use crate::note::{Checkpoint, NOTE_BYTES_MAX, NoteError, VerifierKey, parse_decimal};
use crate::record;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// Longest inclusion path: a tree of 2^63 leaves.
const PATH_MAX: usize = 64;

/// Why a proof does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("not a tlog-proof: {0}")]
    Malformed(&'static str),
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error("the leaf is not under the checkpoint's root")]
    NotIncluded,
}

/// A parsed proof; nothing in it has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    pub index: u64,
    pub path: Vec<Hash>,
    /// Signed checkpoint, verbatim.
    pub checkpoint: String,
}

impl TlogProof {
    /// The proof's text.
    pub fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\nindex {}\n", self.index);
        for hash in &self.path {
            text.push_str(&STANDARD.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Parses the proof's text. An `extra` line is accepted and ignored.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        if text.len() > 2 * NOTE_BYTES_MAX {
            return Err(ProofError::Malformed("longer than 128 KiB"));
        }
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or(ProofError::Malformed("no blank line"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(ProofError::Malformed("unknown first line"));
        }
        lines.next_if(|line| line.starts_with("extra "));
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index
            .and_then(parse_decimal)
            .ok_or(ProofError::Malformed("no index"))?;
        let path: Vec<Hash> = lines
            .take(PATH_MAX + 1)
            .map(parse_hash)
            .collect::<Result<_, _>>()?;
        if path.len() > PATH_MAX {
            return Err(ProofError::Malformed("path longer than 64"));
        }
        Ok(Self {
            index,
            path,
            checkpoint: checkpoint.to_owned(),
        })
    }

    /// Checks that `leaf` is in the tree of the checkpoint, and that `key` signed it.
    pub fn verify(&self, leaf: Hash, key: &VerifierKey) -> Result<Checkpoint, ProofError> {
        let checkpoint = Checkpoint::verify(&self.checkpoint, key)?;
        let root = merkle::root_from_path(leaf, self.index, checkpoint.head.size, &self.path);
        if root == Some(checkpoint.head.root) {
            Ok(checkpoint)
        } else {
            Err(ProofError::NotIncluded)
        }
    }
}

fn parse_hash(line: &str) -> Result<Hash, ProofError> {
    let bytes = STANDARD
        .decode(line)
        .map_err(|_| ProofError::Malformed("bad hash line"))?;
    bytes
        .try_into()
        .map_err(|_| ProofError::Malformed("bad hash line"))
}

/// Checks with nothing but the log's verifier key that `entry` is in the log: its leaf, the path
/// to the batch root, its place in the batch, and the batch's proof under the signed checkpoint.
pub fn verify_entry(
    entry: &StoredEntry,
    proof: &EntryProof,
    verifier_key: &str,
) -> Result<Checkpoint, ProofError> {
    let malformed = |_| ProofError::Malformed("record, path or batch header");
    let leaf = record::stored_leaf(entry).map_err(malformed)?;
    let header = STANDARD.decode(&proof.batch_header);
    let header = header.map_err(|_| ProofError::Malformed("the batch header is not base64"))?;
    let header = BatchHeader::parse(&header).map_err(malformed)?;
    let path: Option<Vec<Hash>> = proof
        .inner_path
        .iter()
        .map(|hash| hex::decode(hash).ok()?.try_into().ok())
        .collect();
    let path = path.ok_or(ProofError::Malformed("a hash of the inner path"))?;
    let count = u64::from(header.count);
    let root = merkle::root_from_path(leaf, proof.index_in_batch, count, &path);
    let place = header.first_sequence.checked_add(proof.index_in_batch);
    let outer = TlogProof::parse(&proof.tlog_proof)?;
    let belongs = place == Some(entry.sequence)
        && proof.sequence == entry.sequence
        && proof.leaf_hash == hex::encode(leaf)
        && (proof.batch, outer.index) == (header.batch, header.batch);
    if root != Some(header.root) || !belongs {
        return Err(ProofError::NotIncluded);
    }
    outer.verify(header.leaf(), &verifier_key.parse()?)
}
