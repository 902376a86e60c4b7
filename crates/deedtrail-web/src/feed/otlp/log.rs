//! Log records, each with its resource; the body of one is the record where it is an object or the
//! text of one.

use std::borrow::Cow;

use deedtrail_app::intake::{IngestError, Shipped};
use deedtrail_core::port::mapper::Mapper;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Form, unreadable};
use crate::problem::Problem;

/// Under this name records wait of which no source can be told.
pub(super) const PROTOCOL: &str = "otel.log";
/// Attribute of a log record or a resource that names the source.
const SOURCE: &str = "deedtrail.source";

pub(super) fn records<'a>(
    form: Form,
    mapper: &dyn Mapper,
    body: &'a [u8],
) -> Result<Vec<Shipped<'a>>, Problem> {
    match form {
        Form::Protobuf => {
            let request = ExportLogsServiceRequest::decode(body).map_err(|e| unreadable(&e))?;
            let records = message_records(&request).map_err(|_| Problem::internal())?;
            Ok(numbered(records))
        }
        Form::Json => match serde_json::from_slice::<Value>(body) {
            Ok(request) if request.is_object() => Ok(numbered(request_records(&request))),
            _ => {
                let pieces = mapper.pieces(body).map_err(IngestError::from)?;
                let records = pieces.into_iter();
                let records = records.map(|piece| Shipped::labelled(piece, Vec::new()));
                Ok(records.collect())
            }
        },
    }
}

/// A log record with its resource, as it is kept where nothing understands its body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    log_record: &'a LogRecord,
    resource: Option<&'a Resource>,
}

/// Labels and bytes of every log record of a message.
fn message_records(
    request: &ExportLogsServiceRequest,
) -> serde_json::Result<Vec<(Vec<String>, Vec<u8>)>> {
    let mut records = Vec::new();
    for of_resource in &request.resource_logs {
        let resource = of_resource.resource.as_ref();
        let scopes = of_resource.scope_logs.iter();
        for log_record in scopes.flat_map(|scope| &scope.log_records) {
            let document = Document {
                log_record,
                resource,
            };
            let bytes = serde_json::to_vec(&document)?;
            records.push((message_labels(log_record, resource), bytes));
        }
    }
    Ok(records)
}

/// As [`labels`], of a message.
fn message_labels(record: &LogRecord, resource: Option<&Resource>) -> Vec<String> {
    let of_resource = resource.map_or(&[][..], |resource| &resource.attributes);
    let said = [
        text(&record.attributes, SOURCE),
        text(of_resource, SOURCE),
        Some(record.event_name.as_str()),
        text(of_resource, "service.name"),
    ];
    let said = said.into_iter().flatten().filter(|label| !label.is_empty());
    said.map(str::to_owned).collect()
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn numbered(records: Vec<(Vec<String>, Vec<u8>)>) -> Vec<Shipped<'static>> {
    let records = records
        .into_iter()
        .zip(1..)
        .map(|((labels, bytes), line)| Shipped {
            line,
            labels,
            id: None,
            bytes: Cow::Owned(bytes),
        });
    records.collect()
}

/// Labels and bytes of every log record. What is not as the protocol has it comes out whole, for
/// quarantine.
fn request_records(request: &Value) -> Vec<(Vec<String>, Vec<u8>)> {
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
                records.push((labels(resource, record), bytes));
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

/// What may name the source, most telling first.
fn labels(resource: &Value, record: &Value) -> Vec<String> {
    let said = [
        attribute(record, SOURCE),
        attribute(resource, SOURCE),
        record["eventName"].as_str(),
        attribute(resource, "service.name"),
    ];
    let said = said.into_iter().flatten().filter(|label| !label.is_empty());
    said.map(str::to_owned).collect()
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
        request_records(request)
            .into_iter()
            .map(|(labels, bytes)| (labels, String::from_utf8(bytes).unwrap()))
            .collect()
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
