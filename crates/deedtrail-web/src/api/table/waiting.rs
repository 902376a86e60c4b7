//! What is said about quarantine.

use super::{EVENT_SOURCE, LIMIT, PLAIN, SOURCE_PATH, parameter};
use crate::endpoint::{Answer, Body, Document, Parameter, Shape};

pub(super) const OF_SOURCE: Document = Document {
    summary: "Records of a source that wait in quarantine, newest first",
    parameters: &[SOURCE_PATH, LIMIT],
    answer: Answer::Json("QuarantineList"),
    refusals: &[(
        404,
        "No source of that name; the detail suggests the nearest.",
    )],
    ..PLAIN
};

pub(super) const RECORD: Document = Document {
    summary: "A record in quarantine, as it came in, secrets masked",
    parameters: &[
        SOURCE_PATH,
        Parameter {
            name: "sequence",
            meaning: "Number of the entry in the log.",
            shape: Shape::Count,
        },
    ],
    answer: Answer::Text("The record's bytes."),
    refusals: &[(
        404,
        "No such source, or no record of that number is in its quarantine.",
    )],
    ..PLAIN
};

pub(super) const ALL: Document = Document {
    summary: "Records in quarantine over all sources, newest first, and how many for which reason",
    parameters: &[
        EVENT_SOURCE,
        parameter(
            "code",
            "Only for this reason, e.g. `not_json`.",
            Shape::Text,
        ),
        parameter(
            "dismissed",
            "Those that somebody dismissed, instead of those that wait.",
            Shape::Flag,
        ),
        LIMIT,
    ],
    answer: Answer::Json("QuarantineOverview"),
    refusals: &[(400, "A parameter is not understood.")],
    ..PLAIN
};

pub(super) const REPLAY: Document = Document {
    summary: "Read waiting records once more, with the mappings of now",
    detail: "`tried = released + waiting`. Without source and code: everything that waits.",
    body: Some(Body {
        media_types: &["application/json"],
        schema: Some("QuarantineChoice"),
    }),
    answer: Answer::Json("ReplayAnswer"),
    refusals: &[
        (
            404,
            "No source of that name; the detail suggests the nearest.",
        ),
        (422, "The body is not understood."),
    ],
    ..PLAIN
};

pub(super) const DISMISS: Document = Document {
    summary: "Take waiting records out of the counts, with a reason",
    detail: "The decision is an entry of the evidence log, with who and why; the records stay \
             evidence and can be restored.",
    body: Some(Body {
        media_types: &["application/json"],
        schema: Some("QuarantineDismissal"),
    }),
    answer: Answer::Json("QuarantineDecided"),
    refusals: &[(422, "The body is not understood, or gives no reason.")],
    ..PLAIN
};

pub(super) const RESTORE: Document = Document {
    summary: "Let dismissed records wait again",
    body: Some(Body {
        media_types: &["application/json"],
        schema: Some("QuarantineChoice"),
    }),
    answer: Answer::Json("QuarantineDecided"),
    refusals: &[(422, "The body is not understood.")],
    ..PLAIN
};
