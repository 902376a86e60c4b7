//! The charter as written: what an identity is for and what normal looks like
//! (docs/reference/charters.md).

mod list;
mod parse;
mod text;
mod value;
mod write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use list::List;
pub use parse::{Problem, Written, parse};
pub(crate) use parse::{nearest, parse_yaml};
pub(crate) use text::Lines;
pub use value::{ActionName, Bytes, Days, EnvironmentName, Hours, KindName, SensitivityName};
pub(crate) use value::{action_name, action_of};
pub use write::{Comments, write};

/// A charter: the declared use of an identity or a group of identities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Charter {
    /// Its name: lower-case letters, digits, `-` and `_`.
    pub charter: String,
    /// Whom it binds: patterns of aliases, `namespace:value`, with `*` for anything.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub identities: List<String>,
    /// Whom it binds: everybody of a department, kind or tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// What the identity is for, in a sentence.
    pub purpose: String,
    /// Who answers for it and is told of departures.
    pub owner: String,
    /// What it may do. Without an entry anything not forbidden is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Grant>,
    /// What it must never do, whatever `allow` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<Grant>,
    /// When it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Where it works from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<From>,
    /// How much it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// The order in which it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// Tools an agent may call; patterns of their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<List<String>>,
    /// What needs a change ticket on the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_ticket: Option<ChangeTicket>,
}

/// Identities by what is declared of them; every line given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub department: List<String>,
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub kind: List<KindName>,
    /// `key` or `key=value`.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub tag: List<String>,
}

/// What may, or must never, be done; every line given must hold, any of its values suffices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Actions of our taxonomy.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub action: List<ActionName>,
    /// The vendor's verbs; patterns.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub operation: List<String>,
    /// What is acted on, by name or reference, or `kind:name`; patterns.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub target: List<String>,
    /// Environments of the target. One that is not known does not speak against `allow`.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub environment: List<EnvironmentName>,
    /// Systems acted in, e.g. `aws`; patterns.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub system: List<String>,
    /// Tools called by an agent; patterns.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub tool: List<String>,
}

/// Days and hours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// `mon-fri`, `sat`, or a list of such; every day if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<List<Days>>,
    /// `06:00-20:00`, over midnight too, or a list of such; the whole day if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<List<Hours>>,
    /// Time zone of the IANA list; UTC if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// Origins. What a record does not say is not held against it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct From {
    /// Addresses (`192.0.2.0/24`) and autonomous systems (`AS64500`).
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub networks: List<String>,
    /// Workloads or runners; patterns.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub workloads: List<String>,
    /// Countries, ISO 3166 alpha-2.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub countries: List<String>,
}

/// Amounts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Different targets within any 60 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct_targets_per_minute: Option<u32>,
    /// Events in an hour of the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_per_hour: Option<u64>,
    /// Bytes read or sent in a day (UTC): a number, or with a unit (`2GiB`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_out_per_day: Option<Bytes>,
    /// People reached by one message or share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<u64>,
}

/// Steps in the order they are taken in one session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    pub steps: Vec<Step>,
    /// Name of the step that a run has to end with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_end_with: Option<String>,
    /// Nothing else may happen in between, and no step may be taken again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub strict: bool,
    /// Minutes without an event after which a run has ended; 60 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<u32>,
}

/// A step: the name of an action or a pattern of an operation or tool, or a description.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Step {
    Name(String),
    Described(DescribedStep),
}

/// A step with a name of its own; lines as those of `allow`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DescribedStep {
    pub name: String,
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
    /// It may be left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// Actions that need a change ticket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTicket {
    pub required_for: List<ActionName>,
}

impl DescribedStep {
    /// The lines that say what the step is.
    pub fn grant(&self) -> Grant {
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

impl Step {
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Described(step) => &step.name,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// The JSON Schema of a charter, as printed to docs/reference/charter.schema.json.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Charter);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
