//! A data folder, opened: log, archive, store, use cases, and the pipeline's thread.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use deedtrail_app::access::Principal;
use deedtrail_app::pipeline::{Detection, Pipeline, REBUILDING, Worker};
use deedtrail_app::retention::Retention;
use deedtrail_app::rule_backtest::Trials;
use deedtrail_app::rule_set::{FoldersRead, InForce, RuleBook};
use deedtrail_app::{App, Ports, configuration, signal, webhook};
use deedtrail_archive::{DeltaArchive, ParquetTables};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::log::EvidenceLog as _;
use deedtrail_core::port::mapper::Mapper as _;
use deedtrail_core::port::store::Store as _;
use deedtrail_core::port::{Clock, Entropy};
use deedtrail_evidence::disk::RealDisk;
use deedtrail_evidence::{Log, LogConfig, timestamp, witness};
use deedtrail_sources::Registry;
use deedtrail_store::SqliteStore;

use crate::config::{Config, FILE_NAME};
use crate::event_key;
use crate::listeners;
use crate::rules;
use crate::signals;
use crate::system::{SystemClock, SystemEntropy, ensure_memory};
use crate::targets;
use crate::timestamps;
use crate::tls::Certificate;
use crate::webhooks;
use crate::witnesses;

/// File of the data folder that holds identities, findings, tokens and decisions.
pub(crate) const STORE_FILE: &str = "control.db";
/// File of the data folder that holds the version of its layout.
pub(crate) const VERSION_FILE: &str = "VERSION";
/// Version of the data folder's layout.
const LAYOUT: &str = "1";
/// Entries from which on it is told that they are to be processed first.
const DERIVED_SILENTLY_MAX: u64 = 1_000;
/// Under this name the archive keeps the log position it covers. It outlives the log's origin,
/// which changes when a restored folder is adopted.
const ARCHIVE_WRITER: &str = "log";

/// Everything of one data folder. One process at a time has it open.
pub(crate) struct Instance {
    pub(crate) config: Config,
    pub(crate) app: Arc<App>,
    pub(crate) log: Arc<Log>,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) archive: Arc<DeltaArchive>,
    /// The log before its witnesses, where there are any.
    pub(crate) witnesses: Option<Arc<witness::Client>>,
    /// The log before time stamp authorities, where there are any.
    pub(crate) timestamps: Option<Arc<timestamp::Client>>,
    pub(crate) worker: Worker,
    /// Where the server listens, once it does.
    pub(crate) address: OnceLock<SocketAddr>,
    /// What the server shows to clients, once it does.
    pub(crate) certificate: OnceLock<Arc<Certificate>>,
    /// The start put other rules of one's own in force than were before.
    pub(crate) rules_replaced: bool,
}

/// A start that is refused leaves the control plane as it found it: closed, so that what changes in it
/// until the next one is told.
struct SealedWhenRefused(Option<Arc<SqliteStore>>);

impl SealedWhenRefused {
    fn started(mut self) {
        self.0 = None;
    }
}

impl Drop for SealedWhenRefused {
    fn drop(&mut self) {
        let sealed = self.0.as_ref().map(|store| store.seal());
        if let Some(Err(error)) = sealed {
            tracing::warn!(%error, "the control plane has no seal: the next start cannot tell what changed");
        }
    }
}

impl Instance {
    /// Logs every mistake in rules and unsafe sequences of one's own, and every doubt about them.
    pub(crate) fn log_rule_mistakes(&self) {
        let in_force = self.app.in_force();
        let problems = in_force.rules_left_out.iter();
        let problems = problems.chain(&in_force.sequences_left_out);
        for problem in problems.chain(&in_force.warnings) {
            tracing::warn!("{problem}");
        }
    }

    /// Opens the data folder, makes it when missing, and starts the pipeline.
    pub(crate) fn open(config: &Config) -> anyhow::Result<Self> {
        prepare(&config.data)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let mapper = Arc::new(registry(config)?);
        let folders = rules::Folders::of(config);
        let read = folders.all()?;
        let names: Vec<SourceName> = mapper.sources().into_iter().map(|one| one.name).collect();
        let webhooks = webhooks::load(config, &names)?;
        let signals = signals::load(config)?;
        let log = open_log(config, &clock, &entropy)?;
        let witnesses = witnesses::open(config, &log)?;
        let timestamps = timestamps::open(config, &log, &entropy)?;
        let witness = witnesses::server(config, (&clock, entropy.as_ref()))?;
        let archive = Arc::new(open_archive(config)?);
        let store = Arc::new(SqliteStore::open(&config.data.join(STORE_FILE))?);
        let refused = SealedWhenRefused(Some(Arc::clone(&store)));
        let event_key = event_key::of_log(&config.data, log.end(), entropy.as_ref())?;
        event_key::compare(store.as_ref(), &event_key)?;
        let ports = Ports {
            log: Arc::clone(&log) as _,
            mapper,
            tables: Arc::new(ParquetTables),
            archive: Arc::clone(&archive) as _,
            store: Arc::clone(&store) as _,
            clock,
            entropy,
        };
        let said = targets::load(config)?;
        let targets = Arc::new(said.targets);
        let app = Arc::new(App {
            book: Arc::new(RuleBook::new(rules::built_in())),
            own_rules: Some(Arc::new(folders)),
            trials: Some(Trials::new(Arc::clone(&targets), event_key)),
            detection: config.detection.clone(),
            webhooks,
            signals,
            listeners: listeners::counters(config),
            sources_of_ways: sources_of_ways(config)?,
            witness,
            witnesses: witnesses.clone().map(|client| client as _),
            ..App::new(ports.clone())
        });
        begin_pushed_feeds(&app, config);
        let (in_force, rules_replaced) = record_what_is_in_force(&app, &read, said.fingerprint)?;
        let detection = Detection {
            rules: Arc::clone(&in_force.rules),
            settings: config.detection.clone(),
            targets,
            sequences: Arc::clone(&in_force.sequences),
            book: Arc::clone(&app.book),
        };
        let retention = retention_in_force(&app, config)?;
        let pipeline = Pipeline::open(ports, detection, event_key)?.fed_by(&app.handover);
        let worker = Worker::start(pipeline.keeping(retention), &app.processing)?;
        refused.started();
        Ok(Self {
            config: config.clone(),
            worker,
            app,
            log,
            store,
            archive,
            witnesses,
            timestamps,
            address: OnceLock::new(),
            certificate: OnceLock::new(),
            rules_replaced,
        })
    }

    /// Where people reach the pages, without a slash at the end.
    pub(crate) fn base(&self) -> String {
        if let Some(url) = &self.config.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let scheme = self.config.tls.as_ref().map_or("http", |_| "https");
        let address = self.address.get().unwrap_or(&self.config.listen);
        format!("{scheme}://{address}")
    }

    /// The link that uses a sign-in secret up.
    pub(crate) fn sign_in_link(&self, secret: &str) -> String {
        format!("{}/sign-in/{secret}", self.base())
    }

    /// What to say while the log is far ahead of what is derived from it, as after a restore, or all of it
    /// is derived anew.
    pub(crate) fn derives(&self) -> anyhow::Result<Option<String>> {
        let end = self.log.end();
        let behind = end.saturating_sub(self.app.processing.position());
        let rebuilds = self.store.setting(REBUILDING)?.unwrap_or_default();
        let (waits, why) = match (rebuilds.is_empty(), self.app.processing.is_rebuilding()) {
            (true, _) => (behind, "as after a restore"),
            (false, true) => (behind, "as a rebuild is under way"),
            // Its thread has not come to it yet.
            (false, false) => (end, "as a rebuild is under way"),
        };
        Ok((waits >= DERIVED_SILENTLY_MAX).then(|| {
            format!(
                "{waits} entries of the log wait: identities, findings and the archive are derived from \
                 them first, {why}"
            )
        }))
    }

    /// Waits until everything in the log is processed. Where no server ticks, what waits for a tick
    /// is then told as well: nobody else would.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        self.worker.wait_through(self.log.end())?;
        let served = self.address.get().is_some();
        if served || self.log.damage().is_some() || !self.app.processing.awaits_tick() {
            return Ok(());
        }
        self.app.rest()?;
        Ok(self.worker.wait_through(self.log.end())?)
    }

    /// Finishes processing and closes the log with a checkpoint.
    pub(crate) fn close(&self) -> anyhow::Result<()> {
        if let Err(error) = self.app.note_repeats() {
            tracing::warn!(%error, "records that were sent again in the last minute are not counted");
        }
        if let Err(error) = self.app.close_views() {
            tracing::warn!(%error, "who looked at what in the last moments is not in the log");
        }
        let stopped = self.worker.stop();
        let closed = self.log.close();
        match self.store.seal() {
            Ok(true) => {}
            Ok(false) => {
                tracing::debug!("the control plane is still read and stays without a seal");
            }
            Err(error) => tracing::warn!(%error, "the control plane has no seal"),
        }
        stopped?;
        Ok(closed?)
    }
}

/// Feeds that are awaited are told of before anything comes by them.
fn begin_pushed_feeds(app: &App, config: &Config) {
    let pushed = config.webhooks.keys().map(|name| webhook::feed(name));
    for feed in pushed.chain(config.signals.keys().map(|name| signal::feed(name))) {
        app.feeds.begin(&feed);
    }
}

/// Sources that the configuration gives to what comes without a name of its own.
fn sources_of_ways(config: &Config) -> anyhow::Result<BTreeMap<String, SourceName>> {
    let listeners = config.listeners.iter();
    let listeners = listeners.map(|(name, one)| ("listeners", name, one.source.as_ref()));
    let folders = config.folders.iter();
    let folders = folders.map(|(name, one)| ("folders", name, one.source.as_ref()));
    let buckets = config.buckets.iter();
    let buckets = buckets.map(|(name, one)| ("buckets", name, one.source.as_ref()));
    let queues = config.nats.iter();
    let queues = queues.map(|(name, one)| ("nats", name, one.source.as_ref()));
    let all = listeners.chain(folders).chain(buckets).chain(queues);
    let named = all.filter_map(|(kind, name, source)| Some((format!("{kind}.{name}"), source?)));
    named
        .map(|(way, source)| {
            let source = SourceName::new(source).with_context(|| format!("`{way}.source`"))?;
            Ok((way, source))
        })
        .collect()
}

/// The sources of this build and of the operator's folder.
pub(crate) fn registry(config: &Config) -> anyhow::Result<Registry> {
    Ok(match &config.sources {
        Some(folder) => Registry::load(folder).context("`sources`")?,
        None => Registry::built_in()?,
    })
}

/// The source of that name among `known`; an error names those that come close.
pub(crate) fn known_source(
    name: &str,
    known: impl IntoIterator<Item = SourceName>,
) -> anyhow::Result<SourceName> {
    let known = deedtrail_app::source_name::known_source(name, known);
    known.map_err(|error| anyhow::anyhow!("{error} (`deedtrail source list` lists them all)"))
}

/// Where this configuration keeps its evidence log.
pub(crate) fn log_config(config: &Config) -> LogConfig {
    LogConfig {
        segment_bytes: config.segment_mib << 20,
        ..LogConfig::new(&config.data, &config.checkpoints)
    }
}

/// Whether there is an installation in the data folder.
pub(crate) fn is_installed(data: &Path) -> std::io::Result<bool> {
    Ok(data.join(VERSION_FILE).try_exists()? || data.join(FILE_NAME).try_exists()?)
}

/// What to say before a new installation is made.
pub(crate) fn making(data: &Path) -> String {
    format!(
        "there is no installation in {} yet: making one",
        data.display()
    )
}

/// An error when nothing was ever installed in the data folder: a mistyped one is not made.
pub(crate) fn ensure_installed(data: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        is_installed(data)?,
        "no installation in {0}; `deedtrail --data {0} init` makes one",
        data.display()
    );
    Ok(())
}

pub(crate) fn open_log(
    config: &Config,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> anyhow::Result<Arc<Log>> {
    let (disk, clock, entropy) = (Arc::new(RealDisk), Arc::clone(clock), Arc::clone(entropy));
    let log = Log::open(&log_config(config), disk, clock, entropy);
    let log = log.with_context(|| format!("data folder {}", config.data.display()))?;
    Ok(Arc::new(log))
}

/// Makes a folder, and those above it that are missing, that only its owner can open.
pub(crate) fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)
}

fn prepare(data: &Path) -> anyhow::Result<()> {
    ensure_memory()?;
    for folder in ["log", "archive", "keys"] {
        let folder = data.join(folder);
        make_private(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let version = data.join(VERSION_FILE);
    match fs::read_to_string(&version) {
        Ok(found) => anyhow::ensure!(
            found.trim() == LAYOUT,
            "{} has layout {}, this version knows {LAYOUT}; use the version that wrote it",
            data.display(),
            found.trim()
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            fs::write(&version, format!("{LAYOUT}\n"))?;
        }
        Err(error) => return Err(error).with_context(|| format!("{}", version.display())),
    }
    Ok(())
}

/// Where the archive lies.
pub(crate) fn archive_folder(config: &Config) -> PathBuf {
    config.data.join("archive")
}

fn open_archive(config: &Config) -> anyhow::Result<DeltaArchive> {
    let folder = archive_folder(config);
    let spill_bytes_max = config.query_spill_mib << 20;
    let archive = DeltaArchive::open_with(&folder, ARCHIVE_WRITER, spill_bytes_max);
    Ok(archive?)
}

/// How long events stay in the archive. By which setting they leave is an entry of the log, once
/// there is one.
fn retention_in_force(app: &App, config: &Config) -> anyhow::Result<Retention> {
    let retention = config.retention.read()?;
    let name = format!("configuration.{}", configuration::RETENTION);
    let was_set = app.ports.store.setting(&name)?.is_some();
    if app.ports.log.damage().is_none() && (was_set || !retention.is_endless()) {
        let content = serde_json::to_vec(&retention)?;
        app.record_configuration(&Principal::local(), configuration::RETENTION, content)?;
    }
    Ok(retention)
}

/// Detection is a function of the log: the rules and mappings in force are entries of it.
fn record_what_is_in_force(
    app: &App,
    read: &FoldersRead,
    targets: String,
) -> anyhow::Result<(Arc<InForce>, bool)> {
    let local = Principal::local();
    let mappings: Vec<String> = app
        .ports
        .mapper
        .sources()
        .iter()
        .map(|source| format!("{} {}\n", source.name, source.mapping_version))
        .collect();
    let settings = serde_json::to_vec(&app.detection)?;
    let in_force = if app.ports.log.damage().is_none() {
        for (note, content) in [
            (configuration::MAPPINGS, mappings.concat().into_bytes()),
            (configuration::TARGETS, targets.into_bytes()),
            (configuration::DETECTION, settings),
        ] {
            app.record_configuration(&local, note, content)?;
        }
        let taken_up = app.take_up_rules(&local, read)?;
        (taken_up.in_force, taken_up.replaced)
    } else {
        (app.show_rules(read), false)
    };
    Ok(in_force)
}
