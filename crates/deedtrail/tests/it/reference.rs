//! Pages of docs/reference that are printed from the binary itself.

use std::fmt::Write as _;
use std::path::PathBuf;

use deedtrail_core::namespace::{NAMESPACES, Uniqueness};
use serde_json::Value;

use super::command::Folder;

fn page(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference")).join(name)
}

fn assert_current(name: &str, text: &str) {
    let path = page(name);
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    if stored != text && std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    assert!(
        stored == text,
        "run the tests with UPDATE_REFERENCE=1 to print docs/reference/{name} again"
    );
}

#[test]
fn the_command_line_page_is_current() {
    let mut text = String::from(
        "# Command line\n\nPrinted from `deedtrail … --help`. Standard output is data, standard error is talk. \
         `deedtrail man FOLDER` writes manual pages, `deedtrail completions SHELL` a completion script.\n",
    );
    describe(&mut text, &[]);
    assert_current("command-line.md", &text);
}

/// Adds a command's help and that of the commands below it.
fn describe(text: &mut String, command: &[&str]) {
    let mut arguments = command.to_vec();
    arguments.push("--help");
    let help = Folder::new().ok(&arguments);
    let name = [&["deedtrail"], command].concat().join(" ");
    write!(text, "\n## {name}\n\n```text\n{}\n```\n", help.trim_end()).unwrap();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in commands.take_while(|line| !line.is_empty()) {
        let below = line.split_whitespace().next().unwrap();
        if below != "help" {
            describe(text, &[command, &[below]].concat());
        }
    }
}

#[test]
fn the_namespaces_page_is_current() {
    let mut text = String::from(
        "# Namespaces of aliases\n\nAn alias is `namespace:value`, as in `email:ana@example.com`: one of the \
         names that an identity is known by. Mappings, identity imports and `timeline` use the same ones. \
         Printed from `crates/deedtrail-core/src/namespace.rs`.\n\n\
         - *Person*: the same value in two sources is the same identity.\n\
         - *account*: one account of one system.\n\
         - *shared*: several identities may have it, so it never joins two.\n\n\
         Take one of these before you invent one. A namespace that is not listed counts as *account* when its \
         last word is `id` (`acme.id`), else as *shared*; write it as `vendor.what`, in lower case.\n\n\
         | namespace | one value stands for | case | kind, where the record does not say |\n|---|---|---|---|\n",
    );
    for namespace in NAMESPACES {
        let stands_for = match namespace.uniqueness {
            Uniqueness::Person => "person",
            Uniqueness::Account => "account",
            Uniqueness::Shared => "shared",
        };
        let case = if namespace.folds_case {
            "ignored"
        } else {
            "counts"
        };
        let (name, kind) = (namespace.name, namespace.kind.name());
        writeln!(text, "| `{name}` | {stands_for} | {case} | `{kind}` |").unwrap();
    }
    assert_current("namespaces.md", &text);
}

#[test]
fn the_configuration_page_is_current() {
    let mut text = String::from(
        "# Configuration\n\nPrinted from `deedtrail config schema`. A flag wins over a `DEEDTRAIL_*` variable \
         (`DEEDTRAIL_LISTEN`), a variable over the file (`deedtrail.toml` in the data folder), the file over \
         the default. `deedtrail init` writes a commented file, `deedtrail config check` reports mistakes, \
         `deedtrail config show` prints what is in force.\n",
    );
    let schema: Value = serde_json::from_str(&Folder::new().ok(&["config", "schema"])).unwrap();
    table(&mut text, &schema);
    for (name, setting) in schema["properties"].as_object().unwrap() {
        if let Some((name, below)) = below(name, setting, &schema) {
            let meaning = below["description"].as_str().unwrap();
            write!(text, "\n## [{name}]\n\n{meaning}\n").unwrap();
            table(&mut text, below);
            for (within, list) in below["properties"].as_object().unwrap() {
                if let Some(row) = named(&list["items"], &schema) {
                    let meaning = row["description"].as_str().unwrap();
                    write!(text, "\n## [[{name}.{within}]]\n\n{meaning}\n").unwrap();
                    table(&mut text, row);
                }
            }
        }
    }
    assert_current("configuration.md", &text);
}

/// The table that a reference within the schema leads to.
fn named<'a>(reference: &Value, schema: &'a Value) -> Option<&'a Value> {
    let path = reference["$ref"].as_str()?.strip_prefix('#')?;
    schema
        .pointer(path)
        .filter(|it| it["properties"].is_object())
}

/// The table that stands for a setting, with its name in the file.
fn below<'a>(name: &str, setting: &'a Value, schema: &'a Value) -> Option<(String, &'a Value)> {
    if setting["properties"].is_object() {
        return Some((name.to_owned(), setting));
    }
    if let Some(of_each) = named(&setting["additionalProperties"], schema) {
        return Some((format!("{name}.NAME"), of_each));
    }
    Some((name.to_owned(), named(&setting["anyOf"][0], schema)?))
}

/// Settings of one table of the file. Folders below the home folder depend on the machine.
fn table(text: &mut String, schema: &Value) {
    text.push_str("\n| setting | default | meaning |\n|---|---|---|\n");
    let needed = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, setting) in schema["properties"].as_object().unwrap() {
        if setting.get("properties").is_some() {
            continue;
        }
        let default = match name.as_str() {
            "data" => "`deedtrail` in the user's data folder".to_owned(),
            "checkpoints" => "`deedtrail/checkpoints` in the user's state folder".to_owned(),
            _ if needed.contains(&Value::from(name.as_str())) => "needed".to_owned(),
            _ if setting["default"].is_null() => "none".to_owned(),
            _ => format!("`{}`", setting["default"]),
        };
        let mut meaning = setting["description"].as_str().unwrap().replace('\n', " ");
        if let (Some(least), Some(most)) =
            (setting["minimum"].as_i64(), setting["maximum"].as_i64())
        {
            write!(meaning, " From {least} to {most}.").unwrap();
        }
        writeln!(text, "| `{name}` | {default} | {meaning} |").unwrap();
    }
}

#[test]
fn manual_pages_name_every_command() {
    let folder = Folder::new();
    let pages = folder.path("man");
    folder.ok(&["man", pages.to_str().unwrap()]);
    let ingest = std::fs::read_to_string(pages.join("deedtrail-ingest.1")).unwrap();
    assert!(ingest.contains("standard input"), "{ingest}");
    assert!(pages.join("deedtrail-evidence-verify.1").is_file());
}
