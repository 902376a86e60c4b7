//! How the rules a running server goes by differ from those that this command reads.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Context, Ended};
use crate::config::Config;
use crate::output::Console;
use crate::socket;

/// What a server says of its rules.
#[derive(Debug, Serialize, Deserialize)]
struct Served {
    rules: Option<PathBuf>,
    sequences: Option<PathBuf>,
    /// Whether the folders hold now what was read from them; `None` when they cannot be read.
    is_as_in_folders: Option<bool>,
}

/// The server's side.
pub(super) fn tell(context: &mut Context<'_>) -> anyhow::Result<Ended> {
    let config = &context.instance.config;
    let served = Served {
        rules: config.rules.as_deref().map(absolute),
        sequences: config.sequences.as_deref().map(absolute),
        is_as_in_folders: context.app().are_rules_as_in_folders().ok(),
    };
    context.console.object(&served)?;
    Ok(Ended::Done)
}

/// Says so when a server runs that reads other folders than this command, or read them before they changed.
pub(super) fn compare(config: &Config, console: &mut Console) -> anyhow::Result<()> {
    let Some(served) = ask(config) else {
        return Ok(());
    };
    if say_other_folder(&served, config, console)? {
        return Ok(());
    }
    match served.is_as_in_folders {
        Some(true) => {}
        Some(false) => console.say(
            "the running server goes by the rules as it read them, which have changed since: `deedtrail rule \
             reload` puts these in force",
        )?,
        None => console.say(
            "the running server cannot read the folders of its rules: `deedtrail doctor` says why",
        )?,
    }
    Ok(())
}

/// Says so when a server runs that reads other folders than this command.
pub(super) fn compare_folders(config: &Config, console: &mut Console) -> anyhow::Result<()> {
    if let Some(served) = ask(config) {
        say_other_folder(&served, config, console)?;
    }
    Ok(())
}

fn ask(config: &Config) -> Option<Served> {
    let answer = socket::ask(&config.data, &["rule", "list"])?;
    serde_json::from_str(&answer).ok()
}

fn say_other_folder(
    served: &Served,
    config: &Config,
    console: &mut Console,
) -> anyhow::Result<bool> {
    let pairs = [
        ("rules", &served.rules, &config.rules),
        ("sequences", &served.sequences, &config.sequences),
    ];
    for (setting, served, here) in pairs {
        let here = here.as_deref().map(absolute);
        if *served == here {
            continue;
        }
        let named = |path: &Option<PathBuf>| {
            path.as_ref()
                .map_or_else(|| "unset".to_owned(), |path| path.display().to_string())
        };
        let (served, here) = (named(served), named(&here));
        console.say(format_args!(
            "the running server was started with `{setting}` {served}, for this command it is {here}: name the \
             server's file with `--config`, or restart it where the configuration changed"
        ))?;
        return Ok(true);
    }
    Ok(false)
}

/// A folder as any process finds it.
fn absolute(path: &Path) -> PathBuf {
    let whole = path.canonicalize().or_else(|_| std::path::absolute(path));
    whole.unwrap_or_else(|_| path.to_owned())
}
