//! Configuration: flag > `DEEDTRAIL_*` variable > file (TOML) > default.

mod files;
mod mistake;
mod pull;
mod range;
mod retention;
mod signal;
mod target;
mod timestamp;
mod witness;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use deedtrail_app::webhook::Scheme;
use deedtrail_detect::Settings;
use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use pull::{BucketConfig, BucketLayout, FolderConfig, NatsConfig};
pub(crate) use retention::RetentionConfig;
pub(crate) use signal::{SignalConfig, SignalDelivery};
pub(crate) use target::{TargetRuleConfig, TargetsConfig};
pub(crate) use timestamp::TimestampConfig;
pub(crate) use witness::{WitnessConfig, WitnessedByConfig};

/// Settings of one installation. Every field has a default; the file may be empty or missing.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Folder that holds everything: log, archive, control plane, keys.
    pub(crate) data: PathBuf,
    /// Address the server listens on. For anything but loopback set `tls`, or put a TLS proxy
    /// before it.
    pub(crate) listen: SocketAddr,
    /// Certificate of the server; without it HTTP is plain.
    pub(crate) tls: Option<TlsConfig>,
    /// Address people type, when a proxy stands before the server; used in sign-in links.
    #[schemars(example = &"https://deedtrail.example.com")]
    pub(crate) public_url: Option<String>,
    /// Folder with sources of your own, one folder each; they win over built-in ones by name. A
    /// mistake in one stops the start. A relative path starts at the folder of the configuration file.
    #[schemars(example = &"/etc/deedtrail/sources")]
    pub(crate) sources: Option<PathBuf>,
    /// Folder with Sigma rules of your own, searched recursively for `*.yml` and `*.yaml`. A rule
    /// with a mistake is left out: `deedtrail config check` and `deedtrail doctor` tell. A folder that
    /// is not there stops the start. A relative path starts at the folder of the configuration file.
    #[schemars(example = &"/etc/deedtrail/rules")]
    pub(crate) rules: Option<PathBuf>,
    /// Folder with unsafe sequences of your own, searched recursively for `*.yml` and `*.yaml`;
    /// they win over built-in ones by id. One with a mistake is left out: `deedtrail config check`
    /// and `deedtrail doctor` tell. A relative path starts at the folder of the configuration file.
    #[schemars(example = &"/etc/deedtrail/sequences")]
    pub(crate) sequences: Option<PathBuf>,
    /// Webhooks that vendors send to `/v1/webhooks/NAME`.
    pub(crate) webhooks: BTreeMap<String, WebhookConfig>,
    /// Streams of shared signals that are pushed to `/v1/signals/NAME` or polled.
    pub(crate) signals: BTreeMap<String, SignalConfig>,
    /// Addresses at which syslog and RELP are taken.
    pub(crate) listeners: BTreeMap<String, ListenerConfig>,
    /// Folders whose files are taken as they come and grow.
    pub(crate) folders: BTreeMap<String, FolderConfig>,
    /// Prefixes of S3 buckets whose objects are taken.
    pub(crate) buckets: BTreeMap<String, BucketConfig>,
    /// Streams of NATS `JetStream` whose messages are taken.
    pub(crate) nats: BTreeMap<String, NatsConfig>,
    /// Witnesses that are asked to cosign the evidence log's checkpoints.
    pub(crate) witnesses: BTreeMap<String, WitnessedByConfig>,
    /// How witnesses are asked, and what this installation witnesses.
    pub(crate) witness: WitnessConfig,
    /// Time stamp authorities that stamp the evidence log's checkpoints.
    pub(crate) timestamps: BTreeMap<String, TimestampConfig>,
    /// Folder outside `data` where the newest checkpoint is remembered, so that a rolled-back
    /// data folder is noticed.
    pub(crate) checkpoints: PathBuf,
    /// Memory a single query may use, MiB.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub(crate) query_memory_mib: usize,
    /// Disk space that all queries together may use for what does not fit into their memory, MiB; it
    /// lies in `archive/spill` of the data folder and is empty while no query runs.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub(crate) query_spill_mib: u64,
    /// Time a single query may take, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(crate) query_timeout_s: u64,
    /// Size of one segment of the evidence log, MiB.
    #[schemars(range(min = 1, max = 4_096))]
    pub(crate) segment_mib: u64,
    /// Deliveries processed at the same time; further ones are answered 429 with Retry-After.
    #[schemars(range(min = 1, max = 65_536))]
    pub(crate) ingest_concurrency: usize,
    /// How long events stay in the archive, where pages and queries see them: by their own time, in
    /// whole UTC days. The evidence log keeps their records.
    pub(crate) retention: RetentionConfig,
    /// What is said of targets.
    pub(crate) targets: TargetsConfig,
    /// Thresholds of the code detectors.
    pub(crate) detection: Settings,
}

/// The server's certificate: `[tls]`. The files are read again when they change; relative paths
/// start at the folder of the configuration file.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsConfig {
    /// Certificates in PEM: the server's, then those between it and the authority.
    #[schemars(example = &"server.pem")]
    pub(crate) certificate_file: PathBuf,
    /// Private key in PEM; readable by the server only.
    #[schemars(example = &"server.key")]
    pub(crate) key_file: PathBuf,
}

/// A webhook: `[webhooks.NAME]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookConfig {
    /// Source of the records, e.g. `github.webhook`.
    #[schemars(example = &"github.webhook")]
    pub(crate) source: String,
    /// How the vendor signs: `github`, `okta`, `slack`, `standard` (Standard Webhooks) or `zoom`.
    #[schemars(with = "String")]
    #[schemars(example = &"github")]
    pub(crate) scheme: Scheme,
    /// File that holds the secret; readable by the server only. A relative path starts at the
    /// folder of the configuration file.
    #[schemars(example = &"github.secret")]
    pub(crate) secret_file: PathBuf,
}

/// A listener for senders without HTTP: `[listeners.NAME]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListenerConfig {
    /// `syslog` (TCP), `syslog-udp` or `relp`.
    #[schemars(example = &"syslog")]
    pub(crate) protocol: ListenerProtocol,
    /// Address and port.
    #[schemars(example = &"127.0.0.1:6514")]
    pub(crate) listen: SocketAddr,
    /// Source of everything that comes; without it each message tells its own.
    pub(crate) source: Option<String>,
    /// Addresses and networks that may send, such as `192.0.2.0/24`.
    #[serde(default = "loopback")]
    pub(crate) allow: Vec<String>,
    /// Encrypt, with the certificate of `[tls]`; not for UDP.
    #[serde(default)]
    pub(crate) tls: bool,
    /// Certificates in PEM of the authorities whose clients may send; who has none is refused.
    pub(crate) client_ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ListenerProtocol {
    Syslog,
    SyslogUdp,
    Relp,
}

fn loopback() -> Vec<String> {
    vec!["127.0.0.0/8".to_owned(), "::1".to_owned()]
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: user_folder("XDG_DATA_HOME", ".local/share"),
            listen: SocketAddr::from(([127, 0, 0, 1], 8650)),
            tls: None,
            public_url: None,
            sources: None,
            rules: None,
            sequences: None,
            webhooks: BTreeMap::new(),
            signals: BTreeMap::new(),
            listeners: BTreeMap::new(),
            folders: BTreeMap::new(),
            buckets: BTreeMap::new(),
            nats: BTreeMap::new(),
            witnesses: BTreeMap::new(),
            witness: WitnessConfig::default(),
            timestamps: BTreeMap::new(),
            checkpoints: user_folder("XDG_STATE_HOME", ".local/state").join("checkpoints"),
            query_memory_mib: 512,
            query_spill_mib: 2048,
            query_timeout_s: 30,
            segment_mib: 64,
            ingest_concurrency: 64,
            retention: RetentionConfig::default(),
            targets: TargetsConfig::default(),
            detection: Settings::default(),
        }
    }
}

/// The file read when no `--config` names one, inside the data folder.
pub(crate) const FILE_NAME: &str = "deedtrail.toml";

impl Config {
    /// The file that is read: `file` when the command line names one, else that of the data folder.
    pub(crate) fn path(file: Option<&Path>, data: Option<&Path>) -> PathBuf {
        let folder = || {
            let figment = Figment::from(Serialized::defaults(Self::default()));
            let configured = figment.merge(variables()).extract_inner("data");
            configured.unwrap_or_else(|_| Self::default().data)
        };
        let in_data = || data.map_or_else(folder, Path::to_owned).join(FILE_NAME);
        file.map_or_else(in_data, Path::to_owned)
    }

    /// Every mistake of a file, setting by setting, as `file:line: what`; [`Self::load`] stops at
    /// the first. A missing file has none.
    pub(crate) fn mistakes(path: &Path) -> Vec<String> {
        mistake::of_file(path)
    }

    /// Reads the file and the environment; `data` and `file` are the command line's flags.
    pub(crate) fn load(file: Option<&Path>, data: Option<&Path>) -> anyhow::Result<Self> {
        let path = Self::path(file, data);
        let text = match file {
            Some(_) => Toml::file_exact(&path),
            None => Toml::file(&path),
        };
        let figment = Figment::from(Serialized::defaults(Self::default())).merge(text);
        let figment = last(figment, data);
        let values: serde_json::Value = figment.extract()?;
        let out_of_range = range::out_of_range(&values, &Self::schema());
        let extracted = match out_of_range.first() {
            Some(number) => Err(anyhow::anyhow!("{number}")),
            None => figment.extract::<Self>().map_err(anyhow::Error::from),
        };
        let mut config = extracted.map_err(|error| match Self::mistakes(&path) {
            // It stands in a variable.
            mistakes if mistakes.is_empty() => error,
            mistakes => anyhow::anyhow!(mistakes.join("\n")),
        })?;
        config.anchor(path.parent().unwrap_or(Path::new("")))?;
        Ok(config)
    }

    /// As [`Self::load`], without what is wrong in the file: `None` where that is nothing, or where
    /// what is left says nothing by itself. An error is one of the environment's.
    pub(crate) fn load_sound(
        file: Option<&Path>,
        data: Option<&Path>,
    ) -> anyhow::Result<Option<Self>> {
        let path = Self::path(file, data);
        let Some(sound) = mistake::sound(&path) else {
            return Ok(None);
        };
        let figment = Figment::from(Serialized::defaults(Self::default()));
        let figment = last(figment.merge(Serialized::globals(sound)), data);
        let mut config: Self = figment.extract()?;
        config.anchor(path.parent().unwrap_or(Path::new("")))?;
        Ok(Some(config))
    }

    /// A sentence that begins with the name of a setting, with the place of that in the file.
    pub(crate) fn placed(path: &Path, sentence: String) -> String {
        mistake::placed(path, sentence)
    }

    /// The JSON Schema of the file.
    pub(crate) fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

/// What wins over the file: the environment, then the command line's flag.
fn last(figment: Figment, data: Option<&Path>) -> Figment {
    let figment = figment.merge(variables());
    match data {
        Some(folder) => figment.merge(Serialized::default("data", folder)),
        None => figment,
    }
}

/// `DEEDTRAIL_LOG` steers our own log output and is not a setting.
fn variables() -> Env {
    Env::prefixed("DEEDTRAIL_").ignore(&["log"])
}

#[expect(
    clippy::disallowed_methods,
    reason = "this module is where the environment is read"
)]
fn user_folder(variable: &str, fallback: &str) -> PathBuf {
    let base = std::env::var(variable)
        .ok()
        .filter(|text| !text.is_empty())
        .map(PathBuf::from);
    let home = || PathBuf::from(std::env::var("HOME").unwrap_or_else(|_| ".".into()));
    base.unwrap_or_else(|| home().join(fallback))
        .join("deedtrail")
}
