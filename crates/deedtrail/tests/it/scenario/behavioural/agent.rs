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

/// An answer of an MCP server to `tools/list`, with the request, and whether it is one of two pages.
fn tools_listed(minute: i64, page: Option<u8>, tools: &[&str]) -> serde_json::Value {
    let named: Vec<_> = tools.iter().map(|tool| json!({ "name": tool })).collect();
    let mut result = json!({ "tools": named });
    if page == Some(1) {
        result["nextCursor"] = json!("page-2");
    }
    let params = match page {
        Some(2) => json!({ "cursor": "page-2" }),
        _ => json!({}),
    };
    let id = 7_000 + minute;
    json!({
        "timestamp": at(100, minute).to_string(), "server": "desk", "agent_id": "helper",
        "request": { "jsonrpc": "2.0", "id": id, "method": "tools/list", "params": params },
        "response": { "jsonrpc": "2.0", "id": id, "result": result }
    })
}

fn tool_called(minute: i64, tool: &str) -> serde_json::Value {
    let id = 8_000 + minute;
    json!({
        "timestamp": at(100, minute).to_string(), "server": "desk", "agent_id": "helper",
        "request": { "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": tool, "arguments": {} } },
        "response": { "jsonrpc": "2.0", "id": id, "result": { "content": [], "isError": false } }
    })
}

#[test]
fn b10_tools_that_feeds_declare_are_what_calls_are_compared_with() {
    let folder = installed();
    let mut listed = Records::of("mcp.message");
    listed.push(tools_listed(600, Some(1), &["create_ticket"]));
    listed.push(tools_listed(601, Some(2), &["close_ticket", "<b>list*"]));
    listed.push(tool_called(602, "create_ticket"));
    listed.push(tool_called(603, "close_ticket"));
    listed.ingest(&folder);
    assert_eq!(
        findings(&folder, "scope_departure"),
        [] as [serde_json::Value; 0]
    );
    let shown = folder.ok(&["identity", "show", "agent.id:helper"]);
    assert!(
        shown.contains("tools    close_ticket, create_ticket (by mcp.message, "),
        "{shown}"
    );

    let mut beyond = Records::of("mcp.message");
    beyond.push(tool_called(610, "look_up_person"));
    beyond.ingest(&folder);
    let told = findings(&folder, "scope_departure");
    assert_eq!(told.len(), 1, "{told:?}");
    let reasons = lines(&told[0]["reasons"]);
    assert!(reasons.contains("declared (mcp.message, "), "{reasons}");
    assert!(reasons.contains("close_ticket, create_ticket"), "{reasons}");

    // Nobody takes what a finding rests on for what is usual without saying so.
    let refused = folder.run(&["baseline", "approve", "agent.id:helper"]);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("high scope_departure ("), "{said}");
    assert!(said.contains("--accept-open-findings"), "{said}");
    let accept = "--accept-open-findings";
    let approved = folder.json(&["baseline", "approve", "agent.id:helper", accept]);
    assert_eq!(approved[0]["accepted_findings"][0], told[0]["id"]);
    let learned = folder.json(&["charter", "learn", "agent.id:helper"]);
    assert_eq!(learned[0]["left_out"], 1);
    assert_eq!(learned[0]["findings"][0]["id"], told[0]["id"]);
    let all = folder.json(&["charter", "learn", "agent.id:helper", "--include-findings"]);
    let events = |learned: &[serde_json::Value]| learned[0]["events"].as_u64();
    assert_eq!(events(&all), events(&learned).map(|events| events + 1));

    // What people declare goes before what feeds tell.
    let file = folder.write(
        "declared.csv",
        "alias,declared_tools\nagent.id:helper,look_up_person\n",
    );
    folder.ok(&["identity", "import", file.to_str().unwrap()]);
    let mut after = Records::of("mcp.message");
    after.push(tool_called(620, "look_up_person"));
    after.ingest(&folder);
    assert_eq!(findings(&folder, "scope_departure").len(), 1);
    let shown = folder.ok(&["identity", "show", "agent.id:helper"]);
    assert!(
        shown.contains("tools    look_up_person (by import of "),
        "{shown}"
    );
}

#[test]
fn b10_an_agent_of_the_inventory_is_compared_from_its_first_call_on() {
    let folder = installed();
    let mut inventory = Records::of("m365_defender.event");
    inventory.push(json!({
        "time": at(100, 590).to_string(), "tenantId": "00000000-0000-4000-8000-0000000000ff",
        "operationName": "Publish", "category": "AdvancedHunting-AgentsInfo",
        "properties": { "Timestamp": at(100, 590).to_string(), "AgentId": "helper",
            "AgentName": "Desk helper", "Platform": "Copilot Studio",
            "DeclaredTools": "[\"create_ticket\", \"close_ticket\"]" }
    }));
    inventory.ingest(&folder);
    let mut called = Records::of("mcp.message");
    called.push(tool_called(600, "close_ticket"));
    called.push(tool_called(601, "look_up_person"));
    called.ingest(&folder);
    let told = findings(&folder, "scope_departure");
    assert_eq!(told.len(), 1, "{told:?}");
    let reasons = lines(&told[0]["reasons"]);
    assert!(
        reasons.contains("declared (m365_defender.event, "),
        "{reasons}"
    );
    assert!(
        text(&told[0]["title"]).contains("look_up_person"),
        "{told:?}"
    );

    // A charter that names tools is asked instead.
    let charter = folder.write(
        "helper.yaml",
        "charter: helper\nidentities: \"agent.id:helper\"\npurpose: Helps.\nowner: a@example.com\ntools: [look_up_person]\n",
    );
    folder.ok(&["charter", "propose", charter.to_str().unwrap()]);
    folder.ok(&["charter", "approve", "helper"]);
    let shown = folder.ok(&["identity", "show", "agent.id:helper"]);
    assert!(
        shown.contains("tools    look_up_person (by charter helper, version 1)"),
        "{shown}"
    );
}
