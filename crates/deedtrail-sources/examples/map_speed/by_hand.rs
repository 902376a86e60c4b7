//! What the mappings of two logs do, written by hand with typed structs.

use std::borrow::Cow;

use deedtrail_core::Text;
use deedtrail_core::action::Action;
use deedtrail_core::event::{
    ActorKind, Alias, CredentialKind, EventKind, MappedEvent, OutcomeClass, Plane,
};
use deedtrail_core::time::Timestamp;
use serde::Deserialize;

type Field<'a> = Option<Cow<'a, str>>;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Trail<'a> {
    #[serde(rename = "eventID", borrow)]
    event_id: Field<'a>,
    event_time: Field<'a>,
    event_source: Cow<'a, str>,
    event_name: Cow<'a, str>,
    event_type: Field<'a>,
    aws_region: Field<'a>,
    #[serde(rename = "sourceIPAddress")]
    source_ip: Field<'a>,
    user_agent: Field<'a>,
    error_code: Field<'a>,
    error_message: Field<'a>,
    #[serde(rename = "requestID")]
    request_id: Field<'a>,
    recipient_account_id: Field<'a>,
    read_only: Option<bool>,
    management_event: Option<bool>,
    user_identity: TrailIdentity<'a>,
    request_parameters: Option<TrailRequest<'a>>,
    response_elements: Option<TrailResponse<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TrailIdentity<'a> {
    #[serde(rename = "type", borrow)]
    kind: Field<'a>,
    principal_id: Field<'a>,
    arn: Field<'a>,
    account_id: Field<'a>,
    access_key_id: Field<'a>,
    user_name: Field<'a>,
    invoked_by: Field<'a>,
    session_context: Option<TrailSession<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TrailSession<'a> {
    #[serde(borrow)]
    session_issuer: TrailIssuer<'a>,
    attributes: TrailAttributes<'a>,
    source_identity: Field<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TrailIssuer<'a> {
    #[serde(borrow)]
    principal_id: Field<'a>,
    arn: Field<'a>,
    user_name: Field<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TrailAttributes<'a> {
    #[serde(borrow)]
    creation_date: Field<'a>,
    mfa_authenticated: Field<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TrailRequest<'a> {
    #[serde(borrow)]
    user_name: Field<'a>,
    role_name: Field<'a>,
    role_arn: Field<'a>,
    group_name: Field<'a>,
    bucket_name: Field<'a>,
    key: Field<'a>,
    secret_id: Field<'a>,
    function_name: Field<'a>,
    instance_id: Field<'a>,
    policy_arn: Field<'a>,
    name: Field<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct TrailResponse<'a> {
    #[serde(borrow)]
    console_login: Field<'a>,
}

fn owned(field: &Field<'_>) -> Option<Text> {
    field
        .as_deref()
        .filter(|text| !text.is_empty())
        .map(Text::new)
}

fn alias(namespace: &'static str, value: &Field<'_>) -> Option<Alias> {
    owned(value).map(|value| Alias {
        namespace: Text::new_static(namespace),
        value,
    })
}

fn label(event: &mut MappedEvent, name: &'static str, value: &Field<'_>) {
    if let Some(text) = owned(value) {
        event.labels.insert(Text::new_static(name), text);
    }
}

/// A record of `aws.cloudtrail`.
pub(crate) fn cloudtrail(record: &[u8]) -> Option<MappedEvent> {
    let trail: Trail<'_> = sonic_rs::from_slice(record).ok()?;
    let identity = &trail.user_identity;
    let service = trail.event_source.split('.').next().unwrap_or_default();
    let action = trail_action(&trail.event_name, trail.read_only);
    let mut event = MappedEvent {
        kind: EventKind::Activity,
        plane: if trail.management_event == Some(false) {
            Plane::Data
        } else {
            Plane::Control
        },
        class_uid: action.facts().class_uid,
        activity_id: action.facts().activity_id,
        time: trail
            .event_time
            .as_deref()
            .and_then(Timestamp::parse_rfc3339),
        system: Text::new_static("aws"),
        account: owned(&trail.recipient_account_id).or_else(|| owned(&identity.account_id)),
        operation: Text::new(format!("{service}:{}", trail.event_name)),
        action,
        outcome: trail_outcome(&trail),
        outcome_detail: owned(&trail.error_message),
        meaningful: true,
        src_ip: owned(&trail.source_ip).filter(|ip| ip.parse::<std::net::IpAddr>().is_ok()),
        user_agent: owned(&trail.user_agent),
        credential_ref: owned(&identity.access_key_id),
        ..MappedEvent::default()
    };
    if let Some(key) = &identity.access_key_id {
        let session = key.starts_with("ASIA");
        event.credential_kind = Some(if session {
            CredentialKind::RoleSession
        } else {
            CredentialKind::AccessKey
        });
        event.session_ref = session.then(|| Text::new(key));
    }
    trail_actor(identity, &mut event);
    trail_target(&trail, &mut event);
    label(&mut event, "region", &trail.aws_region);
    label(&mut event, "request", &trail.request_id);
    if trail.event_type.as_deref() != Some("AwsApiCall") {
        label(&mut event, "event_type", &trail.event_type);
    }
    if let Some(session) = &identity.session_context {
        label(&mut event, "mfa", &session.attributes.mfa_authenticated);
    }
    std::hint::black_box(owned(&trail.event_id));
    Some(event)
}

fn trail_action(name: &str, read_only: Option<bool>) -> Action {
    match name {
        "CreateAccessKey" | "CreateLoginProfile" => Action::CredentialCreate,
        "ConsoleLogin" => Action::Authenticate,
        "GetSecretValue" | "GetParameter" | "Decrypt" => Action::SecretRead,
        "AttachUserPolicy" | "AttachRolePolicy" | "PutUserPolicy" => Action::PrivilegeGrant,
        "StopLogging" | "DeleteTrail" => Action::LoggingChange,
        _ if name.starts_with("AssumeRole") => Action::SessionChange,
        _ if name.starts_with("List") || name.starts_with("Describe") => Action::Enumerate,
        _ if name.starts_with("Get") || name.starts_with("Head") => Action::Read,
        _ if name.starts_with("Delete") || name.starts_with("Remove") => Action::Delete,
        _ if read_only == Some(true) => Action::Read,
        _ => Action::ConfigChange,
    }
}

fn trail_outcome(trail: &Trail<'_>) -> OutcomeClass {
    let login = trail
        .response_elements
        .as_ref()
        .and_then(|r| r.console_login.as_deref());
    match trail.error_code.as_deref() {
        Some(code) if code.contains("AccessDenied") || code.contains("Unauthorized") => {
            OutcomeClass::Denied
        }
        Some(_) => OutcomeClass::Failure,
        None if login == Some("Failure") => OutcomeClass::Failure,
        None => OutcomeClass::Success,
    }
}

fn trail_actor(identity: &TrailIdentity<'_>, event: &mut MappedEvent) {
    event.actor_ref = owned(&identity.arn).or_else(|| owned(&identity.principal_id));
    event.actor_name = owned(&identity.user_name);
    event.actor_kind = match identity.kind.as_deref() {
        Some("AWSService") => ActorKind::System,
        Some("AssumedRole") => ActorKind::Workload,
        Some("Root" | "FederatedUser" | "SAMLUser") => ActorKind::Human,
        _ => ActorKind::Unknown,
    };
    let (arn, id) = match &identity.session_context {
        Some(session) if session.session_issuer.arn.is_some() => {
            event.actor_name = owned(&session.session_issuer.user_name);
            label(event, "source_identity", &session.source_identity);
            std::hint::black_box(&session.attributes.creation_date);
            (
                &session.session_issuer.arn,
                &session.session_issuer.principal_id,
            )
        }
        _ => (&identity.arn, &identity.principal_id),
    };
    event.actor_aliases.extend(alias("aws.arn", arn));
    event.actor_aliases.extend(alias("aws.unique_id", id));
    event
        .actor_aliases
        .extend(alias("aws.service", &identity.invoked_by));
}

fn trail_target(trail: &Trail<'_>, event: &mut MappedEvent) {
    let Some(request) = &trail.request_parameters else {
        event.target_kind = Some(Text::new_static("service"));
        event.target_ref = Some(Text::new(&trail.event_source));
        return;
    };
    let (kind, named) = match trail.event_source.as_ref() {
        "s3.amazonaws.com" if request.key.is_some() => ("object", &request.key),
        "s3.amazonaws.com" => ("bucket", &request.bucket_name),
        "iam.amazonaws.com" if request.user_name.is_some() => ("user", &request.user_name),
        "iam.amazonaws.com" if request.role_name.is_some() => ("role", &request.role_name),
        "iam.amazonaws.com" if request.group_name.is_some() => ("group", &request.group_name),
        "iam.amazonaws.com" => ("iam", &request.policy_arn),
        "sts.amazonaws.com" => ("role", &request.role_arn),
        "secretsmanager.amazonaws.com" => ("secret", &request.secret_id),
        "lambda.amazonaws.com" => ("function", &request.function_name),
        "ec2.amazonaws.com" => ("instance", &request.instance_id),
        _ => ("resource", &request.name),
    };
    event.target_kind = Some(Text::new_static(kind));
    event.target_ref = owned(named).or_else(|| Some(Text::new(&trail.event_source)));
    event.target_name = owned(named);
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Okta<'a> {
    #[serde(borrow)]
    uuid: Field<'a>,
    published: Field<'a>,
    event_type: Cow<'a, str>,
    display_message: Field<'a>,
    severity: Field<'a>,
    actor: OktaParty<'a>,
    client: OktaClient<'a>,
    outcome: OktaOutcome<'a>,
    authentication_context: OktaContext<'a>,
    target: Option<Vec<OktaParty<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OktaParty<'a> {
    #[serde(borrow)]
    id: Field<'a>,
    #[serde(rename = "type")]
    kind: Field<'a>,
    alternate_id: Field<'a>,
    display_name: Field<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OktaClient<'a> {
    #[serde(borrow)]
    ip_address: Field<'a>,
    device: Field<'a>,
    zone: Field<'a>,
    user_agent: Option<OktaAgent<'a>>,
    geographical_context: Option<OktaPlace<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OktaAgent<'a> {
    #[serde(borrow)]
    raw_user_agent: Field<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OktaPlace<'a> {
    #[serde(borrow)]
    city: Field<'a>,
    country: Field<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OktaOutcome<'a> {
    #[serde(borrow)]
    result: Field<'a>,
    reason: Field<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OktaContext<'a> {
    #[serde(borrow)]
    external_session_id: Field<'a>,
}

/// A record of `okta.system`.
pub(crate) fn okta(record: &[u8]) -> Option<MappedEvent> {
    let okta: Okta<'_> = sonic_rs::from_slice(record).ok()?;
    let action = match okta.event_type.as_ref() {
        "user.session.start" => Action::Authenticate,
        "user.session.end" => Action::SessionChange,
        "system.api_token.create" => Action::CredentialCreate,
        "user.account.privilege.grant" | "group.user_membership.add" => Action::PrivilegeGrant,
        other if other.starts_with("user.authentication.") => Action::Authenticate,
        other if other.starts_with("user.lifecycle.") => Action::IdentityChange,
        _ => Action::ConfigChange,
    };
    let mut event = MappedEvent {
        plane: Plane::IdentityProvider,
        class_uid: action.facts().class_uid,
        activity_id: action.facts().activity_id,
        time: okta.published.as_deref().and_then(Timestamp::parse_rfc3339),
        system: Text::new_static("okta"),
        operation: Text::new(&okta.event_type),
        action,
        outcome: match okta.outcome.result.as_deref() {
            Some("SUCCESS" | "ALLOW") => OutcomeClass::Success,
            Some("DENY") => OutcomeClass::Denied,
            Some("FAILURE") => OutcomeClass::Failure,
            _ => OutcomeClass::Unknown,
        },
        outcome_detail: owned(&okta.outcome.reason).or_else(|| owned(&okta.display_message)),
        meaningful: true,
        src_ip: owned(&okta.client.ip_address).filter(|ip| ip.parse::<std::net::IpAddr>().is_ok()),
        user_agent: okta
            .client
            .user_agent
            .as_ref()
            .and_then(|agent| owned(&agent.raw_user_agent)),
        session_ref: owned(&okta.authentication_context.external_session_id),
        actor_ref: owned(&okta.actor.alternate_id),
        actor_name: owned(&okta.actor.display_name),
        actor_kind: match okta.actor.kind.as_deref() {
            Some("User") => ActorKind::Human,
            Some("SystemPrincipal") => ActorKind::System,
            _ => ActorKind::Unknown,
        },
        ..MappedEvent::default()
    };
    event.actor_aliases.extend(alias("okta.id", &okta.actor.id));
    event
        .actor_aliases
        .extend(alias("email", &okta.actor.alternate_id));
    if let Some(target) = okta.target.as_deref().and_then(<[_]>::first) {
        event.target_kind = owned(&target.kind);
        event.target_ref = owned(&target.id);
        event.target_name = owned(&target.display_name);
        event
            .target_aliases
            .extend(alias("email", &target.alternate_id));
    }
    label(&mut event, "severity", &okta.severity);
    label(&mut event, "zone", &okta.client.zone);
    label(&mut event, "device", &okta.client.device);
    if let Some(place) = &okta.client.geographical_context {
        label(&mut event, "city", &place.city);
        label(&mut event, "country", &place.country);
    }
    std::hint::black_box(owned(&okta.uuid));
    Some(event)
}
