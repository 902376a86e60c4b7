//! Pullers of the configuration: folders, buckets, queues.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use deedtrail_core::id::SourceName;
use deedtrail_core::time::Timestamp;
use deedtrail_feeds::pull::{
    BucketSettings, FolderSettings, Layout, Login, Puller, Pullers, QueueSettings, S3, Subjects,
    subject_mistake,
};

use crate::config::{BucketConfig, BucketLayout, Config, FolderConfig, NatsConfig};
use crate::instance::{Instance, known_source};
use crate::{secret, tls};

/// Opens every puller of the configuration.
pub(crate) fn open(instance: &Instance) -> anyhow::Result<Pullers> {
    let config = &instance.config;
    let facts = instance.app.ports.mapper.sources().into_iter();
    let sources: Vec<SourceName> = facts.map(|facts| facts.name).collect();
    let pullers = all(config, &sources).map(|(name, puller)| puller.context(name));
    let pullers = pullers.collect::<anyhow::Result<Vec<_>>>()?;
    let state = config.data.join("state");
    Ok(Pullers::open(&instance.app, &state, pullers)?)
}

/// What is wrong with each of them.
pub(crate) fn mistakes(config: &Config, sources: &[SourceName]) -> Vec<String> {
    let wrong = all(config, sources).filter_map(|(name, puller)| {
        let error = puller.err()?;
        Some(format!("`{name}`: {error:#}"))
    });
    wrong.collect()
}

/// Every puller with its name in the configuration.
fn all<'a>(
    config: &'a Config,
    sources: &'a [SourceName],
) -> impl Iterator<Item = (String, anyhow::Result<Puller>)> + 'a {
    let folders = config.folders.iter().map(|(name, one)| {
        let puller = folder(name, one, sources).map(Puller::Folder);
        (format!("folders.{name}"), puller)
    });
    let buckets = config.buckets.iter().map(|(name, one)| {
        let puller = bucket(name, one, sources).map(Puller::Bucket);
        (format!("buckets.{name}"), puller)
    });
    let queues = config.nats.iter().map(|(name, one)| {
        let puller = queue(name, one, sources);
        (
            format!("nats.{name}"),
            puller.map(|one| Puller::Queue(Box::new(one))),
        )
    });
    folders.chain(buckets).chain(queues)
}

/// The source that is named, if one is.
fn one_source(name: Option<&str>, sources: &[SourceName]) -> anyhow::Result<Option<SourceName>> {
    name.map(|name| known_source(name, sources.iter().cloned()))
        .transpose()
}

fn folder(
    name: &str,
    config: &FolderConfig,
    sources: &[SourceName],
) -> anyhow::Result<FolderSettings> {
    // It is part of the name of a file, and of what is logged.
    SourceName::new(name)?;
    anyhow::ensure!(!config.files.is_empty(), "`files` names none");
    let mut files = Vec::with_capacity(config.files.len());
    for pattern in &config.files {
        let text = pattern.to_string_lossy();
        glob::Pattern::new(&text).with_context(|| format!("`files`: {text} is no pattern"))?;
        anyhow::ensure!(
            !pattern.is_dir(),
            "`files`: {text} is a folder; name its files, such as {text}/*"
        );
        files.push(std::path::absolute(pattern)?);
    }
    Ok(FolderSettings {
        name: name.to_owned(),
        files,
        source: one_source(config.source.as_deref(), sources)?,
    })
}

fn bucket(
    name: &str,
    config: &BucketConfig,
    sources: &[SourceName],
) -> anyhow::Result<BucketSettings> {
    SourceName::new(name)?;
    let place = config.url.strip_prefix("s3://");
    let place = place.with_context(|| format!("`url`: {} is no s3://BUCKET/PREFIX", config.url))?;
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    anyhow::ensure!(!bucket.is_empty(), "`url`: {} names no bucket", config.url);
    let since = config.since.as_ref().map(|day| {
        let begins = Timestamp::parse_rfc3339(&format!("{day}T00:00:00Z"));
        begins.with_context(|| format!("`since`: `{day}` is no day; write 2026-11-01"))
    });
    let s3 = S3 {
        bucket: bucket.to_owned(),
        region: config.region.clone(),
        endpoint: config.endpoint.clone(),
        keys: keys(config)?,
    };
    Ok(BucketSettings {
        name: name.to_owned(),
        place: format!("{} {bucket}", config.endpoint.as_deref().unwrap_or("s3")),
        store: s3.open()?,
        prefix: prefix.to_owned(),
        source: one_source(config.source.as_deref(), sources)?,
        layout: match config.layout {
            BucketLayout::CloudTrail => Layout::CloudTrail,
            BucketLayout::Ordered => Layout::Ordered,
            BucketLayout::Any => Layout::Any,
        },
        look_back: Duration::from_secs(config.look_back_h.saturating_mul(3600)),
        every: Duration::from_secs(config.every_s),
        since: since.transpose()?,
    })
}

fn keys(config: &BucketConfig) -> anyhow::Result<Option<(String, String, Option<String>)>> {
    let token = one("session_token_file", config.session_token_file.as_ref())?;
    let id = one("access_key_id_file", config.access_key_id_file.as_ref())?;
    let secret = one(
        "secret_access_key_file",
        config.secret_access_key_file.as_ref(),
    )?;
    match (id, secret) {
        (Some(id), Some(secret)) => Ok(Some((id, secret, token))),
        (None, None) if token.is_none() => Ok(None),
        _ => anyhow::bail!("`access_key_id_file` and `secret_access_key_file` go together"),
    }
}

/// A secret in one line.
fn one(setting: &str, file: Option<&PathBuf>) -> anyhow::Result<Option<String>> {
    let text = file.map(|file| secret::read(setting, file)).transpose()?;
    let text = text.map(|text| text.trim().to_owned());
    anyhow::ensure!(
        text.as_deref() != Some(""),
        "`{setting}`: the file is empty"
    );
    Ok(text)
}

fn queue(name: &str, config: &NatsConfig, sources: &[SourceName]) -> anyhow::Result<QueueSettings> {
    SourceName::new(name)?;
    anyhow::ensure!(!config.servers.is_empty(), "`servers` names none");
    let mut subjects = Vec::new();
    for (pattern, source) in &config.subjects {
        if let Some(mistake) = subject_mistake(pattern) {
            anyhow::bail!("`subjects`: {mistake}");
        }
        let source = known_source(source, sources.iter().cloned())?;
        subjects.push((pattern.clone(), source));
    }
    if let Some(source) = &config.source {
        let source = known_source(source, sources.iter().cloned())?;
        subjects.push((">".to_owned(), source));
    }
    let is_encrypted = config.ca_file.is_some()
        || config.certificate_file.is_some()
        || config
            .servers
            .iter()
            .any(|server| server.starts_with("tls:"));
    let tls = is_encrypted.then(|| encryption(config)).transpose()?;
    let login = login(config)?;
    login.options().context("`credentials_file`")?;
    Ok(QueueSettings {
        name: name.to_owned(),
        servers: config.servers.clone(),
        login,
        tls,
        stream: config.stream.clone(),
        consumer: config.consumer.clone(),
        filter: config.filter.clone(),
        subjects: Subjects(subjects),
        in_flight: config.in_flight,
        ack_wait: Duration::from_secs(config.ack_wait_s),
    })
}

fn encryption(config: &NatsConfig) -> anyhow::Result<rustls::ClientConfig> {
    let authorities = config.ca_file.as_deref();
    let ours: Option<(&Path, &Path)> = match (&config.certificate_file, &config.key_file) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => anyhow::bail!("`certificate_file` and `key_file` go together"),
    };
    tls::client(authorities, ours)
}

fn login(config: &NatsConfig) -> anyhow::Result<Login> {
    let given = [
        config.credentials_file.is_some(),
        config.nkey_file.is_some(),
        config.token_file.is_some(),
        config.user.is_some() || config.password_file.is_some(),
    ];
    anyhow::ensure!(
        given.into_iter().filter(|given| *given).count() <= 1,
        "one of `credentials_file`, `nkey_file`, `token_file` and `user` says who asks"
    );
    if let Some(file) = &config.credentials_file {
        return Ok(Login::Credentials(secret::read("credentials_file", file)?));
    }
    if let Some(seed) = one("nkey_file", config.nkey_file.as_ref())? {
        return Ok(Login::Nkey(seed));
    }
    if let Some(token) = one("token_file", config.token_file.as_ref())? {
        return Ok(Login::Token(token));
    }
    let password = one("password_file", config.password_file.as_ref())?;
    match (&config.user, password) {
        (Some(user), Some(password)) => Ok(Login::Password {
            user: user.clone(),
            password,
        }),
        (None, None) => Ok(Login::Nobody),
        _ => anyhow::bail!("`user` and `password_file` go together"),
    }
}
