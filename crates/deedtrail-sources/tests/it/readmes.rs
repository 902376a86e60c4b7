//! READMEs: every source says the same things in the same order, and its commands exist.

use std::path::Path;

use deedtrail_core::port::mapper::Mapper as _;

use crate::fixtures::folders;
use crate::registries::{registry, source};

/// Headings of a source's README, in order.
const HEADINGS: [&str; 5] = [
    "Switch it on",
    "Get it here",
    "What it contains",
    "What it lacks",
    "Planes",
];

#[test]
fn every_source_says_what_it_is() {
    let registry = registry();
    for facts in registry.sources() {
        let readme = registry.readme(&facts.name).unwrap();
        assert!(readme.starts_with("# "), "{} has no README", facts.name);
        assert!(
            !facts.title.is_empty() && !facts.planes.is_empty(),
            "{}",
            facts.name
        );
        assert_eq!(facts.mapping_version.len(), 16);
    }
    assert_eq!(registry.sources().len(), folders().len());
}

#[test]
fn every_readme_has_the_same_headings_with_text_below() {
    let registry = registry();
    for facts in registry.sources() {
        let parts = sections(registry.readme(&facts.name).unwrap());
        let headings: Vec<&str> = parts.iter().map(|(heading, _)| heading.as_str()).collect();
        assert_eq!(headings, HEADINGS, "{}", facts.name);
        for (heading, text) in &parts {
            assert!(!text.trim().is_empty(), "{}: {heading}", facts.name);
        }
        let here = &parts[1].1;
        assert!(here.contains(facts.name.as_str()), "{}", facts.name);
    }
}

#[test]
fn commands_in_readmes_exist() {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    let commands = std::fs::read_to_string(reference.join("command-line.md")).unwrap();
    let settings = std::fs::read_to_string(reference.join("configuration.md")).unwrap();
    let registry = registry();
    for facts in registry.sources() {
        let readme = registry.readme(&facts.name).unwrap();
        for (command, rest) in calls(readme) {
            let heading = format!("## deedtrail {command}\n");
            assert!(commands.contains(&heading), "{}: {command}", facts.name);
            let named = rest.strip_prefix("--source ").and_then(first_word);
            if let Some(name) = named.filter(|name| name.contains('.')) {
                assert!(registry.readme(&source(name)).is_some(), "{name}");
            }
        }
        for table in tables(readme) {
            let heading = format!("## [{table}.NAME]\n");
            assert!(settings.contains(&heading), "{}: {table}", facts.name);
        }
    }
}

/// Headings of the second level with what stands below them; code blocks have none.
fn sections(readme: &str) -> Vec<(String, String)> {
    let mut parts: Vec<(String, String)> = Vec::new();
    let mut in_code = false;
    for line in readme.lines() {
        in_code ^= line.trim_start().starts_with("```");
        match line.strip_prefix("## ") {
            Some(heading) if !in_code => parts.push((heading.to_owned(), String::new())),
            _ => {
                if let Some((_, text)) = parts.last_mut() {
                    text.push_str(line);
                }
            }
        }
    }
    parts
}

/// Calls of the program: its command, and what follows.
fn calls(readme: &str) -> impl Iterator<Item = (&str, &str)> {
    let called = readme.split("deedtrail ").skip(1);
    called.filter_map(|rest| {
        let command = first_word(rest)?;
        Some((command, rest.strip_prefix(command)?.trim_start()))
    })
}

fn first_word(text: &str) -> Option<&str> {
    text.split(|letter: char| letter.is_whitespace() || letter == '`')
        .find(|word| !word.is_empty())
}

/// Tables `[buckets.x]` of the configuration that a README shows.
fn tables(readme: &str) -> impl Iterator<Item = &str> {
    let lines = readme.lines().map(str::trim);
    lines.filter_map(|line| {
        let (table, name) = line.strip_prefix('[')?.split_once('.')?;
        let is_word = table.chars().all(|letter| letter.is_ascii_lowercase());
        (is_word && name.contains(']') && !table.is_empty()).then_some(table)
    })
}
