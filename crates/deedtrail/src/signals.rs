//! Streams of shared signals in the configuration.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use deedtrail_app::signal::{
    Delivery, FetchError, KEYS_BYTES_MAX, KeySet, KeySource, Parties, Stream,
};
use deedtrail_app::webhook::SECRET_BYTES_MIN;
use deedtrail_core::id::SourceName;
use deedtrail_feeds::signal::{
    Client, KeyPlace, PollSettings, Polls, PublishedKeys, address_mistake,
};

use crate::config::{Config, SignalConfig, SignalDelivery};
use crate::instance::Instance;
use crate::{secret, tls};

/// Pause between two polls that bring nothing, unless it is said.
const INTERVAL_S: u64 = 30;

/// Every stream by name.
pub(crate) fn load(config: &Config) -> anyhow::Result<BTreeMap<String, Stream>> {
    let streams = config.signals.iter().map(|(name, signal)| {
        let stream = read(name, signal).with_context(|| format!("signals.{name}"))?;
        Ok((name.clone(), stream))
    });
    streams.collect()
}

/// What is wrong with each of them.
pub(crate) fn mistakes(config: &Config) -> Vec<String> {
    let wrong = config.signals.iter().filter_map(|(name, signal)| {
        let error = read(name, signal).err()?;
        Some(format!("`signals.{name}`: {error:#}"))
    });
    wrong.collect()
}

/// The streams that are polled.
pub(crate) fn polls(instance: &Instance) -> anyhow::Result<Polls> {
    let signals = instance.config.signals.iter();
    let polled = signals.filter(|(_, signal)| signal.delivery == SignalDelivery::Poll);
    let settings = polled.map(|(name, signal)| {
        poll(name, signal, client(signal)?).with_context(|| format!("signals.{name}"))
    });
    let settings = settings.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Polls::new(&instance.app, settings))
}

fn read(name: &str, signal: &SignalConfig) -> anyhow::Result<Stream> {
    // It is part of an address, and of the name under which its deliveries are recorded.
    SourceName::new(name)?;
    for (setting, text) in [("issuer", &signal.issuer), ("audience", &signal.audience)] {
        let is_one_word = !text.is_empty() && !text.contains(char::is_whitespace);
        anyhow::ensure!(is_one_word, "`{setting}` is empty or has white space in it");
    }
    let delivery = match signal.delivery {
        SignalDelivery::Push => push(signal)?,
        SignalDelivery::Poll => {
            poll(name, signal, client(signal)?)?;
            Delivery::Poll
        }
    };
    let parties = Parties {
        issuer: signal.issuer.clone(),
        audience: signal.audience.clone(),
    };
    Ok(Stream::new(parties, delivery, keys(signal)?))
}

fn push(signal: &SignalConfig) -> anyhow::Result<Delivery> {
    anyhow::ensure!(
        signal.endpoint.is_none() && signal.interval_s.is_none(),
        "`endpoint` and `interval_s` are of no use with `delivery = \"push\"`"
    );
    let Some(file) = &signal.authorization_file else {
        return Ok(Delivery::push(None));
    };
    let agreed = secret::read("authorization_file", file)?;
    anyhow::ensure!(
        agreed.trim().len() >= SECRET_BYTES_MIN,
        "`authorization_file` has fewer than {SECRET_BYTES_MIN} bytes; use a random text of 32"
    );
    Ok(Delivery::push(Some(&agreed)))
}

fn poll(name: &str, signal: &SignalConfig, client: Client) -> anyhow::Result<PollSettings> {
    let endpoint = signal.endpoint.as_ref();
    let endpoint = endpoint.context("`endpoint` is missing: where is the stream polled?")?;
    known("endpoint", endpoint)?;
    let token_file = signal.authorization_file.as_ref();
    let token_file = token_file.context("`authorization_file` is missing: who polls?")?;
    let token = secret::read("authorization_file", token_file)?;
    anyhow::ensure!(!token.trim().is_empty(), "`authorization_file` is empty");
    let interval_s = signal.interval_s.unwrap_or(INTERVAL_S);
    Ok(PollSettings {
        name: name.to_owned(),
        endpoint: endpoint.clone(),
        token_file: token_file.clone(),
        interval: Duration::from_secs(interval_s),
        client,
    })
}

fn keys(signal: &SignalConfig) -> anyhow::Result<Box<dyn KeySource>> {
    let place = match (&signal.jwks_uri, &signal.jwks_file) {
        (Some(_), Some(_)) => anyhow::bail!("one of `jwks_uri` and `jwks_file` says the keys"),
        (None, Some(file)) => {
            let keys = FileKeys(file.clone());
            let text = keys.fetch()?;
            KeySet::parse(&text).with_context(|| format!("`jwks_file` {}", file.display()))?;
            return Ok(Box::new(keys));
        }
        (Some(address), None) => {
            known("jwks_uri", address)?;
            KeyPlace::Address(address.clone())
        }
        (None, None) => {
            let asked = known("issuer", &signal.issuer);
            asked.context("its keys cannot be asked for; set `jwks_uri` or `jwks_file`")?;
            let issuer = signal.issuer.clone();
            KeyPlace::Discovery { issuer }
        }
    };
    Ok(Box::new(PublishedKeys::new(client(signal)?, place)))
}

fn known(setting: &str, address: &str) -> anyhow::Result<()> {
    match address_mistake(address) {
        Some(mistake) => anyhow::bail!("`{setting}`: {mistake}"),
        None => Ok(()),
    }
}

fn client(signal: &SignalConfig) -> anyhow::Result<Client> {
    let tls = tls::client(signal.ca_file.as_deref(), None)?;
    Ok(Client::new(tls)?)
}

/// Keys in a file.
#[derive(Debug)]
struct FileKeys(PathBuf);

impl KeySource for FileKeys {
    fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        let read = bounded(&self.0);
        read.map_err(|error| {
            FetchError(format!(
                "cannot read `jwks_file` {}: {error}",
                self.0.display()
            ))
        })
    }
}

/// At most one byte more than a JWK Set may have.
fn bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let limit = KEYS_BYTES_MAX as u64 + 1;
    File::open(path)?.take(limit).read_to_end(&mut text)?;
    Ok(text)
}
