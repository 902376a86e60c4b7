//! The table of rule fields, sorted by name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use deedtrail_core::Text;
use deedtrail_core::event::{ActorKind, Alias, Delegation};
use deedtrail_core::identity::IdentityStatus;
use deedtrail_core::time::Timestamp;

use super::{Field, FieldType, FieldValue, boolean, field, integer, list, maybe, text};
use crate::fact;

/// Every field, sorted by name.
pub static FIELDS: &[Field] = &[
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
        "actor_active_days",
        FieldType::Integer,
        "Days on which the identity was seen before this event.",
        |v| integer(Some(v.facts.actor_active_days)),
    ),
    field(
        "actor_aliases",
        FieldType::List,
        "Every reference the record gives for the actor, as `namespace:value`.",
        |v| list_aliases(&v.observation.event.mapped.actor_aliases),
    ),
    field(
        "actor_events_total",
        FieldType::Integer,
        "Events of the identity before this one.",
        |v| integer(Some(v.facts.actor_events_total)),
    ),
    field(
        "actor_kind",
        FieldType::Text,
        "Kind of the actor: the identity's where it is known, else the record's.",
        |v| {
            text(
                v.observation
                    .identity
                    .map_or(v.observation.event.mapped.actor_kind, |i| {
                        known_kind(i.kind, v.observation.event.mapped.actor_kind)
                    })
                    .name(),
            )
        },
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
        "after_failed_change_minutes",
        FieldType::Integer,
        "Minutes since the identity's last failed change of configuration.",
        |v| integer(v.facts.after_failed_change_minutes),
    ),
    field(
        "approver",
        FieldType::Text,
        "Who approved it, where the record says so.",
        |v| maybe(v.observation.event.mapped.approver.as_ref()),
    ),
    field(
        "asn_seen_before",
        FieldType::Boolean,
        "The identity was seen from this AS on an earlier day.",
        |v| boolean(v.facts.asn_seen_before),
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
        "country_seen_before",
        FieldType::Boolean,
        "The identity was seen from this country on an earlier day.",
        |v| boolean(v.facts.country_seen_before),
    ),
    field(
        "credential_age_days",
        FieldType::Integer,
        "Days since the credential was made.",
        |v| integer(v.facts.credential_age_days),
    ),
    field(
        "credential_days_since_rotation",
        FieldType::Integer,
        "Days since the credential was rotated; absent when it never was.",
        |v| integer(v.facts.credential_days_since_rotation),
    ),
    field(
        "credential_days_since_use",
        FieldType::Integer,
        "Days since the credential was last used.",
        |v| integer(v.facts.credential_days_since_use),
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
        "day_of_week",
        FieldType::Integer,
        "Day of week, UTC, 1 (Monday) to 7.",
        |v| integer(Some(v.facts.day_of_week)),
    ),
    field(
        "days_since_use",
        FieldType::Integer,
        "Days since the identity last did anything beyond signing in.",
        |v| integer(v.facts.days_since_use),
    ),
    field(
        "declared_tools",
        FieldType::List,
        "Tools the agent declares: by import, else by what feeds tell of it.",
        |v| {
            v.observation
                .identity
                .and_then(|i| list(i.declared.tools().iter().map(Text::as_str)))
        },
    ),
    field(
        "delegation",
        FieldType::List,
        "Who stands behind the actor, nearest first, as `relation namespace:value`.",
        |v| list_delegation(&v.observation.event.mapped.delegation),
    ),
    field(
        "department",
        FieldType::Text,
        "Department of the identity.",
        |v| {
            maybe(
                v.observation
                    .identity
                    .and_then(|i| i.declared.department.as_ref()),
            )
        },
    ),
    field(
        "device_trust",
        FieldType::Text,
        "State of the device used.",
        |v| text(v.observation.event.mapped.device_trust.name()),
    ),
    field(
        "discovered",
        FieldType::Boolean,
        "The identity is known from events only; nobody declared it.",
        |v| boolean(v.observation.identity.map(|i| i.discovered)),
    ),
    field(
        "duration_ms",
        FieldType::Integer,
        "How long it took, milliseconds.",
        |v| integer(v.observation.event.mapped.duration_ms),
    ),
    field(
        "employment",
        FieldType::Text,
        "`employee`, `contractor`, `vendor` …",
        |v| {
            maybe(
                v.observation
                    .identity
                    .and_then(|i| i.declared.employment.as_ref()),
            )
        },
    ),
    field(
        "environment",
        FieldType::Text,
        "Environment the identity is declared for.",
        |v| {
            v.observation
                .identity
                .and_then(|i| text(i.declared.environment.name()))
        },
    ),
    field(
        "evidence_grade",
        FieldType::Text,
        "How complete the event is as evidence, A to D.",
        |v| text(v.observation.event.evidence_grade.name()),
    ),
    field(
        "first_time_action",
        FieldType::Boolean,
        "The identity never did this kind of action before.",
        |v| boolean(v.facts.first_time_action),
    ),
    field(
        "first_time_operation",
        FieldType::Boolean,
        "The identity never used this operation before; absent once more than 128 are known.",
        |v| boolean(v.facts.first_time_operation),
    ),
    field(
        "first_time_system",
        FieldType::Boolean,
        "The identity never acted in this system before.",
        |v| boolean(v.facts.first_time_system),
    ),
    field(
        "first_time_target",
        FieldType::Boolean,
        "The identity never touched this target before; absent once more than 256 are known.",
        |v| boolean(v.facts.first_time_target),
    ),
    field(
        "first_time_target_kind",
        FieldType::Boolean,
        "The identity never touched this kind of target before.",
        |v| boolean(v.facts.first_time_target_kind),
    ),
    field(
        "hour_of_day",
        FieldType::Integer,
        "Hour of day, UTC, 0 to 23.",
        |v| integer(Some(v.facts.hour_of_day)),
    ),
    field(
        "hour_share_percent",
        FieldType::Integer,
        "Share of the identity's earlier events within one hour of this hour of day, percent; absent below 100 events.",
        |v| integer(v.facts.hour_share_percent),
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
    field(
        "identity_status",
        FieldType::Text,
        "`active`, `disabled` or `deleted`.",
        |v| v.observation.identity.and_then(|i| text(status(i.status))),
    ),
    field(
        "identity_tags",
        FieldType::List,
        "Tags of the identity, as `name=value`.",
        |v| {
            v.observation
                .identity
                .and_then(|i| list_labels(&i.declared.tags))
        },
    ),
    field(
        "is_new_identity",
        FieldType::Boolean,
        "The identity was never seen before this event.",
        |v| boolean(Some(v.facts.is_new_identity)),
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
        "minutes_since_click",
        FieldType::Integer,
        "Minutes since the identity's last click on a protected link.",
        |v| integer(v.facts.minutes_since_click),
    ),
    field(
        "minutes_since_consent",
        FieldType::Integer,
        "Minutes since the identity last consented to an application.",
        |v| integer(v.facts.minutes_since_consent),
    ),
    field(
        "minutes_since_sign_in",
        FieldType::Integer,
        "Minutes since the identity's last successful sign-in.",
        |v| integer(v.facts.minutes_since_sign_in),
    ),
    field(
        "network_seen_before",
        FieldType::Boolean,
        "The identity was seen from this /24 (IPv6: /48) or AS on an earlier day (on its first day: earlier that day); absent for its first network.",
        |v| boolean(v.facts.network_seen_before),
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
        "orphaned",
        FieldType::Boolean,
        "The owner left and nobody took over.",
        |v| {
            boolean(
                v.observation
                    .identity
                    .map(|i| i.declared.orphaned_since.is_some()),
            )
        },
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
        "owner",
        FieldType::Text,
        "Who answers for the identity.",
        |v| {
            maybe(
                v.observation
                    .identity
                    .and_then(|i| i.declared.owner.as_ref()),
            )
        },
    ),
    field(
        "owner_missing",
        FieldType::Boolean,
        "Nobody answers for the identity: no owner, or the owner left.",
        |v| {
            boolean(
                v.observation
                    .identity
                    .map(|i| i.declared.owner.is_none() || i.declared.orphaned_since.is_some()),
            )
        },
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
        "purpose",
        FieldType::Text,
        "What the identity is for.",
        |v| {
            maybe(
                v.observation
                    .identity
                    .and_then(|i| i.declared.purpose.as_ref()),
            )
        },
    ),
    field(
        "read_only",
        FieldType::Boolean,
        "The identity is read-only by declaration.",
        |v| boolean(v.observation.identity.map(|i| i.declared.read_only)),
    ),
    field(
        "session_age_minutes",
        FieldType::Integer,
        "Minutes since the session was first seen.",
        |v| integer(v.facts.session_age_minutes),
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
    field(
        "tool_declared",
        FieldType::Boolean,
        "The tool called is among those the agent declares; absent when it declares none.",
        |v| boolean(v.facts.tool_declared),
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
    field(
        "workload_gone_days",
        FieldType::Integer,
        "Days since the workload the identity serves is gone.",
        |v| {
            integer(
                v.observation
                    .identity
                    .and_then(|i| i.declared.workload_gone_since)
                    .map(|gone| {
                        v.observation.event.time_effective.micros_since(gone) / Timestamp::DAY_US
                    }),
            )
        },
    ),
];

fn known_kind(identity: ActorKind, record: ActorKind) -> ActorKind {
    if identity == ActorKind::Unknown {
        record
    } else {
        identity
    }
}

const fn status(status: IdentityStatus) -> &'static str {
    match status {
        IdentityStatus::Active => "active",
        IdentityStatus::Disabled => "disabled",
        IdentityStatus::Deleted => "deleted",
    }
}

fn owned(items: impl Iterator<Item = String>) -> Option<FieldValue<'static>> {
    let items = items
        .map(|item| FieldValue::Text(Cow::Owned(item)))
        .collect::<Vec<_>>();
    (!items.is_empty()).then_some(FieldValue::List(items))
}

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

fn list_labels(labels: &BTreeMap<Text, Text>) -> Option<FieldValue<'static>> {
    owned(labels.iter().map(|(name, value)| format!("{name}={value}")))
}
