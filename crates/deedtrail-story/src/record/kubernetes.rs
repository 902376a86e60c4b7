//! Kubernetes audit events (`audit.k8s.io/v1`).

use serde_json::{Value, json};

use super::{joined, utc_text};
use crate::chance::Chance;
use crate::organisation::stable_uuid;

#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    /// `system:serviceaccount:<namespace>:<name>` or a mail address.
    pub(crate) username: &'a str,
    pub(crate) verb: &'static str,
    /// Group and version, e.g. `apps/v1` or `v1`.
    pub(crate) version: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) namespace: &'a str,
    /// Empty for lists.
    pub(crate) name: &'a str,
    pub(crate) code: u16,
    pub(crate) ip: &'a str,
    pub(crate) user_agent: &'static str,
}

pub(crate) fn event(at: i64, request: &Request<'_>, chance: &mut Chance) -> Value {
    let refused = request.code == 403;
    let (group, version) = request
        .version
        .split_once('/')
        .unwrap_or(("", request.version));
    json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": chance.uuid(),
        "stage": "ResponseComplete",
        "requestURI": uri(request),
        "verb": request.verb,
        "user": user(request.username),
        "sourceIPs": [request.ip],
        "userAgent": request.user_agent,
        "objectRef": {
            "resource": request.resource, "namespace": request.namespace, "name": request.name,
            "apiGroup": group, "apiVersion": version
        },
        "responseStatus": { "metadata": {}, "code": request.code },
        "requestReceivedTimestamp": utc_text(at, 6),
        "stageTimestamp": utc_text(at + chance.between(800, 40_000), 6),
        "annotations": {
            "authorization.k8s.io/decision": if refused { "forbid" } else { "allow" },
            "authorization.k8s.io/reason": if refused { "" } else { "RBAC: allowed by RoleBinding" }
        }
    })
}

fn uri(request: &Request<'_>) -> String {
    let root = if request.version.contains('/') {
        "/apis/"
    } else {
        "/api/"
    };
    let mut uri = joined(&[
        root,
        request.version,
        "/namespaces/",
        request.namespace,
        "/",
        request.resource,
    ]);
    if !request.name.is_empty() {
        uri.push('/');
        uri.push_str(request.name);
    }
    uri
}

fn user(username: &str) -> Value {
    let Some(account) = username.strip_prefix("system:serviceaccount:") else {
        return json!({
            "username": username, "uid": stable_uuid(username),
            "groups": ["platform", "system:authenticated"]
        });
    };
    let (namespace, name) = account.split_once(':').unwrap_or(("default", account));
    json!({
        "username": username,
        "uid": stable_uuid(username),
        "groups": ["system:serviceaccounts", joined(&["system:serviceaccounts:", namespace]), "system:authenticated"],
        "extra": { "authentication.kubernetes.io/pod-name": [joined(&[name, "-7d9c5b6f48-x2v7q"])] }
    })
}
