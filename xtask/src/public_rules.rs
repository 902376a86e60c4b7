//! Records of public rules' own tests: which of the rules' intents our detections cover, and how
//! exactly.
//!
//! The records are not part of the project. The table of intents is: ids and titles as facts, and
//! the detections that answer each, in `xtask/data/public_rules.ndjson`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use crate::process::{Tally, root, say};

/// The least share of the rules that can be measured whose intent a detection covers.
const COVERED_SHARE_MIN: f64 = 0.80;

/// The least precision over all records.
const PRECISION_MIN: f64 = 0.95;

/// The least recall over all records that must fire, those of rules not covered among them.
const RECALL_MIN: f64 = 0.72;

/// What the table says of one public rule.
struct Intent {
    title: String,
    /// Detections that answer it; empty when it is not covered.
    by: BTreeSet<String>,
    not_covered: String,
}

/// One record of a rule's tests.
struct Case {
    rule: String,
    fires: bool,
    /// Its log has a source here.
    has_source: bool,
    /// Detections that told of it.
    told: BTreeSet<String>,
}

/// Records right and wrong of one log, and its rules.
#[derive(Clone, Debug, Default)]
struct Score {
    rules: u64,
    covered: u64,
    /// Rules of which every record that must fire does.
    in_full: u64,
    found: u64,
    missed: u64,
    wrong: u64,
}

impl Score {
    fn add(&mut self, other: &Self) {
        self.rules += other.rules;
        self.covered += other.covered;
        self.in_full += other.in_full;
        self.found += other.found;
        self.missed += other.missed;
        self.wrong += other.wrong;
    }

    fn covered_share(&self) -> f64 {
        share(self.covered, self.rules)
    }

    fn precision(&self) -> f64 {
        share(self.found, self.found + self.wrong)
    }

    fn recall(&self) -> f64 {
        share(self.found, self.found + self.missed)
    }

    fn line(&self, name: &str) -> String {
        format!(
            "{name}: {} of {} rules covered ({:.1} %), {} in full; precision {:.1} % ({} wrong), recall {:.1} % ({} of {})",
            self.covered,
            self.rules,
            self.covered_share() * 100.0,
            self.in_full,
            self.precision() * 100.0,
            self.wrong,
            self.recall() * 100.0,
            self.found,
            self.found + self.missed,
        )
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of test records")]
    let share = part as f64 / whole as f64;
    share
}

/// Scores every file of `data/rule_tests` and holds the sum against the floors.
pub(crate) fn run(binary: &Path, folder: &Path) -> anyhow::Result<Tally> {
    let table = table(&root().join("xtask/data/public_rules.ndjson"))?;
    let mut files = files(&folder.join("data").join("rule_tests"))?;
    files.sort();
    anyhow::ensure!(!files.is_empty(), "no tests of public rules");
    let mut cases = BTreeMap::new();
    for file in &files {
        let log = file.file_stem().unwrap_or_default().to_string_lossy();
        cases.insert(log.into_owned(), tried(binary, file)?);
    }
    let mut sum = Score::default();
    let mut gaps: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (log, cases) in &cases {
        let score = score(&table, cases, &mut gaps)?;
        say(score.line(&format!("public rules, {log}")));
        sum.add(&score);
    }
    for (reason, rules) in &gaps {
        say(format_args!("not covered: {reason}:"));
        for rule in rules {
            say(format_args!("    {rule}"));
        }
    }
    say(sum.line("public rules, all"));
    let well = sum.covered_share() >= COVERED_SHARE_MIN
        && sum.precision() >= PRECISION_MIN
        && sum.recall() >= RECALL_MIN;
    if !well {
        say(format_args!(
            "public rules: below the floor of {COVERED_SHARE_MIN} covered, precision {PRECISION_MIN}, recall {RECALL_MIN}"
        ));
    }
    Ok(Tally::one(well))
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths = paths.collect::<Result<Vec<_>, _>>()?;
    let records = paths.into_iter();
    Ok(records
        .filter(|path| path.extension().is_some_and(|end| end == "ndjson"))
        .collect())
}

fn table(path: &Path) -> anyhow::Result<BTreeMap<String, Intent>> {
    let mut table = BTreeMap::new();
    for (number, line) in lines(path)?.iter().enumerate() {
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        let place = || format!("{}, line {}", path.display(), number + 1);
        let by = line["by"].as_array().into_iter().flatten();
        let intent = Intent {
            title: text("title").with_context(place)?,
            by: by.filter_map(Value::as_str).map(str::to_owned).collect(),
            not_covered: text("not_covered").unwrap_or_default(),
        };
        anyhow::ensure!(
            intent.by.is_empty() != intent.not_covered.is_empty(),
            "{}: either detections, or why there are none",
            place()
        );
        let id = text("id").with_context(place)?;
        let before = table.insert(id, intent);
        anyhow::ensure!(before.is_none(), "{}: a rule stands twice", place());
    }
    Ok(table)
}

fn lines(path: &Path) -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let values = text.lines().map(serde_json::from_str);
    Ok(values.collect::<Result<_, _>>()?)
}

/// Puts each record of a file by itself through mapping and detection of the product.
fn tried(binary: &Path, file: &Path) -> anyhow::Result<Vec<Case>> {
    let tests = lines(file)?;
    let folder = tempfile::tempdir()?;
    let records = folder.path().join("records.ndjson");
    let events = tests.iter().map(|test| test["event"].to_string());
    std::fs::write(&records, events.collect::<Vec<_>>().join("\n"))?;
    let output = Command::new(binary)
        .args(["--json", "rule", "try"])
        .arg(&records)
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "{}: {}",
        file.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let answers = String::from_utf8(output.stdout)?;
    let answers: Vec<Value> = answers
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    anyhow::ensure!(
        answers.len() == tests.len(),
        "{}: {} records, {} answers",
        file.display(),
        tests.len(),
        answers.len()
    );
    let cases = tests.iter().zip(&answers);
    cases.map(|(test, answer)| case(test, answer)).collect()
}

fn case(test: &Value, answer: &Value) -> anyhow::Result<Case> {
    let findings = answer["findings"].as_array().into_iter().flatten();
    Ok(Case {
        rule: test["rule"]
            .as_str()
            .context("a test without a rule")?
            .to_owned(),
        fires: test["fires"].as_bool().context("a test without `fires`")?,
        has_source: answer["unmapped"].is_null(),
        told: findings
            .filter_map(|finding| finding["rule"].as_str())
            .map(str::to_owned)
            .collect(),
    })
}

/// Scores the rules of one log; rules without a record that must fire, or whose records no source
/// reads, cannot be measured and do not count.
fn score<'t>(
    table: &'t BTreeMap<String, Intent>,
    cases: &[Case],
    gaps: &mut BTreeMap<&'t str, Vec<String>>,
) -> anyhow::Result<Score> {
    let mut rules: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        rules.entry(&case.rule).or_default().push(case);
    }
    let mut sum = Score::default();
    for (rule, cases) in rules {
        let intent = table.get(rule);
        let intent = intent.with_context(|| {
            format!("`{rule}` is not in xtask/data/public_rules.ndjson; say there what covers it")
        })?;
        let told = |case: &&&Case| !case.told.is_disjoint(&intent.by);
        let measured = |case: &&&Case| case.has_source;
        let must: Vec<_> = cases
            .iter()
            .filter(|case| case.fires)
            .filter(measured)
            .collect();
        let found = must.iter().filter(|case| told(case)).count() as u64;
        let wrong = cases.iter().filter(|case| !case.fires).filter(told).count() as u64;
        if must.is_empty() {
            continue;
        }
        let missed = must.len() as u64 - found;
        if found == 0 {
            let reason = if intent.by.is_empty() {
                intent.not_covered.as_str()
            } else {
                "a detection that the table names does not fire"
            };
            let line = format!("{rule} ({})", intent.title);
            gaps.entry(reason).or_default().push(line);
        }
        sum.add(&Score {
            rules: 1,
            covered: u64::from(found > 0),
            in_full: u64::from(found > 0 && missed == 0),
            found,
            missed,
            wrong,
        });
    }
    Ok(sum)
}
