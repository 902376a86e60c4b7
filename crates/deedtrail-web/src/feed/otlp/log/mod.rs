//! Log records, each with its resource; the body of one is the record where it is an object or the
//! text of one.

mod json;
mod message;

use deedtrail_app::intake::{IngestError, Shipped};
use deedtrail_core::port::mapper::Mapper;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;

use super::{Form, unreadable};
use crate::problem::Problem;

/// Under this name records wait of which no source can be told.
pub(super) const PROTOCOL: &str = "otel.log";
/// Attribute of a log record or a resource that names the source.
const SOURCE: &str = "deedtrail.source";
/// Attribute of a resource that names what wrote the logs.
const SERVICE: &str = "service.name";

pub(super) fn records<'a>(
    form: Form,
    mapper: &dyn Mapper,
    body: &'a [u8],
) -> Result<Vec<Shipped<'a>>, Problem> {
    let read = match form {
        Form::Protobuf => {
            let request = ExportLogsServiceRequest::decode(body).map_err(|e| unreadable(&e))?;
            Some(message::records(request).map_err(|_| Problem::internal())?)
        }
        Form::Json => json::records(body),
    };
    let Some(mut records) = read else {
        let pieces = mapper.pieces(body).map_err(IngestError::from)?;
        let records = pieces.into_iter();
        let records = records.map(|piece| Shipped::labelled(piece, Vec::new()));
        return Ok(records.collect());
    };
    for (record, line) in records.iter_mut().zip(1..) {
        record.line = line;
    }
    Ok(records)
}

/// The labels that are said, most telling first.
fn said(labels: [Option<&str>; 4]) -> Vec<String> {
    let said = labels
        .into_iter()
        .flatten()
        .filter(|label| !label.is_empty());
    said.map(str::to_owned).collect()
}

/// The text of a body that is the record as it is. White space around it belongs to the document.
fn is_line(text: &str) -> bool {
    !text.is_empty() && text.trim().len() == text.len()
}
