//! Webhooks of the configuration, with their secrets.

use std::collections::BTreeMap;

use anyhow::Context as _;
use deedtrail_app::webhook::Webhook;
use deedtrail_core::id::SourceName;

use crate::config::{Config, WebhookConfig};
use crate::instance::known_source;
use crate::secret;

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
    let secret = secret::read("secret_file", &webhook.secret_file)?;
    Ok(Webhook::new(source, webhook.scheme, &secret)?)
}
