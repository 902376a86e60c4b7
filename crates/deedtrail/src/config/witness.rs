//! Witnesses: `[witnesses.NAME]` and `[witness]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A witness that is asked to cosign the evidence log's checkpoints (c2sp.org/tlog-witness):
/// `[witnesses.NAME]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WitnessedByConfig {
    /// Its submission prefix; of another Deedtrail `https://HOST/v1/witness`.
    #[schemars(example = &"https://witness.example.com/v1/witness")]
    pub(crate) url: String,
    /// Its verifier key, as `deedtrail evidence witness` prints it there.
    #[schemars(example = &"witness.example.com/w+91090cdb+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs")]
    pub(crate) key: String,
    /// Certificates in PEM of the authorities that vouch for it, when it is not those the system
    /// knows.
    pub(crate) ca_file: Option<PathBuf>,
}

/// How witnesses are asked, and what this installation witnesses.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(inline)]
pub(crate) struct WitnessConfig {
    /// How many of `[witnesses]` must vouch for a checkpoint; all of them unless said.
    #[schemars(range(min = 1, max = 32))]
    pub(crate) quorum: Option<usize>,
    /// Time from one asking to the next, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(crate) interval_s: u64,
    /// Name of this installation as a witness; without it one is made from its key.
    pub(crate) name: Option<String>,
    /// Verifier keys of other logs that this installation witnesses, by a name of your choice; the
    /// key is what `deedtrail evidence checkpoint` prints there.
    pub(crate) logs: BTreeMap<String, String>,
}

impl Default for WitnessConfig {
    fn default() -> Self {
        Self {
            quorum: None,
            interval_s: 60,
            name: None,
            logs: BTreeMap::new(),
        }
    }
}
