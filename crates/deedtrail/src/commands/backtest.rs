//! `rule backtest`: what rules would have found in the history of this data folder.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use deedtrail_app::pipeline::{
    self, BACKTEST_FINDINGS_MAX, Backtest, BacktestPlan, Counted, Detection,
};
use deedtrail_core::Text;
use deedtrail_core::time::Timestamp;
use deedtrail_detect::RuleSet;
use deedtrail_detect::detector::DETECTORS;
use deedtrail_detect::field::nearest;

use super::timeline::in_order;
use super::{Context, Ended};
use crate::args::{Backtest as Wanted, Range};
use crate::instance::event_key;
use crate::output::Console;
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
    let (detection, key) = detection(context, rules)?;
    let app = Arc::clone(&context.instance.app);
    let plan = plan(names, &wanted.range)?;
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

/// Detection as it is in force, with other rules, and the key of event ids.
pub(super) fn detection(
    context: &Context<'_>,
    rules: RuleSet,
) -> anyhow::Result<(Detection, [u8; 32])> {
    let config = &context.instance.config;
    let app = &context.instance.app;
    let detection = Detection {
        rules: Arc::new(rules),
        settings: config.detection.clone(),
        targets: Arc::new(targets::load(config)?.targets),
        sequences: Arc::clone(&app.sequences),
    };
    let key = event_key(&config.data, app.ports.entropy.as_ref())?;
    Ok((detection, key))
}

/// What counts, if the range is one.
pub(super) fn plan(rules: BTreeSet<Text>, range: &Range) -> anyhow::Result<BacktestPlan> {
    let (from, to) = in_order(range)?;
    if let (Some(from), Some(to)) = (from, to) {
        anyhow::ensure!(from < to, "nothing is between --from {from} and --to {to}");
    }
    let first = Timestamp::from_micros(i64::MIN);
    let last = Timestamp::from_micros(i64::MAX);
    Ok(BacktestPlan {
        rules,
        within: from.unwrap_or(first)..to.unwrap_or(last),
        findings_max: BACKTEST_FINDINGS_MAX,
    })
}

/// The rules in force, and the names of those whose findings count.
pub(super) fn in_force(
    folder: Option<&Path>,
    wanted: Option<&str>,
) -> anyhow::Result<(RuleSet, BTreeSet<Text>)> {
    let Loaded { rules, .. } = rules::load(folder)?;
    let names = match wanted {
        None => BTreeSet::new(),
        Some(wanted) => BTreeSet::from([named(&rules, wanted)?]),
    };
    Ok((rules, names))
}

/// The name that findings of a rule or code detector have.
fn named(rules: &RuleSet, wanted: &str) -> anyhow::Result<Text> {
    if let Some(rule) = rules.find(wanted) {
        return Ok(rule.name.clone());
    }
    let of_others = ["code/charter", "code/unsafe-sequence"];
    anyhow::ensure!(
        !of_others.contains(&wanted),
        "what `{wanted}` finds is filed under each charter and sequence; `deedtrail charter check` \
         runs a charter over history"
    );
    let code = DETECTORS.iter().map(|detector| detector.id);
    if code.clone().any(|id| id == wanted) {
        return Ok(Text::new(wanted));
    }
    let known = rules.findings().map(|rule| rule.name.as_str());
    let near = nearest(wanted, known.chain(code));
    let near = near.map(|name| format!("; did you mean `{name}`?"));
    anyhow::bail!(
        "no rule is called `{wanted}`{}; see `deedtrail rule list`",
        near.unwrap_or_default()
    )
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
    limits(console, report)?;
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

/// What is missing in the figures, if anything is.
fn limits(console: &mut Console, report: &Backtest) -> anyhow::Result<()> {
    if report.damaged_entries > 0 {
        let named = report.damaged.iter();
        let named: Vec<String> = named
            .map(|range| format!("{}..={}", range.first, range.last))
            .collect();
        console.say(format_args!(
            "{} damaged log entries were left out ({}): the figures are a lower bound; `deedtrail \
             evidence check` says what is wrong",
            report.damaged_entries,
            named.join(", ")
        ))?;
    }
    if report.matches_beyond > 0 {
        console.say(format_args!(
            "limit met: {BACKTEST_FINDINGS_MAX} findings are told apart; {} further matches are in \
             no figure. Ask for one rule, or for less time",
            report.matches_beyond
        ))?;
    }
    if report.events_beyond > 0 {
        console.say(format_args!(
            "limit met: {} events of identities beyond those counted; the share is of those counted",
            report.events_beyond
        ))?;
    }
    Ok(())
}

fn rows_of(counted: &[Counted]) -> Vec<Vec<String>> {
    let rows = counted.iter();
    rows.map(|one| vec![one.name.clone(), one.findings.to_string()])
        .collect()
}
