//! What comes in during a life: records of the rules' fixtures, so that much is found in them, and
//! what people declare and decide.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use deedtrail_app::rule_test::RuleFolder;
use deedtrail_core::id::SourceName;
use deedtrail_detect::{RuleFile, RuleSet};
use deedtrail_sources::Registry;
use serde_json::Value;

use crate::process::root;

/// Lines taken of one fixture.
const LINES_MAX: usize = 24;

/// A line of a fixture.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    Record {
        source: SourceName,
        text: String,
    },
    /// What an import says of an identity.
    Identity(String),
}

/// Everything that lives are made of; the same for all.
pub(super) struct Material {
    pub(super) registry: Arc<Registry>,
    pub(super) rules: Arc<RuleSet>,
    pub(super) names: Vec<String>,
    fixtures: Vec<Vec<Line>>,
}

/// Read and compiled once.
pub(super) static MATERIAL: LazyLock<Result<Material, String>> = LazyLock::new(Material::read);

impl Material {
    fn read() -> Result<Self, String> {
        let registry = Registry::built_in().map_err(|error| format!("{error:?}"))?;
        let folders = RuleFolder::read_all(&root().join("rules"));
        let folders = folders.map_err(|error| error.to_string())?;
        let files = folders.iter().map(|folder| RuleFile {
            path: format!("{}/rule.yml", folder.name),
            text: folder.rule.clone(),
        });
        let (rules, problems) = RuleSet::load(&files.collect::<Vec<_>>());
        if !problems.is_empty() {
            return Err(format!("{problems:?}"));
        }
        let fixtures = folders
            .iter()
            .flat_map(|folder| [&folder.fires, &folder.quiet]);
        let fixtures = fixtures.map(|fixture| lines(fixture));
        Ok(Self {
            registry: Arc::new(registry),
            names: rules.rules().iter().map(|it| it.name.to_string()).collect(),
            rules: Arc::new(rules),
            fixtures: fixtures.filter(|lines| !lines.is_empty()).collect(),
        })
    }

    /// What comes in during one life, in order; no record twice.
    pub(super) fn draw(&self, dice: &mut fastrand::Rng) -> Vec<Line> {
        let mut runs = Vec::new();
        for _ in 0..dice.usize(2..7) {
            let fixture = &self.fixtures[dice.usize(0..self.fixtures.len())];
            let from = dice.usize(0..fixture.len().div_ceil(LINES_MAX)) * LINES_MAX;
            let run = fixture.iter().skip(from).take(LINES_MAX).cloned();
            runs.push(run.collect::<std::collections::VecDeque<Line>>());
        }
        let (mut drawn, mut known) = (Vec::new(), BTreeSet::new());
        while !runs.is_empty() {
            let at = dice.usize(0..runs.len());
            for _ in 0..dice.usize(1..9) {
                drawn.extend(runs[at].pop_front());
            }
            if runs[at].is_empty() {
                runs.swap_remove(at);
            }
        }
        drawn.retain(|line| known.insert(line.clone()));
        drawn
    }
}

fn lines(fixture: &[u8]) -> Vec<Line> {
    let lines = fixture.split(|byte| *byte == b'\n');
    let lines = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let line = |line: Value| {
        let source = line["source"].as_str();
        match source.and_then(|source| SourceName::new(source).ok()) {
            Some(source) => Line::Record {
                source,
                text: line["record"].to_string(),
            },
            None => Line::Identity(line["identity"].to_string()),
        }
    };
    lines.map(line).collect()
}
