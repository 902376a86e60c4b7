//! What was acted on and how much of it.

use super::{Column, Kind, column};

pub(super) const COLUMNS: &[Column] = &[
    column!(
        Kind::Text,
        target_kind = mapped.target_kind,
        "",
        "Bucket, secret, repo, role, mailbox, topic …",
        "resources.type",
        ""
    ),
    column!(
        Kind::Text,
        target_ref = mapped.target_ref,
        "",
        "The target as the vendor names it.",
        "resources.uid_alt",
        ""
    ),
    column!(
        Kind::Text,
        target_name = mapped.target_name,
        "",
        "The target's name as people know it.",
        "resources.name",
        ""
    ),
    column!(
        Kind::Structs(&["namespace", "value"]),
        target_aliases = mapped.target_aliases,
        "",
        "Every reference the record gives for the target.",
        "resources",
        "related.user"
    ),
    column!(
        Kind::Enum,
        target_environment = mapped.target_environment,
        "",
        "production, staging, development or unknown.",
        "",
        "service.environment"
    ),
    column!(
        Kind::Enum,
        target_sensitivity = mapped.target_sensitivity,
        "",
        "public, internal, confidential, secret or unknown.",
        "resources.criticality",
        ""
    ),
    column!(
        Kind::Structs(&["path", "before", "after"]),
        changes = mapped.changes,
        "",
        "Before and after of changed attributes or files.",
        "entity_result.data",
        ""
    ),
    column!(
        Kind::Integer,
        audience_count = mapped.audience_count,
        "people",
        "People reached by a message, notification or share.",
        "",
        ""
    ),
    column!(
        Kind::Integer,
        bytes_out = mapped.bytes_out,
        "bytes",
        "Volume read or sent.",
        "traffic.bytes_out",
        "source.bytes"
    ),
    column!(
        Kind::Integer,
        object_count = mapped.object_count,
        "objects",
        "Number of objects read or sent.",
        "",
        ""
    ),
    column!(
        Kind::Id,
        message_uid = message_uid,
        "hash",
        "The message a click or notification belongs to.",
        "email.uid",
        "email.local_id"
    ),
    column!(
        Kind::Text,
        message_ref = mapped.message_ref,
        "",
        "The message as the vendor names it.",
        "email.message_uid",
        "email.message_id"
    ),
    column!(
        Kind::Text,
        link_ref = mapped.link_ref,
        "",
        "The link as the vendor or our gateway names it.",
        "",
        ""
    ),
    column!(
        Kind::Text,
        url_domain = mapped.url_domain,
        "",
        "Domain of the URL opened.",
        "http_request.url.hostname",
        "url.domain"
    ),
    column!(
        Kind::Text,
        url_hash = mapped.url_hash,
        "hex",
        "Hash of the full URL; the URL itself stays in the raw record.",
        "",
        ""
    ),
    column!(
        Kind::Enum,
        verdict = mapped.verdict,
        "",
        "What link protection said at the click: allow, warn, block or unavailable.",
        "verdict",
        ""
    ),
    column!(
        Kind::Text,
        verdict_detail = mapped.verdict_detail,
        "",
        "Per engine, with time and feed version.",
        "",
        ""
    ),
    column!(
        Kind::Text,
        threat = mapped.threat,
        "",
        "The threat named by the protection.",
        "malware.name",
        "threat.indicator.name"
    ),
];
