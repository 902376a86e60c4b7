//! Rule fields of who acted: the identity and its credential, and what it was known by just before;
//! sorted by name.

use deedtrail_core::Text;
use deedtrail_core::event::ActorKind;
use deedtrail_core::identity::IdentityStatus;
use deedtrail_core::time::Timestamp;

use super::of_event::list_labels;
use super::{Field, FieldType, View, boolean, field, integer, list, maybe, text};

pub(super) const FIELDS: &[Field] = &[
    field(
        "actor_active_days",
        FieldType::Integer,
        "Days on which the identity was seen before this event.",
        |v| integer(Some(v.facts.actor_active_days)),
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
        |v| text(actor_kind(v).name()),
    ),
    field(
        "after_failed_change_minutes",
        FieldType::Integer,
        "Minutes since the identity's last failed change of configuration.",
        |v| integer(v.facts.after_failed_change_minutes),
    ),
    field(
        "asn_seen_before",
        FieldType::Boolean,
        "The identity was seen from this AS on an earlier day.",
        |v| boolean(v.facts.asn_seen_before),
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
        "discovered",
        FieldType::Boolean,
        "The identity is known from events only; nobody declared it.",
        |v| boolean(v.observation.identity.map(|i| i.discovered)),
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
        "tool_declared",
        FieldType::Boolean,
        "The tool called is among those the agent declares; absent when it declares none.",
        |v| boolean(v.facts.tool_declared),
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

/// Kind of the actor: the identity's where it is known, else the record's.
pub(crate) fn actor_kind(view: &View<'_>) -> ActorKind {
    let record = view.observation.event.mapped.actor_kind;
    let identity = view.observation.identity;
    identity.map_or(record, |identity| known_kind(identity.kind, record))
}

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
