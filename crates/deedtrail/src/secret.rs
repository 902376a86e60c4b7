//! Secrets, which stand in files of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;

use crate::config::{Config, SignalDelivery};
use crate::instance::Instance;

/// Longest secret file, bytes: credentials of NATS hold a signed token and a key.
const SECRET_FILE_BYTES_MAX: u64 = 16 << 10;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What a secret file holds; `setting` names it in errors.
pub(crate) fn read(setting: &str, file: &Path) -> anyhow::Result<String> {
    let trouble = || format!("cannot read `{setting}` {}", file.display());
    let bytes = fs::metadata(file).with_context(trouble)?.len();
    anyhow::ensure!(
        bytes <= SECRET_FILE_BYTES_MAX,
        "`{setting}` {} has {bytes} bytes; it holds the secret and nothing else",
        file.display()
    );
    fs::read_to_string(file).with_context(trouble)
}

/// Looks at the files of secrets now and then, for ever. New secrets of webhooks are agreed from
/// then on; of what is read at the start alone it is told that a restart is needed.
pub(crate) async fn watch(instance: Arc<Instance>) {
    let mut interval = tokio::time::interval(LOOK_EVERY);
    let mut known = changed(&instance.config);
    loop {
        interval.tick().await;
        let instance = Arc::clone(&instance);
        let before = known.clone();
        let looked = tokio::task::spawn_blocking(move || look(&instance, &before)).await;
        known = looked.unwrap_or(known);
    }
}

/// A setting, the file it names, and when that changed last.
type Changed = Vec<(String, PathBuf, Option<SystemTime>)>;

fn changed(config: &Config) -> Changed {
    let files = config.secret_files().into_iter();
    let watched = files.filter(|(setting, _)| !is_read_anew(config, setting));
    watched
        .map(|(setting, file)| {
            let at = fs::metadata(&file).and_then(|data| data.modified()).ok();
            (setting, file, at)
        })
        .collect()
}

/// Whether somebody else reads the file whenever it is needed.
fn is_read_anew(config: &Config, setting: &str) -> bool {
    let mut polled = config
        .signals
        .iter()
        .filter(|(_, one)| one.delivery == SignalDelivery::Poll);
    setting == "tls.key_file"
        || polled.any(|(name, _)| setting == format!("signals.{name}.authorization_file"))
}

/// Sees to what changed since `known`; gives what is known now.
fn look(instance: &Instance, known: &Changed) -> Changed {
    let now = changed(&instance.config);
    for ((setting, file, at), (.., before)) in now.iter().zip(known) {
        if at != before {
            renew(instance, setting, file);
        }
    }
    now
}

fn renew(instance: &Instance, setting: &str, file: &Path) {
    let webhook = setting.strip_prefix("webhooks.");
    let webhook = webhook.and_then(|name| name.strip_suffix(".secret_file"));
    let Some(webhook) = webhook.and_then(|name| instance.app.webhooks.get(name)) else {
        tracing::warn!("`{setting}` changed and is read at the start only: restart the server");
        return;
    };
    let renewed = read("secret_file", file).and_then(|secret| Ok(webhook.renew(&secret)?));
    match renewed {
        Ok(()) => tracing::info!("`{setting}` was read again and is agreed from now on"),
        Err(error) => {
            let error = format!("{error:#}");
            tracing::error!(
                error,
                "the new `{setting}` is not used; the old one goes on"
            );
        }
    }
}
