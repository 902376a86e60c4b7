//! What is said about charters.

use axum::routing::{get, post};

use super::{PLAIN, READ, WRITE, parameter};
use crate::api::charters;
use crate::endpoint::{Answer, Body, Document, Endpoint, Parameter, Shape};

const NAME_PATH: Parameter = parameter("name", "Name of the charter.", Shape::Text);
const UNKNOWN: (u16, &str) = (404, "No charter of that name, or no such version of it.");
const MISTAKE: (u16, &str) = (
    422,
    "The text is no charter; the detail says line, column and what was probably meant.",
);
const NO_DRAFT: (u16, &str) = (
    409,
    "The version is not, or no longer, one to decide about.",
);

const fn json(schema: &'static str) -> Body {
    Body {
        media_types: &["application/json"],
        schema: Some(schema),
    }
}

const LIST: Document = Document {
    summary: "Charters: the newest version of each and the one in force",
    answer: Answer::Json("CharterList"),
    ..PLAIN
};

const ONE: Document = Document {
    summary: "Every version of a charter, the newest first",
    parameters: &[NAME_PATH],
    answer: Answer::Json("CharterVersions"),
    refusals: &[UNKNOWN],
    ..PLAIN
};

const DIFF: Document = Document {
    summary: "What two versions of a charter differ in",
    parameters: &[
        NAME_PATH,
        parameter("from", "The older version.", Shape::Count),
        parameter("to", "The newer version.", Shape::Count),
    ],
    answer: Answer::Json("CharterDifferences"),
    refusals: &[(400, "A version is missing or no number."), UNKNOWN],
    ..PLAIN
};

const PROPOSE: Document = Document {
    summary: "Propose a version of a charter",
    detail: "It binds nobody before it is approved. The same text again is no new version.",
    body: Some(json("CharterDraft")),
    answer: Answer::Json("CharterProposed"),
    refusals: &[MISTAKE],
    ..PLAIN
};

const APPROVE: Document = Document {
    summary: "Put a draft of a charter in force",
    detail: "From the next event on, in place of the version that was. Without a version the newest.",
    parameters: &[NAME_PATH],
    body: Some(json("CharterChoice")),
    answer: Answer::Json("CharterDecided"),
    refusals: &[UNKNOWN, NO_DRAFT],
};

const RETIRE: Document = Document {
    summary: "Take a charter out of force, or withdraw a draft",
    detail: "Without a version the one in force.",
    parameters: &[NAME_PATH],
    body: Some(json("CharterChoice")),
    answer: Answer::Json("CharterDecided"),
    refusals: &[UNKNOWN, NO_DRAFT],
};

const LEARN: Document = Document {
    summary: "Propose a charter from what an identity did, without keeping it",
    detail: "The newest 200,000 events are looked at; what was rare is left out and stands in comments.",
    body: Some(json("CharterLearn")),
    answer: Answer::Json("CharterLearned"),
    refusals: &[(404, "Nobody is called so.")],
    ..PLAIN
};

const CHECK: Document = Document {
    summary: "Run a charter over what those did whom it binds",
    detail: "Nothing is kept. The newest 200,000 events are looked at.",
    body: Some(json("CharterCheck")),
    answer: Answer::Json("CharterChecked"),
    refusals: &[MISTAKE],
    ..PLAIN
};

/// Endpoints about charters.
pub(in crate::api) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        path: "/v1/charters",
        route: || get(charters::list),
        document: Some(LIST),
        ..READ
    },
    Endpoint {
        path: "/v1/charters",
        route: || post(charters::propose),
        document: Some(PROPOSE),
        ..WRITE
    },
    Endpoint {
        path: "/v1/charters/{name}",
        route: || get(charters::one),
        document: Some(ONE),
        ..READ
    },
    Endpoint {
        path: "/v1/charters/{name}/diff",
        route: || get(charters::diff),
        document: Some(DIFF),
        ..READ
    },
    Endpoint {
        path: "/v1/charters/{name}/approve",
        route: || post(charters::approve),
        document: Some(APPROVE),
        ..WRITE
    },
    Endpoint {
        path: "/v1/charters/{name}/retire",
        route: || post(charters::retire),
        document: Some(RETIRE),
        ..WRITE
    },
    Endpoint {
        method: "POST",
        path: "/v1/charter-proposals",
        route: || post(charters::learn),
        document: Some(LEARN),
        ..READ
    },
    Endpoint {
        method: "POST",
        path: "/v1/charter-checks",
        route: || post(charters::check),
        document: Some(CHECK),
        ..READ
    },
];
