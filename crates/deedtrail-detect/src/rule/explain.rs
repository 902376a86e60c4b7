//! A rule in words: what it looks at, where, and what comes of a match.

use std::fmt;

use deedtrail_core::finding::registry;
use deedtrail_core::port::mapper::{SigmaLogsource, SourceFacts};

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
        format!("log source {}, which no source serves", parts(logsource))
    } else {
        format!(
            "log source {}, served by {}",
            parts(logsource),
            names.join(", ")
        )
    }
}

fn parts(logsource: &SigmaLogsource) -> String {
    let named = [
        ("product", &logsource.product),
        ("service", &logsource.service),
        ("category", &logsource.category),
    ];
    let given = named
        .iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
    let given = given.collect::<Vec<_>>();
    if given.is_empty() {
        "any".to_owned()
    } else {
        given.join(", ")
    }
}
