//! The reference says what the code does.

use deedtrail_testkit::sample::Sample;
use deedtrail_web::reference::{markdown, openapi_document, schemas};
use serde_json::Value;

use crate::caller::Caller;

#[test]
fn openapi_is_as_reviewed() {
    insta::assert_json_snapshot!("openapi", openapi_document());
}

#[test]
fn the_reference_page_is_current() {
    let page = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/http-api.md"
    );
    let written = std::fs::read_to_string(page).unwrap();
    assert!(
        written == markdown(),
        "docs/reference/http-api.md is stale: cargo run -p deedtrail-web --example write_reference"
    );
}

#[test]
fn every_reference_inside_the_document_exists() {
    let document = openapi_document();
    let text = document.to_string();
    let names = text.split("#/components/schemas/").skip(1);
    let mut count = 0;
    for name in names.map(|rest| rest.split('"').next().unwrap()) {
        assert!(
            document["components"]["schemas"].get(name).is_some(),
            "{name} is not there"
        );
        count += 1;
    }
    assert!(count > 50, "{count}");
}

/// Complains where `value` has a field the schema does not name, or lacks one it requires.
pub(crate) fn compare(value: &Value, schema: &Value, place: &str, wrong: &mut Vec<String>) {
    if *schema == Value::Bool(true) {
        return; // Anything goes, and says so.
    }
    if let Some(target) = schema["$ref"].as_str() {
        let name = target.rsplit('/').next().unwrap();
        compare(value, &schemas()[name], place, wrong);
        return;
    }
    for alternatives in ["anyOf", "oneOf"] {
        let Some(options) = schema[alternatives].as_array() else {
            continue;
        };
        let fits = |option: &&Value| {
            let mut wrong = Vec::new();
            compare(value, option, place, &mut wrong);
            wrong.is_empty()
        };
        if options.iter().filter(fits).count() == 0 {
            wrong.push(format!("{place}: none of {alternatives} fits {value}"));
        }
        return;
    }
    check_type(value, schema, place, wrong);
    match value {
        Value::Object(fields) => compare_fields(fields, schema, place, wrong),
        Value::Array(items) => {
            for (number, item) in items.iter().take(3).enumerate() {
                compare(item, &schema["items"], &format!("{place}[{number}]"), wrong);
            }
        }
        _ => {}
    }
}

fn check_type(value: &Value, schema: &Value, place: &str, wrong: &mut Vec<String>) {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::String(one) => one == found || (one == "number" && found == "integer"),
        Value::Array(many) => many.iter().any(|one| one == found),
        _ => schema["enum"]
            .as_array()
            .is_some_and(|names| names.contains(value)),
    };
    if !allowed {
        wrong.push(format!(
            "{place}: {found} where the schema has {}",
            schema["type"]
        ));
    }
}

fn compare_fields(
    fields: &serde_json::Map<String, Value>,
    schema: &Value,
    place: &str,
    wrong: &mut Vec<String>,
) {
    let additional = &schema["additionalProperties"];
    for (name, value) in fields {
        match schema["properties"].get(name) {
            Some(property) => compare(value, property, &format!("{place}.{name}"), wrong),
            None if additional.is_object() => {}
            None => wrong.push(format!("{place}.{name} is not in the schema")),
        }
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if !fields.contains_key(required.as_str().unwrap()) {
            wrong.push(format!("{place} lacks {required}"));
        }
    }
}

/// An answer has the fields of its schema.
pub(crate) fn compared(answer: &Value, schema: &str) {
    let mut wrong = Vec::new();
    compare(answer, &schemas()[schema], schema, &mut wrong);
    assert!(wrong.is_empty(), "{schema}: {wrong:#?}");
}

#[tokio::test]
async fn answers_have_the_fields_their_schemas_name() {
    let caller = Caller::new(Sample::story());
    let events = caller.get("/v1/events?limit=1").await.json();
    let event = events["events"][0]["event_uid"].as_str().unwrap();
    let findings = caller.get("/v1/findings?severity=critical").await.json();
    let finding = findings["findings"][0]["id"].as_str().unwrap();
    let departing = caller.get("/v1/sessions?departing").await.json();
    assert_eq!(departing["sessions"].as_array().unwrap().len(), 3);
    let sessions = caller.get("/v1/sessions?trust_below=40").await.json();
    let session = sessions["sessions"][0]["uid"].as_str().unwrap();
    let mut compared = 0;
    for (address, schema) in [
        ("/v1/events?limit=3".to_owned(), "EventList"),
        (format!("/v1/events/{event}?raw&provenance"), "EventAnswer"),
        ("/v1/identities".to_owned(), "IdentityList"),
        ("/v1/identities/ci-deployer".to_owned(), "IdentityAnswer"),
        (
            "/v1/identities/ci-deployer/timeline".to_owned(),
            "EventList",
        ),
        (
            "/v1/identities/ci-deployer/entitlements".to_owned(),
            "EntitlementUse",
        ),
        (
            "/v1/identities/nightly-export/entitlements?from=2026-01-01".to_owned(),
            "EntitlementUse",
        ),
        ("/v1/findings".to_owned(), "FindingList"),
        (format!("/v1/findings/{finding}"), "Finding"),
        ("/v1/sessions".to_owned(), "SessionList"),
        (format!("/v1/sessions/{session}"), "SessionAnswer"),
        (format!("/v1/sessions/{session}/next"), "NextAnswer"),
        ("/v1/blind-sessions".to_owned(), "BlindSessions"),
        ("/v1/sources".to_owned(), "SourceList"),
        (
            "/v1/sources/github.audit/quarantine".to_owned(),
            "QuarantineList",
        ),
        ("/v1/quarantine".to_owned(), "QuarantineOverview"),
        ("/v1/quarantine?dismissed".to_owned(), "QuarantineOverview"),
        ("/v1/today".to_owned(), "Today"),
        ("/v1/coverage".to_owned(), "Coverage"),
        ("/v1/saas-readiness/github".to_owned(), "SaasReadiness"),
        ("/v1/checkpoints".to_owned(), "CheckpointAnswer"),
        ("/healthz".to_owned(), "Health"),
        ("/readyz".to_owned(), "Readiness"),
        ("/v1/findings/none".to_owned(), "Problem"),
    ] {
        let answer = caller.get(&address).await.json();
        let mut wrong = Vec::new();
        compare(&answer, &schemas()[schema], schema, &mut wrong);
        assert!(wrong.is_empty(), "{address}: {wrong:#?}");
        compared += 1;
    }
    assert_eq!(compared, 24);
    let mut wrong = Vec::new();
    compare(&events, &schemas()["FindingList"], "control", &mut wrong);
    assert!(
        !wrong.is_empty(),
        "an answer of another kind must be noticed"
    );
}
