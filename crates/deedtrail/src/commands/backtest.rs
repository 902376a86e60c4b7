//! `rule backtest`: what rules would have found in the history of this data folder.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use deedtrail_app::pipeline::{
    self, BACKTEST_FINDINGS_MAX, Backtest, BacktestPlan, Counted, Detection, ExceptionInTrial,
};
use deedtrail_app::rule_backtest::rule_named;
use deedtrail_core::Text;
use deedtrail_core::exception::{ExceptionStatus, RuleException};
use deedtrail_core::time::Timestamp;
use deedtrail_detect::RuleSet;

use super::timeline::in_order;
use super::{Context, Ended};
use crate::args::{Backtest as Wanted, Range};
use crate::event_key;
use crate::output::Console;
use crate::rules;
use crate::targets;

/// Rules that are named before the log is read; more are counted.
const NAMED_MAX: usize = 3;

pub(super) fn run(context: &mut Context<'_>, wanted: &Wanted) -> anyhow::Result<Ended> {
    let (rules, names) = match &wanted.own {
        Some(own) => {
            let path = context.path(own);
            let config = &context.instance.config;
            of_path(&path, config.rules.as_deref(), context.console)?
        }
        None => in_force(context, wanted.rule.as_deref())?,
    };
    let tested = tested(&names);
    let (detection, key) = detection(context, rules)?;
    let app = Arc::clone(&context.instance.app);
    let plan = BacktestPlan {
        exceptions: exceptions(context, &names)?,
        ..plan(names, &wanted.range)?
    };
    context.console.say(format_args!(
        "reading {} log entries once more{tested}; nothing is changed …",
        app.ports.log.end()
    ))?;
    let began = app.ports.clock.now();
    let report = pipeline::backtest(app.ports.clone(), detection, key, plan, &mut || true)?;
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
    rules: Arc<RuleSet>,
) -> anyhow::Result<(Detection, [u8; 32])> {
    let config = &context.instance.config;
    let app = &context.instance.app;
    let detection = Detection {
        rules,
        settings: config.detection.clone(),
        targets: Arc::new(targets::load(config)?.targets),
        sequences: app.sequences(),
        book: Arc::clone(&app.book),
    };
    let key = event_key::read(&config.data)?;
    Ok((detection, key))
}

/// Exceptions in force to these rules, or all.
fn exceptions(context: &Context<'_>, names: &BTreeSet<Text>) -> anyhow::Result<Vec<RuleException>> {
    let now = context.app().ports.clock.now();
    let mut exceptions = context.app().rule_exceptions(&context.principal, None)?;
    exceptions.retain(|it| {
        let is_asked = names.is_empty() || names.contains(&it.rule);
        is_asked && it.status(now) == ExceptionStatus::InForce
    });
    Ok(exceptions)
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
        exceptions: Vec::new(),
    })
}

/// The rules in force, and the names of those whose findings count.
pub(super) fn in_force(
    context: &Context<'_>,
    wanted: Option<&str>,
) -> anyhow::Result<(Arc<RuleSet>, BTreeSet<Text>)> {
    let in_force = context.app().in_force();
    let names = match wanted {
        None => BTreeSet::new(),
        Some(wanted) => BTreeSet::from([rule_named(&in_force.rules, &in_force.sequences, wanted)?]),
    };
    Ok((Arc::clone(&in_force.rules), names))
}

/// The rules of a file or folder alone, before they are enabled; a mistake among them is an error.
fn of_path(
    path: &Path,
    in_force: Option<&Path>,
    console: &mut Console,
) -> anyhow::Result<(Arc<RuleSet>, BTreeSet<Text>)> {
    let loaded = rules::load_only(path, in_force)?;
    let wrong = loaded.left_out();
    anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    for doubt in loaded.doubts() {
        console.say(doubt)?;
    }
    let rules = loaded.rules;
    let names: BTreeSet<Text> = rules.findings().map(|rule| rule.name.clone()).collect();
    anyhow::ensure!(
        !names.is_empty(),
        "no rule in {} whose matches are findings",
        path.display()
    );
    Ok((Arc::new(rules), names))
}

/// By what names rules are tested, as far as they can be read at a glance.
fn tested(names: &BTreeSet<Text>) -> String {
    match names.len() {
        0 => String::new(),
        1..=NAMED_MAX => {
            let names: Vec<&str> = names.iter().map(Text::as_str).collect();
            format!(" with {}", names.join(", "))
        }
        more => format!(" with {more} rules"),
    }
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
    held_back(console, &report.exceptions)?;
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

/// Exceptions in force, and what they do to the matches.
fn held_back(console: &mut Console, exceptions: &[ExceptionInTrial]) -> anyhow::Result<()> {
    if exceptions.is_empty() {
        return Ok(());
    }
    console.section("Exceptions in force (matches held back are in no figure)")?;
    let rows: Vec<Vec<String>> = exceptions
        .iter()
        .map(|one| {
            vec![
                one.number.to_string(),
                one.rule.to_string(),
                one.covers.clone(),
                one.held_back.to_string(),
                one.would_hold_back.to_string(),
            ]
        })
        .collect();
    let headings = ["NUMBER", "RULE", "COVERS", "HELD BACK", "WOULD HOLD BACK"];
    console.table(&headings, &rows)?;
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
