//! `config`: check, show, schema.

use super::Ended;
use crate::args::ConfigCommand;
use crate::config::Config;
use crate::output::Console;

pub(super) fn run(
    command: &ConfigCommand,
    loaded: &anyhow::Result<Config>,
    console: &mut Console,
) -> anyhow::Result<Ended> {
    match (command, loaded) {
        (ConfigCommand::Schema, _) => {
            console.lines(&serde_json::to_string_pretty(&Config::schema())?)?;
            Ok(Ended::Done)
        }
        (_, Err(error)) => {
            console.complain(error)?;
            Ok(Ended::Found)
        }
        (ConfigCommand::Check, Ok(config)) => {
            console.line(format_args!("ok: data folder {}", config.data.display()))?;
            Ok(Ended::Done)
        }
        (ConfigCommand::Show, Ok(config)) if console.json => {
            console.object(config)?;
            Ok(Ended::Done)
        }
        (ConfigCommand::Show, Ok(config)) => {
            console.lines(&toml::to_string(config)?)?;
            Ok(Ended::Done)
        }
    }
}
