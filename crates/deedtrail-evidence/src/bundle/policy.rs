//! The witnesses a bundle names (c2sp.org/tlog-policy), and what they said of its checkpoint.

use crate::note::{Note, NoteError};
use crate::witness::WitnessKey;

/// A witness and when it cosigned, s since 1970.
pub type Cosigned = (WitnessKey, u64);

/// The keys of the `witness` lines.
fn keys(policy: &str) -> Result<Vec<WitnessKey>, NoteError> {
    let mut keys = Vec::new();
    for line in policy.split('\n') {
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        if words.next() != Some("witness") {
            continue;
        }
        let key = words
            .nth(1)
            .ok_or(NoteError::BadKey("a line without one"))?;
        keys.push(key.parse()?);
    }
    Ok(keys)
}

/// Which of the policy's witnesses cosigned the checkpoint; one that did so wrongly is an error.
pub(super) fn cosigned(policy: &str, checkpoint: &str) -> Result<Vec<Cosigned>, NoteError> {
    let note = Note::parse(checkpoint)?;
    let mut all = Vec::new();
    for key in keys(policy)? {
        if let Some(time_s) = key.cosigned(&note)? {
            all.push((key, time_s));
        }
    }
    Ok(all)
}
