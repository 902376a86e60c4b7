//! OpenTelemetry spans of agents (OTLP JSON), by the `GenAI` and MCP semantic conventions.

use serde_json::{Value, json};

use super::joined;
use crate::chance::Chance;
use crate::organisation::{DOMAIN, Machine};

/// The instrumentation scope of the agents' runtime.
const SCOPE: &str = "larkfield.agents";

/// One run of an agent: what all its spans share.
#[derive(Clone, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) agent: &'a Machine,
    /// Mail name of the person it works for; empty when it runs by itself.
    pub(crate) on_behalf_of: &'a str,
    pub(crate) trace: String,
    pub(crate) root: String,
    pub(crate) conversation: String,
}

impl<'a> Run<'a> {
    pub(crate) fn new(agent: &'a Machine, on_behalf_of: &'a str, chance: &mut Chance) -> Self {
        Self {
            agent,
            on_behalf_of,
            trace: chance.hex(32),
            root: chance.hex(16),
            conversation: joined(&["conv_", &chance.hex(20)]),
        }
    }

    /// The `invoke_agent` span around the whole run.
    pub(crate) fn invoke(&self, from: i64, to: i64) -> Value {
        let mut attributes = self.shared("invoke_agent");
        attributes.push(text("gen_ai.request.model", "house-large-2"));
        self.span(
            (&self.root, ""),
            &joined(&["invoke_agent ", self.agent.name]),
            (from, to),
            attributes,
            None,
        )
    }

    /// A `chat` span: the model thinks.
    pub(crate) fn chat(&self, from: i64, to: i64, chance: &mut Chance) -> Value {
        let mut attributes = self.shared("chat");
        attributes.push(text("gen_ai.request.model", "house-large-2"));
        attributes.push(number(
            "gen_ai.usage.input_tokens",
            chance.between(400, 9_000),
        ));
        attributes.push(number(
            "gen_ai.usage.output_tokens",
            chance.between(40, 900),
        ));
        let id = chance.hex(16);
        self.span(
            (&id, &self.root),
            "chat house-large-2",
            (from, to),
            attributes,
            None,
        )
    }

    /// An `execute_tool` span. `server` is the MCP server's host, empty for a built-in tool.
    pub(crate) fn tool(
        &self,
        (from, to): (i64, i64),
        (tool, arguments): (&str, &Value),
        server: &str,
        error: Option<&str>,
        chance: &mut Chance,
    ) -> Value {
        let mut attributes = self.shared("execute_tool");
        attributes.push(text("gen_ai.tool.name", tool));
        attributes.push(text(
            "gen_ai.tool.type",
            if server.is_empty() {
                "function"
            } else {
                "extension"
            },
        ));
        attributes.push(text(
            "gen_ai.tool.call.id",
            &joined(&["call_", &chance.hex(16)]),
        ));
        attributes.push(text("gen_ai.tool.call.arguments", &arguments.to_string()));
        if !server.is_empty() {
            attributes.push(text("mcp.method.name", "tools/call"));
            attributes.push(text("mcp.protocol.version", "2026-07-28"));
            attributes.push(text("server.address", server));
        }
        if let Some(error) = error {
            attributes.push(text("error.type", error));
        }
        let id = chance.hex(16);
        let name = joined(&["execute_tool ", tool]);
        self.span((&id, &self.root), &name, (from, to), attributes, error)
    }

    fn shared(&self, operation: &str) -> Vec<Value> {
        let mut attributes = vec![
            text("gen_ai.operation.name", operation),
            text("gen_ai.provider.name", "house"),
            text("gen_ai.agent.id", self.agent.name),
            text("gen_ai.agent.name", self.agent.name),
            text("gen_ai.conversation.id", &self.conversation),
        ];
        if !self.on_behalf_of.is_empty() {
            attributes.push(text("user.id", &joined(&[self.on_behalf_of, "@", DOMAIN])));
        }
        attributes
    }

    /// One `resourceSpans` element with one span in it.
    fn span(
        &self,
        (id, parent): (&str, &str),
        name: &str,
        (from, to): (i64, i64),
        attributes: Vec<Value>,
        error: Option<&str>,
    ) -> Value {
        let mut span = json!({
            "traceId": self.trace,
            "spanId": id,
            "parentSpanId": parent,
            "name": name,
            "kind": if parent.is_empty() { 2 } else { 3 },
            "startTimeUnixNano": nanos(from),
            "endTimeUnixNano": nanos(to),
            "status": error.map_or(json!({}), |error| json!({ "code": 2, "message": error }))
        });
        span["attributes"] = Value::Array(attributes);
        json!({
            "resource": { "attributes": [
                text("service.name", self.agent.name),
                text("deployment.environment.name", self.agent.environment)
            ] },
            "scopeSpans": [{
                "scope": { "name": SCOPE, "version": "1.4.0" },
                "spans": [span]
            }]
        })
    }
}

fn nanos(at: i64) -> String {
    joined(&[&at.to_string(), "000"])
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: i64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}
