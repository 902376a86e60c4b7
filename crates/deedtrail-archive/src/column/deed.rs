//! What was done, under which authority, how it ended.

use deedtrail_core::Text;
use deedtrail_core::event::{Event, PolicyDecision};

use super::key::{flag, text};
use super::{Cell, Column, Kind, column};

pub(super) const COLUMNS: &[Column] = &[
    column!(
        Kind::Enum,
        plane = mapped.plane,
        "",
        "Where in the estate: identity_provider, control, application, data, message_queue, agent or mail.",
        "",
        ""
    ),
    column!(
        Kind::Integer,
        class_uid = mapped.class_uid,
        "OCSF class",
        "OCSF 1.8 class.",
        "class_uid",
        ""
    ),
    column!(
        Kind::Integer,
        activity_id = mapped.activity_id,
        "OCSF activity",
        "OCSF 1.8 activity within the class.",
        "activity_id",
        ""
    ),
    column!(
        Kind::Text,
        outcome_detail = mapped.outcome_detail,
        "",
        "How it ended in the vendor's words.",
        "status_detail",
        "event.reason"
    ),
    column!(
        Kind::Text,
        permission = mapped.permission,
        "",
        "The permission or role exercised.",
        "privileges",
        ""
    ),
    column!(
        Kind::Text,
        command = mapped.command,
        "secrets masked",
        "Command line or query.",
        "process.cmd_line",
        "process.command_line"
    ),
    column!(
        Kind::Structs(&["name", "provenance", "value_hash", "entities"]),
        tool_arguments = mapped.tool_arguments,
        "hashes are hex; entities are joined by commas",
        "Arguments of a tool call: where each value came from and what kinds of entity it names. Never its text.",
        "api.request.data",
        ""
    ),
    column!(
        Kind::Text,
        approver = mapped.approver,
        "",
        "Who approved it, where the record says.",
        "",
        ""
    ),
    column!(
        Kind::Text,
        change_ticket = mapped.change_ticket,
        "",
        "The change it belongs to, where the record says.",
        "ticket.uid",
        ""
    ),
    column!(
        Kind::Integer,
        duration_ms = mapped.duration_ms,
        "ms",
        "How long it took: sessions, tool calls, jobs.",
        "duration",
        "event.duration"
    ),
    Column {
        name: "policy_allowed",
        kind: Kind::Boolean,
        unit: "",
        meaning: "What an authoriser said; null when the feed does not carry it.",
        ocsf: "authorizations.decision",
        ecs: "",
        get: |event| {
            flag(
                event
                    .mapped
                    .policy_decision
                    .as_ref()
                    .map(|decision| decision.allowed),
            )
        },
        set: |event, cell| {
            if let Cell::Boolean(allowed) = cell {
                event.mapped.policy_decision = Some(PolicyDecision {
                    allowed,
                    policy_id: None,
                });
            }
        },
    },
    Column {
        name: "policy_id",
        kind: Kind::Text,
        unit: "",
        meaning: "The policy that decided.",
        ocsf: "authorizations.policy.uid",
        ecs: "rule.id",
        get: |event| {
            text(
                event
                    .mapped
                    .policy_decision
                    .as_ref()
                    .and_then(|d| d.policy_id.as_deref()),
            )
        },
        set: set_policy_id,
    },
    column!(
        Kind::Id,
        risk_decision = risk_decision,
        "hash",
        "The finding of ours that this event led to.",
        "finding_info.uid",
        ""
    ),
];

/// Follows `policy_allowed`, which makes the structure.
fn set_policy_id(event: &mut Event, cell: Cell<'_>) {
    if let (Some(decision), Cell::Text(id)) = (&mut event.mapped.policy_decision, cell) {
        decision.policy_id = Some(Text::new(id));
    }
}
