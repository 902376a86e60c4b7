//! What the configuration says of targets, read and checked.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use deedtrail_app::target::{
    Classification, TargetRule, Targets, environment_of, read_inventory, sensitivity_of,
};
use glob::Pattern;

use crate::config::{Config, TargetRuleConfig};

/// Largest inventory, bytes.
const INVENTORY_BYTES_MAX: u64 = 256 << 20;

/// Rules and inventory, with a hash of both for the log.
pub(crate) struct Loaded {
    pub(crate) targets: Targets,
    /// Two lines: the hash of the rules, the hash of the inventory.
    pub(crate) fingerprint: String,
}

/// Reads what is said; the first mistake ends it.
pub(crate) fn load(config: &Config) -> anyhow::Result<Loaded> {
    let configured = &config.targets;
    let rules = configured.rules.iter().enumerate().map(|(place, rule)| {
        read_rule(rule).with_context(|| format!("`targets.rules` number {}", place + 1))
    });
    let mut targets = Targets {
        rules: rules.collect::<anyhow::Result<_>>()?,
        ..Targets::default()
    };
    let mut inventory = Vec::new();
    if let Some(path) = &configured.inventory {
        inventory =
            read(path).with_context(|| format!("`targets.inventory` {}", path.display()))?;
        let rows = read_inventory(&inventory);
        targets.inventory = rows.map_err(|mistakes| {
            let mistakes = mistakes
                .iter()
                .map(|mistake| format!("`targets.inventory` {}: {mistake}", path.display()));
            anyhow::anyhow!(mistakes.collect::<Vec<_>>().join("\n"))
        })?;
    }
    let rules = serde_json::to_vec(&configured.rules)?;
    let fingerprint = [rules, inventory].map(|bytes| format!("{}\n", blake3::hash(&bytes)));
    Ok(Loaded {
        targets,
        fingerprint: fingerprint.concat(),
    })
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = fs::metadata(path)?.len();
    anyhow::ensure!(
        bytes <= INVENTORY_BYTES_MAX,
        "it has {bytes} bytes, over {INVENTORY_BYTES_MAX}"
    );
    Ok(fs::read(path)?)
}

fn read_rule(rule: &TargetRuleConfig) -> anyhow::Result<TargetRule> {
    let pattern = |text: &String| {
        Pattern::new(text).with_context(|| format!("`{text}` is no pattern; `[` has to be closed"))
    };
    let optional = |text: &Option<String>| text.as_ref().map(pattern).transpose();
    let environment = rule.environment.as_deref().map(environment_of).transpose();
    let sensitivity = rule.sensitivity.as_deref().map(sensitivity_of).transpose();
    let says = Classification {
        environment: environment.map_err(anyhow::Error::msg)?,
        sensitivity: sensitivity.map_err(anyhow::Error::msg)?,
    };
    anyhow::ensure!(
        says != Classification::default(),
        "it says nothing; add `environment` or `sensitivity`"
    );
    Ok(TargetRule {
        system: optional(&rule.system)?,
        account: optional(&rule.account)?,
        kind: optional(&rule.kind)?,
        names: rule
            .names
            .iter()
            .map(pattern)
            .collect::<anyhow::Result<_>>()?,
        says,
    })
}
