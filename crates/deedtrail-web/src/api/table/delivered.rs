//! What the reference says of deliveries of records.

use super::{PLAIN, SOURCE_PATH, parameter};
use crate::endpoint::{Answer, Body, Document, Shape};
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

pub(super) const SAAS_READINESS: Document = Document {
    summary: "What the logs of a SaaS would tell, before it is adopted",
    detail: "Which of its logs are understood, the facts they do not tell by kind of telemetry, what the \
             vendor asks for them, and a verdict. Nothing is asked of the vendor.",
    parameters: &[parameter(
        "name",
        "Name of the vendor or product, e.g. `slack`.",
        Shape::Text,
    )],
    answer: Answer::Json("SaasReadiness"),
    ..PLAIN
};
