//! Policy documents of AWS: statements as grants.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use serde_json::{Map, Value};

use deedtrail_core::Text;
use deedtrail_core::entitlement::{Effect, Grant};

use super::Mistake;

/// What all statements of a document share.
#[derive(Clone, Debug)]
pub(super) struct Document<'a> {
    /// Path into the file, for mistakes.
    pub(super) place: &'a str,
    /// Start of the keys of its grants.
    pub(super) key: &'a str,
    /// The policy, and the group it is attached to.
    pub(super) via: &'a str,
}

impl Document<'_> {
    /// The grants of a document, which is JSON or, as the API itself gives it, JSON in
    /// percent-encoding. They have no holders yet.
    pub(super) fn grants(&self, document: &Value) -> Result<Vec<Grant>, Vec<Mistake>> {
        let decoded;
        let document = match document {
            Value::String(text) => {
                let text = percent_decoded(text);
                decoded = serde_json::from_slice::<Value>(&text).map_err(|error| {
                    vec![Mistake::new(
                        self.place,
                        format!("the policy is not JSON: {error}"),
                    )]
                })?;
                &decoded
            }
            value => value,
        };
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().collect(),
            Some(statement @ Value::Object(_)) => vec![statement],
            _ => {
                let message = "a policy has a list `Statement`";
                return Err(vec![Mistake::new(self.place, message)]);
            }
        };
        let mut grants = Vec::with_capacity(statements.len());
        let mut wrong = Vec::new();
        for (number, statement) in statements.into_iter().enumerate() {
            match self.grant(number, statement) {
                Ok(grant) => grants.push(grant),
                Err(message) => {
                    let place = format!("{}.Statement[{number}]", self.place);
                    wrong.push(Mistake::new(place, message));
                }
            }
        }
        if wrong.is_empty() {
            Ok(grants)
        } else {
            Err(wrong)
        }
    }

    fn grant(&self, number: usize, statement: &Value) -> Result<Grant, String> {
        let Value::Object(statement) = statement else {
            return Err("a statement is an object".to_owned());
        };
        let effect = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            Some(other) => {
                let other: String = other.chars().take(40).collect();
                return Err(format!("`Effect` is `{other}`; it is `Allow` or `Deny`"));
            }
            None => return Err("it has no `Effect`, `Allow` or `Deny`".to_owned()),
        };
        let (permissions, permissions_except) = either(statement, "Action", "NotAction")?
            .ok_or("it has neither `Action` nor `NotAction`")?;
        let (scope, scope_except) = either(statement, "Resource", "NotResource")?
            .ok_or("it has neither `Resource` nor `NotResource`")?;
        let everything = !scope_except && scope.iter().any(|pattern| pattern == "*");
        let named = statement.get("Sid").and_then(Value::as_str);
        let named = named.filter(|sid| !sid.is_empty());
        let part = named.map_or_else(|| number.to_string(), str::to_owned);
        Ok(Grant {
            key: format!("{}#{part}", self.key).into(),
            system: "aws".into(),
            permissions,
            permissions_except,
            scope: if everything { Vec::new() } else { scope },
            scope_except,
            effect,
            conditions: conditions(statement.get("Condition"))?,
            via: Some(self.via.into()),
            ..Grant::default()
        })
    }
}

/// The one of two elements that is there, and whether it is the second.
fn either(
    statement: &Map<String, Value>,
    name: &str,
    not: &str,
) -> Result<Option<(Vec<Text>, bool)>, String> {
    match (statement.get(name), statement.get(not)) {
        (Some(_), Some(_)) => Err(format!("it has both `{name}` and `{not}`")),
        (Some(value), None) => Ok(Some((texts(name, value)?, false))),
        (None, Some(value)) => Ok(Some((texts(not, value)?, true))),
        (None, None) => Ok(None),
    }
}

fn texts(name: &str, value: &Value) -> Result<Vec<Text>, String> {
    let wrong = || format!("`{name}` is a text or a list of texts");
    match value {
        Value::String(text) => Ok(vec![text.into()]),
        Value::Array(values) => {
            let texts = values.iter().map(|value| value.as_str().map(Text::new));
            texts.collect::<Option<_>>().ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

/// `aws:RequestedRegion StringEquals eu-west-1 or eu-central-1`; all of the list must hold.
fn conditions(condition: Option<&Value>) -> Result<Vec<Text>, String> {
    let Some(condition) = condition else {
        return Ok(Vec::new());
    };
    let wrong = || "`Condition` is an object of operators, each with keys and values".to_owned();
    let mut told = Vec::new();
    for (operator, keys) in condition.as_object().ok_or_else(wrong)? {
        for (key, values) in keys.as_object().ok_or_else(wrong)? {
            let values = match values {
                Value::Array(values) => values.iter().map(word).collect::<Vec<_>>().join(" or "),
                value => word(value),
            };
            told.push(Text::from(format!("{key} {operator} {values}")));
        }
    }
    Ok(told)
}

fn word(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// RFC 3986, section 2.1; what is not encoded stays.
fn percent_decoded(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let pair = (digit(bytes.get(at + 1)), digit(bytes.get(at + 2)));
        if let (b'%', (Some(high), Some(low))) = (byte, pair) {
            decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
            at += 3;
        } else {
            decoded.push(*byte);
            at += 1;
        }
    }
    decoded
}
