//! Values that a field can never have.

use rsigma_parser::{Detection, DetectionItem, Modifier, SigmaRule, SigmaValue};

use crate::field::words_of;

/// Field and value of each comparison with a closed list that has nothing like it.
pub(super) fn foreign_values(rule: &SigmaRule) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for detection in rule.detection.named.values() {
        look(detection, &mut found);
    }
    found
}

fn look(detection: &Detection, found: &mut Vec<(String, String)>) {
    match detection {
        Detection::AllOf(items) => items.iter().for_each(|item| compare(item, found)),
        Detection::AnyOf(parts) | Detection::And(parts) => {
            for part in parts {
                look(part, found);
            }
        }
        Detection::ArrayMatch { .. } | Detection::Keywords(_) | Detection::Conditional { .. } => {}
    }
}

fn compare(item: &DetectionItem, found: &mut Vec<(String, String)>) {
    let Some((name, words)) = item
        .field
        .name
        .as_deref()
        .and_then(|it| Some((it, words_of(it)?)))
    else {
        return;
    };
    let is_like: fn(&str, &str) -> bool = match item.field.modifiers[..] {
        [] | [Modifier::Neq] => |word, value| word == value,
        [Modifier::Contains] => |word, value| word.contains(value),
        [Modifier::StartsWith] => |word, value| word.starts_with(value),
        [Modifier::EndsWith] => |word, value| word.ends_with(value),
        _ => return,
    };
    for value in &item.values {
        // With wildcards, or of another type: whatever it fits is not said here.
        let SigmaValue::String(value) = value else {
            continue;
        };
        let Some(value) = value.as_plain() else {
            continue;
        };
        let lower = value.to_lowercase();
        let is_known = |word: &&str| is_like(&word.to_lowercase(), &lower);
        if !words.iter().any(is_known) {
            found.push((name.to_owned(), value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_word_is_like_is_foreign() {
        for (line, expected) in [
            ("outcome: success", None),
            ("outcome: SUCCESS", None),
            ("outcome: sucess", Some("sucess")),
            ("outcome: [denied, refused]", Some("refused")),
            ("outcome: suc*", None),
            ("outcome|startswith: suc", None),
            ("outcome|endswith: suc", Some("suc")),
            ("outcome|re: sucess", None),
            ("outcome|neq: sucess", Some("sucess")),
            ("outcome: null", None),
            ("operation: sucess", None),
            ("actor_kind: robot", Some("robot")),
            ("tool_argument_provenance: everywhere", Some("everywhere")),
        ] {
            let text = format!(
                "title: T\nlogsource:\n  product: deedtrail\ndetection:\n  s:\n    {line}\n  condition: s\n"
            );
            let parsed = rsigma_parser::parse_sigma_yaml(&text).unwrap();
            assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
            let found = foreign_values(&parsed.rules[0]);
            let found: Vec<&str> = found.iter().map(|(_, value)| value.as_str()).collect();
            assert_eq!(found, Vec::from_iter(expected), "{line}");
        }
    }
}
