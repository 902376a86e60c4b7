//! What is said about the witness.

use axum::routing::{get, post};

use super::{PLAIN, READ, parameter};
use crate::api::witness;
use crate::endpoint::{Answer, Body, Document, Endpoint, Needs, Shape};

const ADD_CHECKPOINT: Document = Document {
    summary: "Have a checkpoint of another log cosigned",
    detail: "`add-checkpoint` of c2sp.org/tlog-witness; its submission prefix ends before \
             `/add-checkpoint`. For logs that `[witness.logs]` names. A checkpoint that does not \
             continue the one cosigned last is refused.",
    body: Some(Body {
        media_types: &["text/plain"],
        schema: None,
    }),
    answer: Answer::Text("text/plain"),
    refusals: &[
        (
            400,
            "The request is malformed, or the old size exceeds the checkpoint's.",
        ),
        (403, "The checkpoint is not signed by the log's key."),
        (404, "The log is not witnessed here."),
        (
            409,
            "Another size was cosigned last: the body is that size (`text/x.tlog.size`).",
        ),
        (422, "The proof does not hold: it is another history."),
        (
            429,
            "Too many came within a minute: more than 120 from one address (of IPv6: one network \
             of 64 bits), or 600 in all. `Retry-After` says when to ask again.",
        ),
    ],
    ..PLAIN
};

const CHECKPOINT: Document = Document {
    summary: "Newest checkpoint of another log that was cosigned here",
    detail: "With the log's signature and this witness's. The monitoring prefix of \
             c2sp.org/tlog-witness ends before the hash.",
    parameters: &[parameter(
        "origin_hash",
        "SHA-256 of the log's origin, lower-case hex.",
        Shape::Text,
    )],
    answer: Answer::Text("text/plain"),
    refusals: &[(404, "None of such a log was cosigned here.")],
    ..PLAIN
};

pub(in crate::api) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: "POST",
        path: "/v1/witness/add-checkpoint",
        needs: Needs::Nothing,
        route: || post(witness::add_checkpoint),
        document: Some(ADD_CHECKPOINT),
        ..READ
    },
    Endpoint {
        path: "/v1/witness/{origin_hash}/checkpoint",
        needs: Needs::Nothing,
        route: || get(witness::checkpoint),
        document: Some(CHECKPOINT),
        ..READ
    },
];
