//! `rule backtest`: what rules would have found in the history of this data folder.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use deedtrail_app::pipeline::{self, Backtest, BacktestPlan, Counted, Detection};
use deedtrail_core::Text;
use deedtrail_core::time::Timestamp;
use deedtrail_detect::RuleSet;

use super::{Context, Ended};
use crate::args::{Backtest as Wanted, Range};
use crate::instance::event_key;
use crate::rules::{self, Loaded};
use crate::targets;

pub(super) fn run(context: &mut Context<'_>, wanted: &Wanted) -> anyhow::Result<Ended> {
    let config = &context.instance.config;
    let (rules, names) = match &wanted.folder {
        Some(folder) => {
            let folder = context.folder.join(folder);
            let found = folder.canonicalize();
            of_folder(&found.with_context(|| format!("{}", folder.display()))?)?
        }
        None => in_force(config.rules.as_deref(), wanted.rule.as_deref())?,
    };
    let app = Arc::clone(&context.instance.app);
    let detection = Detection {
        rules: Arc::new(rules),
        settings: config.detection.clone(),
        targets: Arc::new(targets::load(config)?.targets),
        sequences: Arc::clone(&app.sequences),
    };
    let key = event_key(&config.data, app.ports.entropy.as_ref())?;
    let plan = BacktestPlan {
        rules: names,
        within: within(&wanted.range),
    };
    context.console.say(format_args!(
        "reading {} log entries once more; nothing is changed …",
        app.ports.log.end()
    ))?;
    let began = app.ports.clock.now();
    let report = pipeline::backtest(app.ports.clone(), detection, key, plan)?;
    let took_ms = app.ports.clock.now().micros_since(began) / 1000;
    if context.console.json {
        let mut value = serde_json::to_value(&report)?;
        value["took_ms"] = took_ms.into();
        context.console.object(&value)?;
    } else {
        tell(context, &report, took_ms)?;
    }
    Ok(Ended::Done)
}

fn within(range: &Range) -> std::ops::Range<Timestamp> {
    let first = Timestamp::from_micros(i64::MIN);
    let last = Timestamp::from_micros(i64::MAX);
    range.from.unwrap_or(first)..range.to.unwrap_or(last)
}

/// The rules in force, and the names of those whose findings count.
fn in_force(
    folder: Option<&Path>,
    wanted: Option<&str>,
) -> anyhow::Result<(RuleSet, BTreeSet<Text>)> {
    let Loaded { rules, .. } = rules::load(folder)?;
    let names = match wanted {
        None => BTreeSet::new(),
        Some(wanted) => {
            let rule = rules.find(wanted).map(|rule| rule.name.clone());
            let code = wanted.strip_prefix("code/").map(|_| Text::new(wanted));
            let name = rule.or(code).with_context(|| {
                format!("no rule is called `{wanted}`; see `deedtrail rule list`")
            })?;
            BTreeSet::from([name])
        }
    };
    Ok((rules, names))
}

/// The rules of a folder alone, before they are enabled; a mistake among them is an error.
fn of_folder(folder: &Path) -> anyhow::Result<(RuleSet, BTreeSet<Text>)> {
    let Loaded {
        rules, problems, ..
    } = rules::load_only(folder)?;
    let wrong: Vec<String> = problems.iter().map(rules::describe).collect();
    anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    let names: BTreeSet<Text> = rules.findings().map(|rule| rule.name.clone()).collect();
    anyhow::ensure!(!names.is_empty(), "no rule in {}", folder.display());
    Ok((rules, names))
}

fn tell(context: &mut Context<'_>, report: &Backtest, took_ms: i64) -> anyhow::Result<()> {
    let console = &mut *context.console;
    let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    console.line(format_args!(
        "events: {}, identities: {}, {} to {}; took {took_ms} ms",
        report.events,
        report.identities,
        time(report.first),
        time(report.last),
    ))?;
    console.line(format_args!(
        "findings: {} in {} days, {:.2} a day; identities touched: {} ({:.1} %)",
        report.findings,
        report.days,
        report.findings_per_day,
        report.identities_touched,
        report.share_touched * 100.0,
    ))?;
    if report.findings == 0 {
        return Ok(());
    }
    console.section("By day (days without a finding are left out)")?;
    let days = report.by_day.iter();
    let rows: Vec<Vec<String>> = days
        .map(|(day, findings)| vec![day.clone(), findings.to_string()])
        .collect();
    console.table(&["DAY", "FINDINGS"], &rows)?;
    for (heading, counted) in [
        ("RULE", &report.by_rule),
        ("IDENTITY", &report.by_identity),
        ("PATTERN", &report.by_pattern),
    ] {
        console.section(format_args!("Most findings by {}", heading.to_lowercase()))?;
        console.table(&[heading, "FINDINGS"], &rows_of(counted))?;
    }
    console.section("Examples, the first")?;
    for example in &report.examples {
        console.line(format_args!("{}  {}", example.at, example.title))?;
        console.line(format_args!("    events {}", example.events.join(" ")))?;
    }
    Ok(())
}

fn rows_of(counted: &[Counted]) -> Vec<Vec<String>> {
    let rows = counted.iter();
    rows.map(|one| vec![one.name.clone(), one.findings.to_string()])
        .collect()
}
