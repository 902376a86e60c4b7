//! Witnesses of the configuration: those that are asked, and the one this installation is.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use deedtrail_core::port::witness::Witness;
use deedtrail_core::port::{Clock, Entropy};
use deedtrail_evidence::disk::RealDisk;
use deedtrail_evidence::note::VerifierKey;
use deedtrail_evidence::witness::{self, Asked, Client, Courier, Policy, Reply, Server};
use deedtrail_evidence::{Log, public_key};
use deedtrail_feeds::signal::{Client as Http, address_mistake};
use tokio::runtime::Builder;

use crate::config::{Config, WitnessedByConfig};
use crate::instance::{log_config, make_private};
use crate::tls;

/// Largest answer of a witness, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Carries what is asked over HTTP.
#[derive(Debug)]
struct Post(Http);

impl Courier for Post {
    fn post(&self, address: &str, body: String) -> Result<Reply, String> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let body = ("text/plain; charset=utf-8", body.into_bytes());
        let exchange = self.0.exchange(address, body, ANSWER_BYTES_MAX);
        let (status, body) = runtime
            .block_on(exchange)
            .map_err(|error| error.to_string())?;
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Reply { status, body })
    }
}

/// Our log before those that are asked; `None` when nobody is.
pub(crate) fn open(config: &Config, log: &Arc<Log>) -> anyhow::Result<Option<Arc<Client>>> {
    let Some(policy) = policy(config)? else {
        return Ok(None);
    };
    let state = config.data.join("state");
    make_private(&state).with_context(|| format!("cannot make {}", state.display()))?;
    let file = state.join("witnesses.json");
    let client = Client::open(Arc::clone(log), policy, Arc::new(RealDisk), file);
    Ok(Some(Arc::new(client)))
}

/// What this installation is to other logs; `None` when it witnesses none.
pub(crate) fn server(
    config: &Config,
    (clock, entropy): (&Arc<dyn Clock>, &dyn Entropy),
) -> anyhow::Result<Option<Arc<dyn Witness>>> {
    let logs = logs(config)?;
    if logs.is_empty() {
        return Ok(None);
    }
    let folder = witnessed_folder(config);
    make_private(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let key = key_file(config);
    let around = (Arc::new(RealDisk) as _, Arc::clone(clock), entropy);
    let name = config.witness.name.as_deref();
    let server = Server::open((&folder, &key), name, logs, around).context("`witness`")?;
    Ok(Some(Arc::new(server)))
}

fn witnessed_folder(config: &Config) -> PathBuf {
    config.data.join("state").join("witnessed")
}

fn key_file(config: &Config) -> PathBuf {
    config.data.join("keys").join("witness.key")
}

/// Puts away the key by which this installation witnesses, and what it saw: where the data folder
/// was put back, it may have vouched for more than it remembers. True when there was a key.
pub(crate) fn set_aside(config: &Config, suffix: &str) -> anyhow::Result<bool> {
    // The folder without its key is no witness; the key without its folder has forgotten all. So the
    // key goes first, and durably.
    let had_key = put_away(&key_file(config), suffix)?;
    put_away(&witnessed_folder(config), suffix)?;
    Ok(had_key)
}

/// Renames what is at `path`, durably; false when nothing is.
fn put_away(path: &Path, suffix: &str) -> anyhow::Result<bool> {
    let aside = path.with_extension(format!("before-{suffix}"));
    match std::fs::rename(path, &aside) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => {
            let said = format!(
                "cannot move {0}: as long as it is there, this installation may vouch for another history \
                 of what it saw before; move it away yourself",
                path.display()
            );
            return Err(error).context(said);
        }
    }
    if let Some(folder) = path.parent() {
        let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.with_context(|| format!("cannot sync {}", folder.display()))?;
    }
    Ok(true)
}

/// Keys of this installation itself: who holds them vouches for nobody but the operator.
fn own_keys(config: &Config) -> Vec<[u8; 32]> {
    let files = [key_file(config), log_config(config).signing_key];
    // One that cannot be read is told when it is used.
    let keys = files
        .iter()
        .filter_map(|file| public_key(&RealDisk, file).ok().flatten());
    keys.collect()
}

/// What is wrong with each of them, and with the logs that are witnessed.
pub(crate) fn mistakes(config: &Config) -> Vec<String> {
    let mut wrong: Vec<anyhow::Error> = each(config).filter_map(Result::err).collect();
    if wrong.is_empty() {
        // How many they are to be says something only of those that are right.
        wrong.extend(policy(config).err());
    }
    wrong.extend(each_log(config).filter_map(Result::err));
    let said = wrong.iter().map(|error| format!("{error:#}"));
    said.collect()
}

fn logs(config: &Config) -> anyhow::Result<Vec<VerifierKey>> {
    each_log(config).collect()
}

fn each_log(config: &Config) -> impl Iterator<Item = anyhow::Result<VerifierKey>> {
    let own = own_keys(config);
    config.witness.logs.iter().map(move |(name, key)| {
        let key: anyhow::Result<VerifierKey> = key.trim().parse().map_err(Into::into);
        let key = key.and_then(|key| {
            anyhow::ensure!(
                !own.contains(&key.key_bytes()),
                "it is this installation's own key; witness the logs of others"
            );
            Ok(key)
        });
        key.with_context(|| format!("`witness.logs.{name}`"))
    })
}

fn each(config: &Config) -> impl Iterator<Item = anyhow::Result<witness::Witness>> {
    config.witnesses.iter().map(|(name, one)| {
        let witness = asked(name, one);
        witness.with_context(|| format!("`witnesses.{name}`"))
    })
}

fn policy(config: &Config) -> anyhow::Result<Option<Policy>> {
    if config.witnesses.is_empty() {
        let quorum = config.witness.quorum;
        anyhow::ensure!(
            quorum.is_none(),
            "`witness.quorum`: there are no `[witnesses]`"
        );
        return Ok(None);
    }
    let witnesses = each(config).collect::<anyhow::Result<Vec<_>>>()?;
    let quorum = config.witness.quorum.unwrap_or(witnesses.len());
    let own = own_keys(config);
    let is_own = |one: &&witness::Witness| own.contains(&one.key.key_bytes());
    if let Some(one) = witnesses.iter().find(is_own) {
        anyhow::bail!(
            "`witnesses.{}.key`: it is this installation's own key, which proves nothing to \
             others; name a witness that somebody else runs",
            one.name
        );
    }
    let policy = Policy { witnesses, quorum };
    match policy.mistake() {
        Some(mistake) => anyhow::bail!("`witnesses`: {mistake}"),
        None => Ok(Some(policy)),
    }
}

fn asked(name: &str, config: &WitnessedByConfig) -> anyhow::Result<witness::Witness> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    anyhow::ensure!(
        !name.is_empty() && name.chars().all(is_word),
        "a name has letters, digits, `-`, `_` and `.` only"
    );
    if let Some(mistake) = address_mistake(&config.url) {
        anyhow::bail!("`url`: {mistake}");
    }
    let http = Http::new(tls::client(config.ca_file.as_deref(), None)?)?;
    Ok(witness::Witness {
        name: name.to_owned(),
        key: config.key.trim().parse().context("`key`")?,
        url: config.url.trim_end_matches('/').to_owned(),
        courier: Box::new(Post(http)),
    })
}

/// Asks them again and again until `shutdown` completes.
pub(crate) async fn run(
    client: Option<Arc<Client>>,
    interval_s: u64,
    shutdown: impl Future<Output = ()>,
) {
    let Some(client) = client else {
        return;
    };
    let asking = async {
        let mut interval = tokio::time::interval(Duration::from_secs(interval_s));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let client = Arc::clone(&client);
            match tokio::task::spawn_blocking(move || client.ask()).await {
                Ok(asked) => note(&asked),
                Err(error) => tracing::error!(%error, "asking the witnesses ended unexpectedly"),
            }
        }
    };
    tokio::select! {
        () = asking => {}
        () = shutdown => {}
    }
}

fn note(asked: &Asked) {
    for (witness, fault) in &asked.faults {
        match fault {
            witness::WitnessFault::Ahead { .. } | witness::WitnessFault::Forked(_) => {
                tracing::error!(%witness, %fault, "a witness saw another history of this log");
            }
            _ => tracing::warn!(%witness, %fault, "a witness did not cosign"),
        }
    }
}
