//! Log records of a protobuf message.

use std::borrow::Cow;
use std::sync::Arc;

use deedtrail_app::intake::{Around, Shipped};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde::Serialize;

use super::{SERVICE, SOURCE, is_line, said};

/// A log record with its resource and scope, as it is kept where nothing understands its body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    log_record: &'a LogRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a Resource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a InstrumentationScope>,
}

/// What log records stand in.
#[derive(Default)]
struct Place {
    resource: Option<Resource>,
    scope: Option<InstrumentationScope>,
}

/// The records of a message, in order; their lines are not numbered yet.
pub(super) fn records(
    request: ExportLogsServiceRequest,
) -> serde_json::Result<Vec<Shipped<'static>>> {
    let mut records = Vec::new();
    for of_resource in request.resource_logs {
        for of_scope in of_resource.scope_logs {
            let place = Arc::new(Place {
                resource: of_resource.resource.clone(),
                scope: of_scope.scope,
            });
            for log_record in of_scope.log_records {
                records.push(record(log_record, &place)?);
            }
        }
    }
    Ok(records)
}

fn record(mut log_record: LogRecord, place: &Arc<Place>) -> serde_json::Result<Shipped<'static>> {
    let labels = labels(&log_record, place.resource.as_ref());
    let (bytes, around) = match log_record.body.take() {
        Some(AnyValue {
            value: Some(any_value::Value::StringValue(text)),
        }) if is_line(&text) => {
            let place = Arc::clone(place);
            let around = Around::new(move |text| with_body(log_record.clone(), text, &place));
            (text.into_bytes(), Some(around))
        }
        body => {
            log_record.body = body;
            (document(&log_record, place)?, None)
        }
    };
    Ok(Shipped {
        line: 0,
        labels,
        id: None,
        bytes: Cow::Owned(bytes),
        around,
    })
}

fn document(log_record: &LogRecord, place: &Place) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Document {
        log_record,
        resource: place.resource.as_ref(),
        scope: place.scope.as_ref(),
    })
}

/// Puts the text of a body back.
fn with_body(mut log_record: LogRecord, text: &[u8], place: &Place) -> Vec<u8> {
    let body = String::from_utf8_lossy(text).into_owned();
    log_record.body = Some(AnyValue {
        value: Some(any_value::Value::StringValue(body)),
    });
    document(&log_record, place).unwrap_or_else(|_| text.to_vec())
}

fn labels(record: &LogRecord, resource: Option<&Resource>) -> Vec<String> {
    let of_resource = resource.map_or(&[][..], |resource| &resource.attributes);
    said([
        text(&record.attributes, SOURCE),
        text(of_resource, SOURCE),
        Some(record.event_name.as_str()),
        text(of_resource, SERVICE),
    ])
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text),
        _ => None,
    }
}
