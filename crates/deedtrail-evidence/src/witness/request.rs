//! The body of `add-checkpoint`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::merkle::Hash;
use crate::note::{NOTE_BYTES_MAX, NoteError, parse_decimal};

/// Longest consistency proof, hashes.
const PROOF_MAX: usize = 63;
/// Longest body, bytes: a note and a proof.
pub const REQUEST_BYTES_MAX: usize = NOTE_BYTES_MAX + (8 << 10);

/// A new checkpoint with the proof that it continues an older one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the older tree.
    pub old: u64,
    pub proof: Vec<Hash>,
    /// Signed checkpoint, verbatim.
    pub checkpoint: String,
}

impl AddCheckpoint {
    /// The body's text.
    pub fn to_text(&self) -> String {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.proof {
            text.push_str(&STANDARD.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Parses the body's text; the checkpoint is not looked into.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        if text.len() > REQUEST_BYTES_MAX {
            return Err(NoteError::Malformed("the request is too long"));
        }
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or(NoteError::Malformed("no blank line"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old
            .and_then(parse_decimal)
            .ok_or(NoteError::Malformed("the first line is no `old SIZE`"))?;
        let hash = |line: &str| -> Option<Hash> { STANDARD.decode(line).ok()?.try_into().ok() };
        let proof: Option<Vec<Hash>> = lines.take(PROOF_MAX + 1).map(hash).collect();
        let proof = proof.ok_or(NoteError::Malformed("a line of the proof is no hash"))?;
        if proof.len() > PROOF_MAX {
            return Err(NoteError::Malformed("the proof has more than 63 lines"));
        }
        Ok(Self {
            old,
            proof,
            checkpoint: checkpoint.to_owned(),
        })
    }
}
