//! `init`: a data folder and a commented configuration file.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;

use anyhow::Context as _;

use super::Ended;
use crate::config::{Config, FILE_NAME};
use crate::instance::make_private;
use crate::output::Console;

pub(super) fn run(config: &Config, console: &mut Console) -> anyhow::Result<Ended> {
    let folder = &config.data;
    make_private(folder).with_context(|| format!("cannot make {}", folder.display()))?;
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
    let (tables, plain): (Vec<_>, Vec<_>) = settings(&schema)
        .filter(|(name, _)| name.as_str() != "data")
        .partition(|(_, schema)| schema.get("properties").is_some());
    for (name, schema) in plain {
        write_setting(&mut text, name, schema, values.get(name))?;
    }
    for (table, schema) in tables {
        writeln!(text, "\n# {}\n# [{table}]", meaning(schema))?;
        let values = values.get(table).and_then(toml::Value::as_table);
        for (name, schema) in settings(schema) {
            let value = values.and_then(|values| values.get(name));
            write_setting(&mut text, name, schema, value)?;
        }
    }
    Ok(text)
}

fn settings(schema: &serde_json::Value) -> impl Iterator<Item = (&String, &serde_json::Value)> {
    let properties = schema.get("properties").and_then(|p| p.as_object());
    properties.into_iter().flatten()
}

fn meaning(schema: &serde_json::Value) -> &str {
    let description = schema.get("description").and_then(|d| d.as_str());
    description.unwrap_or_default()
}

fn write_setting(
    text: &mut String,
    name: &str,
    schema: &serde_json::Value,
    value: Option<&toml::Value>,
) -> std::fmt::Result {
    text.push('\n');
    for line in meaning(schema).lines() {
        writeln!(text, "# {line}")?;
    }
    match value {
        Some(value) => writeln!(text, "# {name} = {value}"),
        None => writeln!(text, "# {name} = \"…\""),
    }
}
