//! `rule`: list, test, explain. Needs no data folder.

use std::path::PathBuf;

use deedtrail_core::port::mapper::Mapper as _;
use deedtrail_detect::RuleSet;
use serde_json::json;

use super::Ended;
use crate::args::RuleCommand;
use crate::config::Config;
use crate::instance::registry;
use crate::output::Console;
use crate::rules;

pub(super) fn run(
    command: &RuleCommand,
    config: &Config,
    console: &mut Console,
) -> anyhow::Result<Ended> {
    let registry = registry(config)?;
    let set = rules::load(config.rules.as_deref(), &registry.sources())?.rules;
    match command {
        RuleCommand::List => list(&set, console),
        RuleCommand::Explain { id } => {
            let text = set.explain(id, &registry.sources());
            let text = text.ok_or_else(|| {
                anyhow::anyhow!("no rule is called `{id}`; see `deedtrail rule list`")
            })?;
            console.line(text.trim_end())?;
            Ok(Ended::Done)
        }
        RuleCommand::Test { folders } => test(folders, console),
    }
}

fn list(set: &RuleSet, console: &mut Console) -> anyhow::Result<Ended> {
    if console.json {
        for rule in set.rules() {
            console.object(&json!({
                "id": rule.name,
                "severity": rule.severity,
                "finding": rule.finding,
                "title": rule.title,
                "techniques": rule.techniques,
            }))?;
        }
        return Ok(Ended::Done);
    }
    let rows: Vec<Vec<String>> = set
        .rules()
        .iter()
        .map(|rule| {
            vec![
                rule.name.to_string(),
                rule.severity.name().to_owned(),
                rule.finding.to_string(),
                rule.title.clone(),
            ]
        })
        .collect();
    console.table(&["RULE", "SEVERITY", "FINDING", "TITLE"], &rows)?;
    Ok(Ended::Done)
}

fn test(_folders: &[PathBuf], _console: &mut Console) -> anyhow::Result<Ended> {
    anyhow::bail!("wired with the harness")
}
