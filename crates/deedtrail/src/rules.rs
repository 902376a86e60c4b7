//! Rules in force: those of this build and those of the operator's folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use deedtrail_app::rule_set::{FileText, FoldersRead, RuleFolders};
use deedtrail_app::rule_test::RuleFolder;
use deedtrail_core::port::mapper::SourceFacts;
use deedtrail_detect::limits::RULE_BYTES_MAX;
use deedtrail_detect::rule::rule_name;
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
    /// The folder of one's own rules, and their paths below it.
    own: Option<(PathBuf, BTreeSet<String>)>,
}

impl Loaded {
    /// Doubts that only these sources answer.
    pub(crate) fn check_sources(&self, sources: &[SourceFacts]) -> Vec<RuleProblem> {
        let mut found = self.rules.check_sources(sources, &BTreeMap::new());
        for problem in &mut found {
            place(problem, self.own.as_ref());
        }
        found
    }

    /// Those that keep no rule out of force, one line each.
    pub(crate) fn doubts(&self) -> impl Iterator<Item = &RuleProblem> {
        let problems = self.problems.iter();
        problems.filter(|problem| problem.severity == ProblemSeverity::Warning)
    }

    /// The errors, one line each.
    pub(crate) fn left_out(&self) -> Vec<String> {
        let errors = self.problems.iter();
        let errors = errors.filter(|problem| problem.severity == ProblemSeverity::Error);
        errors.map(ToString::to_string).collect()
    }

    /// The errors of the file that would give a rule this name, or whose last part it is; one line each.
    pub(crate) fn mistakes_of(&self, name: &str) -> Vec<String> {
        let name = rule_name(name);
        let last_part = format!("/{name}");
        let errors = self.problems.iter();
        let errors = errors.filter(|problem| problem.severity == ProblemSeverity::Error);
        let of_it = errors.filter(|problem| {
            let left_out = rule_name(&self.below_own(&problem.path));
            left_out == name || left_out.ends_with(&last_part)
        });
        of_it.map(ToString::to_string).collect()
    }

    /// A path as it lies below the folder of one's own rules, where it does.
    fn below_own(&self, path: &str) -> String {
        let own = self.own.as_ref().map(|(folder, _)| folder);
        let below = own.and_then(|folder| Path::new(path).strip_prefix(folder).ok());
        below.map_or_else(|| path.to_owned(), |below| below.display().to_string())
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
    let paths = own.into_iter().map(|file| file.path).collect();
    let own = folder.map(|folder| (folder.to_owned(), paths));
    problems.extend(found.into_iter().map(|mut problem| {
        place(&mut problem, own.as_ref());
        problem
    }));
    Ok(Loaded {
        rules,
        problems,
        own,
    })
}

/// A problem of a file of one's own is told with the folder it lies in.
fn place(problem: &mut RuleProblem, own: Option<&(PathBuf, BTreeSet<String>)>) {
    if let Some((folder, paths)) = own
        && paths.contains(&problem.path)
    {
        problem.path = folder.join(&problem.path).display().to_string();
    }
}

/// The rules of a file, or of the files below a folder, alone. Each has the name that it has in force
/// ([`path_in_force`]).
pub(crate) fn load_only(path: &Path, in_force: Option<&Path>) -> anyhow::Result<Loaded> {
    let path = canonical(path).with_context(|| {
        format!(
            "`{0}` is no file or folder of rules; a rule in force is tried with `--rule {0}`",
            path.display()
        )
    })?;
    let in_force = in_force.and_then(|folder| folder.canonicalize().ok());
    let (mut files, mut problems) = if path.is_dir() {
        read_folder(&path)?
    } else {
        anyhow::ensure!(
            is_rule(&path),
            "{} is no file of rules: the name of one ends in .yml or .yaml",
            path.display()
        );
        let text = read_file(&path, RULE_BYTES_MAX);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let file = RuleFile {
            path: String::new(),
            text,
        };
        (vec![file], Vec::new())
    };
    for file in &mut files {
        file.path = path_in_force(&path, &file.path, in_force.as_deref());
    }
    let (rules, found) = RuleSet::load(&files);
    problems.extend(found);
    Ok(Loaded {
        rules,
        problems,
        own: None,
    })
}

/// A path as the file system knows it.
pub(crate) fn canonical(path: &Path) -> anyhow::Result<PathBuf> {
    let found = path.canonicalize();
    found.with_context(|| format!("cannot read {}", path.display()))
}

/// The path that gives the file `below` a folder (`given`, or `given` itself where that is empty) its
/// name. Within the folder of the rules in force that is the path below it; elsewhere the path below
/// what was given, and for `rule.yml` the two folders it lies in, as `area/rule`.
pub(crate) fn path_in_force(given: &Path, below: &str, in_force: Option<&Path>) -> String {
    let file = if below.is_empty() {
        given.to_owned()
    } else {
        given.join(below)
    };
    let text = |path: &Path| path.to_string_lossy().into_owned();
    if let Some(below) = in_force.and_then(|folder| file.strip_prefix(folder).ok()) {
        return text(below);
    }
    let is_at_top = Path::new(below).components().count() < 2;
    if is_at_top && file.file_stem().is_some_and(|stem| stem == "rule") {
        let parts = file.components();
        let parts = parts.filter(|part| matches!(part, Component::Normal(_)));
        let parts: Vec<Component<'_>> = parts.collect();
        return text(
            &parts[parts.len().saturating_sub(3)..]
                .iter()
                .collect::<PathBuf>(),
        );
    }
    if below.is_empty() {
        return file
            .file_name()
            .map(Path::new)
            .map(text)
            .unwrap_or_default();
    }
    below.to_owned()
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

    #[test]
    fn a_file_has_the_name_that_it_has_in_force() {
        let check = |given: &str, below: &str, in_force: Option<&str>, expected: &str| {
            let path = path_in_force(Path::new(given), below, in_force.map(Path::new));
            let name = rule_name(&path);
            assert_eq!(name, expected, "{given} {below} {in_force:?}");
        };
        let own = Some("/etc/rules");
        check("/etc/rules/own/root.yml", "", own, "own/root");
        check("/etc/rules/own", "root.yml", own, "own/root");
        check("/etc/rules/root.yml", "", own, "root");
        check("/etc/rules/own/root/rule.yml", "", own, "own/root");
        check("/etc/rules/own/root", "rule.yml", own, "own/root");
        check("/etc/rules/root/rule.yml", "", own, "root");
        check("/home/ana/root.yml", "", own, "root");
        check("/home/ana/rules", "own/root.yml", own, "own/root");
        check("/home/ana/rules", "own/root/rule.yml", None, "own/root");
        check("/home/own/root/rule.yml", "", None, "own/root");
        check("/home/own/root", "rule.yml", None, "own/root");
        check("/rule.yaml", "", None, "rule");
    }
}
