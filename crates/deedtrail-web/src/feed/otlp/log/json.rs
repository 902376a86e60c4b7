//! Log records of a JSON message.

use std::borrow::Cow;

use deedtrail_app::intake::{Around, Shipped};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{SERVICE, SOURCE, is_line, said};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request<'a> {
    #[serde(borrow)]
    resource_logs: Vec<ResourceLogs<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResourceLogs<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow)]
    scope_logs: Vec<ScopeLogs<'a>>,
    #[serde(rename = "schemaUrl")]
    _schema_url: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScopeLogs<'a> {
    #[serde(borrow)]
    log_records: Vec<&'a RawValue>,
    #[serde(rename = "scope")]
    _scope: Option<IgnoredAny>,
    #[serde(rename = "schemaUrl")]
    _schema_url: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(borrow, default)]
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogRecord<'a> {
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow, default)]
    attributes: Vec<KeyValue<'a>>,
    #[serde(borrow)]
    event_name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct KeyValue<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// An `AnyValue` that is a text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Text<'a> {
    #[serde(borrow)]
    string_value: Cow<'a, str>,
}

/// The records of a request, in order; their lines are not numbered yet. `None` if it is no object.
pub(super) fn records(body: &[u8]) -> Option<Vec<Shipped<'_>>> {
    if let Ok(request) = serde_json::from_slice::<Request<'_>>(body) {
        return Some(usual(request));
    }
    let request: Value = serde_json::from_slice(body).ok()?;
    let records = request.is_object().then(|| unusual(&request))?;
    let records = records.into_iter().map(|(labels, bytes)| Shipped {
        line: 0,
        labels,
        id: None,
        bytes: Cow::Owned(bytes),
        around: None,
    });
    Some(records.collect())
}

fn usual(request: Request<'_>) -> Vec<Shipped<'_>> {
    let mut records = Vec::new();
    for of_resource in request.resource_logs {
        let resource = of_resource.resource;
        let read = resource.and_then(|raw| serde_json::from_str::<Resource<'_>>(raw.get()).ok());
        let attributes = read.map(|resource| resource.attributes).unwrap_or_default();
        let scopes = of_resource.scope_logs.into_iter();
        for log_record in scopes.flat_map(|scope| scope.log_records) {
            records.push(record(log_record, resource, &attributes));
        }
    }
    records
}

fn record<'a>(
    raw: &'a RawValue,
    resource: Option<&'a RawValue>,
    of_resource: &[KeyValue<'_>],
) -> Shipped<'a> {
    let read = serde_json::from_str::<LogRecord<'a>>(raw.get()).ok();
    let own = read.as_ref().map_or(&[][..], |record| &record.attributes);
    let event_name = read
        .as_ref()
        .and_then(|record| record.event_name.as_deref());
    let (own, of_all) = (text(own, SOURCE), text(of_resource, SOURCE));
    let service = text(of_resource, SERVICE);
    let labels = said([
        own.as_deref(),
        of_all.as_deref(),
        event_name,
        service.as_deref(),
    ]);
    let body = read.as_ref().and_then(|record| record.body);
    let body = body.and_then(|body| serde_json::from_str::<Text<'a>>(body.get()).ok());
    let line = body
        .map(|body| body.string_value)
        .filter(|text| is_line(text));
    let (bytes, around) = match line {
        Some(text) => {
            let bytes = match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            };
            (bytes, Some(Around::new(move |_| document(raw, resource))))
        }
        None => (Cow::Owned(document(raw, resource)), None),
    };
    Shipped {
        line: 0,
        labels,
        id: None,
        bytes,
        around,
    }
}

/// A log record with its resource, as it is kept where nothing understands its body.
fn document(log_record: &RawValue, resource: Option<&RawValue>) -> Vec<u8> {
    let resource = resource.map_or("null", RawValue::get);
    format!(
        "{{\"logRecord\":{},\"resource\":{resource}}}",
        log_record.get()
    )
    .into_bytes()
}

fn text<'a>(attributes: &[KeyValue<'a>], key: &str) -> Option<Cow<'a, str>> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    let text: Text<'a> = serde_json::from_str(found.value?.get()).ok()?;
    Some(text.string_value)
}

/// Labels and bytes of every log record of an unusual request. What is not as the protocol has it
/// comes out whole, for quarantine.
fn unusual(request: &Value) -> Vec<(Vec<String>, Vec<u8>)> {
    let mut records = Vec::new();
    let whole = |value: &Value| (Vec::new(), value.to_string().into_bytes());
    let Some(resources) = list(request, &["resourceLogs"], "resourceLogs") else {
        return vec![whole(request)];
    };
    for of_resource in resources {
        let known = ["resource", "scopeLogs", "schemaUrl"];
        let Some(scopes) = list(of_resource, &known, "scopeLogs") else {
            records.push(whole(of_resource));
            continue;
        };
        let resource = &of_resource["resource"];
        for of_scope in scopes {
            let known = ["scope", "logRecords", "schemaUrl"];
            let Some(found) = list(of_scope, &known, "logRecords") else {
                records.push(whole(
                    &json!({ "resource": resource, "scopeLogs": of_scope }),
                ));
                continue;
            };
            for record in found {
                let document = json!({ "resource": resource, "logRecord": record });
                let bytes = document.to_string().into_bytes();
                records.push((labels_of(resource, record), bytes));
            }
        }
    }
    records
}

/// The list `name` of an object that has no members but the known ones.
fn list<'a>(of: &'a Value, known: &[&str], name: &str) -> Option<&'a [Value]> {
    let object = of.as_object()?;
    let is_known = object.keys().all(|key| known.contains(&key.as_str()));
    let list = object.get(name)?.as_array()?;
    is_known.then_some(list.as_slice())
}

/// What may name the source.
fn labels_of(resource: &Value, record: &Value) -> Vec<String> {
    said([
        attribute(record, SOURCE),
        attribute(resource, SOURCE),
        record["eventName"].as_str(),
        attribute(resource, SERVICE),
    ])
}

fn attribute<'a>(of: &'a Value, key: &str) -> Option<&'a str> {
    let mut attributes = of["attributes"].as_array()?.iter();
    let found = attributes.find(|attribute| attribute["key"] == key)?;
    found["value"]["stringValue"].as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(request: &Value) -> Vec<(Vec<String>, String)> {
        let request = serde_json::to_vec(request).unwrap();
        let records = super::records(&request).unwrap().into_iter();
        let row = |one: Shipped<'_>| {
            let bytes = match one.around {
                Some(around) => around.document(&one.bytes),
                None => one.bytes.into_owned(),
            };
            (one.labels, String::from_utf8(bytes).unwrap())
        };
        records.map(row).collect()
    }

    #[test]
    fn every_log_record_is_a_record_with_its_resource() {
        let request = json!({ "resourceLogs": [{
            "resource": { "attributes": [
                { "key": "service.name", "value": { "stringValue": "collector" } },
            ] },
            "scopeLogs": [{ "logRecords": [
                { "body": { "stringValue": "a" }, "eventName": "e" },
                { "attributes": [
                    { "key": "deedtrail.source", "value": { "stringValue": "okta.system" } },
                ] },
            ] }],
        }] });
        let found = read(&request);
        assert_eq!(found[0].0, ["e", "collector"]);
        assert_eq!(found[1].0, ["okta.system", "collector"]);
        for (_, record) in found {
            let record: Value = serde_json::from_str(&record).unwrap();
            assert_eq!(record["resource"], request["resourceLogs"][0]["resource"]);
        }
    }

    #[test]
    fn nothing_of_an_unusual_request_is_dropped() {
        for (request, kept) in [
            (
                json!({ "resourceLogs": [{ "instrumentationLibraryLogs": [{ "logRecords": ["lost"] }] }] }),
                1,
            ),
            (json!({ "resourceLogs": [{ "scope_logs": ["lost"] }] }), 1),
            (json!({ "resourceLogs": ["lost", { "x": 1 }] }), 2),
            (json!({ "resourceLogs": [], "extra": "lost" }), 1),
            (json!({ "resourceLogs": "lost" }), 1),
            (
                json!({ "resourceLogs": [{ "scopeLogs": [{ "logs": "lost" }] }] }),
                1,
            ),
            (
                json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": ["lost"], "x": 1 }] }] }),
                1,
            ),
            (
                json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": ["lost"] }] }] }),
                1,
            ),
        ] {
            let found = read(&request);
            assert_eq!(found.len(), kept, "{request}");
            assert!(
                found.iter().any(|(_, record)| record.contains("lost")),
                "{request}"
            );
        }
    }
}
