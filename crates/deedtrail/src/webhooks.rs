//! Webhooks of the configuration, with their secrets.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context as _;
use deedtrail_app::webhook::Webhook;
use deedtrail_core::id::SourceName;

use crate::config::{Config, WebhookConfig};
use crate::instance::known_source;

/// Longest secret file, bytes.
const SECRET_FILE_BYTES_MAX: u64 = 4096;

/// Every webhook by name; `sources` are those there are.
pub(crate) fn load(
    config: &Config,
    sources: &[SourceName],
) -> anyhow::Result<BTreeMap<String, Webhook>> {
    let webhooks = config.webhooks.iter().map(|(name, webhook)| {
        let read = read(name, webhook, sources);
        Ok((
            name.clone(),
            read.with_context(|| format!("webhooks.{name}"))?,
        ))
    });
    webhooks.collect()
}

/// What is wrong with each of them.
pub(crate) fn mistakes(config: &Config, sources: &[SourceName]) -> Vec<String> {
    let wrong = config.webhooks.iter().filter_map(|(name, webhook)| {
        let error = read(name, webhook, sources).err()?;
        Some(format!("`webhooks.{name}`: {error:#}"))
    });
    wrong.collect()
}

fn read(name: &str, webhook: &WebhookConfig, sources: &[SourceName]) -> anyhow::Result<Webhook> {
    // It is part of an address, and of the name under which its deliveries are recorded.
    SourceName::new(name)?;
    let source = known_source(&webhook.source, sources.iter().cloned())?;
    let file = &webhook.secret_file;
    let trouble = || format!("cannot read `secret_file` {}", file.display());
    let bytes = fs::metadata(file).with_context(trouble)?.len();
    anyhow::ensure!(
        bytes <= SECRET_FILE_BYTES_MAX,
        "`secret_file` {} has {bytes} bytes; it holds the secret and nothing else",
        file.display()
    );
    let secret = fs::read_to_string(file).with_context(trouble)?;
    Ok(Webhook::new(source, webhook.scheme, &secret)?)
}
