//! Conditions of exceptions: what is wrong with one, and whether an event fits them.

use std::fmt;
use std::net::IpAddr;

use deedtrail_charter::Glob;
use deedtrail_core::Text;
use deedtrail_core::action::ACTIONS;
use deedtrail_core::event::{
    ActorKind, CredentialKind, DeviceTrust, Environment, EventKind, OutcomeClass, Plane,
    Sensitivity, TimeQuality,
};
use deedtrail_core::exception::ExceptionCondition;

use crate::fact;
use crate::field::{self, FIELDS, FieldType, FieldValue, View};
use crate::limits::EXCEPTION_CONDITIONS_MAX;

/// Names of conditions that stand for several fields.
const SHORT_NAMES: [(&str, &[&str]); 2] = [
    (
        "actor",
        &["actor_name", "actor_ref", "actor_aliases", "identity"],
    ),
    ("resource", &["target_name", "target_ref", "target_aliases"]),
];

/// Whole numbers that have ends of their own.
const RANGES: [(&str, i64, i64); 3] = [
    ("day_of_week", 1, 7),
    ("hour_of_day", 0, 23),
    ("hour_share_percent", 0, 100),
];

/// What is wrong with a condition of an exception.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    #[error(
        "no condition is called `{name}`{}; write actor, resource, source or a field of \
         docs/reference/rule-fields.md",
        suggestion.map(|it| format!("; did you mean `{it}`?")).unwrap_or_default()
    )]
    Unknown {
        name: String,
        suggestion: Option<&'static str>,
    },
    #[error("`{0}` matches everything: leave the condition out, or say what it is about")]
    MatchesAll(String),
    #[error("`{name}`: {reason}")]
    Pattern { name: String, reason: String },
    /// It can never hold.
    #[error("`{condition}` never holds: {possible}")]
    Never { condition: String, possible: String },
    #[error("an exception has at most {EXCEPTION_CONDITIONS_MAX} conditions; make another one")]
    TooMany,
}

/// Names that a condition may have: those that stand for several fields, then every field.
pub fn condition_names() -> impl Iterator<Item = &'static str> {
    let short = SHORT_NAMES.iter().map(|(short, _)| *short);
    let fields = FIELDS.iter().map(|field| field.name);
    short.chain(fields.filter(|name| *name != "tenant"))
}

/// Checks the conditions of an exception before it is made: that they are understood, and that they
/// can hold at all.
pub fn check_conditions(conditions: &[ExceptionCondition]) -> Result<(), ConditionError> {
    check_form(conditions)?;
    for condition in conditions {
        if let Some(possible) = never(&condition.field, &condition.pattern) {
            return Err(ConditionError::Never {
                condition: condition.to_string(),
                possible,
            });
        }
    }
    Ok(())
}

/// Whether conditions are understood. What is in the log already is judged by this alone.
pub(super) fn check_form(conditions: &[ExceptionCondition]) -> Result<(), ConditionError> {
    if conditions.len() > EXCEPTION_CONDITIONS_MAX {
        return Err(ConditionError::TooMany);
    }
    for condition in conditions {
        let (name, pattern) = (&condition.field, condition.pattern.as_str());
        let short = SHORT_NAMES.iter().any(|(short, _)| short == name);
        if !short && field::find(name).is_none() {
            return Err(ConditionError::Unknown {
                name: name.to_string(),
                suggestion: field::nearest(name, condition_names()),
            });
        }
        // An exception holds within its own tenant only.
        if name == "tenant" || pattern.chars().all(|c| c == '*') {
            return Err(ConditionError::MatchesAll(condition.to_string()));
        }
        Glob::new(pattern).map_err(|reason| ConditionError::Pattern {
            name: name.to_string(),
            reason,
        })?;
    }
    Ok(())
}

/// What is possible instead, when no value of the field fits the pattern.
fn never(name: &str, pattern: &str) -> Option<String> {
    if name == "src_ip" {
        return not_an_address(pattern);
    }
    if let Some(values) = listed(name) {
        let glob = Glob::new(pattern).ok()?;
        let fits = values.iter().any(|value| glob.matches(value));
        return (!fits).then(|| format!("{name} is {}", fact::or(&values)));
    }
    match field::find(name)?.kind {
        FieldType::Integer => not_a_number(name, pattern),
        FieldType::Boolean => {
            let fits = ["true", "false"]
                .iter()
                .any(|value| Glob::new(pattern).is_ok_and(|glob| glob.matches(value)));
            (!fits).then(|| format!("{name} is true or false"))
        }
        FieldType::Text | FieldType::List => None,
    }
}

/// The values of a field that has only these.
fn listed(name: &str) -> Option<Vec<&'static str>> {
    fn names<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<&'static str> {
        all.iter().map(|one| name(*one)).collect()
    }
    Some(match name {
        "action" => ACTIONS.iter().map(|action| action.name).collect(),
        "actor_kind" => names(ActorKind::ALL, ActorKind::name),
        "credential_kind" => names(CredentialKind::ALL, CredentialKind::name),
        "device_trust" => names(DeviceTrust::ALL, DeviceTrust::name),
        "evidence_grade" => vec!["A", "B", "C", "D"],
        "environment" | "target_environment" => names(Environment::ALL, Environment::name),
        "identity_status" => vec!["active", "disabled", "deleted"],
        "kind" => names(EventKind::ALL, EventKind::name),
        "outcome" => names(OutcomeClass::ALL, OutcomeClass::name),
        "plane" => names(Plane::ALL, Plane::name),
        "target_sensitivity" => names(Sensitivity::ALL, Sensitivity::name),
        "time_quality" => names(TimeQuality::ALL, TimeQuality::name),
        _ => return None,
    })
}

fn not_a_number(name: &str, pattern: &str) -> Option<String> {
    let range = RANGES.iter().find(|(ranged, ..)| *ranged == name);
    let possible = match range {
        Some((_, from, to)) => format!("{name} is a whole number from {from} to {to}"),
        None => format!("{name} is a whole number"),
    };
    let fits = if pattern.contains('*') {
        let mut signs = pattern.chars();
        signs.all(|c| c.is_ascii_digit() || matches!(c, '*' | '-'))
    } else {
        let within =
            |number: i64| range.is_none_or(|(_, from, to)| (*from..=*to).contains(&number));
        // As it is written: ` 7` and `07` are compared as text and are no number of an event.
        let number = pattern.parse::<i64>().ok();
        number.is_some_and(|number| within(number) && number.to_string() == pattern)
    };
    (!fits).then_some(possible)
}

fn not_an_address(pattern: &str) -> Option<String> {
    let fits = if pattern.contains('*') {
        pattern
            .chars()
            .all(|c| c.is_ascii_hexdigit() || matches!(c, '*' | '.' | ':'))
    } else {
        pattern.parse::<IpAddr>().is_ok() || Network::parse(pattern).is_some()
    };
    let possible = "src_ip is an address (192.0.2.7), a network (10.0.0.0/24, 2001:db8::/32) or one \
        with `*` (192.0.2.*)";
    (!fits).then(|| possible.to_owned())
}

/// A block of addresses, `10.0.0.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    /// Leading bits that are compared.
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let (address, bits) = (address.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?);
        let most = if address.is_ipv4() { 32 } else { 128 };
        (bits <= most).then_some(Self { address, bits })
    }

    fn holds(&self, text: &str) -> bool {
        match (self.address, text.parse::<IpAddr>()) {
            (IpAddr::V4(own), Ok(IpAddr::V4(other))) => {
                let differ = u32::from(own) ^ u32::from(other);
                self.bits == 0 || differ.leading_zeros() >= self.bits
            }
            (IpAddr::V6(own), Ok(IpAddr::V6(other))) => {
                let differ = u128::from(own) ^ u128::from(other);
                self.bits == 0 || differ.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

/// A value that a condition names.
#[derive(Clone, Debug)]
enum Wanted {
    Text(Glob),
    Network(Network),
}

impl Wanted {
    fn new(condition: &ExceptionCondition) -> Option<Self> {
        let network = (condition.field == "src_ip").then(|| Network::parse(&condition.pattern));
        match network.flatten() {
            Some(network) => Some(Self::Network(network)),
            None => Glob::new(&condition.pattern).ok().map(Self::Text),
        }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Text(glob) => glob.matches(text),
            Self::Network(network) => network.holds(text),
        }
    }
}

/// The conditions of one exception: of those on one field any must hold, and each field's must.
pub(crate) struct Conditions {
    by_field: Vec<(Text, Vec<Wanted>)>,
}

impl fmt::Debug for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.by_field.iter().map(|(field, _)| field))
            .finish()
    }
}

impl Conditions {
    pub(super) fn new(conditions: &[ExceptionCondition]) -> Self {
        let mut by_field: Vec<(Text, Vec<Wanted>)> = Vec::new();
        for condition in conditions {
            let wanted = Wanted::new(condition);
            match by_field
                .iter_mut()
                .find(|(field, _)| *field == condition.field)
            {
                Some((_, values)) => values.extend(wanted),
                None => by_field.push((condition.field.clone(), wanted.into_iter().collect())),
            }
        }
        Self { by_field }
    }

    pub(super) fn cover(&self, view: &View<'_>) -> bool {
        let mut fields = self.by_field.iter();
        fields.all(|(field, wanted)| wanted.iter().any(|wanted| holds(field, wanted, view)))
    }
}

fn holds(name: &str, wanted: &Wanted, view: &View<'_>) -> bool {
    let short = SHORT_NAMES.iter().find(|(short, _)| *short == name);
    let one = [name];
    let fields = short.map_or(&one[..], |(_, fields)| fields);
    let mut values = fields.iter().filter_map(|field| view.get(field));
    values.any(|value| fits(&value, wanted))
}

fn fits(value: &FieldValue<'_>, wanted: &Wanted) -> bool {
    match value {
        FieldValue::Text(text) => wanted.matches(text),
        FieldValue::Integer(number) => wanted.matches(&number.to_string()),
        FieldValue::Decimal(number) => wanted.matches(&number.to_string()),
        FieldValue::Boolean(value) => wanted.matches(&value.to_string()),
        FieldValue::List(items) => items.iter().any(|item| fits(item, wanted)),
        FieldValue::Null | FieldValue::Map(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: &str, pattern: &str) -> Result<(), String> {
        let condition = ExceptionCondition {
            field: field.into(),
            pattern: pattern.into(),
        };
        check_conditions(&[condition]).map_err(|error| error.to_string())
    }

    #[test]
    fn a_condition_says_what_is_wrong_with_it() {
        assert_eq!(check("actor", "ci-*"), Ok(()));
        assert_eq!(check("source", "aws.cloudtrail"), Ok(()));
        let error = check("actor_nam", "x").unwrap_err();
        assert!(error.contains("did you mean `actor_name`?"), "{error}");
        for everything in ["*", "**", ""] {
            let error = check("actor", everything).unwrap_err();
            assert!(error.contains("matches everything"), "{error}");
        }
        assert!(check("tenant", "default").is_err());
        assert!(check("actor", &"x".repeat(100_000)).is_err());
    }

    #[test]
    fn what_can_never_hold_is_refused_with_what_is_possible() {
        for (field, pattern) in [
            ("hour_of_day", "0"),
            ("hour_of_day", "2*"),
            ("days_since_use", "400"),
            ("first_time_target", "true"),
            ("actor_kind", "service_account"),
            ("actor_kind", "service*"),
            ("src_ip", "10.0.0.0/24"),
            ("src_ip", "2001:db8::/32"),
            ("src_ip", "192.0.2.*"),
            ("src_ip", "192.0.2.7"),
            ("resource", "10.0.0.0/24"),
        ] {
            assert_eq!(check(field, pattern), Ok(()), "{field}={pattern}");
        }
        for (field, pattern, possible) in [
            ("hour_of_day", "25", "a whole number from 0 to 23"),
            ("hour_of_day", "07", "a whole number from 0 to 23"),
            ("day_of_week", "0", "a whole number from 1 to 7"),
            ("days_since_use", "soon", "a whole number"),
            ("first_time_target", "yes", "true or false"),
            ("actor_kind", "robot", "human, service_account,"),
            ("actor_kind", "robot", " or unknown"),
            ("src_ip", "10.0.0.0/33", "a network (10.0.0.0/24"),
            ("src_ip", "example.com", "is an address"),
        ] {
            let error = check(field, pattern).unwrap_err();
            assert!(error.contains(possible), "{field}={pattern}: {error}");
        }
    }

    #[test]
    fn a_network_holds_its_addresses() {
        let holds = |network: &str, address: &str| Network::parse(network).unwrap().holds(address);
        assert!(holds("10.0.0.0/24", "10.0.0.255"));
        assert!(!holds("10.0.0.0/24", "10.0.1.0"));
        assert!(holds("0.0.0.0/0", "203.0.113.1"));
        assert!(!holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("2001:db8::/32", "2001:db8:1::1"));
        assert!(!holds("2001:db8::/32", "2001:db9::1"));
        assert!(!holds("10.0.0.0/24", "not an address"));
    }
}
