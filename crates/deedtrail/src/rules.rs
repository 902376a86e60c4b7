//! Rules in force: those of this build and those of the operator's folder.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use deedtrail_app::rule_set::{FileText, FoldersRead, RuleFolders};
use deedtrail_app::rule_test::RuleFolder;
use deedtrail_detect::limits::RULE_BYTES_MAX;
use deedtrail_detect::{ProblemSeverity, RuleFile, RuleProblem, RuleSet};
use include_dir::{Dir, include_dir};

use crate::config::Config;
use crate::output::causes;
use crate::sequences;

static BUILT_IN: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../rules");

/// Rules as folders hold them, for commands that need no data folder.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) rules: RuleSet,
    /// What is wrong with rule files. A rule with an error is left out, so that a bad file stops
    /// neither intake nor the other rules.
    pub(crate) problems: Vec<RuleProblem>,
}

impl Loaded {
    /// The errors, one line each.
    pub(crate) fn left_out(&self) -> Vec<String> {
        let errors = self.problems.iter();
        let errors = errors.filter(|problem| problem.severity == ProblemSeverity::Error);
        errors.map(ToString::to_string).collect()
    }
}

/// The folders that the configuration names.
#[derive(Debug)]
pub(crate) struct Folders {
    pub(crate) rules: Option<PathBuf>,
    pub(crate) sequences: Option<PathBuf>,
}

impl Folders {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            rules: config.rules.clone(),
            sequences: config.sequences.clone(),
        }
    }

    /// Reads both; fails when a folder itself cannot be read.
    pub(crate) fn all(&self) -> anyhow::Result<FoldersRead> {
        let mut read = FoldersRead::default();
        if let Some(folder) = &self.rules {
            let (files, problems) = read_folder(folder).context("`rules`")?;
            read.own.rules = files.into_iter().map(text_of).collect();
            read.rules_unread = problems.iter().map(ToString::to_string).collect();
            read.rules_at = folder.display().to_string();
        }
        if let Some(folder) = &self.sequences {
            let (files, unread) = sequences::read(folder)?;
            read.own.sequences = files.into_iter().map(text_of).collect();
            read.sequences_unread = unread;
            read.sequences_at = folder.display().to_string();
        }
        Ok(read.within_limit())
    }
}

impl RuleFolders for Folders {
    fn read(&self) -> Result<FoldersRead, String> {
        self.all().map_err(|error| causes(&error))
    }
}

fn text_of(file: RuleFile) -> FileText {
    FileText {
        path: file.path,
        text: file.text,
    }
}

/// The rules of this build and of `folder`; fails when the folder itself cannot be read.
pub(crate) fn load(folder: Option<&Path>) -> anyhow::Result<Loaded> {
    let mut files = built_in();
    let (own, mut problems) = folder.map(read_folder).transpose()?.unwrap_or_default();
    files.extend_from_slice(&own);
    let (rules, found) = RuleSet::load(&files);
    problems.extend(found.into_iter().map(|mut problem| {
        if let Some(folder) = folder
            && own.iter().any(|file| file.path == problem.path)
        {
            problem.path = folder.join(&problem.path).display().to_string();
        }
        problem
    }));
    Ok(Loaded { rules, problems })
}

/// The rules of `folder` alone. The folder of one rule gives it the name it has below its rules.
pub(crate) fn load_only(folder: &Path) -> anyhow::Result<Loaded> {
    let (mut files, mut problems) = read_folder(folder)?;
    if folder.join("rule.yml").is_file() {
        let names: Vec<_> = folder.iter().map(|part| part.to_string_lossy()).collect();
        let name = names[names.len().saturating_sub(2)..].join("/");
        for file in &mut files {
            file.path = format!("{name}/{}", file.path);
        }
    }
    let (rules, found) = RuleSet::load(&files);
    problems.extend(found);
    Ok(Loaded { rules, problems })
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

/// The rule files below a folder, and what is wrong with those that cannot be read.
fn read_folder(folder: &Path) -> anyhow::Result<(Vec<RuleFile>, Vec<RuleProblem>)> {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for path in yaml_files(folder)? {
        match read_file(&path, RULE_BYTES_MAX) {
            Ok(text) => {
                let path = path.strip_prefix(folder).unwrap_or(&path);
                let path = path.to_string_lossy().into_owned();
                files.push(RuleFile { path, text });
            }
            Err(error) => problems.push(RuleProblem {
                path: path.display().to_string(),
                line: 1,
                severity: ProblemSeverity::Error,
                message: error.to_string(),
                suggestion: None,
            }),
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((files, problems))
}

/// The YAML files below a folder, in no order.
pub(crate) fn yaml_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        let entries = std::fs::read_dir(&current);
        for entry in entries.with_context(|| format!("cannot read {}", current.display()))? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if is_rule(&path) {
                paths.push(path);
            }
        }
    }
    Ok(paths)
}

pub(crate) fn read_file(path: &Path, bytes_max: usize) -> anyhow::Result<String> {
    let bytes = std::fs::metadata(path)?.len();
    anyhow::ensure!(
        bytes <= bytes_max as u64,
        "the file is over {bytes_max} bytes; split it"
    );
    Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned())
}

fn is_rule(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yml" || extension == "yaml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_wrong_with_the_rules_of_this_build() {
        let loaded = load(None).unwrap();
        assert_eq!(loaded.problems, []);
        assert!(!loaded.rules.rules().is_empty());
    }
}
