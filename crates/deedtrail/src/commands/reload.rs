//! `rule reload`: the folders of rules and unsafe sequences, read again; and how what a server goes by
//! differs from what is there.

use std::path::{Path, PathBuf};

use deedtrail_app::rule_set::{InForce, Reloaded};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Context, Ended};
use crate::config::Config;
use crate::output::{Console, counted};
use crate::socket::{self, Request};

/// What a server says of the rules it goes by.
#[derive(Debug, Serialize, Deserialize)]
struct Served {
    /// Digest of all that is in force.
    id: String,
    rules: Option<PathBuf>,
    sequences: Option<PathBuf>,
    /// Whether the folders hold now what was read from them.
    is_as_in_folders: bool,
}

/// The server's side of [`compare_with_server`].
pub(super) fn tell_served(context: &mut Context<'_>) -> anyhow::Result<Ended> {
    let config = &context.instance.config;
    let served = Served {
        id: context.app().in_force().digest.clone(),
        rules: config.rules.clone(),
        sequences: config.sequences.clone(),
        is_as_in_folders: context.app().are_rules_as_in_folders()?,
    };
    context.console.object(&served)?;
    Ok(Ended::Done)
}

/// Says so when a server runs that goes by other rules than those that the folders hold.
pub(super) fn compare_with_server(config: &Config, console: &mut Console) -> anyhow::Result<()> {
    let Some(stream) = socket::connect(&config.data) else {
        return Ok(());
    };
    let request = Request {
        arguments: ["deedtrail", "--json", "rule", "list"]
            .map(Into::into)
            .to_vec(),
        folder: "/".into(),
        terminal: false,
        screen: false,
    };
    let Some(answer) = socket::ask(stream, &request)? else {
        return Ok(());
    };
    let Ok(served) = serde_json::from_str::<Served>(&answer) else {
        return Ok(());
    };
    let pairs = [
        ("rules", &served.rules, &config.rules),
        ("sequences", &served.sequences, &config.sequences),
    ];
    let mut other = pairs.into_iter().filter(|(_, served, here)| served != here);
    if let Some((setting, served, _)) = other.next() {
        let path = served.as_deref().map(Path::display);
        let was = path.map_or_else(|| "unset".to_owned(), |path| path.to_string());
        console.say(format_args!(
            "the running server was started with `{setting}` {was}: restart it to use those of now"
        ))?;
    } else if !served.is_as_in_folders {
        console.say(
            "the running server goes by the rules as it read them, which have changed since: `deedtrail rule \
             reload` puts these in force",
        )?;
    }
    Ok(())
}

pub(super) fn run(context: &mut Context<'_>) -> anyhow::Result<Ended> {
    let Reloaded { changed, in_force } = context.app().reload_rules(&context.principal)?;
    let left_out = in_force.rules_left_out.iter();
    let left_out: Vec<&String> = left_out.chain(&in_force.sequences_left_out).collect();
    if context.console.json {
        context.console.object(&json!({
            "changed": changed,
            "digest": in_force.digest,
            "since": in_force.since,
            "rules": in_force.rules.findings().count(),
            "sequences": in_force.sequences.forms().count(),
            "left_out": left_out,
            "warnings": in_force.warnings,
        }))?;
    } else {
        context.console.line(words(changed, &in_force))?;
        for warning in &in_force.warnings {
            context.console.line(format_args!("doubtful  {warning}"))?;
        }
        for problem in &left_out {
            context.console.line(format_args!("LEFT OUT  {problem}"))?;
        }
    }
    Ok(if left_out.is_empty() {
        Ended::Done
    } else {
        Ended::Found
    })
}

fn words(changed: bool, in_force: &InForce) -> String {
    let rules = counted(in_force.rules.findings().count(), "rule");
    let sequences = counted(in_force.sequences.forms().count(), "unsafe sequence");
    let since = in_force.since.as_ref().map(|since| {
        format!(
            ", since {} (entry {}, by {})",
            since.at, since.sequence, since.by
        )
    });
    format!(
        "{}: {rules} and {sequences}, digest {}{}",
        if changed {
            "other rules are in force"
        } else {
            "nothing changed"
        },
        in_force.digest.get(..16).unwrap_or_default(),
        since.unwrap_or_default()
    )
}
