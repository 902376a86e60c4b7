//! Evidence bundles: one file that proves a set of records to somebody who trusts only a key.
//!
//! The format is specified in `docs/reference/evidence-format.md`.

mod archive;
mod completeness;
mod custody;
mod export;
mod policy;
mod report;
mod stamps;
#[cfg(test)]
mod tests;
mod verify;
mod withheld;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use archive::{ArchiveError, FILE_COUNT_MAX};
pub use completeness::held_back;
pub use export::{BundleError, BundleRequest, Witnessed, to_bytes, write};
pub use policy::Cosigned;
pub use stamps::{StampError, Stamped};
pub use verify::{Verified, VerifyError, verify, verify_bytes};
use withheld::WithheldPart;

/// Most records of one bundle: events, and audit entries about them. More: `BundleError::TooMany`;
/// export in several bundles.
pub const RECORDS_MAX: usize = 21_501;
/// Most bytes of one bundle.
pub const BUNDLE_BYTES_MAX: u64 = 2 << 30;
/// The second verifier, in Python with its standard library alone: it shares no code with
/// [`verify`], so that each checks the other.
pub const VERIFIER: &str = include_str!("../../verifier/verify_bundle.py");
/// `format` of a manifest we write and read.
const FORMAT: &str = "deedtrail-bundle-v1";
/// First line of the signed note over the manifest.
const MANIFEST_NOTE: &str = "deedtrail-bundle-manifest-v1";

const MANIFEST: &str = "manifest.json";
const SIGNATURE: &str = "manifest.note";
const EVENTS: &str = "events.ndjson";
const CHECKPOINT: &str = "checkpoint";
const KEY: &str = "keys/log.vkey";
const REPORT: &str = "report.html";
/// Witnesses that the exporter's installation asks; only where it asks any.
const POLICY: &str = "policy";
/// What is known to be missing; only where the exporter says.
const COMPLETENESS: &str = "completeness.json";

/// Files of a bundle by name.
type Files = BTreeMap<String, Vec<u8>>;

/// `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: String,
    software: String,
    origin: String,
    title: String,
    created: String,
    records: Vec<RecordRow>,
    batches: Vec<u64>,
    /// SHA-256 (hex) of every other file but the manifest's note.
    #[serde(deserialize_with = "each_once")]
    files: BTreeMap<String, String>,
}

/// One record of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordRow {
    sequence: u64,
    batch: u64,
}

/// `proofs/<sequence>.json`: from the raw bytes to the batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordProof {
    sequence: u64,
    batch: u64,
    index_in_batch: u64,
    /// Head of the record, base64; the parts' bytes are the raw file.
    head: String,
    /// Parts that are not in the raw file, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    withheld: Vec<WithheldPart>,
    leaf_hash: String,
    /// Path from the record to the batch root, hex, leaf upwards.
    inner_path: Vec<String>,
}

fn raw_name(sequence: u64) -> String {
    format!("raw/{sequence:020}")
}

fn proof_name(sequence: u64) -> String {
    format!("proofs/{sequence:020}.json")
}

fn header_name(batch: u64) -> String {
    format!("batches/{batch:020}.header")
}

fn tlog_proof_name(batch: u64) -> String {
    format!("batches/{batch:020}.tlog-proof")
}

/// A map in which no name stands twice: readers differ in which of two they would take.
fn each_once<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    struct Names;
    impl<'de> serde::de::Visitor<'de> for Names {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("names with hashes")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Self::Value, A::Error> {
            let mut names = BTreeMap::new();
            while let Some((name, hash)) = map.next_entry::<String, String>()? {
                if names.insert(name, hash).is_some() {
                    return Err(serde::de::Error::custom("a file is listed twice"));
                }
            }
            Ok(names)
        }
    }
    deserializer.deserialize_map(Names)
}

/// Text of the note that signs a manifest.
fn manifest_text(manifest: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    format!(
        "{MANIFEST_NOTE}\n{}\n",
        hex::encode(Sha256::digest(manifest))
    )
}
