//! `source`: list, test, map, readiness, detect. Needs no data folder.

mod readiness;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use deedtrail_app::saas_readiness::saas_readiness;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Mapper as _, SourceFacts};
use deedtrail_sources::{Coverage, Registry};
use serde_json::json;

use super::Ended;
use super::ingest::expand;
use crate::args::SourceCommand;
use crate::config::Config;
use crate::instance::{known_source, registry};
use crate::output::{Console, Data};
use crate::socket;

/// Said of records whose content names no source.
const UNKNOWN: &str = "unknown: no source is known by its content alone; if you know it, take the \
                       file in with `deedtrail ingest --source NAME FILE`";

pub(super) fn run(
    command: &SourceCommand,
    config: &Config,
    console: &mut Console,
) -> anyhow::Result<Ended> {
    let ended = match command {
        SourceCommand::List => list(&registry(config)?.sources(), console)?,
        SourceCommand::Map { source, files } => map(&registry(config)?, source, files, console)?,
        SourceCommand::Test { folder } => return test(folder, console),
        SourceCommand::Readiness { name } => {
            return readiness::run(&saas_readiness(name, &registry(config)?), console);
        }
        SourceCommand::Detect { files } => detect(&registry(config)?, files, console)?,
    };
    compare_with_server(config, console)?;
    Ok(ended)
}

/// Says so when a server runs that was started with other sources than there are now.
pub(super) fn compare_with_server(config: &Config, console: &mut Console) -> anyhow::Result<()> {
    let Some(answer) = socket::ask(&config.data, &["source", "list"]) else {
        return Ok(());
    };
    let lines = answer
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let version = |line: &serde_json::Value| -> Option<(String, String)> {
        let text = |name: &str| Some(line.get(name)?.as_str()?.to_owned());
        Some((text("id")?, text("mapping_version")?))
    };
    let served: BTreeSet<_> = lines.filter_map(|line| version(&line)).collect();
    let facts = registry(config)?.sources().into_iter();
    let here: BTreeSet<_> = facts
        .map(|facts| (facts.name.to_string(), facts.mapping_version))
        .collect();
    let differing = served.symmetric_difference(&here);
    let names: BTreeSet<&str> = differing.map(|(name, _)| name.as_str()).collect();
    if !names.is_empty() {
        let names: Vec<&str> = names.into_iter().collect();
        console.say(format_args!(
            "the running server was started with other sources ({}): restart it to use those of now",
            names.join(", ")
        ))?;
    }
    Ok(())
}

/// Prints sources: those of the configuration, or those a server was started with.
pub(super) fn list(sources: &[SourceFacts], console: &mut Console) -> anyhow::Result<Ended> {
    if console.json {
        for source in sources {
            console.object(&json!({
                "id": source.name,
                "title": source.title,
                "planes": source.planes,
                "mapping_version": source.mapping_version,
            }))?;
        }
        return Ok(Ended::Done);
    }
    let rows: Vec<Vec<String>> = sources
        .iter()
        .map(|s| vec![s.name.to_string(), s.planes.join(", "), s.title.clone()])
        .collect();
    console.table(&["SOURCE", "PLANES", "TITLE"], &rows)?;
    Ok(Ended::Done)
}

fn map(
    registry: &Registry,
    source: &str,
    files: &[String],
    console: &mut Console,
) -> anyhow::Result<Ended> {
    let names = registry.sources().into_iter().map(|facts| facts.name);
    let source = known_source(source, names)?;
    for file in expand(Path::new(""), files)? {
        let body = body(&file, console)?;
        let mut out = console.data(Data::Json);
        registry.write_rows(&source, &body, &mut out)?;
    }
    Ok(Ended::Done)
}

fn body(file: &str, console: &mut Console) -> anyhow::Result<Vec<u8>> {
    if file != "-" {
        return std::fs::read(file).with_context(|| format!("cannot read {file}"));
    }
    let mut body = Vec::new();
    console.input.read_to_end(&mut body)?;
    Ok(body)
}

/// One object per record as JSON, else how many records are of which source.
fn detect(registry: &Registry, files: &[String], console: &mut Console) -> anyhow::Result<Ended> {
    let mut rows = Vec::new();
    for file in expand(Path::new(""), files)? {
        let body = body(&file, console)?;
        rows.extend(registry.detect(&body)?);
    }
    if console.json {
        for row in &rows {
            console.object(row)?;
        }
        return Ok(Ended::Done);
    }
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for row in &rows {
        let names = row.source.iter().chain(&row.candidates);
        let names: Vec<&str> = names.map(SourceName::as_str).collect();
        let found = match names.as_slice() {
            [] => UNKNOWN.to_owned(),
            names => names.join(" or "),
        };
        *counts.entry(found).or_default() += 1;
    }
    let counts = counts.into_iter();
    let rows: Vec<Vec<String>> = counts
        .map(|(found, count)| vec![count.to_string(), found])
        .collect();
    console.table(&["RECORDS", "SOURCE"], &rows)?;
    Ok(Ended::Done)
}

/// Maps a source folder's fixtures with the mapping beside them.
fn test(folder: &Path, console: &mut Console) -> anyhow::Result<Ended> {
    let folder = folder
        .canonicalize()
        .with_context(|| format!("{}: give the folder of a source", folder.display()))?;
    let parent = folder
        .parent()
        .context("a source is a folder in a folder of sources")?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let source = SourceName::new(&name)?;
    anyhow::ensure!(
        folder.join("mapping.toml").is_file(),
        "{} has no mapping.toml; give the folder of one source",
        folder.display()
    );
    let registry = Registry::load(parent)?;
    let fixtures = folder.join("fixtures");
    let entries = std::fs::read_dir(&fixtures);
    let mut files: Vec<_> = entries
        .with_context(|| format!("{} needs fixtures", fixtures.display()))?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| {
        path.extension()
            .is_some_and(|e| e == "ndjson" || e == "json")
    });
    files.sort();
    anyhow::ensure!(!files.is_empty(), "{} has no *.ndjson", fixtures.display());
    let mapped = registry.mapped_fields(&source)?;
    let mut filled = BTreeSet::new();
    let mut well = true;
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let coverage = registry.coverage(&source, &std::fs::read(&file)?)?;
        let faults = coverage.faults(&mapped, name.starts_with("refused"));
        report(&file, &coverage, &faults, console)?;
        well &= faults.is_empty();
        filled.extend(coverage.fields.into_keys());
    }
    let empty: Vec<&String> = mapped.difference(&filled).collect();
    if console.json {
        console.object(&json!({ "id": source, "well": well, "never_filled": empty }))?;
    } else if !empty.is_empty() {
        console.line(format_args!(
            "mapped, but filled by no fixture ({})",
            empty.len()
        ))?;
        for name in empty {
            console.line(format_args!("            {name}"))?;
        }
    }
    Ok(if well { Ended::Done } else { Ended::Found })
}

fn report(
    file: &Path,
    coverage: &Coverage,
    faults: &[String],
    console: &mut Console,
) -> anyhow::Result<()> {
    let well = faults.is_empty();
    if console.json {
        console
            .object(&json!({ "id": file, "well": well, "faults": faults, "coverage": coverage }))?;
        return Ok(());
    }
    console.line(format_args!(
        "{}: {} records, {} events, {:.1} % other, {} quarantined: {}",
        file.display(),
        coverage.records,
        coverage.events,
        coverage.other_share() * 100.0,
        coverage.quarantined.values().sum::<u64>(),
        if well { "ok" } else { "needs work" }
    ))?;
    for fault in faults {
        console.line(format_args!("  {fault}"))?;
    }
    for (title, counts) in [
        ("canonical fields filled", &coverage.fields),
        ("raw paths used", &coverage.used),
        ("raw paths not used", &coverage.unmapped),
        ("operations without an action", &coverage.other),
        ("quarantine", &coverage.quarantined),
    ] {
        console.line(format_args!("  {title} ({})", counts.len()))?;
        for (name, count) in counts {
            console.line(format_args!("    {count:>6}  {name}"))?;
        }
    }
    Ok(())
}
