//! What is said about learned behaviour and baselines, and where it is asked for.

use axum::routing::{get, post};

use super::{FINDING_PATH, FROM, PLAIN, READ, TO, WHO_PATH, WRITE, parameter};
use crate::api::behaviour;
use crate::endpoint::{Answer, Body, Document, Endpoint, Parameter, Shape};

const NOBODY: (u16, &str) = (404, "Nobody is called so.");
const NO_VERSION: (u16, &str) = (404, "Nobody is called so, or no such version.");

const VERSION_PATH: Parameter = parameter("version", "Number of the baseline.", Shape::Count);

const OVERVIEW: Document = Document {
    summary: "Learned behaviour: sources that can be judged, who drifts, what budgets let through",
    answer: Answer::Json("BehaviourOverview"),
    ..PLAIN
};

const STANDINGS: Document = Document {
    summary: "How identities stand: how much they do, and how dangerous that is",
    detail: "The 200 active last and those with high findings, the most dangerous first.",
    answer: Answer::Json("Standings"),
    ..PLAIN
};

const STANDING: Document = Document {
    summary: "How one identity stands, with reasons",
    parameters: &[WHO_PATH],
    answer: Answer::Json("Standing"),
    refusals: &[NOBODY],
    ..PLAIN
};

const BASELINES: Document = Document {
    summary: "Approved baselines of an identity, the newest first",
    parameters: &[WHO_PATH],
    answer: Answer::Json("BaselineList"),
    refusals: &[NOBODY],
    ..PLAIN
};

const LEARN: Document = Document {
    summary: "What an identity usually does, read from its events",
    detail: "Nothing is kept. Without a time the 28 days up to its last event.",
    parameters: &[WHO_PATH, FROM, TO],
    answer: Answer::Json("Baseline"),
    refusals: &[NOBODY],
    ..PLAIN
};

const APPROVE: Document = Document {
    summary: "Approve what an identity does as its next baseline",
    detail: "An entry of the log. Without a time the 28 days up to its last event.",
    parameters: &[WHO_PATH],
    body: Some(Body {
        media_types: &["application/json"],
        schema: Some("BaselineWindow"),
    }),
    answer: Answer::Json("BaselineApproved"),
    refusals: &[
        NOBODY,
        (
            409,
            "Open findings rest on what would be approved, and `accept_open_findings` is not set.",
        ),
        (422, "It did nothing in that time."),
    ],
};

const BASELINE: Document = Document {
    summary: "One approved baseline",
    parameters: &[WHO_PATH, VERSION_PATH],
    answer: Answer::Json("BaselineRecord"),
    refusals: &[NO_VERSION],
    ..PLAIN
};

const WITHDRAW: Document = Document {
    summary: "Withdraw an approved baseline",
    detail: "An entry of the log. Nothing is compared with it any more; it stays in the list.",
    parameters: &[WHO_PATH, VERSION_PATH],
    body: Some(Body {
        media_types: &["application/json"],
        schema: Some("BaselineReason"),
    }),
    answer: Answer::Json("BaselineWithdrawn"),
    refusals: &[
        NO_VERSION,
        (409, "It was withdrawn already."),
        (422, "There is no reason, or a very long one."),
    ],
};

const DIFF: Document = Document {
    summary: "What changed since a baseline, or from one to another",
    parameters: &[
        WHO_PATH,
        parameter("from", "The older version.", Shape::Count),
        parameter(
            "to",
            "The newer version; without it, what was done since the older one.",
            Shape::Count,
        ),
    ],
    answer: Answer::Json("BaselineChanges"),
    refusals: &[NO_VERSION],
    ..PLAIN
};

const EXPLANATION: Document = Document {
    summary: "Why a finding was raised, against what it was judged, what an answer changes",
    parameters: &[FINDING_PATH],
    answer: Answer::Json("Explanation"),
    refusals: &[(404, "There is no such finding.")],
    ..PLAIN
};

/// Endpoints about behaviour.
pub(in crate::api) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        path: "/v1/behaviour",
        route: || get(behaviour::overview),
        document: Some(OVERVIEW),
        ..READ
    },
    Endpoint {
        path: "/v1/standings",
        route: || get(behaviour::standings),
        document: Some(STANDINGS),
        ..READ
    },
    Endpoint {
        path: "/v1/findings/{id}/explanation",
        route: || get(behaviour::explanation),
        document: Some(EXPLANATION),
        ..READ
    },
    Endpoint {
        path: "/v1/identities/{id}/standing",
        route: || get(behaviour::standing),
        document: Some(STANDING),
        ..READ
    },
    Endpoint {
        path: "/v1/identities/{id}/baseline",
        route: || get(behaviour::learn),
        document: Some(LEARN),
        ..READ
    },
    Endpoint {
        path: "/v1/identities/{id}/baselines",
        route: || get(behaviour::baselines),
        document: Some(BASELINES),
        ..READ
    },
    Endpoint {
        path: "/v1/identities/{id}/baselines",
        route: || post(behaviour::approve),
        document: Some(APPROVE),
        ..WRITE
    },
    Endpoint {
        path: "/v1/identities/{id}/baselines/{version}",
        route: || get(behaviour::baseline),
        document: Some(BASELINE),
        ..READ
    },
    Endpoint {
        path: "/v1/identities/{id}/baselines/{version}/withdraw",
        route: || post(behaviour::withdraw),
        document: Some(WITHDRAW),
        ..WRITE
    },
    Endpoint {
        path: "/v1/identities/{id}/baselines/diff",
        route: || get(behaviour::diff),
        document: Some(DIFF),
        ..READ
    },
];
