//! What the reference says of deliveries of records.

use super::SOURCE_PATH;
use crate::endpoint::{Answer, Body, Document};
use crate::refusal;

pub(super) const INGEST: Document = Document {
    summary: "Take a delivery of records in",
    detail: "Answers after everything in it is durable, with counts and signed receipts. \
             `records = accepted + duplicates + conflicts + quarantined`. Sending the same \
             delivery again stores nothing twice. `Content-Encoding`: gzip, zstd or none.",
    parameters: &[SOURCE_PATH],
    body: Some(Body {
        media_types: &["application/x-ndjson", "application/json"],
        schema: None,
    }),
    answer: Answer::Json("IngestAnswer"),
    refusals: &[
        refusal::UNREADABLE,
        (
            404,
            "No source of that name; the detail suggests the nearest.",
        ),
        refusal::SLOW,
        refusal::OVER_LIMIT,
        refusal::ENCODING,
        refusal::BUSY,
        refusal::LOG_CLOSED,
        refusal::DISK_FULL,
    ],
};

pub(super) const INGEST_UNLABELLED: Document = Document {
    summary: "Take a delivery of records in that nobody labelled",
    detail: "As with a source in the path, but each record tells its own: its form says which it \
             is, and `sources` in the answer how many were taken as which. Records that no form or \
             more than one fits wait in quarantine as of `unlabelled.record`.",
    parameters: &[],
    body: Some(Body {
        media_types: &["application/x-ndjson", "application/json"],
        schema: None,
    }),
    answer: Answer::Json("IngestAnswer"),
    refusals: &[
        refusal::UNREADABLE,
        refusal::SLOW,
        refusal::OVER_LIMIT,
        refusal::ENCODING,
        refusal::BUSY,
        refusal::LOG_CLOSED,
        refusal::DISK_FULL,
    ],
};
