//! Who acted, as what, for whom.

use super::{Column, Kind, column};

pub(super) const COLUMNS: &[Column] = &[
    column!(
        Kind::Text,
        actor_ref = mapped.actor_ref,
        "",
        "The reference as the vendor wrote it: ARN, e-mail, login …",
        "actor.user.uid_alt",
        "user.email"
    ),
    column!(
        Kind::Text,
        actor_name = mapped.actor_name,
        "",
        "The actor's name as the vendor shows it.",
        "actor.user.name",
        "user.name"
    ),
    column!(
        Kind::Structs(&["namespace", "value"]),
        actor_aliases = mapped.actor_aliases,
        "",
        "Every reference the record gives for the actor; the first is the stable one.",
        "actor.user",
        "related.user"
    ),
    column!(
        Kind::Structs(&["relation", "namespace", "value"]),
        delegation = mapped.delegation,
        "",
        "Who stands behind the actor, nearest first: assumed_role, on_behalf_of, deployed_as, acting_as, consented_app, federated.",
        "actor.invoked_by",
        ""
    ),
    column!(
        Kind::Enum,
        credential_kind = mapped.credential_kind,
        "",
        "access_key, token, certificate, password, session_cookie, oauth_grant, ssh_key, role_session or unknown.",
        "",
        ""
    ),
    column!(
        Kind::Text,
        credential_ref = mapped.credential_ref,
        "",
        "Public id of the credential (access key id, token id).",
        "actor.user.credential_uid",
        ""
    ),
    column!(
        Kind::Text,
        session_ref = mapped.session_ref,
        "",
        "The vendor's public id of the session.",
        "actor.session.uid_alt",
        ""
    ),
    column!(
        Kind::Text,
        workload = mapped.workload,
        "",
        "The workload or runner the credential was used from.",
        "actor.app_name",
        "orchestrator.resource.name"
    ),
    column!(
        Kind::Id,
        device_uid = device_uid,
        "hash",
        "The device used.",
        "device.uid",
        "device.id"
    ),
    column!(
        Kind::Text,
        device_ref = mapped.device_ref,
        "",
        "The device as the vendor names it.",
        "device.name",
        "host.name"
    ),
    column!(
        Kind::Enum,
        device_trust = mapped.device_trust,
        "",
        "managed_compliant, managed_noncompliant, unmanaged or unknown.",
        "device.is_compliant",
        ""
    ),
];
