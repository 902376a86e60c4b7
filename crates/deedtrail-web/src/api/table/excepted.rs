//! What is said about exceptions to rules.

use axum::routing::{get, post};

use super::{LIMIT, PLAIN, READ, WRITE, parameter};
use crate::api::exceptions;
use crate::endpoint::{Answer, Body, Document, Endpoint, Shape};

const LIST: Document = Document {
    summary: "Exceptions to rules with what they held back, the newest first",
    detail: "Those that are over are listed too: `status` says so.",
    parameters: &[
        parameter("rule", "Only to this rule or code detector.", Shape::Text),
        parameter("cursor", "`next_cursor` of the page before.", Shape::Count),
        LIMIT,
    ],
    answer: Answer::Json("RuleExceptionList"),
    refusals: &[(404, "No rule is called so.")],
    ..PLAIN
};

const HELD: Document = Document {
    summary: "What an exception held back, the newest first",
    detail: "The newest 100 matches are kept, each with its identity, event, and what the finding would \
             have said; older ones are only counted.",
    parameters: &[parameter(
        "number",
        "Number of the exception.",
        Shape::Count,
    )],
    answer: Answer::Json("HeldBackList"),
    refusals: &[(404, "No exception has that number.")],
    ..PLAIN
};

const MAKE: Document = Document {
    summary: "Except from a rule what somebody answers for, until a day",
    detail: "In force from the next event on: a match that it covers is counted and is no finding. \
             Of conditions on one field any must hold, and each field's must; none covers every match.",
    body: Some(Body {
        media_types: &["application/json"],
        schema: Some("RuleExceptionDraft"),
    }),
    answer: Answer::Json("RuleExceptionMade"),
    refusals: &[
        (404, "No rule is called so."),
        (
            409,
            "An exception that says the same is in force, or too many are.",
        ),
        (
            422,
            "A condition, owner, reason or day cannot be taken; the detail says which and why.",
        ),
    ],
    ..PLAIN
};

const END: Document = Document {
    summary: "End an exception before its day",
    detail: "From the next event on the rule tells everything again.",
    parameters: &[parameter(
        "number",
        "Number of the exception.",
        Shape::Count,
    )],
    answer: Answer::Json("RuleExceptionEnded"),
    refusals: &[
        (404, "No exception has that number."),
        (409, "It has no effect any more."),
    ],
    ..PLAIN
};

/// Endpoints about exceptions to rules.
pub(in crate::api) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        path: "/v1/rule-exceptions",
        route: || get(exceptions::list),
        document: Some(LIST),
        ..READ
    },
    Endpoint {
        path: "/v1/rule-exceptions/{number}/held-back",
        route: || get(exceptions::held),
        document: Some(HELD),
        ..READ
    },
    Endpoint {
        path: "/v1/rule-exceptions",
        route: || post(exceptions::make),
        document: Some(MAKE),
        ..WRITE
    },
    Endpoint {
        path: "/v1/rule-exceptions/{number}/end",
        route: || post(exceptions::end),
        document: Some(END),
        ..WRITE
    },
];
