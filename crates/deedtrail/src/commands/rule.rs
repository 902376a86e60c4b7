//! `rule`: list, test, try, explain. Needs no data folder.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use deedtrail_app::rule_name::UnknownRule;
use deedtrail_app::rule_set::{OwnRules, RuleBook};
use deedtrail_app::rule_test::{RuleCheck, RuleFolder};
use deedtrail_app::rule_try::{Tried, try_each};
use deedtrail_charter::Library;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::Mapper as _;
use deedtrail_detect::rule::rule_name;
use deedtrail_detect::{ProblemSeverity, RuleFile, RuleSet};
use deedtrail_sources::Registry;
use serde_json::json;

use super::Ended;
use crate::args::RuleCommand;
use crate::config::Config;
use crate::instance::{known_source, registry};
use crate::output::{Console, counted};
use crate::rules::{self, Folders, Loaded};

/// File of a folder that holds one rule with its fixtures.
const RULE_FILE: &str = "rule.yml";
/// What else is asked of it.
const OWN_FOLDER: &str =
    "a rule is tested in a folder of its own, as rule.yml beside fires.ndjson and quiet.ndjson";

pub(super) fn run(
    command: &RuleCommand,
    config: &Config,
    console: &mut Console,
) -> anyhow::Result<Ended> {
    let registry = registry(config)?;
    let loaded = rules::load(config.rules.as_deref())?;
    let set = &loaded.rules;
    match command {
        RuleCommand::List => list(&loaded, console),
        RuleCommand::Explain { id } => {
            let text = match id.strip_prefix("sequence/") {
                Some(sequence) => explain_sequence(config, sequence)?,
                None => set.explain(id, &registry.sources()),
            };
            let text = text.map_or_else(|| unknown(config, &loaded, id), Ok)?;
            if console.json {
                console.object(&json!({ "id": id, "text": text }))?;
            } else {
                console.lines(&text)?;
            }
            Ok(Ended::Done)
        }
        RuleCommand::Test { folders } => {
            test((folders, config.rules.as_deref()), &registry, console)
        }
        RuleCommand::Try { files, source } => {
            let names = registry.sources().into_iter().map(|facts| facts.name);
            let source = source.as_deref().map(|name| known_source(name, names));
            let rules = Arc::new(loaded.rules);
            try_records(
                files,
                source.transpose()?.as_ref(),
                &registry,
                &rules,
                console,
            )
        }
        RuleCommand::Backtest(_)
        | RuleCommand::Except(_)
        | RuleCommand::Exceptions { .. }
        | RuleCommand::EndException { .. }
        | RuleCommand::Reload
        | RuleCommand::Coverage(_)
        | RuleCommand::Scorecard { .. } => anyhow::bail!("this command needs a data folder"),
    }
}

/// Fails with the mistakes that keep the rule out of force, or the names that may have been meant.
fn unknown(config: &Config, loaded: &Loaded, wanted: &str) -> anyhow::Result<String> {
    let mistakes = loaded.mistakes_of(wanted);
    anyhow::ensure!(
        mistakes.is_empty(),
        "`{wanted}` is left out until its mistakes are mended:\n{}",
        mistakes.join("\n")
    );
    let sequences = sequences(config)?;
    Err(UnknownRule::new(wanted, &loaded.rules, &sequences).into())
}

/// The unsafe sequences of this build and of the operator's folder.
fn sequences(config: &Config) -> anyhow::Result<Arc<Library>> {
    let read = Folders::of(config).all()?;
    let compiled = RuleBook::default().compile(&OwnRules {
        sequences: read.own.sequences,
        ..OwnRules::default()
    });
    Ok(compiled.sequences)
}

/// What an unsafe sequence of this build or of the operator's folder says.
fn explain_sequence(config: &Config, id: &str) -> anyhow::Result<Option<String>> {
    let sequences = sequences(config)?;
    let place = if sequences.is_own(id) {
        "\nof the folder that `sequences` names\n"
    } else {
        ""
    };
    let text = sequences.text_of(id);
    Ok(text.map(|text| format!("{text}{place}")))
}

/// The rules in force, then those that a mistake keeps out of it.
fn list(loaded: &Loaded, console: &mut Console) -> anyhow::Result<Ended> {
    for doubt in loaded.doubts() {
        console.say(doubt)?;
    }
    let left_out = loaded.left_out();
    if console.json {
        for rule in loaded.rules.findings() {
            console.object(&json!({
                "id": rule.name,
                "severity": rule.severity,
                "finding": rule.finding,
                "title": rule.title,
                "techniques": rule.techniques,
            }))?;
        }
        for problem in left_out {
            console.object(&json!({ "id": problem, "left_out": true }))?;
        }
        return Ok(Ended::Done);
    }
    let rows: Vec<Vec<String>> = loaded
        .rules
        .findings()
        .map(|rule| {
            vec![
                rule.name.to_string(),
                rule.severity.name().to_owned(),
                rule.finding.to_string(),
                rule.title.clone(),
            ]
        })
        .collect();
    console.table(&["RULE", "SEVERITY", "FINDING", "TITLE"], &rows)?;
    for problem in left_out {
        console.line(format_args!("LEFT OUT  {problem}"))?;
    }
    Ok(Ended::Done)
}

/// Tries the records of files one by one.
fn try_records(
    files: &[PathBuf],
    source: Option<&SourceName>,
    registry: &Registry,
    rules: &Arc<RuleSet>,
    console: &mut Console,
) -> anyhow::Result<Ended> {
    for path in files {
        let body =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let tried = try_each(registry, rules, source, &body);
        let tried = tried.with_context(|| format!("{}", path.display()))?;
        for record in &tried {
            if console.json {
                console.object(&serde_json::to_value(record)?)?;
            } else {
                say_tried(record, console)?;
            }
        }
    }
    Ok(Ended::Done)
}

/// A record in lines for people: what a rule sees, then what came of it.
fn say_tried(record: &Tried, console: &mut Console) -> anyhow::Result<()> {
    let source = record
        .source
        .as_ref()
        .map_or("no source", SourceName::as_str);
    console.line(format_args!("record {}  {source}", record.line))?;
    if let Some(why) = &record.unmapped {
        console.line(format_args!("    not mapped: {why}"))?;
    }
    for event in &record.events {
        let actor = event.actor_name.as_ref().or(event.actor_ref.as_ref());
        console.line(format_args!(
            "    {} ({}, {}) by {} on {}",
            event.operation,
            event.action.name(),
            event.outcome.name(),
            actor.map_or("nobody named", |name| name.as_str()),
            event.target_name.as_deref().unwrap_or("nothing named"),
        ))?;
    }
    for finding in &record.findings {
        let (severity, rule) = (finding.severity.name(), &finding.rule);
        console.line(format_args!("    {severity:8}  {rule}: {}", finding.title))?;
    }
    if record.findings.is_empty() && record.unmapped.is_none() {
        console.line(format_args!("    no finding"))?;
    }
    Ok(())
}

/// Runs fixtures: those of this build's rules together, or each given folder's by itself.
fn test(
    (folders, in_force): (&[PathBuf], Option<&Path>),
    registry: &Registry,
    console: &mut Console,
) -> anyhow::Result<Ended> {
    let mut failed = 0;
    let mut checked = 0;
    if folders.is_empty() {
        let (set, _) = RuleSet::load(&rules::built_in());
        let set = Arc::new(set);
        for folder in rules::built_in_folders() {
            checked += 1;
            failed += usize::from(!report(&folder.check(registry, &set), console)?);
        }
    }
    for path in folders {
        for folder in rule_folders(path, console)? {
            checked += 1;
            let check = check(&folder, in_force, registry, console)?;
            failed += usize::from(!report(&check, console)?);
        }
    }
    console.say(format_args!(
        "{} tested, {failed} failed",
        counted(checked, "rule")
    ))?;
    Ok(if failed == 0 {
        Ended::Done
    } else {
        Ended::Found
    })
}

/// The folder or `rule.yml` as given; of a folder of such folders, each of them.
fn rule_folders(given: &Path, console: &mut Console) -> anyhow::Result<Vec<PathBuf>> {
    if !given.is_dir() || given.join(RULE_FILE).try_exists()? {
        return Ok(vec![given.to_owned()]);
    }
    let (own, others): (Vec<_>, Vec<_>) = rules::yaml_files(given)?
        .into_iter()
        .partition(|file| file.ends_with(RULE_FILE));
    anyhow::ensure!(
        !own.is_empty(),
        "no {RULE_FILE} in {} or below it: {OWN_FOLDER}",
        given.display()
    );
    if !others.is_empty() {
        console.say(format_args!(
            "not tested, as they are no {RULE_FILE} in a folder of their own: {}",
            counted(others.len(), "file")
        ))?;
    }
    let folders = own.iter().filter_map(|file| file.parent());
    let mut folders: Vec<PathBuf> = folders.map(Path::to_owned).collect();
    folders.sort();
    Ok(folders)
}

/// Tests a folder with `rule.yml`, `fires.ndjson` and `quiet.ndjson`, or its `rule.yml`. What is wrong
/// with the rule comes first: while it has a mistake, its fixtures say nothing.
fn check(
    path: &Path,
    in_force: Option<&Path>,
    registry: &Registry,
    console: &mut Console,
) -> anyhow::Result<RuleCheck> {
    let path = rules::canonical(path)?;
    let is_rule = path.is_file() && path.ends_with(RULE_FILE);
    anyhow::ensure!(
        is_rule || path.is_dir(),
        "{} is not called {RULE_FILE}: {OWN_FOLDER}",
        path.display()
    );
    let folder = path.parent().filter(|_| is_rule).unwrap_or(&path);
    let in_force = in_force.and_then(|folder| folder.canonicalize().ok());
    let name = rules::path_in_force(folder, RULE_FILE, in_force.as_deref());
    let name = rule_name(&name).to_string();
    let rule = folder.join(RULE_FILE);
    let text = std::fs::read(&rule).with_context(|| format!("cannot read {}", rule.display()))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let file = RuleFile {
        path: format!("{name}/{RULE_FILE}"),
        text: text.clone(),
    };
    let (set, mut problems) = RuleSet::load(&[file]);
    problems.extend(set.check_sources(&registry.sources(), &BTreeMap::new()));
    problems.sort_by_key(|problem| problem.line);
    let (wrong, doubts): (Vec<_>, Vec<_>) = problems
        .iter()
        .partition(|problem| problem.severity == ProblemSeverity::Error);
    for doubt in doubts {
        console.say(doubt)?;
    }
    let failed = |problems| RuleCheck {
        name: name.clone(),
        fired: Vec::new(),
        problems,
    };
    if !wrong.is_empty() {
        return Ok(failed(wrong.into_iter().map(ToString::to_string).collect()));
    }
    let fires = fixture(
        folder,
        "fires.ndjson",
        "records on which the rule must fire",
    );
    let quiet = fixture(
        folder,
        "quiet.ndjson",
        "records that look alike and on which it must not fire: a rule that fires on everything \
         passes without",
    );
    match (fires, quiet) {
        (Ok(fires), Ok(quiet)) => {
            let folder = RuleFolder {
                name,
                rule: text,
                fires,
                quiet,
            };
            Ok(folder.check(registry, &Arc::new(set)))
        }
        (fires, quiet) => Ok(failed(
            [fires.err(), quiet.err()].into_iter().flatten().collect(),
        )),
    }
}

/// The records of a fixture, or what to do where it cannot be read.
fn fixture(folder: &Path, name: &str, holds: &str) -> Result<Vec<u8>, String> {
    std::fs::read(folder.join(name)).map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("{name} is missing: write it with {holds}"),
        _ => format!("cannot read {name}: {error}"),
    })
}

fn report(check: &RuleCheck, console: &mut Console) -> anyhow::Result<bool> {
    let well = check.problems.is_empty();
    if console.json {
        let titles: Vec<&str> = check
            .fired
            .iter()
            .map(|draft| draft.title.as_str())
            .collect();
        let problems = &check.problems;
        console.object(
            &json!({ "id": check.name, "ok": well, "fired": titles, "problems": problems }),
        )?;
        return Ok(well);
    }
    console.line(format_args!(
        "{:6}  {}",
        if well { "ok" } else { "FAILED" },
        check.name
    ))?;
    for problem in &check.problems {
        console.line(format_args!("        {problem}"))?;
    }
    Ok(well)
}
