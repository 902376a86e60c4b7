//! `rule coverage`: techniques and their rules, layers for the Navigators, and fields.

use std::path::Path;

use anyhow::Context as _;
use deedtrail_app::pipeline::{FieldCoverage, RuleFields, field_coverage};
use deedtrail_app::rule_coverage::{Delivery, TechniqueCoverage, layer};
use deedtrail_core::Text;
use deedtrail_core::control::Framework;

use super::backtest::{in_force, plan};
use super::{Context, Ended};
use crate::args::Coverage;
use crate::output::counted;

/// Rules named beside a technique; the others are counted.
const RULES_NAMED_MAX: usize = 3;

pub(super) fn run(context: &mut Context<'_>, wanted: &Coverage) -> anyhow::Result<Ended> {
    if wanted.fields {
        return fields(context, wanted);
    }
    anyhow::ensure!(
        wanted.range.from.is_none() && wanted.range.to.is_none(),
        "--from and --to are for --fields: coverage is told as of now"
    );
    if let (Some(attack), Some(atlas)) = (&wanted.navigator, &wanted.atlas_navigator) {
        anyhow::ensure!(
            !is_one_file(&context.path(attack), &context.path(atlas)),
            "--navigator and --atlas-navigator name one file, {}: each layer needs its own",
            attack.display()
        );
    }
    let coverage = context.app().technique_coverage(&context.principal)?;
    let layers = [
        (Framework::MitreAttack, &wanted.navigator),
        (Framework::MitreAtlas, &wanted.atlas_navigator),
    ];
    for (framework, file) in layers {
        if let Some(file) = file {
            write(context, &coverage, framework, file)?;
        }
    }
    if wanted.navigator.is_some() || wanted.atlas_navigator.is_some() {
        return Ok(Ended::Done);
    }
    if context.console.json {
        for one in &coverage {
            context.console.object(one)?;
        }
        return Ok(Ended::Done);
    }
    let rows: Vec<Vec<String>> = coverage.iter().map(row).collect();
    let headings = ["TECHNIQUE", "SOURCES", "RULES", "NAME", "FIRST RULES"];
    context.console.table(&headings, &rows)?;
    let count = |state: Option<Delivery>| {
        let those = coverage.iter().filter(|one| one.delivery == state);
        those.count()
    };
    let delivering = count(Some(Delivery::Delivering));
    let idle = coverage.len() - delivering - count(None);
    context.console.say(format_args!(
        "{}: {delivering} with a rule whose source delivers, {idle} whose sources do not, {} \
         without a rule; other techniques are not told of here",
        counted(coverage.len(), "technique"),
        count(None),
    ))?;
    Ok(Ended::Done)
}

/// Whether two paths lead to one file, which need not be there yet.
fn is_one_file(one: &Path, other: &Path) -> bool {
    let resolved = |path: &Path| {
        let whole = path.canonicalize().ok();
        whole.or_else(|| Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?)))
    };
    one == other || resolved(one).is_some_and(|path| Some(path) == resolved(other))
}

fn row(one: &TechniqueCoverage) -> Vec<String> {
    let named: Vec<&str> = one
        .rules
        .iter()
        .take(RULES_NAMED_MAX)
        .map(|it| it.rule.as_str())
        .collect();
    let more = one.rules.len() - named.len();
    let mut first = named.join(", ");
    if more > 0 {
        first = format!("{first} and {more} more");
    }
    vec![
        one.id.to_string(),
        one.delivery.map_or("no rule", Delivery::words).to_owned(),
        one.rules.len().to_string(),
        one.title.unwrap_or("-").to_owned(),
        first,
    ]
}

fn write(
    context: &mut Context<'_>,
    coverage: &[TechniqueCoverage],
    framework: Framework,
    file: &Path,
) -> anyhow::Result<()> {
    let now = context.app().ports.clock.now();
    let layer = layer(coverage, framework, now).context("no layer of this publication")?;
    let path = context.path(file);
    let mut text = serde_json::to_string_pretty(&layer)?;
    text.push('\n');
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    let techniques = layer["techniques"].as_array().map_or(0, Vec::len);
    context.console.say(format_args!(
        "{} written to {}",
        counted(techniques, "technique"),
        path.display()
    ))?;
    Ok(())
}

fn fields(context: &mut Context<'_>, wanted: &Coverage) -> anyhow::Result<Ended> {
    let (rules, names) = in_force(context, wanted.rule.as_deref())?;
    let is_code = |name: &&Text| name.starts_with("code/") || name.starts_with("sequence/");
    if let Some(code) = names.iter().find(is_code) {
        anyhow::bail!("{code} is no rule: it names no fields");
    }
    let (detection, key) = super::backtest::detection(context, rules)?;
    let plan = plan(names, &wanted.range)?;
    let ports = context.app().ports.clone();
    context.console.say(format_args!(
        "reading {} log entries once more; nothing is changed …",
        ports.log.end()
    ))?;
    let report = field_coverage(ports, detection, key, plan)?;
    if context.console.json {
        context.console.object(&report)?;
        return Ok(Ended::Done);
    }
    tell(context, &report)?;
    Ok(Ended::Done)
}

fn tell(context: &mut Context<'_>, report: &FieldCoverage) -> anyhow::Result<()> {
    let console = &mut *context.console;
    let rows: Vec<Vec<String>> = report.rules.iter().map(fields_row).collect();
    console.table(
        &["RULE", "EVENTS", "MATCHES", "FIELDS, SHARE FILLED"],
        &rows,
    )?;
    let suspect = report.rules.iter().filter(|one| one.is_suspect()).count();
    let idle = report.rules.iter().filter(|one| one.fill.events == 0);
    console.say(format_args!(
        "{} events; {} never matched and name a field that no event fills (listed first, the field \
         with !); {} looked at no event",
        report.events,
        counted(suspect, "rule"),
        idle.count()
    ))?;
    if report.damaged_entries > 0 {
        console.say(format_args!(
            "{} damaged log entries were left out; `deedtrail doctor` says where",
            report.damaged_entries
        ))?;
    }
    if report.events_beyond > 0 {
        console.say(format_args!(
            "{} events are of more kinds than are counted apart, and in no rule's figures",
            report.events_beyond
        ))?;
    }
    Ok(())
}

fn fields_row(one: &RuleFields) -> Vec<String> {
    let events = one.fill.events;
    let shares = one.fill.fields.iter().map(|field| {
        if events == 0 {
            return field.name.clone();
        }
        let percent = field.filled.saturating_mul(100) / events;
        let mark = match (field.filled, percent) {
            (0, _) => "!".to_owned(),
            (_, 0) => " <1 %".to_owned(),
            (_, percent) => format!(" {percent} %"),
        };
        format!("{}{mark}", field.name)
    });
    let name = match one.matches {
        Some(_) => one.rule.to_string(),
        None => format!("{} (counted: {})", one.rule, one.title),
    };
    let matches = one.matches.map(|count| count.to_string());
    vec![
        name,
        events.to_string(),
        matches.unwrap_or_else(|| "-".to_owned()),
        shares.collect::<Vec<_>>().join(", "),
    ]
}
