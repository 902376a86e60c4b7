//! Scores over records nobody here wrote. They are not part of the project; a run without them
//! fails, it does not skip.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::process::{Tally, passes, say};
use crate::recognition;

/// Sources scored against a peer's expected fields.
const SCORED: [&str; 9] = [
    "aws.cloudtrail",
    "entra.signin",
    "github.audit",
    "google_workspace.admin",
    "m365.audit",
    "okta.system",
    "proofpoint.clicks_blocked",
    "proofpoint.clicks_permitted",
    "vault.audit",
];

/// Log types of the public rule tests, the source that maps them, and cases no vendor sent.
///
/// Five cases of the first have all their keys in lower case: their authors reshaped them, and the
/// vendor never sends that, so they belong in quarantine.
const RULE_TESTS: [(&str, &str, usize); 3] = [
    ("AWS.CloudTrail", "aws.cloudtrail", 5),
    ("GitHub.Audit", "github.audit", 0),
    ("Okta.SystemLog", "okta.system", 0),
];

pub(crate) fn run(binary: &Path, folder: &Path) -> anyhow::Result<Tally> {
    let folder = folder
        .canonicalize()
        .with_context(|| format!("{}", folder.display()))?;
    let mut tally = Tally::default();
    tally.add(normalise(binary, &folder)?);
    tally.add(rule_tests(binary, &folder)?);
    tally.add(recognition::run(binary, &folder)?);
    tally.add(attacks(binary, &folder)?);
    Ok(tally)
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))
}

fn normalise(binary: &Path, folder: &Path) -> anyhow::Result<Tally> {
    let script = folder.join("checks").join("normalise.py");
    let data = folder.join("data").join("normalise");
    let mut arguments = vec![
        text(&script)?,
        "--bin",
        text(binary)?,
        "--data",
        text(&data)?,
    ];
    for source in SCORED {
        arguments.extend(["--source", source]);
    }
    Ok(Tally::one(passes("python3", &arguments)?))
}

/// Every event of these log types maps without quarantine.
fn rule_tests(binary: &Path, folder: &Path) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    for (log_type, source, reshaped) in RULE_TESTS {
        let path = folder
            .join("data")
            .join("rule_tests")
            .join(format!("{log_type}.ndjson"));
        let cases =
            std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        let mut records = String::new();
        for case in cases.lines() {
            let case: serde_json::Value = serde_json::from_str(case)?;
            let event = case
                .get("event")
                .or_else(|| case.get("raw"))
                .context("a case has no event")?;
            records.push_str(&serde_json::to_string(event)?);
            records.push('\n');
        }
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("records.ndjson");
        std::fs::write(&file, &records)?;
        let output = Command::new(binary)
            .args(["source", "map", source])
            .arg(&file)
            .output()?;
        let answers = String::from_utf8(output.stdout)?;
        let quarantined = answers
            .lines()
            .filter(|line| !line.contains("\"error\":null"))
            .count();
        let (sent, got) = (records.lines().count(), answers.lines().count());
        say(format_args!(
            "rule tests {log_type}: {got} of {sent} answered, {quarantined} quarantined"
        ));
        tally.add(Tally::one(
            sent == got && quarantined == reshaped && sent > 0,
        ));
    }
    Ok(tally)
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
