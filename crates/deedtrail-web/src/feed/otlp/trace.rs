//! Spans: the spans of one resource in a request are one record, in OTLP's JSON.

use std::borrow::Cow;

use deedtrail_app::intake::{IngestError, Shipped};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Encoding, Mapper};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;

use super::{Form, unreadable};
use crate::problem::Problem;

/// Under this name records wait of which no source can be told; it is also the source that knows
/// how a request is cut.
pub(super) const PROTOCOL: &str = "otel.span";

pub(super) fn records<'a>(
    form: Form,
    mapper: &dyn Mapper,
    body: &'a [u8],
) -> Result<Vec<Shipped<'a>>, Problem> {
    match form {
        Form::Json => Ok(cut(mapper, body)?.collect()),
        Form::Protobuf => {
            let request = ExportTraceServiceRequest::decode(body).map_err(|e| unreadable(&e))?;
            let json = serde_json::to_vec(&request).map_err(|_| Problem::internal())?;
            let owned = cut(mapper, &json)?.map(|record| Shipped {
                line: record.line,
                labels: record.labels,
                id: None,
                bytes: Cow::Owned(record.bytes.into_owned()),
                around: None,
            });
            Ok(owned.collect())
        }
    }
}

fn cut<'a>(
    mapper: &dyn Mapper,
    body: &'a [u8],
) -> Result<impl Iterator<Item = Shipped<'a>>, Problem> {
    let source = SourceName::new(PROTOCOL).map_err(|_| Problem::internal())?;
    let framed = mapper
        .frame(&source, Encoding::Identity, body)
        .map_err(IngestError::from)?;
    let records = framed.into_iter();
    Ok(records.map(|piece| Shipped::labelled(piece, Vec::new())))
}
