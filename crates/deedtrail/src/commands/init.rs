//! `init`: a data folder and a commented configuration file.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;

use anyhow::Context as _;

use super::Ended;
use crate::config::{Config, FILE_NAME};
use crate::output::Console;

pub(super) fn run(config: &Config, console: &mut Console) -> anyhow::Result<Ended> {
    let folder = &config.data;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(FILE_NAME);
    match fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
    {
        Ok(mut file) => file.write_all(commented(config)?.as_bytes())?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            console.say(format_args!(
                "{} is there already and stays as it is",
                path.display()
            ))?;
            return Ok(Ended::Done);
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot write {}", path.display()));
        }
    }
    console.line(path.display())?;
    console.say("next: `deedtrail serve`, or `deedtrail ingest --source aws.cloudtrail FILE`")?;
    Ok(Ended::Done)
}

/// Every setting with its meaning, commented out: the file changes nothing until edited.
pub(crate) fn commented(config: &Config) -> anyhow::Result<String> {
    let schema = Config::schema();
    let mut text = String::from(
        "# Deedtrail configuration. Every setting shows its default; remove the # to change it.\n\
         # A flag wins over a DEEDTRAIL_* variable, a variable over this file.\n",
    );
    let values = toml::Table::try_from(config)?;
    let properties = schema.get("properties").and_then(|p| p.as_object());
    for (name, property) in properties.into_iter().flatten() {
        if name == "data" {
            continue;
        }
        let meaning = property
            .get("description")
            .and_then(|d| d.as_str())
            .unwrap_or_default();
        text.push('\n');
        for line in meaning.lines() {
            writeln!(text, "# {line}")?;
        }
        let value = values
            .get(name)
            .map_or_else(|| "\"…\"".to_owned(), ToString::to_string);
        writeln!(text, "# {name} = {value}")?;
    }
    Ok(text)
}
