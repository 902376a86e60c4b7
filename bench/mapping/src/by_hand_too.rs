//! Kubernetes and GitHub records, written by hand with typed structs.

use std::borrow::Cow;

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{
    ActorKind, Alias, CredentialKind, Environment, EventKind, MappedEvent, OutcomeClass, Plane,
    PolicyDecision, Sensitivity,
};
use deedtrail_core::time::Timestamp;
use serde::Deserialize;

type Field<'a> = Option<Cow<'a, str>>;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Audit<'a> {
    #[serde(rename = "auditID", borrow)]
    audit_id: Field<'a>,
    level: Field<'a>,
    stage: Cow<'a, str>,
    #[serde(rename = "requestURI")]
    request_uri: Cow<'a, str>,
    verb: Cow<'a, str>,
    user: AuditUser<'a>,
    #[serde(rename = "sourceIPs")]
    source_ips: Vec<Cow<'a, str>>,
    user_agent: Field<'a>,
    object_ref: Option<AuditObject<'a>>,
    response_status: AuditStatus<'a>,
    request_received_timestamp: Field<'a>,
    annotations: AuditNotes<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AuditUser<'a> {
    #[serde(borrow)]
    username: Cow<'a, str>,
    uid: Field<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AuditObject<'a> {
    #[serde(borrow)]
    resource: Cow<'a, str>,
    subresource: Field<'a>,
    namespace: Field<'a>,
    name: Field<'a>,
    api_group: Field<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AuditStatus<'a> {
    code: Option<u16>,
    #[serde(borrow)]
    message: Field<'a>,
    reason: Field<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AuditNotes<'a> {
    #[serde(rename = "authorization.k8s.io/decision", borrow)]
    decision: Field<'a>,
    #[serde(rename = "authorization.k8s.io/reason")]
    reason: Field<'a>,
}

fn owned(field: &Field<'_>) -> Option<Text> {
    let text = field.as_deref().filter(|text| !text.is_empty());
    text.map(Text::new)
}

fn label(event: &mut MappedEvent, name: &'static str, value: Option<Text>) {
    if let Some(text) = value {
        event.labels.insert(Text::new_static(name), text);
    }
}

/// A record of `kubernetes.audit`.
pub(crate) fn kubernetes(record: &[u8]) -> Option<MappedEvent> {
    let audit: Audit<'_> = sonic_rs::from_slice(record).ok()?;
    let object = audit.object_ref.as_ref();
    let resource = object.map_or("", |object| &object.resource);
    let action = audit_action(&audit.verb, resource, object);
    let operation = match object {
        Some(object) => match &object.subresource {
            Some(sub) => format!("{} {resource}/{sub}", audit.verb),
            None => format!("{} {resource}", audit.verb),
        },
        None => {
            let path = audit.request_uri.split('?').next().unwrap_or_default();
            format!("{} {path}", audit.verb)
        }
    };
    let mut event = MappedEvent {
        kind: EventKind::Activity,
        plane: Plane::Control,
        class_uid: action.facts().class_uid,
        activity_id: action.facts().activity_id,
        time: audit
            .request_received_timestamp
            .as_deref()
            .and_then(Timestamp::parse_rfc3339),
        system: Text::new_static("kubernetes"),
        operation: Text::new(operation),
        action,
        meaningful: audit_means(&audit, resource),
        outcome: match audit.response_status.code {
            Some(401 | 403) => OutcomeClass::Denied,
            Some(100..=399) => OutcomeClass::Success,
            Some(400..) => OutcomeClass::Failure,
            _ if audit.annotations.decision.as_deref() == Some("forbid") => OutcomeClass::Denied,
            _ => OutcomeClass::Unknown,
        },
        outcome_detail: owned(&audit.response_status.message)
            .or_else(|| owned(&audit.response_status.reason))
            .or_else(|| owned(&audit.annotations.reason)),
        src_ip: audit
            .source_ips
            .first()
            .filter(|ip| ip.parse::<std::net::IpAddr>().is_ok())
            .map(Text::new),
        user_agent: owned(&audit.user_agent),
        policy_decision: audit
            .annotations
            .decision
            .as_deref()
            .map(|decision| PolicyDecision {
                allowed: decision == "allow",
                policy_id: None,
            }),
        ..MappedEvent::default()
    };
    audit_actor(&audit, &mut event);
    if let Some(object) = object {
        audit_target(object, &mut event);
    }
    label(&mut event, "stage", Some(Text::new(&audit.stage)));
    label(&mut event, "level", owned(&audit.level));
    let code = audit
        .response_status
        .code
        .map(|code| Text::new(code.to_string()));
    label(&mut event, "code", code);
    std::hint::black_box(
        audit
            .audit_id
            .as_deref()
            .map(|id| format!("{id}/{}", audit.stage)),
    );
    Some(event)
}

fn audit_action(verb: &str, resource: &str, object: Option<&AuditObject<'_>>) -> Action {
    let sub = object.and_then(|object| object.subresource.as_deref());
    match (resource, sub, verb) {
        ("pods", Some("exec" | "attach" | "portforward"), _) => Action::Execute,
        ("serviceaccounts", Some("token"), _) => Action::CredentialCreate,
        ("secrets", _, "get" | "list" | "watch") => Action::SecretRead,
        (
            "clusterrolebindings" | "rolebindings" | "clusterroles" | "roles",
            _,
            "create" | "update" | "patch",
        ) => Action::PrivilegeGrant,
        (
            "deployments" | "daemonsets" | "statefulsets" | "pods" | "jobs",
            _,
            "create" | "update" | "patch",
        ) => Action::Deploy,
        ("namespaces" | "persistentvolumes", _, "delete") => Action::Destroy,
        ("configmaps" | "leases" | "events", _, "create" | "update" | "patch") => Action::Write,
        (_, _, "list" | "watch") => Action::Enumerate,
        (_, _, "get") => Action::Read,
        (_, _, "delete") => Action::Delete,
        _ => Action::ConfigChange,
    }
}

fn audit_means(audit: &Audit<'_>, resource: &str) -> bool {
    let user = &audit.user.username;
    let machinery = user.starts_with("system:node:") || user.starts_with("system:kube-");
    let routine = matches!(
        resource,
        "leases" | "events" | "endpoints" | "endpointslices"
    );
    let started = matches!(audit.stage.as_ref(), "RequestReceived" | "ResponseStarted");
    !(machinery || routine || started)
}

fn audit_actor(audit: &Audit<'_>, event: &mut MappedEvent) {
    let user = &audit.user.username;
    let alias = |namespace, value: &str| Alias {
        namespace: Text::new_static(namespace),
        value: Text::new(value),
    };
    event.actor_ref = Some(Text::new(user));
    if let Some(account) = user.strip_prefix("system:serviceaccount:") {
        event.actor_kind = ActorKind::ServiceAccount;
        event.credential_kind = Some(CredentialKind::Token);
        event.actor_name = Some(Text::new(account));
        event
            .actor_aliases
            .push(alias("k8s.serviceaccount", account));
        let uid = audit.user.uid.as_deref();
        event
            .actor_aliases
            .extend(uid.map(|uid| alias("k8s.uid", uid)));
        return;
    }
    let person = user.contains('@');
    event.actor_kind = match user.as_ref() {
        name if name.starts_with("system:") => ActorKind::System,
        _ if person => ActorKind::Human,
        _ => ActorKind::Unknown,
    };
    event.actor_name = Some(Text::new(user));
    if person {
        event.actor_aliases.push(alias("email", user));
    }
    event.actor_aliases.push(alias("k8s.user", user));
}

fn audit_target(object: &AuditObject<'_>, event: &mut MappedEvent) {
    let name = object.name.as_deref().filter(|name| !name.is_empty());
    let namespace = object.namespace.as_deref().filter(|name| !name.is_empty());
    let mut place = object.resource.to_string();
    for part in namespace.iter().chain(&name) {
        place.push('/');
        place.push_str(part);
    }
    event.target_kind = Some(Text::new(&object.resource));
    event.target_ref = Some(Text::new(place));
    event.target_name = match (namespace, name) {
        (Some(namespace), Some(name)) => Some(Text::new(format!("{namespace}/{name}"))),
        (None, Some(name)) => Some(Text::new(name)),
        _ => None,
    };
    if object.resource == "secrets" {
        event.target_sensitivity = Sensitivity::Secret;
    }
    event.target_environment = match namespace {
        Some(name) if name.starts_with("prod") || name.ends_with("-prod") => {
            Environment::Production
        }
        Some(name) if name.starts_with("stag") => Environment::Staging,
        Some(name) if name.starts_with("dev") || name.starts_with("test") => {
            Environment::Development
        }
        _ => Environment::Unknown,
    };
    label(event, "namespace", owned(&object.namespace));
    label(event, "api_group", owned(&object.api_group));
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GitHub<'a> {
    #[serde(rename = "_document_id", borrow)]
    document_id: Field<'a>,
    #[serde(rename = "@timestamp")]
    timestamp: Option<i64>,
    action: Cow<'a, str>,
    actor: Cow<'a, str>,
    actor_id: Option<i64>,
    actor_ip: Field<'a>,
    actor_location: GitHubPlace<'a>,
    org: Field<'a>,
    business: Field<'a>,
    repo: Field<'a>,
    repo_id: Option<i64>,
    user: Field<'a>,
    user_agent: Field<'a>,
    operation_type: Field<'a>,
    programmatic_access_type: Field<'a>,
    token_id: Option<i64>,
    hashed_token: Field<'a>,
    permission: Field<'a>,
    visibility: Field<'a>,
    branch: Field<'a>,
    transport_protocol_name: Field<'a>,
    external_identity_nameid: Field<'a>,
    request_id: Field<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GitHubPlace<'a> {
    #[serde(borrow)]
    country_code: Field<'a>,
}

/// A record of `github.audit`.
pub(crate) fn github(record: &[u8]) -> Option<MappedEvent> {
    let audit: GitHub<'_> = sonic_rs::from_slice(record).ok()?;
    let action = github_action(&audit.action);
    let failed = audit.action.ends_with("_failed") || audit.action == "user.failed_login";
    let denied = audit.action == "protected_branch.rejected_ref_update";
    let mut event = MappedEvent {
        kind: match audit.action.as_ref() {
            "user.login" | "user.failed_login" => EventKind::Authentication,
            _ => EventKind::Activity,
        },
        plane: if audit.action.starts_with("git.") {
            Plane::Data
        } else {
            Plane::Application
        },
        class_uid: action.facts().class_uid,
        activity_id: action.facts().activity_id,
        time: audit.timestamp.map(|at| Timestamp::from_micros(at * 1_000)),
        system: Text::new_static("github"),
        account: owned(&audit.org).or_else(|| owned(&audit.business)),
        operation: Text::new(&audit.action),
        action,
        meaningful: !(audit.action == "git.fetch" && audit.actor.ends_with("[bot]")),
        outcome: match (failed, denied) {
            (true, _) => OutcomeClass::Failure,
            (_, true) => OutcomeClass::Denied,
            _ => OutcomeClass::Success,
        },
        credential_kind: github_credential(&audit),
        credential_ref: audit
            .token_id
            .map(|id| Text::new(id.to_string()))
            .or_else(|| owned(&audit.hashed_token)),
        session_ref: owned(&audit.request_id),
        permission: owned(&audit.permission),
        src_ip: owned(&audit.actor_ip).filter(|ip| ip.parse::<std::net::IpAddr>().is_ok()),
        src_country: owned(&audit.actor_location.country_code),
        user_agent: owned(&audit.user_agent),
        actor_ref: Some(Text::new(&audit.actor)),
        actor_name: Some(Text::new(&audit.actor)),
        actor_kind: match audit.actor.as_ref() {
            name if name.starts_with("github-actions") => ActorKind::AutomationRunner,
            name if name.ends_with("[bot]") => ActorKind::OauthApp,
            _ => ActorKind::Human,
        },
        ..MappedEvent::default()
    };
    github_parties(&audit, &mut event);
    label(&mut event, "visibility", owned(&audit.visibility));
    label(&mut event, "operation_type", owned(&audit.operation_type));
    label(&mut event, "branch", owned(&audit.branch));
    label(
        &mut event,
        "transport",
        owned(&audit.transport_protocol_name),
    );
    label(
        &mut event,
        "token_kind",
        owned(&audit.programmatic_access_type),
    );
    label(&mut event, "business", owned(&audit.business));
    std::hint::black_box(owned(&audit.document_id));
    Some(event)
}

fn github_action(name: &str) -> Action {
    match name {
        "git.clone" | "git.fetch" => Action::Read,
        "git.push" => Action::CodeChange,
        "user.login" | "user.failed_login" => Action::Authenticate,
        "org.add_member" | "team.add_member" | "repo.add_member" => Action::PrivilegeGrant,
        "org.remove_member" | "team.remove_member" => Action::PrivilegeRevoke,
        "public_key.create" | "personal_access_token.create" => Action::CredentialCreate,
        other if other.starts_with("integration") => Action::ConsentGrant,
        other if other.starts_with("issue") => Action::Write,
        _ => Action::ConfigChange,
    }
}

fn github_credential(audit: &GitHub<'_>) -> Option<CredentialKind> {
    match audit.programmatic_access_type.as_deref() {
        Some(kind) if kind.contains("personal access token") || kind.contains("GitHub App") => {
            Some(CredentialKind::Token)
        }
        Some(kind) if kind.contains("OAuth") => Some(CredentialKind::OauthGrant),
        Some(kind) if kind.contains("SSH") => Some(CredentialKind::SshKey),
        _ if audit.token_id.is_some() => Some(CredentialKind::Token),
        _ => None,
    }
}

fn github_parties(audit: &GitHub<'_>, event: &mut MappedEvent) {
    let alias = |namespace, value: Option<Text>| {
        value.map(|value| Alias {
            namespace: Text::new_static(namespace),
            value,
        })
    };
    let id = audit
        .actor_id
        .filter(|id| *id != 0)
        .map(|id| Text::new(id.to_string()));
    event.actor_aliases.extend(alias("github.id", id));
    event
        .actor_aliases
        .extend(alias("github.login", Some(Text::new(&audit.actor))));
    event
        .actor_aliases
        .extend(alias("email", owned(&audit.external_identity_nameid)));
    let (kind, named) = match (&audit.repo, &audit.user) {
        (_, user @ Some(_)) if audit.action.ends_with("_member") => ("user", user),
        (repo @ Some(_), _) => ("repository", repo),
        (None, user @ Some(_)) => ("user", user),
        (None, None) => ("organisation", &audit.org),
    };
    event.target_kind = Some(Text::new_static(kind));
    event.target_ref = owned(named);
    event.target_name = owned(named);
    event
        .target_aliases
        .extend(alias("github.repository", owned(&audit.repo)));
    let id = audit.repo_id.map(|id| Text::new(id.to_string()));
    event.target_aliases.extend(alias("github.id", id));
    event
        .target_aliases
        .extend(alias("github.login", owned(&audit.user)));
}
