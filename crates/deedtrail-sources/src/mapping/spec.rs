//! The mapping file as written: what serde reads and the JSON Schema describes.
//!
//! docs/reference/mapping-format.md explains it with examples.

mod short_form;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// A `mapping.toml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MappingFile {
    /// Name for people, e.g. `AWS CloudTrail`.
    pub title: String,
    /// Sigma log sources this log serves.
    #[serde(default)]
    pub sigma: Vec<SigmaSpec>,
    /// Field names of public rules that differ from the vendor's: rule's name = path.
    #[serde(default)]
    pub field_aliases: BTreeMap<String, String>,
    /// How records come.
    #[serde(default)]
    pub records: RecordsSpec,
    /// What a record of this log looks like; others are refused as `wrong_source`.
    pub identify: ConditionSpec,
    /// Shorthands for paths: `attr = "attributes[key=$].value.stringValue"` makes `attr:NAME`.
    #[serde(default)]
    pub lookup: BTreeMap<String, OneOrMany>,
    /// Named values, used as `$name` wherever a value may stand.
    #[serde(default)]
    pub values: BTreeMap<String, ValueSpec>,
    /// Named lists of patterns, used by `use = "name"`: answer = patterns.
    #[serde(default)]
    pub tables: BTreeMap<String, BTreeMap<String, OneOrMany>>,
    pub event: EventSpec,
    /// Operation to action; the first that answers wins.
    #[serde(default)]
    pub action: Vec<ChoiceSpec>,
    /// How it ended; the first that answers wins.
    #[serde(default)]
    pub outcome: Vec<ChoiceSpec>,
    /// Who acted; the first that holds and gives a reference, name or alias is taken.
    #[serde(default)]
    pub actor: Vec<ActorSpec>,
    /// Who stands behind the actor, nearest first; all that hold are taken.
    #[serde(default)]
    pub delegation: Vec<DelegationSpec>,
    /// What was acted on; the first that holds and gives a reference, name or alias is taken.
    #[serde(default)]
    pub target: Vec<TargetSpec>,
    /// Labels: name = value.
    #[serde(default)]
    pub labels: BTreeMap<String, ValueSpec>,
    /// Before and after of attributes.
    #[serde(default)]
    pub changes: Vec<ChangeSpec>,
    /// Texts in which a session of an agent hears of something; all that hold are taken.
    #[serde(default)]
    pub mentions: Vec<MentionSpec>,
    /// Tools that somebody has; the first that holds and names somebody is taken.
    #[serde(default)]
    pub tools: Vec<ToolsSpec>,
    /// What an authoriser said.
    pub policy: Option<PolicySpec>,
}

/// One path or text, or a list of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(crate) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// The log source of public Sigma rules.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SigmaSpec {
    pub product: Option<String>,
    pub service: Option<String>,
    pub category: Option<String>,
}

/// How records come. NDJSON, arrays, pretty-printed and concatenated JSON need no word here.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordsSpec {
    /// Where in a delivered object records may stand: `Records`, `response.items`, `data[].logs`,
    /// `detail{}` (one object), `data.*` (the values of an object).
    #[serde(default)]
    pub envelope: Vec<String>,
    /// The list inside a record of which each element is an event of its own, e.g. `events[]`.
    pub each: Option<String>,
    /// How a line of text is read into names and values. Records that are JSON are read all the
    /// same.
    pub text: Option<TextSpec>,
    /// Whether records that nobody labelled are taken for this log's; like any other's unless said.
    #[serde(default)]
    pub unlabelled: Unlabelled,
    /// What shippers usually call this log where a delivery holds several: a Splunk source type,
    /// an Elastic data set. The source's own name always counts.
    #[serde(default)]
    pub shipped_as: Vec<String>,
}

/// When a record that nobody labelled is taken for one of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unlabelled {
    /// If no other log is as sure.
    #[default]
    First,
    /// If it is of no other log, and nothing within it is: a form in which many write.
    Last,
    /// Not at all: its label has to be given.
    Never,
}

/// How lines of text are written.
#[derive(Debug)]
pub enum TextSpec {
    /// A form by its name: `cef`.
    Named(String),
    Table(TextTable),
}

/// Lines that fit a pattern, hold pairs, or are rows of a table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextTable {
    /// Regular expressions with named groups, of which the first that fits is taken. With `pairs`,
    /// a group called `pairs` is read on as such.
    pub pattern: Option<OneOrMany>,
    /// What stands between two `name=value`, e.g. `", "`; a space stands for any white space.
    pub pairs: Option<String>,
    /// What stands between name and value instead of `=`.
    pub sign: Option<String>,
    /// What stands between two values of a row, usually `","`.
    pub csv: Option<String>,
    /// Names of the columns of rows that come without a header line.
    #[serde(default)]
    pub columns: Vec<String>,
}

/// Fields with one value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventSpec {
    /// Vendor's id of the record: the idempotency key.
    pub id: Option<ValueSpec>,
    /// The vendor's number of the record, where it counts without gaps.
    pub sequence: Option<SequenceSpec>,
    pub time: Option<TimeSpec>,
    pub system: ValueSpec,
    pub account: Option<ValueSpec>,
    /// The vendor's verb.
    pub operation: ValueSpec,
    /// An event kind, or choices.
    pub kind: Option<ChoicesSpec>,
    /// A plane, or choices.
    pub plane: Option<ChoicesSpec>,
    /// `true`, `false`, or choices; true where nothing answers.
    pub meaningful: Option<ChoicesSpec>,
    /// Milliseconds.
    pub duration_ms: Option<ValueSpec>,
    pub credential_kind: Option<ChoicesSpec>,
    pub credential_ref: Option<ValueSpec>,
    pub session_ref: Option<ValueSpec>,
    pub permission: Option<ValueSpec>,
    /// Command line or query; secrets in it are masked.
    pub command: Option<ValueSpec>,
    /// Arguments of a tool call (an object, or JSON in a text): names and hashes, never text.
    pub tool_arguments: Option<ValueSpec>,
    pub approver: Option<ValueSpec>,
    pub change_ticket: Option<ValueSpec>,
    pub workload: Option<ValueSpec>,
    pub audience_count: Option<ValueSpec>,
    pub bytes_out: Option<ValueSpec>,
    pub object_count: Option<ValueSpec>,
    pub outcome_detail: Option<ValueSpec>,
    /// An address; `1.2.3.4:443` and `[::1]:443` also fill `src_port`.
    pub src_ip: Option<ValueSpec>,
    pub src_port: Option<ValueSpec>,
    pub src_asn: Option<ValueSpec>,
    /// ISO 3166 two-letter code.
    pub src_country: Option<ValueSpec>,
    pub user_agent: Option<ValueSpec>,
    pub client_fingerprint: Option<ValueSpec>,
    pub device_ref: Option<ValueSpec>,
    pub device_trust: Option<ChoicesSpec>,
    pub message_ref: Option<ValueSpec>,
    pub link_ref: Option<ValueSpec>,
    /// The full URL: gives `url_domain` and `url_hash`; the URL itself is not kept.
    pub url: Option<ValueSpec>,
    pub url_domain: Option<ValueSpec>,
    pub verdict: Option<ChoicesSpec>,
    pub verdict_detail: Option<ValueSpec>,
    pub threat: Option<ValueSpec>,
    pub trace_uid: Option<ValueSpec>,
    pub span_uid: Option<ValueSpec>,
    pub parent_uid: Option<ValueSpec>,
}

/// A number that the vendor gives to each record, one more than to the record before. Only where
/// the vendor documents that: a number that is skipped is told as a record that was lost.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SequenceSpec {
    /// The number.
    pub value: ValueSpec,
    /// What it counts in: a session, a process, a host. Nothing if the whole log has one count.
    pub within: Option<ValueSpec>,
}

/// When it happened.
#[derive(Debug)]
pub enum TimeSpec {
    /// RFC 3339.
    Plain(ValueSpec),
    Formatted(FormattedTime),
}

/// A time in another format.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FormattedTime {
    pub from: ValueSpec,
    /// `rfc3339`, `unix_s`, `unix_ms`, `unix_us`, `unix_ns`, or a `strptime` pattern; first that fits.
    pub format: OneOrMany,
    /// IANA name of the zone of times written without one; UTC if it is not given. A time that a
    /// change of the clocks makes twice is the first of the two.
    pub zone: Option<String>,
}

/// Where a value comes from: a path, a `'constant'`, a `template {path}`, a list of these of which
/// the first with a value wins, or a table.
#[derive(Debug)]
pub enum ValueSpec {
    Text(String),
    First(Vec<ValueSpec>),
    Table(Box<ValueTable>),
}

/// A value that is made from another or holds under a condition. Steps apply in this order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValueTable {
    /// Only if this holds.
    pub when: Option<ConditionSpec>,
    pub from: ValueSpec,
    /// Only what stands before the first of this; all of it if there is none.
    pub before: Option<String>,
    /// Only what stands after the first of this; nothing if there is none.
    pub after: Option<String>,
    /// Only what stands after the last of this; all of it if there is none.
    pub after_last: Option<String>,
    /// A regular expression; its first group (else the whole match) is the value.
    #[serde(rename = "match")]
    pub capture: Option<String>,
    /// Value table: found = given. Others give `default`, or nothing.
    pub table: Option<BTreeMap<String, String>>,
    pub default: Option<String>,
    /// `lower`, `upper`, `hash`, `domain` (of a URL or e-mail address), `count` (of a list),
    /// `join` (of a list), `seconds_to_ms`.
    #[serde(rename = "as")]
    pub conversion: Option<Conversion>,
}

/// What to make of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Conversion {
    Lower,
    Upper,
    /// SHA-256 would be guessable from short inputs too: BLAKE3, hex, for equality only.
    Hash,
    /// Host of a URL, or what follows `@` in an address.
    Domain,
    /// Number of elements of a list.
    Count,
    /// Elements of a list, with spaces between them.
    Join,
    /// Values of the tool arguments, with spaces between them; a text stays as it is.
    Values,
    /// Seconds to milliseconds.
    SecondsToMs,
}

/// All must hold: path = pattern. `any_of`, `all_of` and `none_of` nest.
#[derive(Debug, Default)]
pub struct ConditionSpec {
    pub fields: Vec<(String, PatternSpec)>,
    pub any_of: Vec<ConditionSpec>,
    pub all_of: Vec<ConditionSpec>,
    pub none_of: Vec<ConditionSpec>,
}

/// `"text"`, `"glob*"`, `"*"` (present), `"!text"`, `"!*"` (absent), `"/regex/"`, a number, a
/// boolean, or a list of which one must match.
#[derive(Clone, Debug)]
pub struct PatternSpec(pub Vec<String>);

/// A single answer or choices.
#[derive(Debug)]
pub enum ChoicesSpec {
    Always(String),
    Choices(Vec<ChoiceSpec>),
}

/// One step of a decision: under `when`, look `of` up in `is` or the table `use`, or `set` it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChoiceSpec {
    pub when: Option<ConditionSpec>,
    /// What is looked up; the operation unless said.
    pub of: Option<ValueSpec>,
    /// Answer = patterns (`Exact`, `Prefix*`, `*Suffix`, `*Inside*`); exact names win, then the
    /// longest pattern.
    #[serde(default)]
    pub is: BTreeMap<String, OneOrMany>,
    /// Name of a table of this file or of `sources/tables.toml`.
    #[serde(rename = "use")]
    pub table: Option<String>,
    /// The answer if nothing above gave one.
    pub set: Option<AnswerSpec>,
}

/// A text, `true` or `false`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AnswerSpec {
    Truth(bool),
    Name(String),
}

impl AnswerSpec {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Truth(true) => "true",
            Self::Truth(false) => "false",
            Self::Name(name) => name,
        }
    }
}

/// A reference: namespace and where its value comes from, e.g. `{ "aws.arn" = "userIdentity.arn" }`.
pub type AliasSpec = BTreeMap<String, ValueSpec>;

/// Who acted, under a condition.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActorSpec {
    pub when: Option<ConditionSpec>,
    /// An actor kind, or choices.
    pub kind: Option<ChoicesSpec>,
    #[serde(rename = "ref")]
    pub reference: Option<ValueSpec>,
    pub name: Option<ValueSpec>,
    /// The first that has a value is the stable one.
    #[serde(default)]
    pub aliases: Vec<AliasSpec>,
}

/// Someone behind the actor.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DelegationSpec {
    pub when: Option<ConditionSpec>,
    /// `assumed_role`, `on_behalf_of`, `deployed_as`, `acting_as`, `consented_app`, `federated`.
    pub relation: String,
    pub namespace: String,
    pub value: ValueSpec,
}

/// What was acted on, under a condition.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetSpec {
    pub when: Option<ConditionSpec>,
    /// What kind of thing it is.
    pub kind: Option<ValueSpec>,
    #[serde(rename = "ref")]
    pub reference: Option<ValueSpec>,
    pub name: Option<ValueSpec>,
    #[serde(default)]
    pub aliases: Vec<AliasSpec>,
    pub environment: Option<ChoicesSpec>,
    pub sensitivity: Option<ChoicesSpec>,
}

/// Before and after; with `each`, one per element (`@` is the element).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeSpec {
    pub when: Option<ConditionSpec>,
    pub each: Option<String>,
    /// Name of what changed.
    pub path: ValueSpec,
    pub before: Option<ValueSpec>,
    pub after: Option<ValueSpec>,
}

/// A text in which a session of an agent hears of something. What it names is kept as hashes, so
/// that detection can tell where an argument's value came from; its text is not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MentionSpec {
    pub when: Option<ConditionSpec>,
    pub place: PlaceSpec,
    /// The text, or an object or list of which every text counts.
    pub from: ValueSpec,
    /// The tool whose output it is.
    pub name: Option<ValueSpec>,
    /// Where `from` is a list of chat messages: only those of this role (`user`, `tool`).
    pub role: Option<String>,
}

/// What kind of text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlaceSpec {
    /// What the user asked for.
    Request,
    /// What a tool answered.
    ToolOutput,
}

/// Tools that an identity has by what an inventory or a server says: they count as declared where
/// nobody declares others.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolsSpec {
    pub when: Option<ConditionSpec>,
    /// Whose they are; the first that has a value is the stable one.
    pub aliases: Vec<AliasSpec>,
    /// A list of names, or of objects with `name`; or JSON of these in a text.
    pub from: ValueSpec,
    /// Who offers them, where somebody has tools of several. Lists of other names add up.
    pub list: Option<ValueSpec>,
    /// Has a value where the record holds a page after the first, or may do so.
    pub continues: Option<ValueSpec>,
    /// Has a value where another page follows.
    pub more: Option<ValueSpec>,
}

/// What an authoriser said.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicySpec {
    /// `true`, `false`, or choices.
    pub allowed: ChoicesSpec,
    pub id: Option<ValueSpec>,
}
