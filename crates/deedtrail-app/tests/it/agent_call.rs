//! An agent that calls another by a tool, from OpenTelemetry spans to the tree of calls.

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_core::port::store::SessionFilter;
use deedtrail_core::session::JoinBy;
use serde_json::{Value, json};

use crate::installation::ports;
use crate::session::processed;

const SECOND_NS: u64 = 1_000_000_000;
const START_NS: u64 = 1_795_075_200 * SECOND_NS;

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// A span of `agent`, `second` seconds in; a tool where it names one.
fn span(
    second: u64,
    (id, parent): (&str, &str),
    agent: &str,
    tool: Option<&str>,
) -> (&'static str, Value) {
    let mut attributes = vec![
        attribute("gen_ai.agent.id", agent),
        attribute("gen_ai.agent.name", agent),
        attribute("gen_ai.conversation.id", &format!("conversation-{agent}")),
    ];
    match tool {
        Some(tool) => {
            attributes.push(attribute("gen_ai.operation.name", "execute_tool"));
            attributes.push(attribute("gen_ai.tool.name", tool));
        }
        None => attributes.push(attribute("gen_ai.operation.name", "invoke_agent")),
    }
    if agent == "planner" {
        attributes.push(attribute("user.id", "ana@example.com"));
    }
    let start = START_NS + second * SECOND_NS;
    let record = json!({
        "resource": { "attributes": [attribute("service.name", &format!("{agent}-service"))] },
        "scopeSpans": [{ "spans": [{
            "traceId": "000000000000000000000000000000a1",
            "spanId": id,
            "parentSpanId": parent,
            "name": tool.unwrap_or("invoke_agent"),
            "startTimeUnixNano": start.to_string(),
            "endTimeUnixNano": (start + SECOND_NS).to_string(),
            "attributes": attributes,
            "status": {}
        }] }]
    });
    ("otel.genai", record)
}

#[test]
fn a_session_tells_which_agent_called_which_by_what() {
    let spans = [
        span(0, ("00000000000000b1", ""), "planner", None),
        span(
            1,
            ("00000000000000b2", "00000000000000b1"),
            "planner",
            Some("ask_payer"),
        ),
        span(2, ("00000000000000b3", "00000000000000b2"), "payer", None),
        span(
            3,
            ("00000000000000b4", "00000000000000b3"),
            "payer",
            Some("send_money"),
        ),
    ];
    for order in [[0, 1, 2, 3], [3, 1, 2, 0]] {
        let sample = processed(order.iter().map(|place| &spans[*place]));
        let app = App::new(ports(&sample));
        let local = Principal::local();
        let sessions = app.sessions(&local, &SessionFilter::default(), 9).unwrap();
        assert_eq!(sessions.len(), 2);
        for session in &sessions {
            let file = app.session_file(&local, session.uid).unwrap();
            assert_eq!(file.joins[0].by, JoinBy::Trace);
            let calls = app.agent_calls(&local, &file).unwrap();
            let told: Vec<_> = calls
                .iter()
                .map(|call| (call.depth, &*call.agent, call.by.as_deref(), call.events))
                .collect();
            let expected = [(0, "planner", None, 2), (1, "payer", Some("ask_payer"), 2)];
            assert_eq!(told, expected);
            assert_eq!(calls[1].called_by.as_deref(), Some("planner"));
            let behind = calls[1].on_behalf_of.as_deref();
            assert_eq!(behind, Some("ana@example.com"));
            assert!(calls.iter().all(|call| call.complete));
        }
    }
}
