//! Arrows only down: the crates' dependencies are those of the table in ARCHITECTURE.md.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

pub(super) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let table = std::fs::read_to_string(root.join("ARCHITECTURE.md"))?;
    let written = written(&table);
    let real = real(root)?;
    let mut problems = Vec::new();
    for (name, edges) in &real {
        match written.get(name) {
            None => problems.push(format!("ARCHITECTURE.md has no row for {name}")),
            Some(row) if row != edges => problems.push(format!(
                "{name} depends on [{}], ARCHITECTURE.md says [{}]",
                edges.join(", "),
                row.join(", ")
            )),
            Some(_) => {}
        }
    }
    for name in written.keys().filter(|name| !real.contains_key(*name)) {
        problems.push(format!(
            "ARCHITECTURE.md names {name}, which does not exist"
        ));
    }
    Ok(problems)
}

/// Rows `| crate | what | depends on |` of the table, crate names in back-ticks.
fn written(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if let [name, _, edges] = cells.as_slice() {
            let name = name.trim_matches('`').to_owned();
            let mut edges: Vec<String> = edges
                .split(',')
                .map(|edge| edge.trim().trim_matches('`').to_owned())
                .filter(|edge| !edge.is_empty() && edge != "–")
                .collect();
            edges.sort();
            rows.insert(name, edges);
        }
    }
    rows
}

/// Normal dependencies between our own crates.
fn real(root: &Path) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let output = Command::new("cargo")
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root)
        .output()?;
    anyhow::ensure!(output.status.success(), "cargo metadata failed");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let name_of = |value: &serde_json::Value| value["name"].as_str().unwrap_or_default().to_owned();
    let mut edges = BTreeMap::new();
    for package in packages {
        let mut names: Vec<String> = package["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|dependency| dependency["kind"].is_null() && !dependency["path"].is_null())
            .map(name_of)
            .collect();
        names.sort();
        names.dedup();
        edges.insert(name_of(package), names);
    }
    Ok(edges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_table_are_read() {
        let rows =
            written("| crate | what | depends on |\n| `a` | x | `b`, `c` |\n| `b` | y | – |\n");
        assert_eq!(rows["a"], ["b", "c"]);
        assert!(rows["b"].is_empty());
    }
}
