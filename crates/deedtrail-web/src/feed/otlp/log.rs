//! Log records: the body of one is the record, where it is an object or the text of one.

use std::borrow::Cow;

use deedtrail_app::intake::{IngestError, Shipped};
use deedtrail_core::port::mapper::{Framed, Mapper};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use serde_json::{Map, Value, json};

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
            let request = serde_json::to_value(&request).map_err(|_| Problem::internal())?;
            Ok(numbered(request_records(&request)))
        }
        Form::Json => match serde_json::from_slice::<Value>(body) {
            Ok(request) if request["resourceLogs"].is_array() => {
                Ok(numbered(request_records(&request)))
            }
            _ => {
                let pieces = mapper.pieces(body).map_err(IngestError::from)?;
                let records = pieces.into_iter().map(|Framed { line, bytes }| Shipped {
                    line,
                    labels: Vec::new(),
                    id: None,
                    bytes,
                });
                Ok(records.collect())
            }
        },
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

/// Labels and bytes of every log record.
fn request_records(request: &Value) -> Vec<(Vec<String>, Vec<u8>)> {
    let mut records = Vec::new();
    for of_resource in list(&request["resourceLogs"]) {
        let resource = &of_resource["resource"];
        for of_scope in list(&of_resource["scopeLogs"]) {
            for record in list(&of_scope["logRecords"]) {
                let bytes = content(&record["body"]).unwrap_or_else(|| {
                    let whole = json!({ "resource": resource, "logRecord": record });
                    whole.to_string().into_bytes()
                });
                records.push((labels(resource, record), bytes));
            }
        }
    }
    records
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
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
    let mut attributes = list(&of["attributes"]).iter();
    let found = attributes.find(|attribute| attribute["key"] == key)?;
    found["value"]["stringValue"].as_str()
}

/// The record in a body, if it holds one.
fn content(body: &Value) -> Option<Vec<u8>> {
    if let Some(text) = body["stringValue"].as_str() {
        let line = text.trim();
        let is_object = line.starts_with('{') && line.ends_with('}');
        return is_object.then(|| line.into());
    }
    let object = plain(body).filter(Value::is_object)?;
    Some(object.to_string().into_bytes())
}

/// An `AnyValue` as plain JSON; `None` where that would lose something.
fn plain(value: &Value) -> Option<Value> {
    let (kind, inner) = value.as_object()?.iter().next()?;
    match kind.as_str() {
        "stringValue" | "boolValue" | "doubleValue" | "bytesValue" => Some(inner.clone()),
        "intValue" => match inner {
            Value::String(text) => Some(text.parse::<i64>().ok()?.into()),
            number => Some(number.clone()),
        },
        "arrayValue" => list(&inner["values"]).iter().map(plain).collect(),
        "kvlistValue" => {
            let mut object = Map::new();
            for member in list(&inner["values"]) {
                let key = member["key"].as_str()?.to_owned();
                if object.insert(key, plain(&member["value"])?).is_some() {
                    return None;
                }
            }
            Some(object.into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(records: &Value) -> Vec<(Vec<String>, String)> {
        let request = json!({ "resourceLogs": [{
            "resource": { "attributes": [
                { "key": "service.name", "value": { "stringValue": "collector" } },
            ] },
            "scopeLogs": [{ "logRecords": records }],
        }] });
        request_records(&request)
            .into_iter()
            .map(|(labels, bytes)| (labels, String::from_utf8(bytes).unwrap()))
            .collect()
    }

    #[test]
    fn the_body_is_the_record() {
        let found = read(&json!([
            { "body": { "stringValue": " {\"a\": 1.50}\n" }, "eventName": "e" },
            { "body": { "kvlistValue": { "values": [
                { "key": "n", "value": { "intValue": "7" } },
                { "key": "l", "value": { "arrayValue": { "values": [{ "boolValue": true }] } } },
            ] } }, "attributes": [
                { "key": "deedtrail.source", "value": { "stringValue": "okta.system" } },
            ] },
        ]));
        let labels = |labels: &[&str]| labels.iter().map(ToString::to_string).collect::<Vec<_>>();
        let expected = [
            (labels(&["e", "collector"]), "{\"a\": 1.50}".to_owned()),
            (
                labels(&["okta.system", "collector"]),
                "{\"l\":[true],\"n\":7}".to_owned(),
            ),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_object_stays_a_log_record() {
        let twice = json!({ "key": "a", "value": { "intValue": "1" } });
        for body in [
            json!({ "stringValue": "plain words" }),
            json!({ "intValue": "7" }),
            json!({ "kvlistValue": { "values": [twice, twice] } }),
            json!({ "kvlistValue": { "values": [{ "key": "a", "value": {} }] } }),
            Value::Null,
        ] {
            let found = read(&json!([{ "body": body }]));
            let record: Value = serde_json::from_str(&found[0].1).unwrap();
            assert_eq!(record["logRecord"]["body"], body);
            assert!(record["resource"].is_object());
        }
    }
}
