//! A rule in words: what it looks at, where, and what comes of a match.

use deedtrail_core::finding::registry;
use deedtrail_core::port::mapper::{SigmaLogsource, SourceFacts};

use super::{Rule, RuleSet};
use crate::{fact, field};

pub(super) fn explain(set: &RuleSet, rule: &Rule, sources: &[SourceFacts]) -> String {
    let mut text = format!("{}: {}\n", rule.name, rule.title);
    if !rule.description.is_empty() {
        text.push_str(&format!("\n{}\n", rule.description.trim()));
    }
    text.push_str(&format!("\nLooks at   {}\n", looks_at(set, rule, sources)));
    text.push_str("Compares\n");
    for name in &rule.fields {
        let meaning = field::find(name).map_or("field of the vendor's record", |f| f.meaning);
        text.push_str(&format!("  {name:<28} {meaning}\n"));
    }
    text.push_str(&format!("Severity   {}\n", rule.severity.name()));
    text.push_str(&format!("Finding    {}", rule.finding));
    if let Some(kind) = registry::find(&rule.finding) {
        text.push_str(&format!(": {}\n           {}\n", kind.title, kind.meaning));
        text.push_str(&format!("Controls   {}\n", kind.mapped_ref.join(", ")));
    } else {
        text.push('\n');
    }
    if !rule.techniques.is_empty() {
        text.push_str(&format!("Techniques {}\n", rule.techniques.join(", ")));
    }
    if !rule.alone {
        text.push_str("Makes no finding by itself: it only counts for the correlations below.\n");
    }
    if let Some(correlation) = &rule.correlation {
        let names = correlation
            .inputs
            .iter()
            .map(|place| set.rules[*place].title.as_str());
        text.push_str(&format!(
            "Counts     {}\n",
            names.collect::<Vec<_>>().join("; ")
        ));
        text.push_str(&format!(
            "Within     {}\n",
            fact::span(correlation.window.window_us)
        ));
        text.push_str(&format!("Per        {}\n", per(&correlation.group_by)));
    }
    if !rule.false_positives.is_empty() {
        text.push_str(&format!(
            "May be harmless when: {}\n",
            rule.false_positives.join("; ")
        ));
    }
    text
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
