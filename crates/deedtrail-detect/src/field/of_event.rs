//! Rule fields of the event itself, sorted by name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::event::{Alias, Delegation};

use super::{Field, FieldType, FieldValue, boolean, field, integer, list, maybe, owned, text};
use crate::fact;

pub(super) const FIELDS: &[Field] = &[
    field(
        "account",
        FieldType::Text,
        "Account, organisation, project or tenant of the system.",
        |v| maybe(v.observation.event.mapped.account.as_ref()),
    ),
    field(
        "action",
        FieldType::Text,
        "What the operation does, from the action taxonomy.",
        |v| text(v.observation.event.mapped.action.name()),
    ),
    field(
        "actor_aliases",
        FieldType::List,
        "Every reference the record gives for the actor, as `namespace:value`.",
        |v| list_aliases(&v.observation.event.mapped.actor_aliases),
    ),
    field(
        "actor_name",
        FieldType::Text,
        "Name of the identity, else what the record calls the actor.",
        |v| {
            Some(FieldValue::Text(Cow::Owned(fact::actor_name(
                &v.observation,
            ))))
        },
    ),
    field(
        "actor_ref",
        FieldType::Text,
        "The actor as the vendor wrote it.",
        |v| maybe(v.observation.event.mapped.actor_ref.as_ref()),
    ),
    field(
        "approver",
        FieldType::Text,
        "Who approved it, where the record says so.",
        |v| maybe(v.observation.event.mapped.approver.as_ref()),
    ),
    field(
        "audience_count",
        FieldType::Integer,
        "People reached by a message, notification or share.",
        |v| integer(v.observation.event.mapped.audience_count),
    ),
    field(
        "bytes_out",
        FieldType::Integer,
        "Bytes read or sent.",
        |v| integer(v.observation.event.mapped.bytes_out),
    ),
    field(
        "change_ticket",
        FieldType::Text,
        "Change ticket the record names.",
        |v| maybe(v.observation.event.mapped.change_ticket.as_ref()),
    ),
    field(
        "changes",
        FieldType::List,
        "Paths of the changed attributes or files.",
        |v| {
            list(
                v.observation
                    .event
                    .mapped
                    .changes
                    .iter()
                    .map(|c| c.path.as_str()),
            )
        },
    ),
    field(
        "client_fingerprint",
        FieldType::Text,
        "Fingerprint of the client.",
        |v| maybe(v.observation.event.mapped.client_fingerprint.as_ref()),
    ),
    field(
        "command",
        FieldType::Text,
        "Command line or query, secrets masked.",
        |v| maybe(v.observation.event.mapped.command.as_ref()),
    ),
    field(
        "credential_kind",
        FieldType::Text,
        "Kind of the credential used.",
        |v| {
            v.observation
                .event
                .mapped
                .credential_kind
                .and_then(|k| text(k.name()))
        },
    ),
    field(
        "credential_ref",
        FieldType::Text,
        "Public id of the credential used.",
        |v| maybe(v.observation.event.mapped.credential_ref.as_ref()),
    ),
    field(
        "delegation",
        FieldType::List,
        "Who stands behind the actor, nearest first, as `relation namespace:value`.",
        |v| list_delegation(&v.observation.event.mapped.delegation),
    ),
    field(
        "device_trust",
        FieldType::Text,
        "State of the device used.",
        |v| text(v.observation.event.mapped.device_trust.name()),
    ),
    field(
        "duration_ms",
        FieldType::Integer,
        "How long it took, milliseconds.",
        |v| integer(v.observation.event.mapped.duration_ms),
    ),
    field(
        "evidence_grade",
        FieldType::Text,
        "How complete the event is as evidence, A to D.",
        |v| text(v.observation.event.evidence_grade.name()),
    ),
    field(
        "id_conflict",
        FieldType::Boolean,
        "The vendor used one id for two different contents.",
        |v| boolean(Some(v.observation.event.id_conflict)),
    ),
    field(
        "identity",
        FieldType::Text,
        "Id of the identity the event is filed under: the resolved one's, which renames and new keys leave as it is. Correlations group by it, for two identities may share a name.",
        |v| {
            let (identity, _) = crate::detector::draft::subject(&v.observation);
            Some(FieldValue::Text(Cow::Owned(identity.to_string())))
        },
    ),
    field("kind", FieldType::Text, "Kind of telemetry.", |v| {
        text(v.observation.event.mapped.kind.name())
    }),
    field(
        "labels",
        FieldType::List,
        "Labels of the event, as `name=value`.",
        |v| list_labels(&v.observation.event.mapped.labels),
    ),
    field(
        "meaningful",
        FieldType::Boolean,
        "False for heartbeats, health checks, token refreshes and polling.",
        |v| boolean(Some(v.observation.event.mapped.meaningful)),
    ),
    field(
        "object_count",
        FieldType::Integer,
        "Objects read or sent.",
        |v| integer(v.observation.event.mapped.object_count),
    ),
    field(
        "operation",
        FieldType::Text,
        "The vendor's verb, verbatim; for a tool call the tool.",
        |v| text(&v.observation.event.mapped.operation),
    ),
    field(
        "outcome",
        FieldType::Text,
        "How it ended: success, failure, denied or unknown.",
        |v| text(v.observation.event.mapped.outcome.name()),
    ),
    field(
        "outcome_detail",
        FieldType::Text,
        "The vendor's error or result code.",
        |v| maybe(v.observation.event.mapped.outcome_detail.as_ref()),
    ),
    field(
        "permission",
        FieldType::Text,
        "Permission or role exercised.",
        |v| maybe(v.observation.event.mapped.permission.as_ref()),
    ),
    field(
        "plane",
        FieldType::Text,
        "Where in the estate it happened.",
        |v| text(v.observation.event.mapped.plane.name()),
    ),
    field(
        "policy_allowed",
        FieldType::Boolean,
        "What an authoriser said.",
        |v| {
            boolean(
                v.observation
                    .event
                    .mapped
                    .policy_decision
                    .as_ref()
                    .map(|d| d.allowed),
            )
        },
    ),
    field(
        "session_ref",
        FieldType::Text,
        "The vendor's id of the session.",
        |v| maybe(v.observation.event.mapped.session_ref.as_ref()),
    ),
    field(
        "source",
        FieldType::Text,
        "Name of the source, `vendor.log`.",
        |v| text(v.observation.event.source.as_str()),
    ),
    field(
        "src_asn",
        FieldType::Integer,
        "Autonomous system it came from.",
        |v| integer(v.observation.event.mapped.src_asn),
    ),
    field(
        "src_country",
        FieldType::Text,
        "Country it came from.",
        |v| maybe(v.observation.event.mapped.src_country.as_ref()),
    ),
    field("src_ip", FieldType::Text, "Address it came from.", |v| {
        maybe(v.observation.event.mapped.src_ip.as_ref())
    }),
    field("system", FieldType::Text, "System acted in.", |v| {
        text(&v.observation.event.mapped.system)
    }),
    field(
        "target_aliases",
        FieldType::List,
        "Every reference the record gives for the target, as `namespace:value`.",
        |v| list_aliases(&v.observation.event.mapped.target_aliases),
    ),
    field(
        "target_environment",
        FieldType::Text,
        "Environment of the target.",
        |v| text(v.observation.event.mapped.target_environment.name()),
    ),
    field("target_kind", FieldType::Text, "Kind of the target.", |v| {
        maybe(v.observation.event.mapped.target_kind.as_ref())
    }),
    field("target_name", FieldType::Text, "Name of the target.", |v| {
        maybe(v.observation.event.mapped.target_name.as_ref())
    }),
    field(
        "target_ref",
        FieldType::Text,
        "The target as the vendor wrote it.",
        |v| maybe(v.observation.event.mapped.target_ref.as_ref()),
    ),
    field(
        "target_sensitivity",
        FieldType::Text,
        "Sensitivity of the target.",
        |v| text(v.observation.event.mapped.target_sensitivity.name()),
    ),
    field("tenant", FieldType::Text, "Tenant.", |v| {
        text(v.observation.event.tenant.as_str())
    }),
    field(
        "threat",
        FieldType::Text,
        "Threat context of a click.",
        |v| maybe(v.observation.event.mapped.threat.as_ref()),
    ),
    field(
        "time_quality",
        FieldType::Text,
        "Whose clock the time is.",
        |v| text(v.observation.event.time_quality.name()),
    ),
    field(
        "tool_argument_provenance",
        FieldType::List,
        "Where the arguments of a tool call came from.",
        |v| {
            list(
                v.observation
                    .event
                    .mapped
                    .tool_arguments
                    .iter()
                    .map(|a| a.provenance.name()),
            )
        },
    ),
    field("url_domain", FieldType::Text, "Domain of the link.", |v| {
        maybe(v.observation.event.mapped.url_domain.as_ref())
    }),
    field(
        "user_agent",
        FieldType::Text,
        "User agent of the client.",
        |v| maybe(v.observation.event.mapped.user_agent.as_ref()),
    ),
    field(
        "verdict",
        FieldType::Text,
        "What link protection said at the click.",
        |v| {
            v.observation
                .event
                .mapped
                .verdict
                .and_then(|k| text(k.name()))
        },
    ),
    field(
        "verdict_detail",
        FieldType::Text,
        "Detail of that verdict.",
        |v| maybe(v.observation.event.mapped.verdict_detail.as_ref()),
    ),
    field(
        "workload",
        FieldType::Text,
        "Workload or runner the credential was used from.",
        |v| maybe(v.observation.event.mapped.workload.as_ref()),
    ),
];

fn list_aliases(aliases: &[Alias]) -> Option<FieldValue<'static>> {
    owned(
        aliases
            .iter()
            .map(|alias| format!("{}:{}", alias.namespace, alias.value)),
    )
}

fn list_delegation(chain: &[Delegation]) -> Option<FieldValue<'static>> {
    let words = |d: &Delegation| format!("{} {}:{}", d.relation, d.alias.namespace, d.alias.value);
    owned(chain.iter().map(words))
}

pub(super) fn list_labels(labels: &BTreeMap<Text, Text>) -> Option<FieldValue<'static>> {
    owned(labels.iter().map(|(name, value)| format!("{name}={value}")))
}
