//! Log sources that rules name and nobody serves.

use std::collections::{BTreeMap, BTreeSet};

use deedtrail_core::event::EventKind;
use deedtrail_core::port::mapper::{SigmaLogsource, SourceFacts};

use super::{CANONICAL_PRODUCT, ProblemSeverity, Rule, RuleProblem, RuleSet, serves};
use crate::field;

/// What is not known, and what to write instead.
pub(super) struct Unknown {
    pub message: String,
    pub suggestion: String,
}

/// The category of a canonical rule that is no kind of telemetry.
pub(super) fn unknown_kind(logsource: &SigmaLogsource) -> Option<Unknown> {
    let wanted = logsource.category.as_deref()?;
    let kinds = || EventKind::ALL.iter().map(|kind| kind.name());
    if kinds().any(|kind| kind.eq_ignore_ascii_case(wanted)) {
        return None;
    }
    let near = field::nearest(wanted, kinds());
    Some(Unknown {
        message: format!("no kind of telemetry is called `{wanted}`"),
        suggestion: near.map_or_else(
            || {
                format!(
                    "`category` is one of {}",
                    kinds().collect::<Vec<_>>().join(", ")
                )
            },
            |near| format!("did you mean `{near}`?"),
        ),
    })
}

/// A log source in words.
pub(super) fn told(logsource: &SigmaLogsource) -> String {
    let named = parts(logsource).into_iter();
    let given = named.filter_map(|(name, value)| Some(format!("{name} {}", value?)));
    let given = given.collect::<Vec<_>>();
    if given.is_empty() {
        "any".to_owned()
    } else {
        given.join(", ")
    }
}

fn parts(logsource: &SigmaLogsource) -> [(&'static str, Option<&str>); 3] {
    [
        ("product", logsource.product.as_deref()),
        ("service", logsource.service.as_deref()),
        ("category", logsource.category.as_deref()),
    ]
}

/// Log sources that are not served, and fields that were never seen.
pub(super) fn check(
    set: &RuleSet,
    sources: &[SourceFacts],
    known_fields: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<RuleProblem> {
    let mut problems = Vec::new();
    let mut unserved = Vec::new();
    for place in &set.singles {
        let rule = &set.rules[*place];
        let Some(logsource) = &rule.logsource else {
            continue;
        };
        if rule.is_canonical() {
            problems.extend(unknown_system(rule, logsource, sources));
            continue;
        }
        let mut serving = sources
            .iter()
            .filter(|it| set.serves(*place, it))
            .peekable();
        if serving.peek().is_none() {
            match meant(logsource, sources) {
                Some(near) => problems.push(not_served(rule, logsource, "", near)),
                None => unserved.push((rule, logsource)),
            }
        }
        for source in serving {
            if let Some(known) = known_fields.get(source.name.as_str()) {
                problems.extend(never_seen(rule, source, known));
            }
        }
    }
    problems.extend(without_source(&unserved));
    problems
}

/// One warning for all of them: of public rules, most are for what one does not have.
fn without_source(unserved: &[(&Rule, &SigmaLogsource)]) -> Option<RuleProblem> {
    let ((rule, logsource), others) = unserved.split_first()?;
    let others = match others.len() {
        0 => String::new(),
        1 => ", nor that of another rule".to_owned(),
        more => format!(", nor those of {more} other rules"),
    };
    let hint = "`deedtrail source list` shows the log sources that are served";
    Some(not_served(rule, logsource, &others, hint.to_owned()))
}

fn not_served(
    rule: &Rule,
    logsource: &SigmaLogsource,
    others: &str,
    suggestion: String,
) -> RuleProblem {
    let wanted = told(logsource);
    let message = format!("no source serves the log source {wanted}{others}");
    doubt(rule, rule.logsource_line, message, suggestion)
}

fn doubt(rule: &Rule, line: usize, message: String, suggestion: String) -> RuleProblem {
    RuleProblem {
        path: rule.path.clone(),
        line,
        severity: ProblemSeverity::Warning,
        message,
        suggestion: Some(suggestion),
    }
}

/// The one part with which a log source would be served, if it is near the one given.
fn meant(wanted: &SigmaLogsource, sources: &[SourceFacts]) -> Option<String> {
    let served = || sources.iter().flat_map(|source| &source.sigma);
    parts(wanted).into_iter().find_map(|(name, given)| {
        let without = match name {
            "product" => SigmaLogsource {
                product: None,
                ..wanted.clone()
            },
            "service" => SigmaLogsource {
                service: None,
                ..wanted.clone()
            },
            _ => SigmaLogsource {
                category: None,
                ..wanted.clone()
            },
        };
        let fitting = served().filter(|it| serves(&without, it));
        let values = fitting.filter_map(|it| parts(it).into_iter().find(|it| it.0 == name)?.1);
        let ours = Some(CANONICAL_PRODUCT).filter(|_| name == "product");
        let near = field::nearest(given?, values.chain(ours))?;
        Some(format!("did you mean {name} `{near}`?"))
    })
}

/// The service of a canonical rule is a system; which there are, sources of one's own may tell.
fn unknown_system(
    rule: &Rule,
    logsource: &SigmaLogsource,
    sources: &[SourceFacts],
) -> Option<RuleProblem> {
    let wanted = logsource.service.as_deref()?;
    let systems = || sources.iter().filter_map(|source| source.system.as_deref());
    if systems().any(|system| system.eq_ignore_ascii_case(wanted)) {
        return None;
    }
    let near = field::nearest(wanted, systems())?;
    let message = format!("no source is of a system `{wanted}`, unless its records say so");
    let suggestion = format!("did you mean service `{near}`?");
    Some(doubt(rule, rule.logsource_line, message, suggestion))
}

/// Fields that no record of a source has.
fn never_seen<'r>(
    rule: &'r Rule,
    source: &'r SourceFacts,
    known: &'r BTreeSet<String>,
) -> impl Iterator<Item = RuleProblem> + 'r {
    let exists = move |name: &&String| {
        known.contains(*name) || source.field_aliases.iter().any(|(from, _)| from == *name)
    };
    let unknown = rule.fields.iter().filter(move |name| !exists(name));
    unknown.map(move |name| {
        let near = field::nearest(name, known.iter().map(String::as_str));
        let hint = near.map_or_else(
            || "add an alias to the source's mapping".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("`{name}` was never seen in records of {}", source.name);
        doubt(rule, 1, message, hint)
    })
}
