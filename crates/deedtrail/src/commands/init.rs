//! `init`: a data folder and a commented configuration file.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;

use anyhow::Context as _;
use serde_json::Value;

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

/// Every setting with its meaning, commented out: the file changes nothing until edited. A block
/// works as it stands once the first `# ` of its lines is gone.
pub(crate) fn commented(config: &Config) -> anyhow::Result<String> {
    let schema = Config::schema();
    let values = toml::Table::try_from(config)?;
    let mut sheet = Sheet {
        text: HEAD.to_owned(),
        schema: &schema,
    };
    let (tables, plain): (Vec<_>, Vec<_>) = settings(&schema)
        .filter(|(name, _)| name.as_str() != "data")
        .partition(|(_, setting)| sheet.table_of(setting).is_some());
    for (name, setting) in plain {
        sheet.setting(name, setting, values.get(name), false)?;
    }
    for (name, setting) in tables {
        let values = values.get(name).and_then(toml::Value::as_table);
        if let Some((header, table)) = sheet.table_of(setting) {
            sheet.table(&header.replace('*', name), table, values)?;
        }
    }
    Ok(sheet.text)
}

const HEAD: &str = "\
## Deedtrail configuration. Lines with ## explain; the others are settings with their default, or
## with an example where there is none. To change one, remove its `# `. Of a table, remove the `# `
## of its [name] too; `one` stands for a name you choose, and what has a second # may be left out.
## `deedtrail config check` says what is wrong.
## A flag wins over a DEEDTRAIL_* variable, a variable over this file.
";

struct Sheet<'a> {
    text: String,
    schema: &'a Value,
}

impl<'a> Sheet<'a> {
    /// The table that stands for a setting, with its header; `*` is the setting's name.
    fn table_of(&self, setting: &'a Value) -> Option<(&'static str, &'a Value)> {
        if setting.get("properties").is_some() {
            return Some(("[*]", setting));
        }
        let named = |at: &str| {
            let path = setting
                .pointer(at)?
                .get("$ref")?
                .as_str()?
                .strip_prefix('#')?;
            let table = self.schema.pointer(path)?;
            table.get("properties").map(|_| table)
        };
        let of_each = named("/additionalProperties").map(|table| ("[*.one]", table));
        let optional = || named("/anyOf/0").map(|table| ("[*]", table));
        let list = || named("/items").map(|table| ("[[*]]", table));
        of_each.or_else(optional).or_else(list)
    }

    fn table(
        &mut self,
        header: &str,
        table: &'a Value,
        values: Option<&toml::Table>,
    ) -> anyhow::Result<()> {
        self.text.push('\n');
        self.explain(table)?;
        writeln!(self.text, "# {header}")?;
        let needed = table.get("required").and_then(Value::as_array);
        let mut below = Vec::new();
        for (name, setting) in settings(table) {
            if let Some((inner, rows)) = self.table_of(setting) {
                let name = format!("{}.{name}", header.trim_matches(['[', ']']));
                below.push((inner.replace('*', &name), rows));
                continue;
            }
            let value = values.and_then(|values| values.get(name));
            let is_needed = needed.is_some_and(|names| names.iter().any(|one| one == name));
            self.setting(name, setting, value, is_needed)?;
        }
        for (header, rows) in below {
            self.table(&header, rows, None)?;
        }
        Ok(())
    }

    fn setting(
        &mut self,
        name: &str,
        setting: &Value,
        value: Option<&toml::Value>,
        is_needed: bool,
    ) -> anyhow::Result<()> {
        self.text.push('\n');
        self.explain(setting)?;
        let shown = ["/examples/0", "/default"].map(|at| setting.pointer(at));
        let shown = shown.into_iter().flatten().find(|value| !value.is_null());
        let shown = shown.map(toml::Value::try_from).transpose()?;
        if let Some(value) = value.or(shown.as_ref()) {
            writeln!(self.text, "# {name} = {value}")?;
        } else {
            anyhow::ensure!(!is_needed, "`{name}` has no example");
            writeln!(self.text, "# # {name} = \"…\"")?;
        }
        Ok(())
    }

    fn explain(&mut self, schema: &Value) -> std::fmt::Result {
        let meaning = schema.get("description").and_then(Value::as_str);
        for line in meaning.unwrap_or_default().lines() {
            writeln!(self.text, "## {line}")?;
        }
        Ok(())
    }
}

fn settings(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten()
}
