//! Feeds that the server fetches itself: `[folders.NAME]`, `[buckets.NAME]`, `[nats.NAME]`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A folder whose files are taken as they come and grow: `[folders.NAME]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FolderConfig {
    /// Patterns of file names such as `/var/log/vault/audit.log*`; let them match rotated files
    /// too. A relative one starts at the folder of the configuration file.
    #[schemars(example = ["/var/log/vault/audit.log*"])]
    pub(crate) files: Vec<PathBuf>,
    /// Source of the records, e.g. `vault.audit`; without it each record tells its own.
    #[schemars(example = &"vault.audit")]
    pub(crate) source: Option<String>,
}

/// A prefix of an S3 bucket whose objects are taken: `[buckets.NAME]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BucketConfig {
    /// `s3://BUCKET` or `s3://BUCKET/PREFIX`.
    #[schemars(example = &"s3://acme-trail/logs")]
    pub(crate) url: String,
    /// Source of the records, e.g. `aws.cloudtrail`; without it each record tells its own.
    #[schemars(example = &"aws.cloudtrail")]
    pub(crate) source: Option<String>,
    /// What the keys say: `cloudtrail` (`AWSLogs/ACCOUNT/CloudTrail/REGION/…` below the prefix),
    /// `ordered` (later objects have greater keys) or `any` (everything is listed each time).
    #[serde(default)]
    pub(crate) layout: BucketLayout,
    /// Region of the bucket; else what the environment says.
    pub(crate) region: Option<String>,
    /// Address of a store that is not Amazon's, such as `https://minio.example.com`.
    pub(crate) endpoint: Option<String>,
    /// File that holds the id of the access key; without it the environment or the instance gives
    /// the key.
    pub(crate) access_key_id_file: Option<PathBuf>,
    /// File that holds the secret of the access key.
    pub(crate) secret_access_key_file: Option<PathBuf>,
    /// File that holds the token of a session, where the key is of one.
    pub(crate) session_token_file: Option<PathBuf>,
    /// Objects may appear this many hours after newer ones; later ones are missed.
    #[serde(default = "day")]
    #[schemars(range(min = 0, max = 8_760))]
    pub(crate) look_back_h: u64,
    /// Time from one listing to the next, seconds.
    #[serde(default = "minute")]
    #[schemars(range(min = 1, max = 86_400))]
    pub(crate) every_s: u64,
    /// Objects that the store got before this day (UTC, `2026-11-01`) are left.
    pub(crate) since: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BucketLayout {
    CloudTrail,
    Ordered,
    #[default]
    Any,
}

/// A stream of NATS `JetStream` whose messages are taken: `[nats.NAME]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NatsConfig {
    /// `nats://HOST:PORT`, or `tls://HOST:PORT`.
    #[schemars(example = ["nats://127.0.0.1:4222"])]
    pub(crate) servers: Vec<String>,
    /// Name of the stream.
    #[schemars(example = &"AUDIT")]
    pub(crate) stream: String,
    /// Durable consumer; it is made unless it is there.
    #[serde(default = "consumer")]
    pub(crate) consumer: String,
    /// Subjects that are asked for, when it is not the whole stream.
    pub(crate) filter: Option<String>,
    /// Source of everything that comes; else a header or the subject names it, or each message
    /// tells its own.
    pub(crate) source: Option<String>,
    /// Sources by patterns of subjects, such as `"audit.vault.>" = "vault.audit"`; they win over
    /// `source`.
    #[serde(default)]
    pub(crate) subjects: BTreeMap<String, String>,
    /// Messages that may be unacknowledged at a time.
    #[serde(default = "in_flight")]
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) in_flight: usize,
    /// How long one may be before it is delivered again, seconds; of a consumer that is made.
    #[serde(default = "minute")]
    #[schemars(range(min = 1, max = 86_400))]
    pub(crate) ack_wait_s: u64,
    /// File of credentials, as `nsc` makes it.
    pub(crate) credentials_file: Option<PathBuf>,
    /// File that holds the seed of an nkey.
    pub(crate) nkey_file: Option<PathBuf>,
    /// File that holds a token.
    pub(crate) token_file: Option<PathBuf>,
    /// Name of a user.
    pub(crate) user: Option<String>,
    /// File that holds the user's password.
    pub(crate) password_file: Option<PathBuf>,
    /// Certificates in PEM of the authorities that vouch for the server, when it is not those the
    /// system knows. Connections are then encrypted.
    pub(crate) ca_file: Option<PathBuf>,
    /// Our certificate in PEM, for servers that ask for one.
    pub(crate) certificate_file: Option<PathBuf>,
    /// The key of our certificate, in PEM.
    pub(crate) key_file: Option<PathBuf>,
}

const fn day() -> u64 {
    24
}

const fn minute() -> u64 {
    60
}

const fn in_flight() -> usize {
    1_000
}

fn consumer() -> String {
    "deedtrail".to_owned()
}

impl FolderConfig {
    pub(super) fn anchor(&mut self, folder: &Path) {
        // Only what was written is a pattern.
        let folder = PathBuf::from(glob::Pattern::escape(&folder.to_string_lossy()));
        for path in &mut self.files {
            *path = folder.join(&*path);
        }
    }
}

impl BucketConfig {
    pub(super) fn files_mut(&mut self) -> [(&'static str, Option<&mut PathBuf>); 3] {
        [
            ("access_key_id_file", self.access_key_id_file.as_mut()),
            (
                "secret_access_key_file",
                self.secret_access_key_file.as_mut(),
            ),
            ("session_token_file", self.session_token_file.as_mut()),
        ]
    }
}

impl NatsConfig {
    pub(super) fn files_mut(&mut self) -> [(&'static str, Option<&mut PathBuf>); 7] {
        [
            ("credentials_file", self.credentials_file.as_mut()),
            ("nkey_file", self.nkey_file.as_mut()),
            ("token_file", self.token_file.as_mut()),
            ("password_file", self.password_file.as_mut()),
            ("ca_file", self.ca_file.as_mut()),
            ("certificate_file", self.certificate_file.as_mut()),
            ("key_file", self.key_file.as_mut()),
        ]
    }
}
