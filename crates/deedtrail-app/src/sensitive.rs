//! Secrets and tool arguments kept out of what people read and take away.

use std::ops::Range;

use deedtrail_core::event::Event;
use deedtrail_core::port::log::PartClass;
use serde_json::Value;

use crate::App;

/// Shorter sensitive texts are not looked for in events: they are everywhere by chance, characters.
const TEXT_MIN: usize = 4;
/// Shorter ones count only as a whole value.
const WITHIN_MIN: usize = 8;
/// Levels of JSON within JSON at which a text is looked for.
const LEVELS_MAX: usize = 3;
/// Fields of an event that a mapping fills with a vendor's text; the others are ids, numbers and
/// names of ours.
const TEXT_FIELDS: [&str; 31] = [
    "account",
    "source_uid",
    "actor_ref",
    "actor_name",
    "actor_aliases",
    "delegation",
    "credential_ref",
    "session_ref",
    "operation",
    "permission",
    "command",
    "tool_arguments",
    "approver",
    "change_ticket",
    "workload",
    "target_kind",
    "target_ref",
    "target_name",
    "target_aliases",
    "changes",
    "outcome_detail",
    "user_agent",
    "client_fingerprint",
    "device_ref",
    "message_ref",
    "link_ref",
    "url_domain",
    "verdict_detail",
    "threat",
    "policy_decision",
    "labels",
];

impl App {
    /// A record with `•••• (secret, N bytes)` in place of each secret.
    pub fn masked(&self, record: &[u8]) -> Vec<u8> {
        mask(record, &self.ports.mapper.sensitive(record))
    }

    /// The event without texts of those parts of its record.
    pub(crate) fn without_sensitive(
        &self,
        event: Event,
        record: &[u8],
        classes: &[PartClass],
    ) -> Event {
        let ranges = self.ports.mapper.sensitive(record);
        let chosen = ranges.iter().filter(|(_, class)| classes.contains(class));
        let texts: Vec<String> = chosen
            .flat_map(|(range, _)| forms(&record[range.clone()]))
            .filter(|text| text.chars().count() >= TEXT_MIN)
            .collect();
        without(event, &texts)
    }
}

fn mask(record: &[u8], ranges: &[(Range<usize>, PartClass)]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(record.len());
    let mut from = 0;
    let secrets = ranges
        .iter()
        .filter(|(_, class)| *class == PartClass::Secret);
    for (range, _) in secrets {
        shown.extend_from_slice(&record[from..range.start]);
        let marker = format!("•••• (secret, {} bytes)", range.len());
        shown.extend_from_slice(marker.as_bytes());
        from = range.end;
    }
    shown.extend_from_slice(&record[from..]);
    shown
}

/// What bytes of a record may have become in an event: as they are, and as a JSON text reads.
fn forms(bytes: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    let mut newest = std::str::from_utf8(bytes).ok().map(str::to_owned);
    while let Some(text) = newest.filter(|text| forms.last() != Some(text)) {
        newest = serde_json::from_str(&format!("\"{text}\"")).ok();
        forms.push(text);
        if forms.len() > LEVELS_MAX {
            break;
        }
    }
    forms
}

fn without(event: Event, texts: &[String]) -> Event {
    if texts.is_empty() {
        return event;
    }
    let Ok(Value::Object(mut fields)) = serde_json::to_value(&event) else {
        return event;
    };
    let named = TEXT_FIELDS.iter();
    let changed = named.filter(|field| {
        let value = fields.get_mut(**field);
        value.is_some_and(|value| withhold(value, texts))
    });
    if changed.count() == 0 {
        return event;
    }
    serde_json::from_value(Value::Object(fields)).unwrap_or(event)
}

/// Takes the texts out of every string of a value; whether there was any.
fn withhold(value: &mut Value, texts: &[String]) -> bool {
    match value {
        Value::String(text) => {
            let mut found = false;
            for secret in texts {
                let within = secret.chars().count() >= WITHIN_MIN && text.contains(secret.as_str());
                if within || text == secret {
                    *text = text.replace(secret.as_str(), "[withheld]");
                    found = true;
                }
            }
            found
        }
        Value::Array(items) => any_withheld(items.iter_mut(), texts),
        Value::Object(members) => any_withheld(members.values_mut(), texts),
        _ => false,
    }
}

/// As [`withhold`], for each of several values.
fn any_withheld<'a>(values: impl Iterator<Item = &'a mut Value>, texts: &[String]) -> bool {
    let mut found = false;
    for value in values {
        found |= withhold(value, texts);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_tool_arguments_are_not() {
        let ranges = [
            (1..3, PartClass::Secret),
            (4..5, PartClass::ToolArguments),
            (5..6, PartClass::Secret),
        ];
        let shown = String::from_utf8(mask(b"abcdefg", &ranges)).unwrap();
        assert_eq!(shown, "a•••• (secret, 2 bytes)de•••• (secret, 1 bytes)g");
        assert_eq!(mask(b"abc", &[]), b"abc");
    }

    #[test]
    fn a_text_is_known_in_every_form_it_may_take() {
        assert_eq!(forms(br"a\/b"), [r"a\/b", "a/b"]);
        assert_eq!(forms(br"a\\\/b"), [r"a\\\/b", r"a\/b", "a/b"]);
        assert_eq!(forms(b"plain"), ["plain"]);
        assert_eq!(forms(&[0xff]), [""; 0]);
    }

    #[test]
    fn texts_leave_every_string_of_a_value() {
        let mut value = serde_json::json!({
            "a": ["run --key=long-secret", 5], "b": "short", "c": "a short one",
        });
        let texts = ["long-secret".to_owned(), "short".to_owned()];
        assert!(withhold(&mut value, &texts));
        let expected = serde_json::json!({
            "a": ["run --key=[withheld]", 5], "b": "[withheld]", "c": "a short one",
        });
        assert_eq!(value, expected);
        assert!(!withhold(&mut value, &texts));
    }
}
