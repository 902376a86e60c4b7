//! Records taken in by the command line, and what the binary says of them.

use deedtrail_core::time::Timestamp;
use serde_json::{Value, json};

use crate::command::{Folder, Server};
pub(crate) use crate::scenario::record::user;

/// Midnight of the first day, 2026-06-01, a Monday.
const BEGIN: &str = "2026-06-01T00:00:00Z";

/// A time: days since the first, minutes since midnight.
pub(crate) fn at(day: i64, minute: i64) -> Timestamp {
    let begin = Timestamp::parse_rfc3339(BEGIN).unwrap();
    begin.plus_micros(day * Timestamp::DAY_US + minute * Timestamp::MINUTE_US)
}

/// A data folder in which nothing happened yet.
pub(crate) fn installed() -> Folder {
    let folder = Folder::new();
    folder.ok(&["init"]);
    folder
}

/// Records of one source, in order.
pub(crate) struct Records {
    source: &'static str,
    first: usize,
    lines: Vec<Value>,
}

impl Records {
    pub(crate) fn of(source: &'static str) -> Self {
        Self {
            source,
            first: 0,
            lines: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, record: Value) {
        self.lines.push(record);
    }

    /// Numbers them from there on, so that they are other records than those before.
    pub(crate) fn numbered_from(source: &'static str, first: usize) -> Self {
        Self {
            first,
            ..Self::of(source)
        }
    }

    /// A call of AWS by `who`, e.g. `iam:ListRoles`; `more` replaces fields of the record.
    pub(crate) fn call(&mut self, at: Timestamp, who: &Value, operation: &str, more: &Value) {
        let (service, name) = operation.split_once(':').unwrap();
        let mut record = json!({
            "eventVersion": "1.10", "eventID": format!("call-{}", self.first + self.lines.len()),
            "eventTime": at.to_string(), "eventSource": format!("{service}.amazonaws.com"),
            "eventName": name, "awsRegion": "eu-central-1", "sourceIPAddress": "192.0.2.10",
            "userAgent": "aws-sdk-go-v2/1.30", "recipientAccountId": "111122223333",
            "eventType": "AwsApiCall", "userIdentity": who,
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            record[field] = value.clone();
        }
        self.push(record);
    }

    /// A call of a tool.
    pub(crate) fn span(&mut self, at: Timestamp, call: &ToolCall<'_>) {
        let number = self.first + self.lines.len() + 1;
        self.push(call.span(number, at));
    }

    /// Takes them in with `deedtrail ingest`; each must be understood.
    pub(crate) fn ingest(&self, folder: &Folder) {
        let lines: Vec<String> = self.lines.iter().map(Value::to_string).collect();
        let file = folder.write("records.ndjson", lines.join("\n"));
        let answer = folder.json(&["ingest", "-s", self.source, file.to_str().unwrap()]);
        assert_eq!(answer[0]["accepted"], self.lines.len(), "{answer:?}");
        assert_eq!(answer[0]["quarantined"], 0, "{answer:?}");
    }
}

/// A session of a role that a workload assumed.
pub(crate) fn role(name: &str, key: &str, session: &str) -> Value {
    let unique = format!("AROA{}", name.to_uppercase().replace('-', ""));
    json!({
        "type": "AssumedRole", "principalId": format!("{unique}:{session}"),
        "arn": format!("arn:aws:sts::111122223333:assumed-role/{name}/{session}"),
        "accountId": "111122223333", "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role", "principalId": unique, "userName": name, "accountId": "111122223333",
                "arn": format!("arn:aws:iam::111122223333:role/{name}"),
            },
            "attributes": { "creationDate": "2026-06-01T00:00:00Z", "mfaAuthenticated": "false" },
        },
    })
}

/// A call of a tool by an agent, as OTLP carries it.
pub(crate) struct ToolCall<'a> {
    pub(crate) agent: &'a str,
    pub(crate) trace: u32,
    pub(crate) tool: &'a str,
    pub(crate) arguments: Value,
    /// Why it failed.
    pub(crate) error: Option<&'a str>,
}

impl ToolCall<'_> {
    /// The delivery with this one span.
    fn span(&self, number: usize, at: Timestamp) -> Value {
        let text =
            |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        let mut attributes = vec![
            text("gen_ai.operation.name", "execute_tool"),
            text("gen_ai.tool.name", self.tool),
            text("gen_ai.agent.id", self.agent),
            text("gen_ai.agent.name", self.agent),
            text("gen_ai.conversation.id", &format!("conv-{:08}", self.trace)),
            text("gen_ai.tool.call.arguments", &self.arguments.to_string()),
        ];
        attributes.extend(self.error.map(|error| text("error.type", error)));
        let nanos = |at: Timestamp| (i128::from(at.as_micros()) * 1_000).to_string();
        json!({
            "resource": { "attributes": [text("service.name", "assistants")] },
            "scopeSpans": [{ "scope": { "name": "agents.example" }, "spans": [{
                "traceId": trace(self.trace), "spanId": format!("{number:016x}"),
                "name": format!("execute_tool {}", self.tool), "kind": 1,
                "startTimeUnixNano": nanos(at),
                "endTimeUnixNano": nanos(at.plus_micros(Timestamp::SECOND_US)),
                "attributes": attributes, "status": { "code": if self.error.is_some() { 2 } else { 0 } },
            }] }],
        })
    }
}

/// A trace id of OpenTelemetry.
pub(crate) fn trace(number: u32) -> String {
    format!("4bf92f3577b34da6a3ce9290{number:08x}")
}

/// The findings of a type, each with all that is kept of it.
pub(crate) fn findings(folder: &Folder, kind: &str) -> Vec<Value> {
    folder.json(&["finding", "list", "--kind", kind])
}

/// The types of all findings.
pub(crate) fn kinds(folder: &Folder) -> Vec<String> {
    let findings = folder.json(&["finding", "list"]);
    let kinds = findings.iter().map(|finding| text(&finding["kind"]));
    let mut kinds: Vec<String> = kinds.collect();
    kinds.sort();
    kinds
}

pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

/// The values of a list, as one text.
pub(crate) fn lines(list: &Value) -> String {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    let list: Vec<String> = list.iter().map(text).collect();
    list.join("\n")
}

/// A server, asked with a token.
pub(crate) struct Api {
    server: Server,
    token: String,
}

impl Api {
    pub(crate) fn of(folder: &Folder) -> Self {
        let token = folder.ok(&["token", "create", "reader", "--scope", "read"]);
        Self {
            server: folder.serve(),
            token: token.trim().to_owned(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let body = self.server.get(&self.token, path);
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }
}
