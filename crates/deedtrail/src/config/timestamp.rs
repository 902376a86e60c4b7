//! Time stamp authorities: `[timestamps.NAME]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A time stamp authority (RFC 3161) that stamps the evidence log's checkpoints:
/// `[timestamps.NAME]`; at most 8.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimestampConfig {
    /// Where it is asked; https, or http on loopback.
    #[schemars(example = &"https://tsa.example.com/tsr")]
    pub(crate) url: String,
    /// Time from one stamp to the next, seconds.
    #[serde(default = "an_hour")]
    #[schemars(range(min = 10, max = 2_592_000))]
    pub(crate) every_s: u64,
    /// Certificates in PEM of the authorities that vouch for the server at `url`, when it is not
    /// those the system knows.
    pub(crate) ca_file: Option<PathBuf>,
    /// Certificates in PEM of the authorities that vouch for who signs the stamps; an answer of
    /// somebody else is refused. Without it, that anybody signed is checked.
    pub(crate) signer_ca_file: Option<PathBuf>,
    /// The policy to stamp under, numbers with dots; the authority's own choice without it.
    #[schemars(example = &"1.3.6.1.4.1.13762.3")]
    pub(crate) policy: Option<String>,
}

fn an_hour() -> u64 {
    3_600
}

impl TimestampConfig {
    pub(super) fn files_mut(&mut self) -> [(&'static str, Option<&mut PathBuf>); 2] {
        [
            ("ca_file", self.ca_file.as_mut()),
            ("signer_ca_file", self.signer_ca_file.as_mut()),
        ]
    }
}
