//! Which fields a rule cannot match without.

use std::collections::BTreeSet;

use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, Modifier, Quantifier, SigmaRule,
    SigmaValue,
};

type Names = BTreeSet<String>;

/// Fields without which none of its conditions can hold. What is only asked to be absent, or not to
/// fit, is not needed; of alternatives only what all of them need.
pub(super) fn needed_fields(rule: &SigmaRule) -> Names {
    let detections = &rule.detection;
    any(rule
        .detection
        .conditions
        .iter()
        .map(|it| of_condition(it, detections)))
}

fn of_condition(condition: &ConditionExpr, detections: &Detections) -> Names {
    let named = &detections.named;
    match condition {
        ConditionExpr::And(parts) => all(parts.iter().map(|it| of_condition(it, detections))),
        ConditionExpr::Or(parts) => any(parts.iter().map(|it| of_condition(it, detections))),
        ConditionExpr::Not(_) => Names::new(),
        ConditionExpr::Identifier(name) => named.get(name).map(of_detection).unwrap_or_default(),
        ConditionExpr::Selector {
            quantifier,
            pattern,
        } => {
            let chosen = named.iter();
            let chosen = chosen.filter(|(name, _)| pattern.matches_detection_name(name));
            let needs = chosen.map(|(_, detection)| of_detection(detection));
            match quantifier {
                Quantifier::All => all(needs),
                Quantifier::Any | Quantifier::Count(_) => any(needs),
            }
        }
    }
}

fn of_detection(detection: &Detection) -> Names {
    match detection {
        Detection::AllOf(items) => all(items.iter().map(of_item)),
        Detection::AnyOf(parts) => any(parts.iter().map(of_detection)),
        Detection::And(parts) => all(parts.iter().map(of_detection)),
        Detection::ArrayMatch { field, .. } => Names::from([field.clone()]),
        Detection::Keywords(_) | Detection::Conditional { .. } => Names::new(),
    }
}

/// An item needs its field unless it asks for its absence, or fits nothing as well.
fn of_item(item: &DetectionItem) -> Names {
    let modifiers = &item.field.modifiers;
    let is_absent = |value: &SigmaValue| matches!(value, SigmaValue::Null);
    let may_be_absent = if modifiers.contains(&Modifier::Exists) {
        item.values
            .iter()
            .any(|value| matches!(value, SigmaValue::Bool(false)))
    } else {
        modifiers.contains(&Modifier::Neq) || item.values.iter().any(is_absent)
    };
    let name = item.field.name.iter().filter(|_| !may_be_absent);
    name.cloned().collect()
}

fn all(parts: impl Iterator<Item = Names>) -> Names {
    parts.flatten().collect()
}

fn any(parts: impl Iterator<Item = Names>) -> Names {
    parts
        .reduce(|known, more| known.intersection(&more).cloned().collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(detection: &str, expected: &[&str]) {
        let text = format!("title: T\nlogsource:\n  product: deedtrail\ndetection:\n{detection}");
        let parsed = rsigma_parser::parse_sigma_yaml(&text).unwrap();
        assert_eq!(parsed.errors.len(), 0, "{detection}");
        let needed = needed_fields(&parsed.rules[0]);
        let needed: Vec<&str> = needed.iter().map(String::as_str).collect();
        assert_eq!(needed, expected, "{detection}");
    }

    #[test]
    fn what_only_must_not_hold_is_not_needed() {
        check(
            "  selection:\n    action: delete\n    approver|exists: false\n    change_ticket: null\n  \
             routine:\n    user_agent: bot\n  condition: selection and not routine\n",
            &["action"],
        );
    }

    #[test]
    fn of_alternatives_what_all_need_is_needed() {
        check(
            "  one:\n    action: delete\n    src_ip: 192.0.2.1\n  other:\n    action: read\n    \
             permission: all\n  condition: 1 of *\n",
            &["action"],
        );
        check(
            "  one:\n    - action: delete\n      src_ip: 192.0.2.1\n    - src_ip: 192.0.2.2\n  other:\n    \
             permission|contains: all\n  condition: one and other\n",
            &["permission", "src_ip"],
        );
        check(
            "  one:\n    action: delete\n  other:\n    permission: all\n  condition: all of them\n",
            &["action", "permission"],
        );
        check("  words:\n    - evil\n  condition: words\n", &[]);
    }
}
