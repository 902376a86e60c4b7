//! A rule in words: what it looks at, where, and what comes of a match.

use std::fmt;

use deedtrail_core::finding::registry;
use deedtrail_core::port::mapper::SourceFacts;

use super::correlation::{Comparison, Expression, Measure, Window};
use super::logsource::told;
use super::{Rule, RuleSet};
use crate::detector::DETECTORS;
use crate::{fact, field};

/// Writing to a string cannot fail.
fn write_line(text: &mut String, line: fmt::Arguments<'_>) {
    text.push_str(&fmt::format(line));
}

pub(super) fn explain(set: &RuleSet, rule: &Rule, sources: &[SourceFacts]) -> String {
    let mut text = if rule.alone {
        format!("{}: {}\n", rule.name, rule.title)
    } else {
        format!("Counted: {}\n", rule.title)
    };
    if !rule.description.is_empty() {
        write_line(&mut text, format_args!("\n{}\n", rule.description.trim()));
    }
    write_line(
        &mut text,
        format_args!("\nLooks at   {}\n", looks_at(set, rule, sources)),
    );
    text.push_str("Compares\n");
    for name in &rule.fields {
        let meaning = field::find(name).map_or("field of the vendor's record", |f| f.meaning);
        write_line(&mut text, format_args!("  {name:<28} {meaning}\n"));
    }
    asked(&mut text, set, rule);
    if rule.alone {
        finding(&mut text, rule);
    }
    if let Some(correlation) = &rule.correlation {
        let names = correlation
            .inputs
            .iter()
            .map(|place| set.rules[*place].title.as_str());
        write_line(
            &mut text,
            format_args!("Counts     {}\n", names.collect::<Vec<_>>().join("; ")),
        );
        write_line(
            &mut text,
            format_args!("Within     {}\n", fact::span(correlation.window.length_us)),
        );
        write_line(
            &mut text,
            format_args!("Per        {}\n", per(&correlation.group_by)),
        );
        let enough = enough(&correlation.window, &correlation.value_fields);
        write_line(&mut text, format_args!("Fires at   {enough}\n"));
    }
    if !rule.false_positives.is_empty() {
        write_line(
            &mut text,
            format_args!(
                "May be harmless when: {}\n",
                rule.false_positives.join("; ")
            ),
        );
    }
    text
}

/// The condition, and what each selection it names asks for.
fn asked(text: &mut String, set: &RuleSet, rule: &Rule) {
    let place = set.singles.iter().position(|single| {
        let single = &set.rules[*single];
        std::ptr::eq(single, rule)
    });
    let Some(shown) = place.and_then(|place| set.matchers.shown(place)) else {
        return;
    };
    let conditions = shown.conditions.join("\n           or ");
    write_line(text, format_args!("Holds when {conditions}\n"));
    for (name, lines) in shown.selections {
        write_line(text, format_args!("  {name}\n"));
        for line in lines {
            write_line(text, format_args!("    {line}\n"));
        }
    }
}

/// When a correlation has counted enough.
fn enough(window: &Window, fields: &[String]) -> String {
    let field = fields.join(", ");
    let what = match window.measure {
        Measure::EventCount => "matches".to_owned(),
        Measure::ValueCount => format!("different values of {field}"),
        Measure::ValueSum => format!("as the sum of {field}"),
        Measure::ValueAverage => format!("as the average of {field}"),
        Measure::ValuePercentile(50) => format!("as the median of {field}"),
        Measure::ValuePercentile(rank) => format!("as percentile {rank} of {field}"),
        Measure::Temporal | Measure::TemporalOrdered => "of them with a match".to_owned(),
    };
    let order = match window.measure {
        Measure::TemporalOrdered => ", in this order",
        _ => "",
    };
    if let Some(expression) = &window.expression {
        return format!("matches of {}{order}", seen(expression));
    }
    if window.comparisons.is_empty() {
        return format!("a match of each{order}");
    }
    let limits: Vec<String> = window.comparisons.iter().map(|it| limit(*it)).collect();
    format!("{} {what}{order}", limits.join(" and "))
}

fn limit(comparison: Comparison) -> String {
    match comparison {
        Comparison::Below(limit) => format!("fewer than {limit}"),
        Comparison::AtMost(limit) => format!("at most {limit}"),
        Comparison::Above(limit) => format!("more than {limit}"),
        Comparison::AtLeast(limit) => format!("at least {limit}"),
        Comparison::Equal(limit) => format!("exactly {limit}"),
        Comparison::Unequal(limit) => format!("any number but {limit}"),
    }
}

/// An expression as one writes it; parts of several in brackets.
fn seen(expression: &Expression) -> String {
    let joined = |parts: &[Expression], word: &str| {
        let parts: Vec<String> = parts.iter().map(within).collect();
        parts.join(word)
    };
    match expression {
        Expression::All(parts) => joined(parts, " and "),
        Expression::Any(parts) => joined(parts, " or "),
        Expression::Not(part) => format!("not {}", within(part)),
        Expression::Seen(name) => name.clone(),
    }
}

fn within(part: &Expression) -> String {
    match part {
        Expression::All(_) | Expression::Any(_) => format!("({})", seen(part)),
        Expression::Not(_) | Expression::Seen(_) => seen(part),
    }
}

fn finding(text: &mut String, rule: &Rule) {
    write_line(text, format_args!("Severity   {}\n", rule.severity.name()));
    write_line(text, format_args!("Finding    {}", rule.finding));
    if let Some(kind) = registry::find(&rule.finding) {
        write_line(
            text,
            format_args!(": {}\n           {}\n", kind.title, kind.meaning),
        );
        write_line(
            text,
            format_args!("Controls   {}\n", kind.mapped_ref.join(", ")),
        );
    } else {
        text.push('\n');
    }
    if !rule.techniques.is_empty() {
        write_line(
            text,
            format_args!("Techniques {}\n", rule.techniques.join(", ")),
        );
    }
}

/// A code detector in words, by its id.
pub(super) fn explain_code(id: &str) -> Option<String> {
    let detector = DETECTORS.iter().find(|detector| detector.id == id)?;
    let mut text = format!(
        "{id}: {}\n\nLooks at   every source, through canonical fields\n",
        detector.meaning
    );
    for kind in detector
        .findings
        .iter()
        .filter_map(|finding| registry::find(finding))
    {
        write_line(
            &mut text,
            format_args!(
                "Finding    {}: {}\n           {}\n",
                kind.id, kind.title, kind.meaning
            ),
        );
        write_line(
            &mut text,
            format_args!("Controls   {}\n", kind.mapped_ref.join(", ")),
        );
    }
    Some(text)
}

fn per(group_by: &[String]) -> String {
    if group_by.is_empty() {
        "tenant".to_owned()
    } else {
        group_by.join(", ")
    }
}

fn looks_at(set: &RuleSet, rule: &Rule, sources: &[SourceFacts]) -> String {
    let Some(logsource) = &rule.logsource else {
        return "matches of other rules".to_owned();
    };
    if rule.is_canonical() {
        return "every source, through canonical fields".to_owned();
    }
    let place = set
        .rules
        .iter()
        .position(|known| known.title == rule.title && known.name == rule.name);
    let serving = sources
        .iter()
        .filter(|source| place.is_some_and(|p| set.serves(p, source)));
    let names = serving
        .map(|source| source.name.as_str())
        .collect::<Vec<_>>();
    if names.is_empty() {
        format!("log source {}, which no source serves", told(logsource))
    } else {
        format!(
            "log source {}, served by {}",
            told(logsource),
            names.join(", ")
        )
    }
}
