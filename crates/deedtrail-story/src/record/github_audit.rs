//! GitHub audit log events as streamed by GitHub Enterprise.

use serde_json::{Value, json};

use super::{joined, utc_text};
use crate::chance::Chance;
use crate::organisation::{GITHUB_ORG, stable_number};

#[derive(Clone, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) actor: &'a str,
    pub(crate) action: &'static str,
    /// Repository without the organisation.
    pub(crate) repository: &'a str,
    pub(crate) ip: &'a str,
    pub(crate) country: &'static str,
    pub(crate) user_agent: &'static str,
    /// Machines: the token they use.
    pub(crate) token: Option<&'static str>,
    /// Fields only this action has.
    pub(crate) extra: Value,
}

pub(crate) fn event(at: i64, entry: &Entry<'_>, chance: &mut Chance) -> Value {
    let millis = at.div_euclid(1000);
    let repository = joined(&[GITHUB_ORG, "/", entry.repository]);
    let mut event = json!({
        "@timestamp": millis,
        "_document_id": chance.hex(22),
        "action": entry.action,
        "actor": entry.actor,
        "actor_id": stable_number(entry.actor),
        "actor_ip": entry.ip,
        "actor_location": { "country_code": entry.country },
        "actor_is_bot": entry.token.is_some(),
        "business": "larkfield-supply",
        "business_id": 4711,
        "created_at": millis,
        "org": GITHUB_ORG,
        "org_id": stable_number(GITHUB_ORG),
        "repo": repository,
        "repo_id": stable_number(&repository),
        "repository": repository,
        "repository_public": false,
        "user_agent": entry.user_agent,
        "request_id": chance.uuid()
    });
    if let Some(kind) = entry.token {
        event["programmatic_access_type"] = Value::from(kind);
        event["token_id"] = Value::from(stable_number(entry.actor) + 1);
    }
    if let Value::Object(extra) = &entry.extra {
        for (name, value) in extra {
            event[name] = value.clone();
        }
    }
    event
}

/// Fields of `workflows.completed_workflow_run`.
pub(crate) fn workflow_run(at: i64, name: &str, conclusion: &str, chance: &mut Chance) -> Value {
    json!({
        "name": name,
        "event": "push",
        "head_branch": "main",
        "head_sha": chance.hex(40),
        "workflow_id": stable_number(name),
        "workflow_run_id": chance.between(1_000_000, 9_999_999),
        "run_number": chance.between(100, 9_000),
        "run_attempt": 1,
        "conclusion": conclusion,
        "started_at": utc_text(at - 4 * crate::rhythm::MINUTE, 3),
        "completed_at": utc_text(at, 3)
    })
}
