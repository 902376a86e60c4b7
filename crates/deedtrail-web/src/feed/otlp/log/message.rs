//! Log records of a protobuf message.

use std::borrow::Cow;
use std::sync::Arc;

use deedtrail_app::intake::{Around, Shipped};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde::Serialize;

use super::{SERVICE, SOURCE, is_line, said};

/// A log record with its resource, as it is kept where nothing understands its body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    log_record: &'a LogRecord,
    resource: Option<&'a Resource>,
}

/// The records of a message, in order; their lines are not numbered yet.
pub(super) fn records(
    request: ExportLogsServiceRequest,
) -> serde_json::Result<Vec<Shipped<'static>>> {
    let mut records = Vec::new();
    for of_resource in request.resource_logs {
        let resource = Arc::new(of_resource.resource);
        let scopes = of_resource.scope_logs.into_iter();
        for log_record in scopes.flat_map(|scope| scope.log_records) {
            records.push(record(log_record, &resource)?);
        }
    }
    Ok(records)
}

fn record(
    mut log_record: LogRecord,
    resource: &Arc<Option<Resource>>,
) -> serde_json::Result<Shipped<'static>> {
    let labels = labels(&log_record, resource.as_ref().as_ref());
    let (bytes, around) = match log_record.body.take() {
        Some(AnyValue {
            value: Some(any_value::Value::StringValue(text)),
        }) if is_line(&text) => {
            let resource = Arc::clone(resource);
            let around = Around::new(move |text| document(log_record.clone(), text, &resource));
            (text.into_bytes(), Some(around))
        }
        body => {
            log_record.body = body;
            let document = Document {
                log_record: &log_record,
                resource: resource.as_ref().as_ref(),
            };
            (serde_json::to_vec(&document)?, None)
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

/// Puts the text of a body back.
fn document(mut log_record: LogRecord, text: &[u8], resource: &Option<Resource>) -> Vec<u8> {
    let body = String::from_utf8_lossy(text).into_owned();
    log_record.body = Some(AnyValue {
        value: Some(any_value::Value::StringValue(body)),
    });
    let document = Document {
        log_record: &log_record,
        resource: resource.as_ref(),
    };
    serde_json::to_vec(&document).unwrap_or_else(|_| text.to_vec())
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
