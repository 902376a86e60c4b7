//! The endpoints of the API: what each needs, what it says in the reference.

pub(super) mod behaviour;
pub(super) mod declared;
mod delivered;
mod entitled;
pub(super) mod excepted;
mod risk;
pub(super) mod ruled;
mod session;
mod waiting;
pub(super) mod witness;

use axum::routing::{get, patch, post};
use deedtrail_core::action::ACTIONS;
use deedtrail_core::port::store::Scope;

use super::{
    entitlements, events, evidence, findings, health, identities, ingest, insider_risk, metrics,
    quarantine, sessions, sources, today,
};
use crate::endpoint::{Answer, Body, Document, Endpoint, Face, Needs, Parameter, Shape};

const fn parameter(name: &'static str, meaning: &'static str, shape: Shape) -> Parameter {
    Parameter {
        name,
        meaning,
        shape,
    }
}

const LIMIT: Parameter = parameter(
    "limit",
    "Most rows to answer with: 100 unless told, at most 1000.",
    Shape::Count,
);
const SOURCE_PATH: Parameter = parameter(
    "source",
    "Name of the source, e.g. `aws.cloudtrail`.",
    Shape::Text,
);
const WHO_PATH: Parameter = parameter(
    "id",
    "Id of the identity, or an e-mail, ARN, login or name that means one identity.",
    Shape::Text,
);
const FROM: Parameter = parameter("from", "Events at or after.", Shape::Time);
const TO: Parameter = parameter("to", "Events before.", Shape::Time);
const EVENT_SOURCE: Parameter = parameter("source", "Only of this source.", Shape::Text);
const EVENT_ACTION: Parameter =
    parameter("action", "Only this action.", Shape::OneOf(action_names));
const EVENT_TEXT: Parameter = parameter(
    "text",
    "Part of operation, actor, target or address.",
    Shape::Text,
);
const CURSOR: Parameter = parameter("cursor", "`next_cursor` of the page before.", Shape::Text);
const FINDING_PATH: Parameter = parameter("id", "Id of the finding.", Shape::Id);

fn action_names() -> Vec<&'static str> {
    ACTIONS.iter().map(|facts| facts.name).collect()
}

const PLAIN: Document = Document {
    summary: "",
    detail: "",
    parameters: &[],
    body: None,
    answer: Answer::Text("text/plain"),
    refusals: &[],
};

const EVENTS: Document = Document {
    summary: "List events, newest first",
    parameters: &[
        parameter(
            "identity",
            "Only of this identity (as actor, on whose behalf, or target): id, e-mail, ARN …",
            Shape::Text,
        ),
        EVENT_SOURCE,
        EVENT_ACTION,
        FROM,
        TO,
        EVENT_TEXT,
        CURSOR,
        LIMIT,
    ],
    answer: Answer::Json("EventList"),
    refusals: &[
        (400, "A parameter is not understood."),
        (404, "No such identity."),
    ],
    ..PLAIN
};

const EVENT: Document = Document {
    summary: "One event",
    detail: "With `raw`, also the record as received, its secrets masked, and the proof that it is \
             in the evidence log. With `provenance`, for every filled field where it comes from: the \
             path in the record, the field it is made from, the mapping, or the receipt.",
    parameters: &[
        parameter("uid", "Id of the event.", Shape::Id),
        parameter("raw", "Also the raw record and its proof.", Shape::Flag),
        parameter(
            "secrets",
            "`reveal` shows the secrets of the raw record; for administrators, and recorded.",
            Shape::Text,
        ),
        parameter(
            "provenance",
            "Also where each field comes from.",
            Shape::Flag,
        ),
    ],
    answer: Answer::Json("EventAnswer"),
    refusals: &[(404, "No such event.")],
    ..PLAIN
};

const IDENTITIES: Document = Document {
    summary: "List identities, latest seen first",
    parameters: &[
        parameter(
            "kind",
            "Only of this kind.",
            Shape::OneOf(identities::actor_kinds),
        ),
        parameter("text", "Part of name, alias or owner.", Shape::Text),
        parameter("unowned", "Only those without an owner.", Shape::Flag),
        parameter("offset", "Skip this many.", Shape::Count),
        LIMIT,
    ],
    answer: Answer::Json("IdentityList"),
    refusals: &[(400, "A parameter is not understood.")],
    ..PLAIN
};

const IDENTITY: Document = Document {
    summary: "One identity with aliases and credentials",
    parameters: &[WHO_PATH],
    answer: Answer::Json("IdentityAnswer"),
    refusals: &[
        (404, "Nobody is called that."),
        (409, "Several are called that."),
    ],
    ..PLAIN
};

const TIMELINE: Document = Document {
    summary: "Events of one identity, newest first",
    parameters: &[
        WHO_PATH,
        EVENT_SOURCE,
        EVENT_ACTION,
        FROM,
        TO,
        EVENT_TEXT,
        CURSOR,
        LIMIT,
    ],
    answer: Answer::Json("EventList"),
    refusals: IDENTITY.refusals,
    ..PLAIN
};

const FINDINGS: Document = Document {
    summary: "List findings, newest activity first",
    detail: "`updated_since` makes it a change feed: ask again with the newest `updated` seen.",
    parameters: &[
        parameter(
            "severity",
            "At least this severe.",
            Shape::OneOf(findings::severities),
        ),
        parameter(
            "status",
            "Only in this state.",
            Shape::OneOf(findings::statuses),
        ),
        parameter(
            "kind",
            "Only of this type, e.g. `dormant_reactivation`.",
            Shape::Text,
        ),
        parameter(
            "identity",
            "Only of this identity: id, e-mail, ARN …",
            Shape::Text,
        ),
        parameter("text", "Part of the title.", Shape::Text),
        parameter("updated_since", "Changed at or after.", Shape::Time),
        LIMIT,
    ],
    answer: Answer::Json("FindingList"),
    refusals: &[
        (400, "A parameter is not understood."),
        (404, "No such identity."),
    ],
    ..PLAIN
};

const FINDING: Document = Document {
    summary: "One finding",
    parameters: &[FINDING_PATH],
    answer: Answer::Json("Finding"),
    refusals: &[(404, "No such finding.")],
    ..PLAIN
};

const DECIDE: Document = Document {
    summary: "Set status, disposition and note of a finding",
    detail: "The decision is an entry of the evidence log; it survives replay and rebuild.",
    parameters: &[FINDING_PATH],
    body: Some(Body {
        media_types: &["application/json"],
        schema: Some("Decision"),
    }),
    answer: Answer::Json("Finding"),
    refusals: &[
        (404, "No such finding."),
        (422, "Status, disposition or note is not allowed."),
    ],
};

const SOURCES: Document = Document {
    summary: "List sources and their health",
    answer: Answer::Json("SourceList"),
    ..PLAIN
};

const COVERAGE: Document = Document {
    summary: "Which planes of which system are seen",
    answer: Answer::Json("Coverage"),
    ..PLAIN
};

const CHECKPOINTS: Document = Document {
    summary: "Newest signed checkpoint of the evidence log, and the key to verify it with",
    answer: Answer::Json("CheckpointAnswer"),
    ..PLAIN
};

const METRICS: Document = Document {
    summary: "Figures for Prometheus",
    answer: Answer::Text("text/plain; version=0.0.4"),
    ..PLAIN
};

const HEALTHZ: Document = Document {
    summary: "Is the process alive?",
    answer: Answer::Json("Health"),
    ..PLAIN
};

const READYZ: Document = Document {
    summary: "Is the log healthy and the pipeline close behind it?",
    answer: Answer::Json("Readiness"),
    refusals: &[(503, "Not ready; the detail says why.")],
    ..PLAIN
};

const OPENAPI: Document = Document {
    summary: "This API as an OpenAPI 3.1 document",
    answer: Answer::Json("OpenApi"),
    ..PLAIN
};

const READ: Endpoint = Endpoint {
    method: "GET",
    path: "",
    needs: Needs::Scope(Scope::Read),
    face: Face::Api,
    route: || get(health::alive),
    document: None,
};

const WRITE: Endpoint = Endpoint {
    method: "POST",
    needs: Needs::Scope(Scope::Write),
    ..READ
};

/// Every endpoint of the API but those that are declared with what is said about them.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: "POST",
        path: "/v1/ingest/{source}",
        needs: Needs::Scope(Scope::Ingest),
        route: ingest::route,
        document: Some(delivered::INGEST),
        ..READ
    },
    Endpoint {
        method: "POST",
        path: "/v1/ingest",
        needs: Needs::Scope(Scope::Ingest),
        route: ingest::unlabelled_route,
        document: Some(delivered::INGEST_UNLABELLED),
        ..READ
    },
    Endpoint {
        path: "/v1/events",
        route: || get(events::list),
        document: Some(EVENTS),
        ..READ
    },
    Endpoint {
        path: "/v1/events/{uid}",
        route: || get(events::one),
        document: Some(EVENT),
        ..READ
    },
    Endpoint {
        path: "/v1/identities",
        route: || get(identities::list),
        document: Some(IDENTITIES),
        ..READ
    },
    Endpoint {
        path: "/v1/identities/{id}",
        route: || get(identities::one),
        document: Some(IDENTITY),
        ..READ
    },
    Endpoint {
        path: "/v1/identities/{id}/timeline",
        route: || get(identities::timeline),
        document: Some(TIMELINE),
        ..READ
    },
    Endpoint {
        path: "/v1/identities/{id}/entitlements",
        route: || get(entitlements::of_identity),
        document: Some(entitled::OF_IDENTITY),
        ..READ
    },
    Endpoint {
        path: "/v1/entitlements/import",
        route: entitlements::route,
        document: Some(entitled::IMPORT),
        ..WRITE
    },
    Endpoint {
        path: "/v1/findings",
        route: || get(findings::list),
        document: Some(FINDINGS),
        ..READ
    },
    Endpoint {
        path: "/v1/findings/{id}",
        route: || get(findings::one),
        document: Some(FINDING),
        ..READ
    },
    Endpoint {
        method: "PATCH",
        path: "/v1/findings/{id}",
        needs: Needs::Scope(Scope::Write),
        route: || patch(findings::decide),
        document: Some(DECIDE),
        ..READ
    },
    Endpoint {
        path: "/v1/sessions",
        route: || get(sessions::list),
        document: Some(session::LIST),
        ..READ
    },
    Endpoint {
        path: "/v1/sessions/{uid}",
        route: || get(sessions::one),
        document: Some(session::ONE),
        ..READ
    },
    Endpoint {
        path: "/v1/sessions/{uid}/next",
        route: || get(sessions::next),
        document: Some(session::NEXT),
        ..READ
    },
    Endpoint {
        path: "/v1/blind-sessions",
        route: || get(sessions::blind),
        document: Some(session::BLIND),
        ..READ
    },
    Endpoint {
        path: "/v1/insider-risk",
        route: || get(insider_risk::list),
        document: Some(risk::LIST),
        ..READ
    },
    Endpoint {
        path: "/v1/insider-risk/{person}/reveal",
        route: || post(insider_risk::reveal),
        document: Some(risk::REVEAL),
        ..WRITE
    },
    Endpoint {
        path: "/v1/sources",
        route: || get(sources::list),
        document: Some(SOURCES),
        ..READ
    },
    Endpoint {
        path: "/v1/sources/{source}/quarantine",
        route: || get(sources::quarantine),
        document: Some(waiting::OF_SOURCE),
        ..READ
    },
    Endpoint {
        path: "/v1/sources/{source}/quarantine/{sequence}",
        route: || get(sources::record),
        document: Some(waiting::RECORD),
        ..READ
    },
    Endpoint {
        path: "/v1/quarantine",
        route: || get(quarantine::list),
        document: Some(waiting::ALL),
        ..READ
    },
    Endpoint {
        path: "/v1/quarantine/replay",
        route: || post(quarantine::replay),
        document: Some(waiting::REPLAY),
        ..WRITE
    },
    Endpoint {
        path: "/v1/quarantine/dismiss",
        route: || post(quarantine::dismiss),
        document: Some(waiting::DISMISS),
        ..WRITE
    },
    Endpoint {
        path: "/v1/quarantine/restore",
        route: || post(quarantine::restore),
        document: Some(waiting::RESTORE),
        ..WRITE
    },
    Endpoint {
        path: "/v1/today",
        route: || get(today::figures),
        document: Some(session::TODAY),
        ..READ
    },
    Endpoint {
        path: "/v1/coverage",
        route: || get(sources::coverage),
        document: Some(COVERAGE),
        ..READ
    },
    Endpoint {
        path: "/v1/saas-readiness/{name}",
        route: || get(sources::readiness),
        document: Some(delivered::SAAS_READINESS),
        ..READ
    },
    Endpoint {
        path: "/v1/checkpoints",
        route: || get(evidence::newest),
        document: Some(CHECKPOINTS),
        ..READ
    },
    Endpoint {
        path: "/v1/openapi.json",
        route: || get(crate::reference::openapi),
        document: Some(OPENAPI),
        ..READ
    },
    Endpoint {
        path: "/metrics",
        route: || get(metrics::text),
        document: Some(METRICS),
        ..READ
    },
    Endpoint {
        path: "/healthz",
        needs: Needs::Nothing,
        route: || get(health::alive),
        document: Some(HEALTHZ),
        ..READ
    },
    Endpoint {
        path: "/readyz",
        needs: Needs::Nothing,
        route: || get(health::ready),
        document: Some(READYZ),
        ..READ
    },
    Endpoint {
        method: "POST",
        path: "/csp-report",
        needs: Needs::Nothing,
        route: || post(health::violation),
        ..READ
    },
];
