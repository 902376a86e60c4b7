//! Runs as OpenTelemetry GenAI spans, mapped to canonical events as the product does it.

use std::hint::black_box;

use deedtrail_core::Text;
use deedtrail_core::event::{Event, EvidenceGrade, TimeQuality};
use deedtrail_core::id::{EventUid, SourceName, TenantId};
use deedtrail_core::port::mapper::Mapper as _;
use deedtrail_core::time::Timestamp;
use deedtrail_sources::Registry;
use serde_json::{Value, json};

use crate::Done;
use crate::runs::{Run, Step};

/// Between two spans of a run, microseconds.
const SPAN_GAP_US: i64 = 2_000_000;

/// The events of a run that begins at 0; which of them are steered calls.
#[derive(Debug)]
pub struct Session {
    pub events: Vec<Event>,
    pub steered: Vec<EventUid>,
}

/// Maps a run.
pub fn session(registry: &Registry, number: usize, run: &Run) -> Done<Session> {
    let record = serde_json::to_vec(&record(number, run))?;
    let source = SourceName::new("otel.genai")?;
    let mapped = registry.map(&source, &record)?;
    black_box(&mapped);
    let mut session = Session {
        events: Vec::new(),
        steered: Vec::new(),
    };
    for (place, mapped) in mapped.events.into_iter().enumerate() {
        let uid = EventUid::derive(&[&number.to_le_bytes(), &place.to_le_bytes()]);
        let at = mapped.time.ok_or("a span without time")?;
        let call = place.checked_sub(1).and_then(|call| run.steps.get(call));
        if matches!(call, Some(Step::Call { steered: true, .. })) {
            session.steered.push(uid);
        }
        session.events.push(Event {
            event_uid: uid,
            log_origin: Text::default(),
            log_seq: 0,
            ordinal: u32::try_from(place)?,
            mapping_version: Text::default(),
            derived_at: 0,
            tenant: TenantId::default(),
            source: source.clone(),
            source_uid: None,
            time_received: at,
            time_effective: at,
            time_quality: TimeQuality::Vendor,
            actor_alias_uid: None,
            on_behalf_of_uid: None,
            credential_uid: None,
            session_uid: None,
            target_uid: None,
            device_uid: None,
            message_uid: None,
            link_uid: None,
            risk_decision: None,
            id_conflict: false,
            evidence_grade: EvidenceGrade::A,
            mapped,
        });
    }
    Ok(session)
}

/// When a session begins, in the benchmark's own time.
pub fn begin(number: usize) -> Timestamp {
    let hours = i64::try_from(number).unwrap_or_default();
    Timestamp::from_micros(1_767_225_600_000_000 + hours * 3_600_000_000)
}

fn record(number: usize, run: &Run) -> Value {
    let trace = format!("{number:032x}");
    let messages =
        json!([{ "role": "user", "parts": [{ "type": "text", "content": run.request }] }]);
    let chat = json!([
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.request.model", &run.model),
        text("gen_ai.conversation.id", &trace),
        text("gen_ai.input.messages", &messages.to_string()),
    ]);
    let mut spans = vec![span(&trace, 0, "chat", &chat, false)];
    for (place, step) in run.steps.iter().enumerate() {
        let Step::Call {
            tool,
            arguments,
            output,
            failed,
            ..
        } = step;
        let attributes = json!([
            text("gen_ai.operation.name", "execute_tool"),
            text("gen_ai.conversation.id", &trace),
            text("gen_ai.tool.name", tool),
            text("gen_ai.tool.call.arguments", arguments),
            text("gen_ai.tool.call.result", output),
        ]);
        spans.push(span(&trace, place + 1, tool, &attributes, *failed));
    }
    let agent = format!("{} agent", run.suite);
    json!({
        "resource": { "attributes": [text("service.name", &agent)] },
        "scopeSpans": [{ "scope": { "name": "bench" }, "spans": spans }],
    })
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn span(trace: &str, place: usize, name: &str, attributes: &Value, failed: bool) -> Value {
    let gap = i64::try_from(place).unwrap_or_default() * SPAN_GAP_US;
    let at = begin(0).as_micros() + gap;
    json!({
        "traceId": trace, "spanId": format!("{place:016x}"), "parentSpanId": "", "name": name, "kind": 1,
        "startTimeUnixNano": format!("{at}000"), "endTimeUnixNano": format!("{}000", at + SPAN_GAP_US / 2),
        "attributes": attributes, "status": { "code": if failed { 2 } else { 1 } },
    })
}
