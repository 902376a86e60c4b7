//! The canonical event: one flat, wide record for every vendor (docs/reference/events.md).
//!
//! [`MappedEvent`] is what a source's mapping makes of a record, purely from its bytes.
//! [`Event`] adds what only we know: position in the log, tenant, receipt time, ids.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Text;
use crate::action::Action;
use crate::entity::Mention;
use crate::id::{
    AliasUid, CredentialUid, EventUid, FindingId, ReferenceUid, SessionUid, SourceName, TenantId,
};
use crate::port::log::Sequence;
use crate::time::Timestamp;
use crate::tools::ToolsTold;

/// Declares a closed list with its stored names, so that a column, a mapping file and JSON agree.
macro_rules! listed {
    ($(#[$meta:meta])* $name:ident { $($(#[$item_meta:meta])* $item:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$item_meta])* #[serde(rename = $text)] $item),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$item),+];

            /// The name as stored and shown.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$item => $text),+ }
            }

            /// The value of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$item),)+ _ => None }
            }
        }
    };
}

pub(crate) use listed;

listed! {
    /// What kind of telemetry an event is.
    EventKind {
        Click = "click", Authentication = "authentication",
        #[default] Activity = "activity",
        ToolCall = "tool_call", Usage = "usage", Lifecycle = "lifecycle", Message = "message",
        /// Shared Signals Framework event.
        Signal = "signal",
        WebAccess = "web_access",
    }
}

listed! {
    /// Where in the estate an event happened.
    Plane {
        IdentityProvider = "identity_provider", Control = "control",
        #[default] Application = "application",
        Data = "data", MessageQueue = "message_queue", Agent = "agent", Mail = "mail",
    }
}

listed! {
    /// What kind of identity acted. An API key is a credential, not a kind.
    ActorKind {
        Human = "human", ServiceAccount = "service_account", Workload = "workload",
        OauthApp = "oauth_app", AiAgent = "ai_agent", AutomationRunner = "automation_runner",
        Scanner = "scanner",
        /// The vendor's own service acting by itself.
        System = "system",
        #[default] Unknown = "unknown",
    }
}

listed! {
    /// What an identity presents.
    CredentialKind {
        AccessKey = "access_key", Token = "token", Certificate = "certificate",
        Password = "password", SessionCookie = "session_cookie", OauthGrant = "oauth_grant",
        SshKey = "ssh_key", RoleSession = "role_session",
        #[default] Unknown = "unknown",
    }
}

listed! {
    /// How it ended. Mandatory: `unknown` is a value, never a guess.
    OutcomeClass {
        Success = "success", Failure = "failure", Denied = "denied",
        #[default] Unknown = "unknown",
    }
}

listed! {
    /// Environment of a target.
    Environment {
        Production = "production", Staging = "staging", Development = "development",
        #[default] Unknown = "unknown",
    }
}

listed! {
    /// Sensitivity of a target.
    Sensitivity {
        Public = "public", Internal = "internal", Confidential = "confidential", Secret = "secret",
        #[default] Unknown = "unknown",
    }
}

listed! {
    /// State of the device used.
    DeviceTrust {
        ManagedCompliant = "managed_compliant", ManagedNoncompliant = "managed_noncompliant",
        Unmanaged = "unmanaged",
        #[default] Unknown = "unknown",
    }
}

listed! {
    /// What link protection said at the click.
    Verdict { Allow = "allow", Warn = "warn", Block = "block", #[default] Unavailable = "unavailable" }
}

listed! {
    /// Whose clock `time_effective` is.
    TimeQuality {
        Vendor = "vendor",
        #[default] Receipt = "receipt",
        /// More than 24 h ahead of our clock: flagged, never changed; ordered by receipt.
        Suspicious = "suspicious",
    }
}

listed! {
    /// Where a tool argument's value came from.
    Provenance {
        Request = "request", History = "history", KnownEntity = "known_entity",
        ToolOutput = "tool_output", Nowhere = "nowhere",
        #[default] Unknown = "unknown",
    }
}

/// One reference to an identity or target: a namespace and the value in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Alias {
    /// E.g. `email`, `aws.arn`, `okta.id`, `github.login`, `k8s.serviceaccount`.
    pub namespace: Text,
    pub value: Text,
}

/// One link of a delegation chain, nearest first: who stands behind the actor, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// `assumed_role`, `on_behalf_of`, `deployed_as`, `acting_as`, `consented_app`, `federated`.
    pub relation: Text,
    pub alias: Alias,
}

/// Before and after of one attribute or file, where the vendor gives them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub path: Text,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<Text>,
}

/// One argument of a tool call. Its text is kept only if the operator opts in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolArgument {
    pub name: Text,
    pub provenance: Provenance,
    /// Hash of the value, hex.
    pub value_hash: Text,
    /// Kinds of entity found in the value: `email`, `url`, `arn`, `path`, `host`, `iban`,
    /// `identifier`.
    pub entities: Vec<Text>,
}

/// What an authoriser said, where the feed carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyDecision {
    pub allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policy_id: Option<Text>,
}

/// What a mapping makes of one vendor event: a pure function of the record's bytes.
///
/// `credential_ref` and `session_ref` are the vendor's public ids; they leave this struct only as
/// ids. A secret's value never enters it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MappedEvent {
    pub kind: EventKind,
    pub plane: Plane,
    pub class_uid: u32,
    pub activity_id: u32,
    /// When it happened by the vendor's clock; never invented.
    pub time: Option<Timestamp>,
    /// The system acted in: `aws`, `github`, `slack` …
    pub system: Text,
    /// Its account, organisation, project or tenant.
    pub account: Option<Text>,
    pub duration_ms: Option<i64>,

    /// The reference as the vendor wrote it.
    pub actor_ref: Option<Text>,
    pub actor_name: Option<Text>,
    pub actor_kind: ActorKind,
    /// Every reference the record gives for the actor; the first is the stable one.
    pub actor_aliases: Vec<Alias>,
    /// Who stands behind the actor, nearest first.
    pub delegation: Vec<Delegation>,
    pub credential_kind: Option<CredentialKind>,
    /// Public id of the credential (access key id, token id), never its value.
    pub credential_ref: Option<Text>,
    pub session_ref: Option<Text>,

    /// The vendor's verb, verbatim.
    pub operation: Text,
    pub action: Action,
    pub permission: Option<Text>,
    /// Command line or query, secrets masked.
    pub command: Option<Text>,
    pub tool_arguments: Vec<ToolArgument>,
    /// What the user's request, a tool's output and the arguments name, as hashes. For detection
    /// only: never written, neither to the archive nor to any output.
    #[serde(skip)]
    pub mentions: Vec<Mention>,
    /// What the record says of somebody's tools. For identities only: never written.
    #[serde(skip)]
    pub tools_told: Option<Box<ToolsTold>>,
    pub approver: Option<Text>,
    pub change_ticket: Option<Text>,
    /// The workload or runner the credential was used from.
    pub workload: Option<Text>,
    /// False for heartbeats, health checks, token refreshes and list-only polling.
    pub meaningful: bool,

    pub target_kind: Option<Text>,
    pub target_ref: Option<Text>,
    pub target_name: Option<Text>,
    pub target_aliases: Vec<Alias>,
    pub target_environment: Environment,
    pub target_sensitivity: Sensitivity,
    pub changes: Vec<Change>,
    pub audience_count: Option<i64>,
    pub bytes_out: Option<i64>,
    pub object_count: Option<i64>,
    pub outcome: OutcomeClass,
    pub outcome_detail: Option<Text>,

    pub src_ip: Option<Text>,
    pub src_asn: Option<i64>,
    pub src_country: Option<Text>,
    pub src_port: Option<i64>,
    pub user_agent: Option<Text>,
    pub client_fingerprint: Option<Text>,
    pub device_ref: Option<Text>,
    pub device_trust: DeviceTrust,

    pub message_ref: Option<Text>,
    pub link_ref: Option<Text>,
    pub url_domain: Option<Text>,
    /// Hash of the full URL, hex; the URL itself stays in the raw record.
    pub url_hash: Option<Text>,
    pub verdict: Option<Verdict>,
    pub verdict_detail: Option<Text>,
    pub threat: Option<Text>,
    pub policy_decision: Option<PolicyDecision>,

    pub trace_uid: Option<Text>,
    pub span_uid: Option<Text>,
    pub parent_uid: Option<Text>,
    pub labels: BTreeMap<Text, Text>,
    /// Fields of the raw record the mapping did not use (at most `UNMAPPED_PATHS_MAX`).
    pub unmapped: Vec<Text>,
}

/// A mapped event with its place, its ids and our own times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub event_uid: EventUid,
    pub log_origin: Text,
    pub log_seq: Sequence,
    /// Place within the record.
    pub ordinal: u32,
    pub mapping_version: Text,
    /// Log position at which this row was derived.
    pub derived_at: Sequence,
    pub tenant: TenantId,
    pub source: SourceName,
    /// The vendor's own id of the record.
    pub source_uid: Option<Text>,
    pub time_received: Timestamp,
    /// What to order by: vendor time, else receipt.
    pub time_effective: Timestamp,
    pub time_quality: TimeQuality,
    pub actor_alias_uid: Option<AliasUid>,
    pub on_behalf_of_uid: Option<AliasUid>,
    pub credential_uid: Option<CredentialUid>,
    pub session_uid: Option<SessionUid>,
    pub target_uid: Option<ReferenceUid>,
    pub device_uid: Option<ReferenceUid>,
    pub message_uid: Option<ReferenceUid>,
    pub link_uid: Option<ReferenceUid>,
    pub risk_decision: Option<FindingId>,
    pub id_conflict: bool,
    /// A to D: which of identity, time, action, target, outcome and source id are there.
    pub evidence_grade: EvidenceGrade,
    #[serde(flatten)]
    pub mapped: MappedEvent,
}

listed! {
    /// How complete an event is as evidence; each missing fact lowers it by one grade.
    EvidenceGrade {
        A = "A", B = "B", C = "C",
        #[default] D = "D",
    }
}

impl MappedEvent {
    /// A sign-in that did not succeed. It proves nothing about who tried: anybody can type a name.
    pub fn is_failed_sign_in(&self) -> bool {
        self.action == Action::Authenticate
            && matches!(self.outcome, OutcomeClass::Failure | OutcomeClass::Denied)
    }

    /// What this event lacks as evidence, by field name.
    pub fn missing_facts(&self, source_uid: Option<&Text>) -> impl Iterator<Item = &'static str> {
        let lacks = FACTS.into_iter().zip(self.lacks(source_uid));
        lacks.filter(|(_, lacks)| *lacks).map(|(name, _)| name)
    }

    /// Which of [`FACTS`] are missing.
    pub fn lacks(&self, source_uid: Option<&Text>) -> [bool; FACTS.len()] {
        let target_given = self.target_ref.is_some() || self.target_name.is_some();
        let is_click = self.kind == EventKind::Click;
        [
            self.actor_aliases.is_empty(),
            self.time.is_none(),
            self.action == Action::Other,
            !target_given && needs_target(self.action),
            self.outcome == OutcomeClass::Unknown,
            source_uid.is_none(),
            is_click && self.url_domain.is_none() && self.url_hash.is_none(),
            is_click && self.verdict.is_none(),
        ]
    }

    /// Grade from the number of missing facts: none A, one B, two C, more D.
    pub fn grade(&self, source_uid: Option<&Text>) -> EvidenceGrade {
        match self.missing_facts(source_uid).count() {
            0 => EvidenceGrade::A,
            1 => EvidenceGrade::B,
            2 => EvidenceGrade::C,
            _ => EvidenceGrade::D,
        }
    }
}

/// What makes an event worth something as evidence; the last two only where a link was clicked.
pub const FACTS: [&str; 8] = [
    "actor",
    "time",
    "action",
    "target",
    "outcome",
    "source_uid",
    "url",
    "verdict",
];

/// Whether an action makes no sense without something acted on.
const fn needs_target(action: Action) -> bool {
    !matches!(
        action,
        Action::Authenticate | Action::SessionChange | Action::Enumerate
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grade_falls_with_each_missing_fact() {
        let mut event = MappedEvent {
            time: Some(Timestamp::from_micros(0)),
            action: Action::Authenticate,
            outcome: OutcomeClass::Success,
            actor_aliases: vec![Alias {
                namespace: "email".into(),
                value: "a@b".into(),
            }],
            ..MappedEvent::default()
        };
        let uid = Text::new("1");
        assert_eq!(event.grade(Some(&uid)), EvidenceGrade::A);
        assert!(event.missing_facts(None).eq(["source_uid"]));
        event.outcome = OutcomeClass::Unknown;
        assert_eq!(event.grade(None), EvidenceGrade::C);
        event.action = Action::Read;
        assert_eq!(event.grade(None), EvidenceGrade::D);
    }

    #[test]
    fn names_round_trip() {
        for kind in ActorKind::ALL {
            assert_eq!(ActorKind::from_name(kind.name()), Some(*kind));
            assert_eq!(
                serde_json::to_string(kind).unwrap(),
                format!("\"{}\"", kind.name())
            );
        }
    }
}
