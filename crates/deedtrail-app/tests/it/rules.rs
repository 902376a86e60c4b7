//! Every rule of rules/ fires on what it must, stays quiet on what looks alike, and says so in
//! words that are kept (`expected.snap` in the rule's folder).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deedtrail_app::rule_test::{RuleFolder, Trial};
use deedtrail_core::control;
use deedtrail_core::finding::{FindingDraft, registry};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::Mapper as _;
use deedtrail_detect::detector::DETECTORS;
use deedtrail_detect::field::{self, FIELDS};
use deedtrail_detect::{RuleFile, RuleSet};
use deedtrail_sources::Registry;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules")
}

fn load(folders: &[RuleFolder]) -> Arc<RuleSet> {
    let files = folders.iter().map(|folder| RuleFile {
        path: format!("{}/rule.yml", folder.name),
        text: folder.rule.clone(),
    });
    let (rules, problems) = RuleSet::load(&files.collect::<Vec<_>>());
    assert!(problems.is_empty(), "{problems:#?}");
    Arc::new(rules)
}

/// The rules of this build.
pub(crate) fn built_in() -> Arc<RuleSet> {
    load(&RuleFolder::read_all(&root()).unwrap())
}

#[test]
fn every_rule_passes_its_fixtures() {
    let registry = Registry::built_in().unwrap();
    let folders = RuleFolder::read_all(&root()).unwrap();
    assert!(folders.len() >= 26, "only {} rules", folders.len());
    let rules = load(&folders);
    let mut problems = Vec::new();
    for folder in &folders {
        let check = folder.check(&registry, &rules);
        if !check.problems.is_empty() {
            problems.push(format!("{}: {}", check.name, check.problems.join("; ")));
            continue;
        }
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(root().join(&folder.name));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("expected", words(&check.fired)));
    }
    assert!(
        problems.is_empty(),
        "{} rules fail:\n{}",
        problems.len(),
        problems.join("\n")
    );
}

/// What findings say, one paragraph each.
fn words(drafts: &[FindingDraft]) -> String {
    let paragraph = |draft: &FindingDraft| {
        let (kind, severity, events) = (&draft.kind, draft.severity.name(), draft.events.len());
        let reasons = draft.reasons.iter().map(|reason| format!("  - {reason}\n"));
        format!(
            "{kind} ({severity}), {events} event(s)\n  {}\n{}  techniques: {}\n",
            draft.title,
            reasons.collect::<String>(),
            draft.techniques.join(", "),
        )
    };
    drafts.iter().map(paragraph).collect()
}

#[test]
fn rules_and_detectors_make_every_type_and_only_known_ones() {
    let folders = RuleFolder::read_all(&root()).unwrap();
    let rules = load(&folders);
    let made = rules.rules().iter().map(|rule| rule.finding.as_str());
    let made = made.chain(
        DETECTORS
            .iter()
            .flat_map(|detector| detector.findings.iter().copied()),
    );
    let made = made.collect::<BTreeSet<_>>();
    let known = registry::all().map(|kind| kind.id).collect::<BTreeSet<_>>();
    let unknown = made.difference(&known).collect::<Vec<_>>();
    assert!(unknown.is_empty(), "made but not registered: {unknown:?}");
    let idle = known.difference(&made).collect::<Vec<_>>();
    assert!(idle.is_empty(), "registered but never made: {idle:?}");
}

#[test]
fn every_technique_of_a_rule_stands_in_the_control_table() {
    let folders = RuleFolder::read_all(&root()).unwrap();
    let rules = load(&folders);
    let mut named = BTreeSet::new();
    for rule in rules.rules() {
        for technique in &rule.techniques {
            assert!(
                control::find(technique).is_some(),
                "{}: {technique}",
                rule.name
            );
            named.insert(technique.as_str());
        }
    }
    let referred = registry::all().flat_map(|kind| kind.mapped_ref.iter().copied());
    let used = referred.chain(
        control::CROSSWALK
            .iter()
            .flat_map(|row| row.mapped_ref.iter().copied()),
    );
    named.extend(used);
    let idle = control::CONTROLS
        .iter()
        .map(|control| control.id)
        .filter(|id| !named.contains(id));
    assert_eq!(
        idle.collect::<Vec<_>>(),
        Vec::<&str>::new(),
        "controls nothing refers to"
    );
}

#[test]
fn every_folder_explains_itself() {
    for folder in RuleFolder::read_all(&root()).unwrap() {
        let page = std::fs::read_to_string(root().join(&folder.name).join("README.md")).unwrap();
        for heading in ["## Why", "## False positives", "## Response", "## Tuning"] {
            assert!(page.contains(heading), "{}: no {heading}", folder.name);
        }
    }
}

#[test]
fn every_rule_has_a_source_that_serves_it() {
    let sources = Registry::built_in().unwrap().sources();
    let rules = load(&RuleFolder::read_all(&root()).unwrap());
    let problems = rules.check_sources(&sources, &BTreeMap::new());
    let unserved = problems
        .iter()
        .map(|p| format!("{}: {}", p.path, p.message));
    assert_eq!(unserved.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_rule_that_must_not_fire_is_reported() {
    let registry = Registry::built_in().unwrap();
    let mut folders = RuleFolder::read_all(&root()).unwrap();
    let rules = load(&folders);
    let folder = folders
        .iter_mut()
        .find(|folder| folder.name == "usage/root_account_used")
        .unwrap();
    std::mem::swap(&mut folder.fires, &mut folder.quiet);
    let problems = folder.check(&registry, &rules).problems.join("\n");
    assert!(
        problems.contains("does not fire on fires.ndjson"),
        "{problems}"
    );
    assert!(problems.contains("fires on quiet.ndjson"), "{problems}");
    folder.fires = b"not json".to_vec();
    let problems = folder.check(&registry, &rules).problems;
    assert!(
        problems[0].starts_with("fires.ndjson, line 1: "),
        "{problems:?}"
    );
}

#[test]
fn a_bad_fixture_line_is_named() {
    let registry = Registry::built_in().unwrap();
    let rules = load(&[]);
    let error = |text: &str| {
        Trial::of_fixture(&registry, &rules, text.as_bytes())
            .unwrap_err()
            .to_string()
    };
    assert!(error("\n{\"source\":\"no.such\",\"record\":{}}").starts_with("line 2: no source"));
    assert!(error("{\"record\":{}}").contains("neither a record nor an identity"));
    assert!(error("{\"identity\":{\"name\":\"x\"}}").starts_with("line 1:"));
    assert!(error("not json").starts_with("line 1:"));
}

/// Sources that a line of fixtures names.
fn sources_of(fixtures: &[u8]) -> BTreeSet<SourceName> {
    let lines = str::from_utf8(fixtures).unwrap().lines();
    let lines = lines.filter(|line| !line.trim().is_empty());
    let named = lines.filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["source"].as_str().map(ToOwned::to_owned)
    });
    named.map(|name| SourceName::new(&name).unwrap()).collect()
}

#[test]
fn what_a_rule_fires_on_is_told_by_a_source_that_it_is_counted_for() {
    let registry = Registry::built_in().unwrap();
    let folders = RuleFolder::read_all(&root()).unwrap();
    let rules = load(&folders);
    let mut untold = Vec::new();
    for folder in &folders {
        let sources = sources_of(&folder.fires);
        let told = sources
            .iter()
            .filter_map(|source| registry.account_of(source));
        let told: Vec<BTreeSet<String>> = told.map(|account| account.fields).collect();
        let its = rules.rules().iter().filter(|rule| rule.name == folder.name);
        for rule in its.filter(|rule| rule.is_canonical()) {
            if !told.iter().any(|fields| rule.is_told_by(fields)) {
                untold.push(format!("{}: {:?} of {sources:?}", rule.name, rule.fields));
            }
        }
    }
    assert_eq!(untold, Vec::<String>::new());
}

#[test]
fn every_field_that_depends_on_the_source_is_told_by_one() {
    let registry = Registry::built_in().unwrap();
    let accounts = registry.sources().into_iter();
    let accounts = accounts.filter_map(|facts| registry.account_of(&facts.name));
    let told: BTreeSet<String> = accounts.flat_map(|account| account.fields).collect();
    for field in FIELDS {
        let told_as = field::told_as(field.name);
        let is_told = told_as.is_empty() || told_as.iter().any(|name| told.contains(*name));
        assert!(is_told, "{}: {told_as:?}", field.name);
        // What mappings and rules call alike is told by mappings.
        let is_common = [
            "kind",
            "plane",
            "system",
            "operation",
            "outcome",
            "meaningful",
        ];
        let by_mapping = told.contains(field.name) && !is_common.contains(&field.name);
        assert!(
            !by_mapping || told_as.contains(&field.name),
            "{}",
            field.name
        );
    }
}
