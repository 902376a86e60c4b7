//! Rules in force: those of this build and those of the operator's folder.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use deedtrail_app::rule_test::RuleFolder;
use deedtrail_core::port::mapper::SourceFacts;
use deedtrail_detect::{ProblemSeverity, RuleFile, RuleProblem, RuleSet};
use include_dir::{Dir, include_dir};

static BUILT_IN: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../rules");

/// Largest rule file read, bytes; a larger one is reported and left out.
const RULE_BYTES_MAX: u64 = 1 << 20;

/// Rules with the hash of each file they came from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) rules: RuleSet,
    /// `path hash`, one file per line.
    pub(crate) fingerprint: String,
}

/// The rules of this build and of `folder`. An unsound rule of this build is an error; one of the
/// operator's folder is logged and left out, so that one bad file does not stop detection.
pub(crate) fn load(folder: Option<&Path>, sources: &[SourceFacts]) -> anyhow::Result<Loaded> {
    let mut files = built_in();
    let own = files.len();
    if let Some(folder) = folder {
        files.extend(read_folder(folder)?);
    }
    let (rules, problems) = RuleSet::load(&files);
    let built_in_paths: Vec<&str> = files[..own].iter().map(|file| file.path.as_str()).collect();
    for problem in &problems {
        let ours = built_in_paths.contains(&problem.path.as_str());
        if ours && problem.severity == ProblemSeverity::Error {
            anyhow::bail!("{}", describe(problem));
        }
        tracing::warn!("{}", describe(problem));
    }
    tracing::info!(
        rules = rules.rules().len(),
        sources = sources.len(),
        "rules loaded"
    );
    let mut fingerprint = String::new();
    for file in &files {
        let hash = blake3::hash(file.text.as_bytes()).to_hex();
        writeln!(fingerprint, "{} {hash}", file.path)?;
    }
    Ok(Loaded { rules, fingerprint })
}

/// One line: where, what, and what was probably meant.
pub(crate) fn describe(problem: &RuleProblem) -> String {
    let suggestion = problem.suggestion.as_deref();
    let suggestion = suggestion
        .map(|text| format!("; {text}"))
        .unwrap_or_default();
    format!(
        "{}:{}: {}{suggestion}",
        problem.path, problem.line, problem.message
    )
}

/// The rules of this build, by path below `rules`.
pub(crate) fn built_in() -> Vec<RuleFile> {
    let mut files = Vec::new();
    let mut folders = vec![&BUILT_IN];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files().filter(|file| is_rule(file.path())) {
            files.push(RuleFile {
                path: file.path().to_string_lossy().into_owned(),
                text: String::from_utf8_lossy(file.contents()).into_owned(),
            });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The rules of this build with their fixtures.
pub(crate) fn built_in_folders() -> Vec<RuleFolder> {
    let contents = |path: &str| BUILT_IN.get_file(path).map(|file| file.contents().to_vec());
    built_in()
        .into_iter()
        .filter_map(|file| {
            let name = file.path.strip_suffix("/rule.yml")?;
            Some(RuleFolder {
                name: name.to_owned(),
                fires: contents(&format!("{name}/fires.ndjson"))?,
                quiet: contents(&format!("{name}/quiet.ndjson"))?,
                rule: file.text,
            })
        })
        .collect()
}

/// The rule files below a folder.
pub(crate) fn read_folder(folder: &Path) -> anyhow::Result<Vec<RuleFile>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        let entries = std::fs::read_dir(&current);
        for entry in entries.with_context(|| format!("cannot read {}", current.display()))? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if is_rule(&path) {
                if entry.metadata()?.len() > RULE_BYTES_MAX {
                    tracing::warn!("{}: over {RULE_BYTES_MAX} bytes, left out", path.display());
                    continue;
                }
                let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
                let path = path.strip_prefix(folder).unwrap_or(&path);
                files.push(RuleFile {
                    path: path.to_string_lossy().into_owned(),
                    text,
                });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn is_rule(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yml" || extension == "yaml")
}
