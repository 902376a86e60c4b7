//! An unsafe sequence as written (docs/reference/unsafe-sequences.md).

use std::borrow::Cow;
use std::fmt;

use deedtrail_core::finding::Severity;
use deedtrail_core::time::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::document::{ActionName, EnvironmentName, Grant, KindName, List, SensitivityName};

/// Steps that are unsafe together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnsafeSequence {
    /// Lower-case letters, digits and `-`.
    pub id: String,
    /// One sentence without a full stop, as the finding's title ends.
    pub title: String,
    /// Why the steps are unsafe together.
    pub meaning: String,
    /// `info`, `low`, `medium`, `high` or `critical`; that of the type of finding if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<SeverityName>,
    /// Type of finding; `allowed_but_unsafe` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// What makes two findings of that type on one identity the same; the id if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Longest time from the first step to the last: `90s`, `30m`, `12h`, `7d`.
    pub within: Within,
    /// Who takes the steps after the first: the same identity, or what the first one acted on.
    #[serde(default, skip_serializing_if = "Follows::is_identity")]
    pub follows: Follows,
    pub steps: Vec<SequenceStep>,
    /// ATT&CK and ATLAS techniques, OWASP entries.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub references: List<String>,
}

/// How urgent a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SeverityName(pub Severity);

impl JsonSchema for SeverityName {
    fn schema_name() -> Cow<'static, str> {
        "Severity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": Severity::ALL.map(Severity::name) })
    }
}

/// Who takes the steps after the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Follows {
    #[default]
    Identity,
    Target,
}

impl Follows {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_identity(&self) -> bool {
        *self == Self::Identity
    }
}

/// One step: an event, or several of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SequenceStep {
    pub name: String,
    /// What the event is; of several descriptions any suffices.
    pub is: List<Clause>,
    /// What it is not.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub not: List<Clause>,
    /// So many of them; 1 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u16>,
    /// What is the same as with the first event.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub same: List<Binding>,
    /// What is another than with the first event; both must be known.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub other: List<Binding>,
}

/// What steps can have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    Session,
    Target,
    System,
    Account,
    Credential,
    Network,
    Operation,
}

impl Binding {
    pub(crate) const ALL: [Self; 7] = [
        Self::Session,
        Self::Target,
        Self::System,
        Self::Account,
        Self::Credential,
        Self::Network,
        Self::Operation,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Target => "target",
            Self::System => "system",
            Self::Account => "account",
            Self::Credential => "credential",
            Self::Network => "network",
            Self::Operation => "operation",
        }
    }
}

/// How an event ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing refused it, and it did not fail.
    #[default]
    Permitted,
    /// It failed or was denied.
    Refused,
    Any,
}

/// Conditions on an event; every line given must hold, any of its values suffices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub action: List<ActionName>,
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub operation: List<String>,
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub target: List<String>,
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub environment: List<EnvironmentName>,
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub system: List<String>,
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub tool: List<String>,
    /// Sensitivities of the target; one that is not known is none of them.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub sensitivity: List<SensitivityName>,
    /// Kinds of target; patterns.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub target_kind: List<String>,
    /// Command lines or queries; patterns.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub command: List<String>,
    /// Paths of files or attributes that were changed; patterns.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub changed: List<String>,
    /// Kinds of the identity that acts.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub actor: List<KindName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The identity is, or is not, read-only by declaration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// The network has never been seen for the identity, or has been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_network: Option<bool>,
    /// The record names a change ticket, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_ticket: Option<bool>,
    /// At least so many people reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience_min: Option<u64>,
}

impl Clause {
    /// The lines that charters have too.
    pub(crate) fn grant(&self) -> Grant {
        Grant {
            action: self.action.clone(),
            operation: self.operation.clone(),
            target: self.target.clone(),
            environment: self.environment.clone(),
            system: self.system.clone(),
            tool: self.tool.clone(),
        }
    }
}

/// A span of time, µs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within(pub i64);

const UNITS: [(char, i64); 4] = [
    ('d', Timestamp::DAY_US),
    ('h', Timestamp::HOUR_US),
    ('m', Timestamp::MINUTE_US),
    ('s', Timestamp::SECOND_US),
];

impl Within {
    fn parse(text: &str) -> Option<Self> {
        let (unit, size) = UNITS.iter().find(|(unit, _)| text.ends_with(*unit))?;
        let number: i64 = text.strip_suffix(*unit)?.parse().ok()?;
        number
            .checked_mul(*size)
            .filter(|micros| *micros > 0)
            .map(Self)
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, size)| self.0 % size == 0);
        let (unit, size) = whole.copied().unwrap_or(('s', Timestamp::SECOND_US));
        write!(f, "{}{unit}", self.0 / size)
    }
}

impl Serialize for Within {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Within {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Within;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a span of time (`30m`, `12h`)")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Within, E> {
                Within::parse(text).ok_or_else(|| {
                    E::custom(format_args!(
                        "`{text}` is not a span of time (`30m`, `12h`)"
                    ))
                })
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

impl JsonSchema for Within {
    fn schema_name() -> Cow<'static, str> {
        "Within".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+[smhd]$" })
    }
}
