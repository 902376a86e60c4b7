//! Scores over records nobody here wrote. They are not part of the project; a run without them
//! fails, it does not skip.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::process::{Parts, Tally, passes, say};
use crate::{public_rules, recognition};

/// The least share of right fields of each source but those of [`BELOW`].
const SOURCE_SHARE_MIN: &str = "0.95";

/// Sources whose peer is wrong, and the least share of right fields left.
///
/// The peer takes the address of the mail server that sent a message for that of the person who
/// clicked in it.
const BELOW: [(&str, &str); 1] = [("mimecast.ttp_url", "0.8")];

/// Answers of a vendor's API in which no record stands. The scores count them as lost.
const EMPTY_ANSWERS: [&str; 1] = [r#"{"response":{"authlogs":[]},"stat":"OK"}"#];

pub(crate) fn run(binary: &Path, folder: &Path) -> anyhow::Result<Tally> {
    let folder = folder
        .canonicalize()
        .with_context(|| format!("{}", folder.display()))?;
    let mut parts = Parts::default();
    parts.add("normalised fields", || normalise(binary, &folder));
    parts.add("recognised sources", || recognition::run(binary, &folder));
    parts.add("public rules", || public_rules::run(binary, &folder));
    parts.add("attack recordings", || attacks(binary, &folder));
    Ok(parts.tally())
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))
}

/// Every source scored against a peer's expected fields.
fn normalise(binary: &Path, folder: &Path) -> anyhow::Result<Tally> {
    let script = folder.join("checks").join("normalise.py");
    let scored = tempfile::tempdir()?;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.join("data").join("normalise"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let cases = std::fs::read_to_string(entry.path().join("cases.ndjson"))?;
        let own = scored.path().join(&name);
        std::fs::create_dir(&own)?;
        std::fs::write(own.join("cases.ndjson"), with_records(&cases)?)?;
        names.push(name);
    }
    names.sort();
    let score = |names: &[&str], least: &str| -> anyhow::Result<Tally> {
        let (script, binary, data) = (text(&script)?, text(binary)?, text(scored.path())?);
        let mut arguments = vec![script, "--bin", binary, "--data", data];
        arguments.extend(["--min-source", least]);
        if names.len() == 1 {
            arguments.extend(["--min", least]);
        }
        for name in names {
            arguments.extend(["--source", name]);
        }
        Ok(Tally::one(passes("python3", &arguments)?))
    };
    let mut tally = Tally::default();
    for (name, least) in BELOW {
        tally.add(score(&[name], least)?);
    }
    let well = names.iter().map(String::as_str);
    let well: Vec<&str> = well
        .filter(|name| BELOW.iter().all(|(below, _)| below != name))
        .collect();
    tally.add(score(&well, SOURCE_SHARE_MIN)?);
    Ok(tally)
}

/// The cases that hold a record.
fn with_records(cases: &str) -> anyhow::Result<String> {
    let mut kept = String::new();
    for line in cases.lines() {
        let case: serde_json::Value = serde_json::from_str(line)?;
        if case["raw"]
            .as_str()
            .is_none_or(|raw| !EMPTY_ANSWERS.contains(&raw))
        {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    Ok(kept)
}

/// Every attack recording yields a finding.
fn attacks(binary: &Path, folder: &Path) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let recordings = folder.join("data").join("cloudtrail_attacks");
    let mut files: Vec<_> = std::fs::read_dir(&recordings)
        .with_context(|| format!("{}", recordings.display()))?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    anyhow::ensure!(
        !files.is_empty(),
        "no recordings in {}",
        recordings.display()
    );
    for file in files {
        let data = tempfile::tempdir()?;
        let deedtrail = |arguments: &[&str]| -> anyhow::Result<String> {
            let output = Command::new(binary)
                .arg("--data")
                .arg(data.path())
                .env("XDG_STATE_HOME", data.path().join("state"))
                .args(arguments)
                .output()?;
            anyhow::ensure!(
                output.status.success(),
                "{arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            Ok(String::from_utf8(output.stdout)?)
        };
        deedtrail(&["init"])?;
        deedtrail(&["ingest", "--source", "aws.cloudtrail", text(&file)?])?;
        let findings = deedtrail(&["--json", "finding", "list"])?;
        let titles: Vec<String> = findings
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .map(|finding| format!("{}: {}", finding["kind"], finding["title"]))
            .collect();
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        say(format_args!(
            "{name}: {}",
            titles.first().map_or("NO FINDING", String::as_str)
        ));
        tally.add(Tally::one(!titles.is_empty()));
    }
    Ok(tally)
}
