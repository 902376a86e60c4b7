//! Documents stay short and name only what exists.

use std::path::Path;

use super::files;

const LENGTHS: [(&str, usize); 2] = [("README.md", 130), ("ARCHITECTURE.md", 200)];

/// Every back-ticked path with a slash that starts in a folder of the checkout exists.
pub(super) fn paths(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for document in files(root, "md")? {
        let text = std::fs::read_to_string(&document)?;
        let name = document
            .strip_prefix(root)
            .unwrap_or(&document)
            .display()
            .to_string();
        for path in named_paths(&text) {
            let inside = path
                .split('/')
                .next()
                .is_some_and(|first| root.join(first).is_dir());
            if inside && !root.join(&path).try_exists()? {
                problems.push(format!("{name}: `{path}` does not exist"));
            }
        }
    }
    Ok(problems)
}

/// Back-ticked words that look like a path: a slash, no spaces, no placeholder.
fn named_paths(text: &str) -> Vec<String> {
    let mut in_block = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
            continue;
        }
        if in_block {
            continue;
        }
        for word in line.split('`').skip(1).step_by(2) {
            let odd = |c: char| c.is_whitespace() || "<>*{}$…".contains(c);
            if word.contains('/')
                && !word.starts_with('/')
                && !word.contains("://")
                && !word.contains(odd)
            {
                found.push(word.trim_end_matches('/').to_owned());
            }
        }
    }
    found
}

pub(super) fn lengths(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for (name, lines_max) in LENGTHS {
        let lines = std::fs::read_to_string(root.join(name))?.lines().count();
        if lines > lines_max {
            problems.push(format!("{name} has {lines} lines, {lines_max} are allowed"));
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_other_words() {
        let text =
            "see `crates/a/src/lib.rs`, `GET /v1/x`, `a/<b>`, `http://x/y`\n```\n`no/path`\n```\n";
        assert_eq!(named_paths(text), ["crates/a/src/lib.rs"]);
    }
}
