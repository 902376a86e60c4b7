//! Rules about the code that the compiler does not know.

mod documents;
mod edges;
mod sizes;

use std::path::{Path, PathBuf};

use crate::process::{Tally, root, say};

/// Looks at the checkout; returns what is wrong, one line each.
type Check = fn(&Path) -> anyhow::Result<Vec<String>>;

/// Runs every check; each prints what is wrong and where.
pub(crate) fn run() -> anyhow::Result<Tally> {
    let checks: [(&str, Check); 4] = [
        ("crate edges match ARCHITECTURE.md", edges::check),
        ("files and functions keep their size", sizes::check),
        ("paths in documents exist", documents::paths),
        (
            "README and ARCHITECTURE keep their length",
            documents::lengths,
        ),
    ];
    let mut tally = Tally::default();
    for (name, check) in checks {
        let problems = check(&root())?;
        for problem in &problems {
            say(format_args!("  {problem}"));
        }
        say(format_args!(
            "tidy: {name}: {}",
            if problems.is_empty() { "ok" } else { "FAILED" }
        ));
        tally.add(Tally::one(problems.is_empty()));
    }
    Ok(tally)
}

/// Files below `folder` with this extension, outside build output.
fn files(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let skipped = ["target", "node_modules", ".git"]
                .iter()
                .any(|skip| name == *skip);
            if entry.file_type()?.is_dir() && !skipped {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|e| e == extension) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}
