//! Numbers of the configuration that are outside their range, which the schema says.

use std::fmt;

use serde_json::Value;

/// A number that is not allowed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutOfRange {
    /// Names of the tables, then that of the setting; the place in a list is a number.
    pub(super) path: Vec<String>,
    value: String,
    least: i64,
    most: Option<i64>,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, value, least) = (self.path.join("."), &self.value, self.least);
        write!(f, "`{name}` is {value}; write a whole number ")?;
        match self.most {
            Some(most) => write!(f, "from {least} to {most}"),
            None => write!(f, "of {least} or more"),
        }
    }
}

/// Every number in `values` that `schema` does not allow.
pub(super) fn out_of_range(values: &Value, schema: &Value) -> Vec<OutOfRange> {
    let mut walk = Walk {
        root: schema,
        path: Vec::new(),
        found: Vec::new(),
    };
    walk.value(values, schema);
    walk.found
}

struct Walk<'a> {
    root: &'a Value,
    path: Vec<String>,
    found: Vec<OutOfRange>,
}

impl<'a> Walk<'a> {
    fn value(&mut self, value: &Value, schema: &'a Value) {
        let schema = self.resolved(schema);
        match value {
            Value::Object(table) => {
                for (name, value) in table {
                    let of_name = schema.pointer(&format!("/properties/{name}"));
                    if let Some(below) = of_name.or_else(|| schema.get("additionalProperties")) {
                        self.below(name.clone(), value, below);
                    }
                }
            }
            Value::Array(list) => {
                if let Some(below) = schema.get("items") {
                    for (place, value) in list.iter().enumerate() {
                        self.below(place.to_string(), value, below);
                    }
                }
            }
            Value::Number(number) => self.number(number, schema),
            _ => {}
        }
    }

    fn below(&mut self, name: String, value: &Value, schema: &'a Value) {
        self.path.push(name);
        self.value(value, schema);
        self.path.pop();
    }

    fn number(&mut self, number: &serde_json::Number, schema: &Value) {
        let limit = |name: &str| schema.get(name).and_then(Value::as_i64);
        let (Some(least), most) = (limit("minimum"), limit("maximum")) else {
            return;
        };
        let allowed = |value: i64| value >= least && most.is_none_or(|most| value <= most);
        // A number with a fraction is told of as such, elsewhere.
        if number.is_f64() || number.as_i64().is_some_and(allowed) {
            return;
        }
        self.found.push(OutOfRange {
            path: self.path.clone(),
            value: number.to_string(),
            least,
            most,
        });
    }

    /// What a schema stands for: a named one, or one that may be missing.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let schema = schema.pointer("/anyOf/0").unwrap_or(schema);
        let named = schema.get("$ref").and_then(Value::as_str);
        let named = named.and_then(|name| self.root.pointer(name.strip_prefix('#')?));
        named.unwrap_or(schema)
    }
}
