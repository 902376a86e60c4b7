//! Records nobody here wrote, each detected without a label and mapped by the source found.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use crate::process::{Tally, say};

/// Share of records that may stay without a source.
const UNDECIDED_SHARE_MAX: f64 = 0.01;

/// Log types of the public rule tests and what the names of their sources begin with. The audit log
/// of a cluster also comes through Azure Monitor.
const LOG_TYPES: [(&str, &[&str]); 35] = [
    ("AWS.CloudTrail", &["aws.cloudtrail"]),
    ("Amazon.EKS.Audit", &["kubernetes.audit"]),
    ("Anthropic.Activity", &["anthropic."]),
    ("Asana.Audit", &["asana."]),
    ("Atlassian.Audit", &["atlassian."]),
    ("Auth0.Events", &["auth0."]),
    ("Azure.Audit", &["entra."]),
    ("Azure.MonitorActivity", &["azure.", "kubernetes.audit"]),
    ("Box.Event", &["box."]),
    ("Databricks.Audit", &["databricks."]),
    ("Dropbox.TeamEvent", &["dropbox."]),
    ("Duo.Administrator", &["duo.admin"]),
    ("Duo.Authentication", &["duo.auth"]),
    ("GCP.AuditLog", &["gcp.audit"]),
    ("GSuite.ActivityEvent", &["google_workspace."]),
    ("GitHub.Audit", &["github.audit"]),
    ("GitHub.Webhook", &["github.webhook"]),
    ("Gravitational.TeleportAudit", &["teleport."]),
    ("MongoDB.OrganizationEvent", &["mongodb"]),
    ("Notion.AuditLogs", &["notion."]),
    ("Okta.SystemLog", &["okta.system"]),
    ("OneLogin.Events", &["onelogin."]),
    ("OnePassword.ItemUsage", &["onepassword.item_usage"]),
    ("OnePassword.SignInAttempt", &["onepassword.signin"]),
    ("OpenAI.Audit", &["openai."]),
    ("Proofpoint.Event", &["proofpoint."]),
    ("Slack.AuditLogs", &["slack.audit"]),
    ("Snowflake.DataTransferHistory", &["snowflake."]),
    ("Snowflake.LoginHistory", &["snowflake."]),
    ("Snowflake.QueryHistory", &["snowflake."]),
    ("Snyk.GroupAudit", &["snyk."]),
    ("Tailscale.Audit", &["tailscale."]),
    ("Tines.Audit", &["tines."]),
    ("Zendesk.Audit", &["zendesk."]),
    ("Zoom.Operation", &["zoom."]),
];

/// Sign-in logs that a peer keeps among those of Azure: their category says what they are.
const SIGN_INS_AMONG: &str = "azure.activity";

/// Entra's kinds of sign-in, of which the peer makes one log.
const KINDS_OF_SIGN_IN: [&str; 3] = [
    "entra.signin",
    "entra.managed_identity_signin",
    "entra.service_principal_signin",
];

/// A record and what the names of its sources begin with.
struct Case {
    record: String,
    expected: Vec<String>,
}

/// What became of the records of one file.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    right: u64,
    /// Logs of one vendor that nothing in the record tells apart, its own among them.
    vendor: u64,
    undecided: u64,
    wrong: u64,
    /// Of the right ones, those the source found did not map.
    quarantined: u64,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.right += other.right;
        self.vendor += other.vendor;
        self.undecided += other.undecided;
        self.wrong += other.wrong;
        self.quarantined += other.quarantined;
    }

    fn undecided_share(self) -> f64 {
        let all = self.right + self.vendor + self.undecided + self.wrong;
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let share = self.undecided as f64 / all.max(1) as f64;
        share
    }
}

/// No record is taken for another log's, and few for none. Only records of sources that exist count.
pub(crate) fn run(binary: &Path, folder: &Path) -> anyhow::Result<Tally> {
    let sources = sources(binary)?;
    let data = folder.join("data");
    let mut files: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for entry in std::fs::read_dir(data.join("normalise"))? {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let cases = vendor_records(&name, &folder.join("cases.ndjson"))?;
        files.insert(format!("normalise {name}"), cases);
    }
    for (log_type, _) in LOG_TYPES {
        let path = data.join("rule_tests").join(format!("{log_type}.ndjson"));
        if path.is_file() {
            files.insert(
                format!("rule tests {log_type}"),
                rule_cases(log_type, &path)?,
            );
        }
    }
    let mut sum = Found::default();
    for (name, mut cases) in files {
        let exists = |start: &String| sources.iter().any(|source| source.starts_with(start));
        cases.retain(|case| case.expected.iter().any(exists));
        let found = detect(binary, &cases)?;
        if found.right != cases.len() as u64 || found.quarantined > 0 {
            say(format_args!("detected without label, {name}: {found:?}"));
        }
        sum.add(found);
    }
    let share = sum.undecided_share();
    say(format_args!(
        "detected without label: {} right ({} quarantined), {} by vendor, {} undecided ({:.2} %), {} wrong",
        sum.right,
        sum.quarantined,
        sum.vendor,
        sum.undecided,
        share * 100.0,
        sum.wrong
    ));
    let well =
        sum.wrong == 0 && sum.quarantined == 0 && share <= UNDECIDED_SHARE_MAX && sum.right > 0;
    Ok(Tally::one(well))
}

fn sources(binary: &Path) -> anyhow::Result<Vec<String>> {
    let output = Command::new(binary)
        .args(["--json", "source", "list"])
        .output()?;
    let mut names = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let source: Value = serde_json::from_str(line)?;
        names.extend(source["id"].as_str().map(str::to_owned));
    }
    Ok(names)
}

fn lines(path: &Path) -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let values = text.lines().map(serde_json::from_str);
    Ok(values.collect::<Result<_, _>>()?)
}

/// A record in one line.
fn flat(record: &Value) -> String {
    let Some(text) = record.as_str() else {
        return record.to_string();
    };
    let json = serde_json::from_str::<Value>(text);
    json.map_or_else(|_| text.replace('\n', " "), |value| value.to_string())
}

fn vendor_records(name: &str, path: &Path) -> anyhow::Result<Vec<Case>> {
    let cases = lines(path)?.into_iter().map(|case| {
        let record = flat(&case["raw"]);
        let is_sign_in = name == SIGN_INS_AMONG && record.contains("UserSignInLogs\"");
        let expected = match name {
            "entra.signin" => &KINDS_OF_SIGN_IN[..],
            _ if is_sign_in => &KINDS_OF_SIGN_IN[..],
            _ => &[name],
        };
        let expected = expected.iter().map(|name| (*name).to_owned()).collect();
        Case { record, expected }
    });
    Ok(cases.collect())
}

/// Events of a rule's tests. Some rules are for several log types: their events say theirs, or are
/// left out.
fn rule_cases(log_type: &str, path: &Path) -> anyhow::Result<Vec<Case>> {
    let cases = lines(path)?;
    let event = |case: &Value| case.get("event").or_else(|| case.get("raw")).cloned();
    let events: Vec<Value> = cases.iter().filter_map(event).collect();
    let other = |event: &Value| {
        let own = event["p_log_type"].as_str();
        own.is_some_and(|own| own != log_type)
    };
    let is_mixed = events.iter().any(other);
    let cases = events.into_iter().filter_map(|event| {
        let own = match event["p_log_type"].as_str() {
            Some(own) => own,
            None if is_mixed => return None,
            None => log_type,
        };
        let (_, expected) = LOG_TYPES.iter().find(|(name, _)| *name == own)?;
        Some(Case {
            record: flat(&event),
            expected: expected.iter().map(|start| (*start).to_owned()).collect(),
        })
    });
    Ok(cases.collect())
}

fn detect(binary: &Path, cases: &[Case]) -> anyhow::Result<Found> {
    let mut found = Found::default();
    if cases.is_empty() {
        return Ok(found);
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("records.ndjson");
    let records: Vec<&str> = cases.iter().map(|case| case.record.as_str()).collect();
    std::fs::write(&file, records.join("\n"))?;
    let output = Command::new(binary)
        .args(["--json", "source", "detect"])
        .arg(&file)
        .output()?;
    let answers = String::from_utf8(output.stdout)?;
    let rows: Vec<Value> = answers
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    anyhow::ensure!(rows.len() == cases.len(), "a record is lost in detection");
    let mut of_source: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (case, row) in cases.iter().zip(&rows) {
        let is_own = |name: &Value| {
            let name = name.as_str().unwrap_or_default();
            case.expected.iter().any(|start| name.starts_with(start))
        };
        let candidates = row["candidates"].as_array().map_or(&[][..], Vec::as_slice);
        let vendor = |name: &Value| {
            let name = name.as_str().unwrap_or_default();
            name.split('.').next().unwrap_or_default().to_owned()
        };
        let one_vendor = candidates
            .windows(2)
            .all(|two| vendor(&two[0]) == vendor(&two[1]));
        match &row["source"] {
            Value::Null if one_vendor && candidates.iter().any(is_own) => found.vendor += 1,
            Value::Null => found.undecided += 1,
            source if is_own(source) => {
                found.right += 1;
                let name = source.as_str().unwrap_or_default();
                of_source.entry(name).or_default().push(&case.record);
            }
            _ => found.wrong += 1,
        }
    }
    for (source, records) in of_source {
        found.quarantined += quarantined(binary, source, &records, &file)?;
    }
    Ok(found)
}

/// How many of the records the source does not map to an event; `file` is written anew.
fn quarantined(binary: &Path, source: &str, records: &[&str], file: &Path) -> anyhow::Result<u64> {
    std::fs::write(file, records.join("\n"))?;
    let output = Command::new(binary)
        .args(["source", "map", source])
        .arg(file)
        .output()?;
    let answers = String::from_utf8(output.stdout)?;
    anyhow::ensure!(
        answers.lines().count() == records.len(),
        "{source}: {} records, {} answers",
        records.len(),
        answers.lines().count()
    );
    let mut lost = 0;
    for line in answers.lines() {
        let row: Value = serde_json::from_str(line)?;
        let is_mapped =
            row["error"].is_null() && row["events"].as_array().is_some_and(|e| !e.is_empty());
        lost += u64::from(!is_mapped);
    }
    Ok(lost)
}
