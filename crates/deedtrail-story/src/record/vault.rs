//! `HashiCorp` Vault audit entries of type `response`, which repeat the request.

use serde_json::{Value, json};

use super::{joined, utc_text};
use crate::chance::Chance;
use crate::organisation::{Machine, stable_hex};

#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) machine: &'a Machine,
    /// `read`, `update`, `create`, `list`.
    pub(crate) operation: &'static str,
    /// `kv`, `database`, `approle`, `token`, `kubernetes`.
    pub(crate) mount_type: &'static str,
    pub(crate) path: &'a str,
    pub(crate) ip: &'a str,
    /// Change ticket the client sent along, in an audited request header.
    pub(crate) ticket: Option<&'a str>,
    pub(crate) error: Option<&'static str>,
}

pub(crate) fn entry(at: i64, request: &Request<'_>, chance: &mut Chance) -> Value {
    let machine = request.machine;
    let token = [
        "hmac-sha256:",
        &stable_hex(&joined(&[machine.name, " token"]), 64),
    ]
    .concat();
    let accessor = [
        "hmac-sha256:",
        &stable_hex(&joined(&[machine.name, " accessor"]), 64),
    ]
    .concat();
    let mount_point = request.path.split('/').next().unwrap_or_default();
    let mut entry = json!({
        "time": utc_text(at, 9),
        "type": "response",
        "auth": {
            "client_token": token,
            "accessor": accessor,
            "display_name": joined(&["approle-", machine.name]),
            "policies": ["default", machine.name],
            "token_policies": ["default", machine.name],
            "policy_results": { "allowed": request.error.is_none() },
            "metadata": { "role_name": machine.name },
            "entity_id": machine.vault_entity(),
            "token_type": "service",
            "token_ttl": 3600
        },
        "request": {
            "id": chance.uuid(),
            "client_id": machine.vault_entity(),
            "operation": request.operation,
            "mount_type": request.mount_type,
            "mount_point": joined(&[mount_point, "/"]),
            "client_token": token,
            "client_token_accessor": accessor,
            "namespace": { "id": "root" },
            "path": request.path,
            "remote_address": request.ip,
            "remote_port": chance.between(32_768, 61_000)
        },
        "response": { "mount_type": request.mount_type }
    });
    if let Some(ticket) = request.ticket {
        entry["request"]["headers"] = json!({ "x-change-ticket": [ticket] });
    }
    if let Some(error) = request.error {
        entry["error"] = Value::from(error);
    }
    entry
}
