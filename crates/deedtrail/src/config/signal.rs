//! Streams of shared signals: `[signals.NAME]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A stream of a transmitter of shared signals (SSF, CAEP, RISC): `[signals.NAME]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignalConfig {
    /// Issuer of the tokens, exactly as their `iss` has it.
    #[schemars(example = &"https://idp.example.com")]
    pub(crate) issuer: String,
    /// What their `aud` names us.
    #[schemars(example = &"https://deedtrail.example.com")]
    pub(crate) audience: String,
    /// `push` (to `/v1/signals/NAME`) or `poll`.
    #[schemars(example = &"push")]
    pub(crate) delivery: SignalDelivery,
    /// Address of the issuer's keys (a JWK Set); without it the issuer's
    /// `/.well-known/ssf-configuration` is asked.
    pub(crate) jwks_uri: Option<String>,
    /// File that holds the issuer's keys, in place of an address; read again once an hour.
    pub(crate) jwks_file: Option<PathBuf>,
    /// Pushed: file of the whole `Authorization` header the transmitter was told to send. Polled:
    /// file of the bearer token we send, read again for each question.
    pub(crate) authorization_file: Option<PathBuf>,
    /// Polled: the stream's address at the transmitter.
    pub(crate) endpoint: Option<String>,
    /// Polled: pause between two questions that bring nothing, seconds; 30 unless said.
    #[schemars(range(min = 1, max = 86_400))]
    pub(crate) interval_s: Option<u64>,
    /// Certificates in PEM of the authorities that vouch for the transmitter, when it is not those
    /// the system knows.
    pub(crate) ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SignalDelivery {
    Push,
    Poll,
}

impl SignalConfig {
    pub(super) fn files_mut(&mut self) -> [(&'static str, Option<&mut PathBuf>); 3] {
        [
            ("jwks_file", self.jwks_file.as_mut()),
            ("authorization_file", self.authorization_file.as_mut()),
            ("ca_file", self.ca_file.as_mut()),
        ]
    }
}
