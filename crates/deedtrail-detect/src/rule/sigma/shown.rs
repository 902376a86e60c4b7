//! Comparisons as people read them.

use rsigma_parser::{Detection, DetectionItem, FieldSpec, Modifier, SigmaRule, SigmaValue};

/// Most values of one comparison that are told.
const VALUES_SHOWN_MAX: usize = 50;

/// What a rule asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rule) struct Shown {
    /// Its conditions, any of which is enough.
    pub conditions: Vec<String>,
    /// Name and lines of each selection, in the order in which the conditions name them.
    pub selections: Vec<(String, Vec<String>)>,
}

pub(super) fn shown(rule: &SigmaRule) -> Shown {
    let conditions = &rule.detection.condition_strings;
    let first_named = |name: &str| conditions.iter().position(|it| it.contains(name));
    let place = |name: &str| {
        let condition = first_named(name)?;
        Some((condition, conditions[condition].find(name)?))
    };
    let mut named: Vec<(&String, &Detection)> = rule.detection.named.iter().collect();
    named.sort_by_key(|(name, _)| (place(name).is_none(), place(name), (*name).clone()));
    let selections = named.into_iter().map(|(name, detection)| {
        let mut lines = Vec::new();
        tell(detection, 0, &mut lines);
        (name.clone(), lines)
    });
    Shown {
        conditions: conditions.clone(),
        selections: selections.collect(),
    }
}

/// `|contains|all`; nothing for none.
pub(super) fn modifiers(modifiers: &[Modifier]) -> String {
    let name = |modifier: &Modifier| {
        let name = serde_json::to_value(modifier).ok()?;
        Some(format!("|{}", name.as_str()?))
    };
    modifiers.iter().filter_map(name).collect()
}

/// A value as it is written, in quotes where its ends would not be seen.
pub(super) fn value(value: &SigmaValue) -> String {
    let text = value.to_string();
    let is_plain = !text.is_empty() && !text.contains([' ', ',', '\'', '\n', '\t']);
    match value {
        SigmaValue::String(_) if !is_plain => format!("'{}'", text.escape_debug()),
        _ => text,
    }
}

fn tell(detection: &Detection, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    match detection {
        Detection::AllOf(items) => {
            lines.extend(items.iter().map(|it| format!("{indent}{}", compared(it))));
        }
        Detection::And(parts) => parts.iter().for_each(|it| tell(it, depth, lines)),
        Detection::AnyOf(parts) => {
            for (place, part) in parts.iter().enumerate() {
                let either = if place == 0 { "either" } else { "or" };
                lines.push(format!("{indent}{either}"));
                tell(part, depth + 1, lines);
            }
        }
        Detection::Keywords(values) => {
            lines.push(format!("{indent}anywhere: {}", listed(values, " or ")));
        }
        Detection::ArrayMatch {
            field,
            quantifier,
            body,
        } => {
            lines.push(format!("{indent}{field}[{quantifier}]"));
            tell(body, depth + 1, lines);
        }
        Detection::Conditional { named, condition } => {
            lines.push(format!("{indent}when {condition}"));
            let mut named: Vec<_> = named.iter().collect();
            named.sort_by_key(|(name, _)| *name);
            for (name, part) in named {
                lines.push(format!("{indent}{name}"));
                tell(part, depth + 1, lines);
            }
        }
    }
}

/// `action|startswith: credential_ or privilege_`.
fn compared(item: &DetectionItem) -> String {
    let FieldSpec {
        name,
        modifiers: given,
    } = &item.field;
    let name = name.as_deref().unwrap_or("each");
    let between = if given.contains(&Modifier::All) {
        " and "
    } else {
        " or "
    };
    let values = listed(&item.values, between);
    format!("{name}{}: {values}", modifiers(given))
}

fn listed(values: &[SigmaValue], between: &str) -> String {
    let told = values.iter().take(VALUES_SHOWN_MAX).map(value);
    let told = told.collect::<Vec<_>>().join(between);
    match values.len().checked_sub(VALUES_SHOWN_MAX) {
        None | Some(0) => told,
        Some(more) => format!("{told}{between}{more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(detection: &str, expected: &str) {
        let text = format!(
            "title: T\nsigma-version: 3\nlogsource:\n  product: deedtrail\ndetection:\n{detection}\n"
        );
        let parsed = rsigma_parser::parse_sigma_yaml(&text).unwrap();
        assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
        let shown = shown(&parsed.rules[0]);
        let mut text = format!("{}\n", shown.conditions.join(" | "));
        for (name, lines) in shown.selections {
            text.extend([name.as_str(), "\n"]);
            text.extend(lines.iter().map(|line| format!("  {line}\n")));
        }
        assert_eq!(text, expected, "{detection}");
    }

    #[test]
    fn comparisons_are_told_with_modifiers_and_values() {
        check(
            "  a:\n    target_name|fieldref: actor_name\n  s:\n    action|startswith:\n    - cred\n    \
             - priv\n    command|contains|all: [rm, '-r f']\n    day_of_week|gt: 5\n    \
             approver: null\n    meaningful: true\n    labels: ''\n  condition: s and not a",
            "s and not a\ns\n  action|startswith: cred or priv\n  \
             command|contains|all: rm and '-r f'\n  day_of_week|gt: 5\n  approver: null\n  \
             meaningful: true\n  labels: ''\na\n  target_name|fieldref: actor_name\n",
        );
    }

    #[test]
    fn what_nests_is_told_below() {
        check(
            "  s:\n  - action: read\n    outcome: denied\n  - action: export\n  w:\n  - evil\n  - 'two words'\n  \
             t:\n    labels[any]:\n      name: a\n  condition:\n  - s\n  - w and t",
            "s | w and t\ns\n  either\n    action: read\n    outcome: denied\n  or\n    action: export\n\
             w\n  anywhere: evil or 'two words'\nt\n  labels[any]\n    name: a\n",
        );
        let many: Vec<String> = (0..60).map(|n| n.to_string()).collect();
        let detection = format!("  s:\n    src_asn: [{}]\n  condition: s", many.join(", "));
        let told = format!("s\ns\n  src_asn: {} or 10 more\n", many[..50].join(" or "));
        check(&detection, &told);
    }
}
