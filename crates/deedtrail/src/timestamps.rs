//! Time stamp authorities of the configuration, asked again and again.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use deedtrail_core::port::{Clock, Entropy};
use deedtrail_evidence::Log;
use deedtrail_evidence::disk::RealDisk;
use deedtrail_evidence::timestamp::{
    ANSWER_BYTES_MAX, AUTHORITIES_MAX, Authorities, Authority, Carrier, Client, is_authority_name,
};
use deedtrail_feeds::signal::{Client as Http, address_mistake};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::config::{Config, TimestampConfig};
use crate::instance::{Instance, make_private};
use crate::tls;

/// Largest file of certificates, bytes.
const AUTHORITIES_BYTES_MAX: u64 = 1 << 20;
/// Media type of a request (RFC 3161, section 3.4).
const QUERY: &str = "application/timestamp-query";

/// Carries what is asked over HTTP.
#[derive(Debug)]
struct Post(Http);

impl Carrier for Post {
    fn post(&self, address: &str, request: Vec<u8>) -> Result<Vec<u8>, String> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let exchange = self.0.exchange(address, (QUERY, request), ANSWER_BYTES_MAX);
        match runtime.block_on(exchange) {
            Ok((200, answer)) => Ok(answer),
            Ok((status, _)) => Err(format!("it answered {status}")),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Our log before those that are asked; `None` when nobody is.
pub(crate) fn open(
    config: &Config,
    log: &Arc<Log>,
    entropy: &Arc<dyn Entropy>,
) -> anyhow::Result<Option<Arc<Client>>> {
    let authorities = authorities(config)?;
    if authorities.is_empty() {
        return Ok(None);
    }
    let folder = folder(&config.data);
    make_private(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let places = (Arc::new(RealDisk) as _, folder);
    let client = Client::new(Arc::clone(log), authorities, places, Arc::clone(entropy));
    Ok(Some(Arc::new(client)))
}

/// Where stamps are kept.
pub(crate) fn folder(data: &Path) -> std::path::PathBuf {
    data.join("state").join("timestamps")
}

/// What is wrong with each of them.
pub(crate) fn mistakes(config: &Config) -> Vec<String> {
    let too_many = too_many(config).err();
    let wrong = each(config).filter_map(Result::err);
    let wrong = too_many.into_iter().chain(wrong);
    wrong.map(|error| format!("{error:#}")).collect()
}

fn authorities(config: &Config) -> anyhow::Result<Vec<Authority>> {
    too_many(config)?;
    each(config).collect()
}

fn too_many(config: &Config) -> anyhow::Result<()> {
    let count = config.timestamps.len();
    anyhow::ensure!(
        count <= AUTHORITIES_MAX,
        "`timestamps`: {count} authorities, at most {AUTHORITIES_MAX} are asked"
    );
    Ok(())
}

fn each(config: &Config) -> impl Iterator<Item = anyhow::Result<Authority>> {
    let all = config.timestamps.iter();
    all.map(|(name, one)| authority(name, one).with_context(|| format!("`timestamps.{name}`")))
}

fn authority(name: &str, config: &TimestampConfig) -> anyhow::Result<Authority> {
    anyhow::ensure!(
        is_authority_name(name),
        "a name has letters, digits, `-` and `_` only, at most 60 of them"
    );
    if let Some(mistake) = address_mistake(&config.url) {
        anyhow::bail!("`url`: {mistake}");
    }
    let policy = config.policy.as_deref().map(Authority::parse_policy);
    let trusted = config.signer_ca_file.as_deref().map(read_authorities);
    let http = Http::new(tls::client(config.ca_file.as_deref(), None)?)?;
    Ok(Authority {
        name: name.to_owned(),
        url: config.url.clone(),
        policy: policy.transpose().context("`policy`")?,
        trusted: trusted.transpose().context("`signer_ca_file`")?,
        carrier: Box::new(Post(http)),
    })
}

/// The certificates of a file in PEM.
pub(crate) fn read_authorities(file: &Path) -> anyhow::Result<Authorities> {
    let read = || -> anyhow::Result<Authorities> {
        let bytes = std::fs::metadata(file)?.len();
        anyhow::ensure!(
            bytes <= AUTHORITIES_BYTES_MAX,
            "it has {bytes} bytes, at most {AUTHORITIES_BYTES_MAX} are read"
        );
        Ok(Authorities::from_pem(&std::fs::read(file)?)?)
    };
    read().with_context(|| format!("{}", file.display()))
}

/// Asks them again and again until `shutdown` completes.
pub(crate) async fn run(instance: &Instance, shutdown: impl Future<Output = ()>) {
    let Some(client) = &instance.timestamps else {
        return;
    };
    let mut asking = JoinSet::new();
    for (at, authority) in client.authorities().iter().enumerate() {
        let Some(one) = instance.config.timestamps.get(&authority.name) else {
            continue;
        };
        let every = Duration::from_secs(one.every_s);
        let clock = Arc::clone(&instance.app.ports.clock);
        asking.spawn(ask_for_ever((Arc::clone(client), at), every, clock));
    }
    // The tasks end with the set.
    shutdown.await;
}

async fn ask_for_ever((client, at): (Arc<Client>, usize), every: Duration, clock: Arc<dyn Clock>) {
    let first = until_next(&client.authorities()[at], &client, every, &*clock);
    let mut interval = tokio::time::interval_at(tokio::time::Instant::now() + first, every);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let client = Arc::clone(&client);
        let asked = tokio::task::spawn_blocking(move || {
            let authority = &client.authorities()[at];
            if let Err(fault) = client.ask(authority) {
                tracing::warn!(authority = authority.name, %fault, "no time stamp");
            }
        });
        if let Err(error) = asked.await {
            tracing::error!(%error, "asking for a time stamp ended unexpectedly");
        }
    }
}

/// A server that is started again and again does not ask each time.
fn until_next(
    authority: &Authority,
    client: &Client,
    every: Duration,
    clock: &dyn Clock,
) -> Duration {
    let Some((_, newest)) = client.standing(authority).newest else {
        return Duration::ZERO;
    };
    let since = u64::try_from(clock.now().micros_since(newest)).unwrap_or(0);
    every.saturating_sub(Duration::from_micros(since))
}
