//! Whether a rule can match at all, when only a few of an event's fields are known: what cannot is not
//! evaluated. As the engine's own index, this may keep a rule that turns out not to match, and never leaves
//! out one that would.

use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, Modifier, Quantifier, SigmaRule,
    SigmaValue,
};

/// Values of fields that are known, by name: ASCII, in lower case.
pub(super) type Known<'k> = [(&'k str, &'k str)];

/// Whether an event with these values may match.
pub(super) fn may_match(rule: &SigmaRule, known: &Known<'_>) -> bool {
    let detections = &rule.detection;
    let conditions = detections.conditions.iter();
    any(conditions.map(|condition| holds(condition, detections, known))) != Some(false)
}

/// `None`: what is known does not say.
fn holds(condition: &ConditionExpr, detections: &Detections, known: &Known<'_>) -> Option<bool> {
    let part = |part: &ConditionExpr| holds(part, detections, known);
    match condition {
        ConditionExpr::And(parts) => all(parts.iter().map(part)),
        ConditionExpr::Or(parts) => any(parts.iter().map(part)),
        ConditionExpr::Not(negated) => part(negated).map(|holds| !holds),
        ConditionExpr::Identifier(name) => found(detections.named.get(name)?, known),
        ConditionExpr::Selector {
            quantifier,
            pattern,
        } => {
            let named = detections.named.iter();
            let selected = named.filter(|(name, _)| pattern.matches_detection_name(name));
            let selected = selected.map(|(_, detection)| found(detection, known));
            match quantifier {
                Quantifier::Any => any(selected),
                Quantifier::All => all(selected),
                Quantifier::Count(_) => None,
            }
        }
    }
}

fn found(detection: &Detection, known: &Known<'_>) -> Option<bool> {
    match detection {
        Detection::AllOf(items) => all(items.iter().map(|item| compares(item, known))),
        Detection::AnyOf(parts) => any(parts.iter().map(|part| found(part, known))),
        _ => None,
    }
}

fn compares(item: &DetectionItem, known: &Known<'_>) -> Option<bool> {
    let name = item.field.name.as_ref()?;
    let (_, value) = known.iter().find(|(field, _)| field == name)?;
    let compare: fn(&str, &str) -> bool = match item.field.modifiers[..] {
        [] => |value, wanted| value == wanted,
        [Modifier::Contains] => |value, wanted| value.contains(wanted),
        [Modifier::StartsWith] => |value, wanted| value.starts_with(wanted),
        [Modifier::EndsWith] => |value, wanted| value.ends_with(wanted),
        _ => return None,
    };
    any(item.values.iter().map(|wanted| match wanted {
        SigmaValue::String(wanted) => {
            let wanted = wanted.as_plain().filter(|text| text.is_ascii())?;
            Some(compare(value, &wanted.to_ascii_lowercase()))
        }
        _ => None,
    }))
}

/// Of no parts nothing is known.
fn any(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    all(parts.map(|part| part.map(|holds| !holds))).map(|none| !none)
}

fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut parts = parts.peekable();
    parts.peek()?;
    let mut holds = Some(true);
    for part in parts {
        match part {
            Some(true) => {}
            Some(false) => return Some(false),
            None => holds = None,
        }
    }
    holds
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a rule with this detection may match an event whose `action` is `write` and whose
    /// `actor_kind` is `human`.
    fn may(detection: &str) -> bool {
        let text = format!("title: T\nlogsource:\n  product: deedtrail\ndetection:\n{detection}\n");
        let parsed = rsigma_parser::parse_sigma_yaml(&text).unwrap();
        assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
        let known = [("action", "write"), ("actor_kind", "human")];
        may_match(&parsed.rules[0], &known)
    }

    #[test]
    fn what_is_known_decides_and_what_is_not_does_not() {
        for (detection, expected) in [
            ("  s:\n    action: write\n  condition: s", true),
            ("  s:\n    action: WRITE\n  condition: s", true),
            ("  s:\n    action: read\n  condition: s", false),
            ("  s:\n    action: wr*\n  condition: s", true),
            ("  s:\n    action: re*\n  condition: s", true),
            ("  s:\n    action|contains: RIT\n  condition: s", true),
            ("  s:\n    action|contains: ea\n  condition: s", false),
            ("  s:\n    action|startswith: wri\n  condition: s", true),
            ("  s:\n    action|startswith: rit\n  condition: s", false),
            ("  s:\n    action|endswith: ite\n  condition: s", true),
            ("  s:\n    action|endswith: wri\n  condition: s", false),
            (
                "  s:\n    action|contains|all:\n      - wr\n      - x\n  condition: s",
                true,
            ),
            ("  s:\n    action|re: x\n  condition: s", true),
            (
                "  s:\n    action:\n      - read\n      - write\n  condition: s",
                true,
            ),
            (
                "  s:\n    action:\n      - read\n      - delete\n  condition: s",
                false,
            ),
            ("  s:\n    action: null\n  condition: s", true),
            ("  s:\n    actor: a\n  condition: s", true),
            (
                "  s:\n    actor: a\n    action: read\n  condition: s",
                false,
            ),
            (
                "  s:\n    - actor: a\n    - action: read\n  condition: s",
                true,
            ),
            (
                "  s:\n    - actor_kind: ai_agent\n    - action: read\n  condition: s",
                false,
            ),
            ("  s:\n    - word\n  condition: s", true),
        ] {
            assert_eq!(may(detection), expected, "{detection}");
        }
    }

    #[test]
    fn conditions_are_followed() {
        let parts = "  yes:\n    action: write\n  no:\n    action: read\n  open:\n    actor: a\n  \
            no_too:\n    actor_kind: ai_agent\n";
        for (condition, expected) in [
            ("yes and no", false),
            ("yes or no", true),
            ("open and no", false),
            ("open or no", true),
            ("not yes", false),
            ("not no", true),
            ("not open", true),
            ("open and not yes", false),
            ("not (no or yes)", false),
            ("1 of no*", false),
            ("all of no*", false),
            ("1 of *", true),
            ("all of them", false),
            ("1 of them", true),
            ("2 of no*", true),
            ("1 of no* or yes", true),
        ] {
            assert_eq!(
                may(&format!("{parts}  condition: {condition}")),
                expected,
                "{condition}"
            );
        }
    }
}
