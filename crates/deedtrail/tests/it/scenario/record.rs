//! Records as vendors write them, of an invented organisation.

use deedtrail_core::time::Timestamp;
use serde_json::{Value, json};

/// 2026-11-18 10:00 UTC, µs: when every scenario starts.
const START_US: i64 = 1_794_996_000_000_000;
const ACCOUNT: &str = "111122223333";

/// So many minutes after the start.
pub(super) fn at(minutes: i64) -> Timestamp {
    Timestamp::from_micros(START_US + minutes * Timestamp::MINUTE_US)
}

/// So many days before the start, as minutes.
pub(super) const fn days_before(days: i64) -> i64 {
    -days * 24 * 60
}

fn unique(parts: &[&str], minutes: i64) -> String {
    format!("{}-{minutes}", parts.join("-"))
}

/// Fields of `extra` in place of those of `record`.
fn with(mut record: Value, extra: Value) -> Value {
    let fields = record.as_object_mut().unwrap();
    let Value::Object(extra) = extra else {
        return record;
    };
    fields.extend(extra);
    record
}

/// An event of Okta's System Log. `app`: where the sign-on leads.
pub(super) fn okta(minutes: i64, event: &str, who: &str, app: Option<&str>) -> Value {
    let target = app.map(|app| {
        json!([{ "id": format!("0oa{app}"), "type": "AppInstance", "alternateId": app,
            "displayName": app }])
    });
    json!({
        "actor": { "id": format!("00u{who}"), "type": "User", "alternateId": who,
            "displayName": who },
        "client": { "userAgent": { "rawUserAgent": "Mozilla/5.0" }, "ipAddress": "192.0.2.20" },
        "authenticationContext": { "externalSessionId": format!("102{who}") },
        "displayMessage": event, "eventType": event,
        "outcome": { "result": "SUCCESS", "reason": null },
        "published": at(minutes).to_string(),
        "securityContext": { "asNumber": 64500, "asOrg": "example" },
        "debugContext": { "debugData": {} },
        "transaction": { "type": "WEB", "id": unique(&[who, event], minutes), "detail": {} },
        "uuid": unique(&[who, event, app.unwrap_or("")], minutes),
        "version": "0", "target": target
    })
}

/// An entry of GitHub's audit log.
pub(super) fn github(minutes: i64, action: &str, login: &str, extra: Value) -> Value {
    let millis = at(minutes).as_micros() / 1000;
    let record = json!({
        "@timestamp": millis, "created_at": millis,
        "_document_id": unique(&[login, action], minutes),
        "action": action, "actor": login, "actor_ip": "192.0.2.20", "user_agent": "git/2.43",
        "org": "example", "repo": "example/shop"
    });
    with(record, extra)
}

/// A push as GitHub's webhook delivers it.
pub(super) fn push(minutes: i64, login: &str, modified: &[&str]) -> Value {
    let (before, after) = ("a".repeat(40), format!("{:040x}", minutes + 1_000_000));
    let commit = json!({
        "id": after, "message": "Change", "timestamp": at(minutes).to_string(),
        "author": { "name": login, "email": format!("{login}@example.com"), "username": login },
        "added": [], "removed": [], "modified": modified
    });
    json!({
        "ref": "refs/heads/main", "before": before, "after": after,
        "repository": { "id": 7, "name": "shop", "full_name": "example/shop", "private": true,
            "owner": { "login": "example" } },
        "organization": { "login": "example" },
        "pusher": { "name": login },
        "sender": { "login": login, "id": login.len(), "type": "Bot" },
        "commits": [commit], "head_commit": commit
    })
}

/// Who signs a call of AWS.
#[derive(Clone, Copy)]
pub(super) enum Caller<'a> {
    /// An IAM user with a long-lived access key.
    User(&'a str, &'a str),
    /// A role, by the name of its session.
    Role(&'a str, &'a str),
}

/// A record of CloudTrail. `call` is `service:Name`.
pub(super) fn cloudtrail(
    minutes: i64,
    caller: Caller<'_>,
    call: &str,
    parameters: Value,
    extra: Value,
) -> Value {
    let (service, name) = call.split_once(':').unwrap();
    let who = match caller {
        Caller::User(name, _) | Caller::Role(name, _) => name,
    };
    let seed = parameters.to_string();
    let mut record = json!({
        "eventVersion": "1.08", "userIdentity": signer(caller),
        "eventTime": at(minutes).to_string(), "eventSource": format!("{service}.amazonaws.com"),
        "eventName": name, "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.20",
        "userAgent": "aws-cli/2.0", "responseElements": null,
        "eventID": unique(&[who, call, &seed], minutes), "readOnly": false,
        "eventType": "AwsApiCall", "recipientAccountId": ACCOUNT
    });
    record["requestParameters"] = parameters;
    with(record, extra)
}

fn signer(caller: Caller<'_>) -> Value {
    match caller {
        Caller::User(name, key) => user(name, key),
        Caller::Role(role, session) => json!({
            "type": "AssumedRole",
            "principalId": format!("AROA{}:{session}", role.to_uppercase()),
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"),
            "accountId": ACCOUNT,
            "accessKeyId": format!("ASIA{}", role.to_uppercase()),
            "sessionContext": { "sessionIssuer": { "type": "Role",
                "principalId": format!("AROA{}", role.to_uppercase()),
                "arn": format!("arn:aws:iam::{ACCOUNT}:role/{role}"),
                "accountId": ACCOUNT, "userName": role } }
        }),
    }
}

/// An IAM user with a key, as `userIdentity` of CloudTrail has it.
pub(crate) fn user(name: &str, key: &str) -> Value {
    let unique = name.to_uppercase().replace('-', "");
    json!({
        "type": "IAMUser", "principalId": format!("AIDA{unique}"),
        "arn": format!("arn:aws:iam::{ACCOUNT}:user/{name}"), "accountId": ACCOUNT,
        "accessKeyId": key, "userName": name,
    })
}

/// The ARN of a role of the account.
pub(super) fn role_arn(role: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{role}")
}

/// A response entry of Vault's audit device; `workload` is the service account that holds the token.
pub(super) fn vault(minutes: i64, who: &str, operation: &str, path: &str, extra: &Value) -> Value {
    let mount = if path.starts_with("database") {
        "database"
    } else {
        "kv"
    };
    let mut record = json!({
        "time": at(minutes).to_string(), "type": "response",
        "auth": {
            "client_token": format!("hmac-sha256:{who}"), "accessor": format!("hmac-sha256:{who}a"),
            "display_name": format!("approle-{who}"), "policies": ["default", who],
            "metadata": { "role_name": who }, "entity_id": format!("entity-{who}"),
            "token_type": "service"
        },
        "request": {
            "id": unique(&[who, operation, path], minutes), "operation": operation,
            "mount_type": mount, "path": path, "remote_address": "192.0.2.30",
            "client_token_accessor": format!("hmac-sha256:{who}a")
        },
        "response": { "mount_type": mount }
    });
    if let Some(ticket) = extra.get("ticket") {
        record["request"]["headers"] = json!({ "x-change-ticket": [ticket] });
    }
    if let Some(workload) = extra.get("workload") {
        record["auth"]["metadata"]["service_account_name"] = workload.clone();
    }
    record
}

/// A span of an agent that calls a tool (OTLP JSON).
pub(super) fn tool(minutes: i64, agent: &str, tool: &str, arguments: &Value) -> Value {
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let nanos = at(minutes).as_micros() * 1000;
    let from = format!("{nanos}");
    let to = format!("{}", nanos + 1_000_000);
    json!({
        "resource": { "attributes": [text("service.name", agent)] },
        "scopeSpans": [{
            "scope": { "name": "example.agents", "version": "1.0.0" },
            "spans": [{
                "traceId": format!("{:032x}", 0xa1_0000 + minutes),
                "spanId": format!("{:016x}", 0xb1_0000 + minutes), "parentSpanId": "",
                "name": format!("execute_tool {tool}"), "kind": 3,
                "startTimeUnixNano": from, "endTimeUnixNano": to, "status": {},
                "attributes": [
                    text("gen_ai.operation.name", "execute_tool"),
                    text("gen_ai.provider.name", "house"),
                    text("gen_ai.agent.id", agent), text("gen_ai.agent.name", agent),
                    text("gen_ai.conversation.id", &format!("conv_{agent}")),
                    text("gen_ai.tool.name", tool),
                    text("gen_ai.tool.call.arguments", &arguments.to_string())
                ]
            }]
        }]
    })
}

/// A click that Defender allowed.
pub(super) fn click(minutes: i64, who: &str, url: &str) -> Value {
    json!({
        "Timestamp": at(minutes).to_string(), "Url": url, "UrlChain": format!("[\"{url}\"]"),
        "ActionType": "ClickAllowed", "AccountUpn": who, "Workload": "Email",
        "NetworkMessageId": "6f0c0e2a-0000-4000-8000-000000000001", "IPAddress": "192.0.2.20",
        "ThreatTypes": "", "DetectionMethods": "", "IsClickedThrough": false,
        "ReportId": unique(&[who, url], minutes), "Type": "UrlClickEvents"
    })
}

/// An activity of a user as Google's Reports API tells it.
pub(super) fn google(minutes: i64, application: &str, name: &str) -> Value {
    json!({
        "kind": "admin#reports#activity",
        "id": { "time": at(minutes).to_string(), "uniqueQualifier": unique(&[name], minutes),
            "applicationName": application, "customerId": "C0example" },
        "actor": { "callerType": "USER", "email": "ana@example.com", "profileId": "11" },
        "ipAddress": "192.0.2.20",
        "events": [{ "type": application, "name": name, "parameters": [
            { "name": "doc_id", "value": "doc-1" }, { "name": "doc_title", "value": "Plan" }
        ] }]
    })
}
