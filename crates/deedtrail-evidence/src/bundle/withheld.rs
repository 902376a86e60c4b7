//! Parts left out of a bundle: what stands in their place, and the leaf without them.

use deedtrail_core::port::log::{EntryKind, PartClass, Secrets};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::RecordProof;
use crate::merkle::Hash;
use crate::record::{self, RecordError, View};

/// A part of a record that is not in the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WithheldPart {
    /// Place in the head's table of parts, from 0.
    pub(super) part: usize,
    /// Bytes, as in the head's table.
    pub(super) length: usize,
    /// SHA-256 of the part's bytes, hex.
    pub(super) sha256: String,
}

/// The name of a class whose parts may be withheld.
const fn class_name(class: PartClass) -> Option<&'static str> {
    match class {
        PartClass::Secret => Some("secret"),
        PartClass::ToolArguments => Some("tool arguments"),
        PartClass::Plain | PartClass::Personal | PartClass::Url => None,
    }
}

/// What stands in the raw file in place of a part. It names the record's leaf, which is a hash
/// over all parts: nobody can send a record that holds the text of its own markers.
fn marker(class: &str, withheld: &WithheldPart, leaf: &str) -> String {
    let WithheldPart { part, length, .. } = withheld;
    format!("⟦withheld: {class}, {length} bytes, part {part} of {leaf}⟧")
}

/// The raw file of a record with that leaf hash, and what is not in it.
pub(super) fn raw(view: &View<'_>, leaf: &str, secrets: Secrets) -> (Vec<u8>, Vec<WithheldPart>) {
    let mut raw = Vec::with_capacity(view.body().len());
    let mut all = Vec::new();
    for (part, (class, bytes)) in view.classed_parts().enumerate() {
        match class_name(class) {
            Some(name) if secrets == Secrets::Withheld => {
                let withheld = WithheldPart {
                    part,
                    length: bytes.len(),
                    sha256: hex::encode(Sha256::digest(bytes)),
                };
                raw.extend_from_slice(marker(name, &withheld, leaf).as_bytes());
                all.push(withheld);
            }
            _ => raw.extend_from_slice(bytes),
        }
    }
    (raw, all)
}

/// The leaf of a record from its head, its raw file, and the hashes of what is withheld; and what
/// kind of entry it is.
pub(super) fn leaf(
    head: &[u8],
    raw: &[u8],
    proof: &RecordProof,
) -> Result<(Hash, EntryKind), &'static str> {
    let view = record::view_head(head).map_err(|RecordError(reason)| reason)?;
    if view.head != head {
        return Err("head and bytes are cut elsewhere");
    }
    let mut rest = raw;
    let mut withheld = proof.withheld.iter();
    let mut next = withheld.next();
    let mut hashes = Vec::new();
    for (part, (class, length)) in view.part_lengths().enumerate() {
        let Some(out) = next.filter(|out| out.part == part) else {
            let (bytes, after) = rest.split_at_checked(length).ok_or("it ends early")?;
            hashes.push(Sha256::digest(bytes).into());
            rest = after;
            continue;
        };
        let name = class_name(class).ok_or("a part of this class is never withheld")?;
        if out.length != length {
            return Err("the length of a withheld part differs");
        }
        let marker = marker(name, out, &proof.leaf_hash);
        rest = rest
            .strip_prefix(marker.as_bytes())
            .ok_or("the marker of a withheld part differs")?;
        hashes.push(hash(&out.sha256).ok_or("the hash of a withheld part is malformed")?);
        next = withheld.next();
    }
    if next.is_some() || !rest.is_empty() {
        return Err("length of the parts");
    }
    Ok((record::leaf_of(head, &hashes), view.kind()))
}

/// A hash in lower-case hex, the only form.
pub(super) fn hash(text: &str) -> Option<Hash> {
    let hash: Hash = hex::decode(text).ok()?.try_into().ok()?;
    (hex::encode(hash) == text).then_some(hash)
}
