//! Comparisons that can never hold: with what a field never has, or with a field there is none of.
//!
//! What fits what is asked of the engine itself: each comparison by itself is tried on every value
//! that its field may have.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::slice;

use rsigma_eval::{Event, EventValue, compile_rule, evaluate_rule};
use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, FieldSpec, LogSource, Modifier, SigmaRule,
    SigmaValue,
};

use super::shown;
use crate::field::{self, FieldType, range_of, words_of};

/// Most values of one rule that are tried; those after them are not.
const VALUES_TRIED_MAX: usize = 1_000;
/// Most comparisons of one rule that are told.
const TOLD_MAX: usize = 20;
/// The selection of a comparison by itself.
const ALONE: &str = "alone";

/// A comparison that never holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::rule) struct Foreign {
    pub selection: String,
    pub field: String,
    /// As written.
    pub value: String,
    pub message: String,
    pub suggestion: String,
}

/// Comparisons of a canonical rule that never hold, in the order of their selections.
pub(super) fn foreign_values(rule: &SigmaRule) -> Vec<Foreign> {
    let mut look = Look {
        trial: Trial::of(rule),
        tried: 0,
        found: Vec::new(),
    };
    let mut named: Vec<_> = rule.detection.named.iter().collect();
    named.sort_by_key(|(name, _)| *name);
    for (name, detection) in named {
        look.at(name, None, detection);
    }
    let mut found = look.found;
    found.sort();
    found.dedup();
    found.truncate(TOLD_MAX);
    found
}

struct Look {
    trial: Trial,
    tried: usize,
    found: Vec<Foreign>,
}

impl Look {
    /// Looks at what a selection asks of an event, or of each element of the field `of`.
    fn at(&mut self, selection: &str, of: Option<&str>, detection: &Detection) {
        match detection {
            Detection::AllOf(items) => {
                for item in items {
                    self.item(selection, of, item);
                }
            }
            Detection::AnyOf(parts) | Detection::And(parts) => {
                for part in parts {
                    self.at(selection, of, part);
                }
            }
            Detection::ArrayMatch { field, body, .. } => self.at(selection, Some(field), body),
            Detection::Keywords(_) | Detection::Conditional { .. } => {}
        }
    }

    fn item(&mut self, selection: &str, of: Option<&str>, item: &DetectionItem) {
        let modifiers = &item.field.modifiers;
        let ((Some(name), None) | (None, Some(name))) = (item.field.name.as_deref(), of) else {
            return;
        };
        let foreign = |value: &SigmaValue, message: String, suggestion: String| Foreign {
            selection: selection.to_owned(),
            field: name.to_owned(),
            value: value.to_string(),
            message,
            suggestion,
        };
        if modifiers.contains(&Modifier::FieldRef) {
            for value in &item.values {
                let other = value.to_string();
                if field::find(&other).is_none() {
                    let message = format!("no field is called `{other}`");
                    let suggestion = field::instead_of(&other);
                    self.found.push(foreign(value, message, suggestion));
                }
            }
            return;
        }
        let Some(possible) = Possible::of(name, modifiers) else {
            return;
        };
        let known = self.found.len();
        for value in &item.values {
            self.tried += 1;
            if self.tried > VALUES_TRIED_MAX {
                return;
            }
            if !possible.may_be(&mut self.trial, modifiers, slice::from_ref(value)) {
                let message = message(name, modifiers, value);
                let suggestion = possible.instead_of(value);
                self.found.push(foreign(value, message, suggestion));
            }
        }
        // Elements of a list may fit one value each.
        let is_one = field::find(name).is_some_and(|it| it.kind != FieldType::List);
        if self.found.len() == known
            && is_one
            && modifiers.contains(&Modifier::All)
            && let [first, ..] = &item.values[..]
            && !possible.may_be(&mut self.trial, modifiers, &item.values)
        {
            let values: Vec<String> = item.values.iter().map(shown::value).collect();
            let message = unfit(name, modifiers, &values.join(" and "));
            let suggestion = possible.told();
            self.found.push(foreign(first, message, suggestion));
        }
    }
}

fn message(name: &str, modifiers: &[Modifier], value: &SigmaValue) -> String {
    let is_pattern = matches!(value, SigmaValue::String(text) if !text.is_plain());
    match modifiers {
        [] | [Modifier::Neq] if !is_pattern => format!("`{name}` is never `{value}`"),
        [] => format!("nothing that `{name}` may be fits `{value}`"),
        _ => unfit(name, modifiers, &value.to_string()),
    }
}

fn unfit(name: &str, modifiers: &[Modifier], values: &str) -> String {
    let modifiers = shown::modifiers(modifiers);
    format!("nothing that `{name}` may be fits `{modifiers}: {values}`")
}

/// Every value that a field may have.
#[derive(Clone, Debug)]
enum Possible {
    Words(Vec<&'static str>),
    Truth,
    Numbers(RangeInclusive<i64>),
    AnyNumber,
}

impl Possible {
    /// `None` where that, or what the modifiers ask, is not known.
    fn of(name: &str, modifiers: &[Modifier]) -> Option<Self> {
        if modifiers.iter().any(|it| !is_tried(*it)) {
            return None;
        }
        if let Some(words) = words_of(name) {
            return Some(Self::Words(words));
        }
        if let Some(range) = range_of(name) {
            return Some(Self::Numbers(range));
        }
        match field::find(name)?.kind {
            FieldType::Boolean => Some(Self::Truth),
            FieldType::Integer => Some(Self::AnyNumber),
            FieldType::Text | FieldType::List => None,
        }
    }

    /// Whether something of it fits all of these values.
    fn may_be(&self, trial: &mut Trial, modifiers: &[Modifier], values: &[SigmaValue]) -> bool {
        // Asks whether it is absent.
        if values.contains(&SigmaValue::Null) {
            return true;
        }
        let all: Vec<EventValue<'_>> = match self {
            Self::Words(words) => {
                let words = words.iter().copied().map(Cow::Borrowed);
                words.map(EventValue::Str).collect()
            }
            Self::Truth => [true, false].map(EventValue::Bool).into(),
            Self::Numbers(range) => range.clone().map(EventValue::Int).collect(),
            Self::AnyNumber => return values.iter().all(|it| may_be_number(modifiers, it)),
        };
        trial.fits(modifiers, values, all)
    }

    fn instead_of(&self, value: &SigmaValue) -> String {
        let near = match self {
            Self::Words(words) => field::nearest(&value.to_string(), words.iter().copied()),
            _ => None,
        };
        near.map_or_else(|| self.told(), |near| format!("did you mean `{near}`?"))
    }

    fn told(&self) -> String {
        match self {
            Self::Words(words) => format!("it is one of {}", words.join(", ")),
            Self::Truth => "it is true or false".to_owned(),
            Self::Numbers(range) => {
                format!("it is a number from {} to {}", range.start(), range.end())
            }
            Self::AnyNumber => "it is a number".to_owned(),
        }
    }
}

/// Of numbers without end only what is compared as a whole can be no number.
fn may_be_number(modifiers: &[Modifier], value: &SigmaValue) -> bool {
    match value {
        _ if !matches!(modifiers, [] | [Modifier::Neq]) => true,
        SigmaValue::String(text) => text.as_plain().is_none_or(|it| it.parse::<f64>().is_ok()),
        SigmaValue::Bool(_) => false,
        SigmaValue::Integer(_) | SigmaValue::Float(_) | SigmaValue::Null => true,
    }
}

/// Whether a comparison with this modifier is tried on values: not one that asks for something else,
/// or fits what is only known with the event.
const fn is_tried(modifier: Modifier) -> bool {
    !matches!(
        modifier,
        Modifier::Exists
            | Modifier::Expand
            | Modifier::FieldRef
            | Modifier::Minute
            | Modifier::Hour
            | Modifier::Day
            | Modifier::Week
            | Modifier::Month
            | Modifier::Year
    )
}

/// A rule of one comparison.
struct Trial(SigmaRule);

impl Trial {
    /// Of the same version as the rule, and nothing else of it.
    fn of(rule: &SigmaRule) -> Self {
        Self(SigmaRule {
            title: ALONE.to_owned(),
            logsource: LogSource::default(),
            detection: Detections {
                named: [].into(),
                conditions: vec![ConditionExpr::Identifier(ALONE.to_owned())],
                condition_strings: vec![ALONE.to_owned()],
                timeframe: None,
            },
            sigma_version: rule.sigma_version,
            id: None,
            name: None,
            related: Vec::new(),
            taxonomy: None,
            status: None,
            description: None,
            license: None,
            author: None,
            references: Vec::new(),
            date: None,
            modified: None,
            fields: Vec::new(),
            falsepositives: Vec::new(),
            level: None,
            tags: Vec::new(),
            scope: Vec::new(),
            custom_attributes: [].into(),
        })
    }

    /// Whether one of the possible values fits. A negated comparison is tried as what it negates: what
    /// is never there need not be excluded. One that the engine refuses is told by whoever adds it.
    fn fits(
        &mut self,
        modifiers: &[Modifier],
        values: &[SigmaValue],
        possible: Vec<EventValue<'_>>,
    ) -> bool {
        let links_nothing = |it: &&Modifier| **it == Modifier::All && values.len() == 1;
        let modifiers = modifiers.iter().filter(|it| **it != Modifier::Neq);
        let modifiers = modifiers.filter(|it| !links_nothing(it)).copied();
        let item = DetectionItem {
            field: FieldSpec::new(Some(ALONE.to_owned()), modifiers.collect()),
            values: values.to_vec(),
        };
        let detection = Detection::AllOf(vec![item]);
        self.0.detection.named.insert(ALONE.to_owned(), detection);
        let Ok(rule) = compile_rule(&self.0) else {
            return true;
        };
        let mut possible = possible.into_iter();
        possible.any(|value| evaluate_rule(&rule, &Single(value)).is_some())
    }
}

/// An event with one value.
struct Single<'v>(EventValue<'v>);

impl Event for Single<'_> {
    fn get_field(&self, _path: &str) -> Option<EventValue<'_>> {
        Some(self.0.clone())
    }

    fn any_string_value(&self, _wanted: &dyn Fn(&str) -> bool) -> bool {
        false
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        Vec::new()
    }

    fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<Foreign> {
        let text = format!(
            "title: T\nsigma-version: 3\nlogsource:\n  product: deedtrail\ndetection:\n  s:\n    {line}\n  condition: s\n"
        );
        let parsed = rsigma_parser::parse_sigma_yaml(&text).unwrap();
        assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
        foreign_values(&parsed.rules[0])
    }

    fn check(lines: &[(&str, &[&str])]) {
        for (line, expected) in lines {
            let found = found(line);
            let found: Vec<&str> = found.iter().map(|it| it.value.as_str()).collect();
            assert_eq!(found, *expected, "{line}");
        }
    }

    #[test]
    fn what_no_word_of_a_list_is_like_is_foreign() {
        check(&[
            ("outcome: success", &[]),
            ("outcome: SUCCESS", &[]),
            ("outcome: sucess", &["sucess"]),
            ("outcome: ''", &[""]),
            ("outcome: 3", &["3"]),
            ("outcome: [denied, refused]", &["refused"]),
            ("outcome|neq: sucess", &["sucess"]),
            ("outcome|neq: success", &[]),
            ("outcome: null", &[]),
            ("outcome|exists: false", &[]),
            ("operation: sucess", &[]),
            ("actor_kind: robot", &["robot"]),
            ("tool_argument_provenance: everywhere", &["everywhere"]),
            ("tool_argument_provenance[any]: everywhere", &["everywhere"]),
            ("tool_argument_provenance[all]: history", &[]),
        ]);
    }

    #[test]
    fn patterns_that_fit_no_word_are_foreign() {
        check(&[
            ("outcome: suc*", &[]),
            ("outcome: succ?s*", &[]),
            ("outcome: suck*", &["suck*"]),
            ("outcome|startswith: suc", &[]),
            ("outcome|endswith: suc", &["suc"]),
            ("outcome|contains: [ccess, ccses]", &["ccses"]),
            ("outcome|contains: c*d", &["c*d"]),
            ("outcome|re: ^suc+ess$", &[]),
            ("outcome|re: ^sucess$", &["^sucess$"]),
            ("outcome|re: SUCCESS", &["SUCCESS"]),
            ("outcome|re|i: SUCCESS", &[]),
            ("outcome|re: '['", &[]),
            ("outcome|cased: Success", &["Success"]),
            ("outcome|cased: success", &[]),
            ("outcome|contains|neq: zz", &["zz"]),
            ("outcome|base64: success", &["success"]),
            ("action|contains|all: [credential, create]", &[]),
            ("action|contains|all: [credential, dead]", &["dead"]),
            ("action|contains|all: [create, revoke]", &["create"]),
            (
                "tool_argument_provenance|contains|all: [history, request]",
                &[],
            ),
        ]);
    }

    #[test]
    fn numbers_beyond_their_range_are_foreign() {
        check(&[
            ("hour_of_day: [0, 23]", &[]),
            ("hour_of_day: [24, -1]", &["-1", "24"]),
            ("hour_of_day: '25'", &["25"]),
            ("hour_of_day: noon", &["noon"]),
            ("hour_of_day|gt: 22", &[]),
            ("hour_of_day|gt: 23", &["23"]),
            ("hour_of_day|gte: 24", &["24"]),
            ("hour_of_day|lt: 0", &["0"]),
            ("hour_of_day|lte: 0", &[]),
            ("day_of_week: [0, 1, 7, 8]", &["0", "8"]),
            ("day_of_week|lt: 1", &["1"]),
            ("hour_share_percent|gt: 100", &["100"]),
            ("hour_share_percent: 100", &[]),
            ("bytes_out|gt: 5000000000", &[]),
            ("bytes_out: many", &["many"]),
            ("bytes_out: '12'", &[]),
            ("bytes_out|contains: 55", &[]),
            ("bytes_out: true", &["true"]),
        ]);
    }

    #[test]
    fn what_is_true_or_false_is_nothing_else() {
        check(&[
            ("read_only: true", &[]),
            ("read_only: no", &["no"]),
            ("read_only: 5", &["5"]),
            ("read_only: maybe", &["maybe"]),
        ]);
    }

    #[test]
    fn a_field_compared_with_exists() {
        check(&[
            ("target_name|fieldref: actor_name", &[]),
            ("target_name|fieldref: actor_nam", &["actor_nam"]),
            ("target_name|fieldref|contains: actor_nam", &["actor_nam"]),
        ]);
        let told = found("target_name|fieldref: actor_nam");
        assert_eq!(told[0].message, "no field is called `actor_nam`");
        assert_eq!(told[0].suggestion, "did you mean `actor_name`?");
    }

    #[test]
    fn it_is_told_what_is_asked_and_what_there_is() {
        for (line, message, suggestion) in [
            (
                "outcome: sucess",
                "`outcome` is never `sucess`",
                "did you mean `success`?",
            ),
            (
                "outcome|startswith: zz",
                "nothing that `outcome` may be fits `|startswith: zz`",
                "it is one of success, failure, denied, unknown",
            ),
            (
                "outcome: zz*",
                "nothing that `outcome` may be fits `zz*`",
                "it is one of success, failure, denied, unknown",
            ),
            (
                "hour_of_day|gt: 23",
                "nothing that `hour_of_day` may be fits `|gt: 23`",
                "it is a number from 0 to 23",
            ),
            (
                "day_of_week: 9",
                "`day_of_week` is never `9`",
                "it is a number from 1 to 7",
            ),
            (
                "read_only: 5",
                "`read_only` is never `5`",
                "it is true or false",
            ),
            (
                "action|contains|all: [create, revoke]",
                "nothing that `action` may be fits `|contains|all: create and revoke`",
                "",
            ),
        ] {
            let found = found(line);
            assert_eq!(found.len(), 1, "{line}");
            assert_eq!(found[0].message, message);
            assert!(
                found[0].suggestion.starts_with(suggestion),
                "{:?}",
                found[0]
            );
        }
    }

    #[test]
    fn only_so_many_are_told() {
        let words: Vec<String> = (0..3_000).map(|n| format!("w{n}")).collect();
        let found = found(&format!("outcome: [{}]", words.join(", ")));
        assert_eq!(found.len(), TOLD_MAX);
    }
}
