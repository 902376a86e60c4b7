//! The endpoints of the protocols.

use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, get, options, post};
use deedtrail_core::port::store::Scope;

use super::{cloud_events, elastic, hec, otlp, signal, webhook};
use crate::endpoint::{Answer, Body, Document, Endpoint, Face, Needs, Parameter, Shape};
use crate::refusal;
use crate::state::Shared;

/// The handler applies the limit of the configuration while it reads the body.
fn delivered(route: MethodRouter<Shared>) -> MethodRouter<Shared> {
    route.layer(DefaultBodyLimit::disable())
}

const fn parameter(name: &'static str, meaning: &'static str) -> Parameter {
    Parameter {
        name,
        meaning,
        shape: Shape::Text,
    }
}

const REFUSALS: &[(u16, &str)] = &[
    refusal::OVER_LIMIT,
    (
        503,
        "Busy, the disk is full, or the log takes nothing; send again after `Retry-After`.",
    ),
];

const HEC: Document = Document {
    summary: "Splunk HTTP Event Collector: events",
    detail: "JSON envelopes one after the other; `event` is the record. Its source is told by \
             `sourcetype`, `source` or `index` (the name of a source, or its usual source type), \
             else by its content. Answers after everything is durable, in the collector's words \
             and codes, with our counts in `deedtrail`. `Authorization: Splunk <token>`.",
    parameters: &[
        parameter("sourcetype", "Of events that do not say."),
        parameter("source", "Of events that do not say."),
        parameter("index", "Of events that do not say."),
        parameter(
            "channel",
            "Any text; answers then hold an `ackId`. Or `X-Splunk-Request-Channel`.",
        ),
    ],
    body: Some(Body {
        media_types: &["application/json"],
        schema: None,
    }),
    answer: Answer::Json("HecAnswer"),
    refusals: REFUSALS,
};
const HEC_RAW: Document = Document {
    summary: "Splunk HTTP Event Collector: raw records",
    detail: "NDJSON, or whatever the source named by `sourcetype` delivers.",
    body: Some(Body {
        media_types: &["text/plain", "application/json"],
        schema: None,
    }),
    ..HEC
};
const HEC_ACK: Document = Document {
    summary: "Splunk HTTP Event Collector: what is acknowledged",
    detail: "True for everything that was answered: an answer comes after it is durable.",
    parameters: &[],
    body: Some(Body {
        media_types: &["application/json"],
        schema: Some("HecQuestion"),
    }),
    answer: Answer::Json("HecAcknowledged"),
    refusals: &[],
};
const HEC_HEALTH: Document = Document {
    summary: "Splunk HTTP Event Collector: is it healthy",
    detail: "",
    parameters: &[],
    body: None,
    answer: Answer::Json("HecAnswer"),
    refusals: &[(503, "The log takes nothing at the moment.")],
};
const BULK: Document = Document {
    summary: "Elasticsearch bulk interface",
    detail: "`create` and `index`; others are refused one by one, evidence is only ever added. The \
             source of a document is told by the index (the name of a source, or a data stream \
             `logs-<source>-<namespace>`), else by its content. Answers after everything is \
             durable, one item for each operation, with our counts in `deedtrail`. \
             `Authorization`: `ApiKey`, `Basic` with the token as password, or `Bearer`. \
             Also under `/elastic`, for clients that ask for more than this.",
    parameters: &[],
    body: Some(Body {
        media_types: &["application/x-ndjson", "application/json"],
        schema: None,
    }),
    answer: Answer::Json("BulkAnswer"),
    refusals: REFUSALS,
};

const TRACES: Document = Document {
    summary: "OpenTelemetry traces (OTLP/HTTP)",
    detail: "`ExportTraceServiceRequest` in protobuf or JSON; what is quarantined is told as a \
             warning in `partial_success`, nothing is rejected. Exporters send again after 429 \
             and 503. Set `OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20<token>`.",
    parameters: &[],
    body: Some(Body {
        media_types: &["application/x-protobuf", "application/json"],
        schema: None,
    }),
    answer: Answer::Json("OtlpAnswer"),
    refusals: &[
        refusal::OVER_LIMIT,
        (415, "Neither protobuf nor JSON."),
        (429, "Too many deliveries at once."),
        (503, "The log takes nothing at the moment."),
    ],
};
const LOGS: Document = Document {
    summary: "OpenTelemetry logs (OTLP/HTTP)",
    detail: "`ExportLogsServiceRequest`. The body of a log record is the record where it is an \
             object or the text of one. Its source is told by the attribute `deedtrail.source` of \
             the record or the resource, the event name, or `service.name`; else by its content.",
    ..TRACES
};

const WEBHOOK: Document = Document {
    summary: "Take a vendor's webhook in",
    detail: "The configuration names the webhook, its source, how it is signed (`github`, `okta`, \
             `slack`, `standard`, `zoom`) and the file of the secret. Sending the same delivery again stores \
             nothing twice.",
    parameters: &[parameter(
        "name",
        "Name of the webhook in the configuration.",
    )],
    body: Some(Body {
        media_types: &["application/json"],
        schema: None,
    }),
    answer: Answer::Json("IngestAnswer"),
    refusals: &[
        (401, "No such webhook, or the signature does not fit."),
        refusal::OVER_LIMIT,
        refusal::BUSY,
        refusal::LOG_CLOSED,
        refusal::DISK_FULL,
    ],
};
const WEBHOOK_ASKED: Document = Document {
    summary: "Answer the challenge of an Okta event hook",
    detail: "Okta asks once, before it uses the hook.",
    body: None,
    answer: Answer::Json("WebhookVerification"),
    refusals: &[(401, "No such webhook, or nothing to answer.")],
    ..WEBHOOK
};

const SIGNAL: Document = Document {
    summary: "Take a Security Event Token in (RFC 8935)",
    detail: "A transmitter of the Shared Signals Framework pushes here; the configuration names the \
             stream, its issuer and whose audience it is. Answers 202 with an empty body after the \
             SET is durable; the same SET again is answered alike and stores nothing. Refusals are \
             `{\"err\": …, \"description\": …}` with the codes of RFC 8935.",
    parameters: &[parameter(
        "name",
        "Name of the stream in the configuration.",
    )],
    body: Some(Body {
        media_types: &["application/secevent+jwt"],
        schema: None,
    }),
    answer: Answer::Text("Empty, with status 202."),
    refusals: &[
        (
            400,
            "Not taken; `err` says why. Sending it again does not help.",
        ),
        (413, "The body is over its limit; nothing was stored."),
        (
            503,
            "Busy, the disk is full, or the transmitter's keys cannot be looked up; send again after \
             `Retry-After`.",
        ),
    ],
};

const CLOUD_EVENTS: Document = Document {
    summary: "CloudEvents",
    detail: "Binary, structured and batched. The source is told by `type` or `source` (the name of \
             one of ours), else by the content of `data`. Answers after everything is durable.",
    parameters: &[],
    body: Some(Body {
        media_types: &[
            "application/cloudevents+json",
            "application/cloudevents-batch+json",
            "application/json",
        ],
        schema: None,
    }),
    answer: Answer::Json("IngestAnswer"),
    refusals: &[
        (
            400,
            "No CloudEvent: an attribute is missing or is no text; nothing was stored.",
        ),
        refusal::SLOW,
        refusal::OVER_LIMIT,
        refusal::BUSY,
        refusal::LOG_CLOSED,
        refusal::DISK_FULL,
    ],
};
const CLOUD_EVENTS_ASKED: Document = Document {
    summary: "CloudEvents: are deliveries wanted",
    detail: "Senders ask once, by `WebHook-Request-Origin`. Deliveries need a token all the same.",
    body: None,
    answer: Answer::Text("Empty; the answer is in the headers."),
    refusals: &[],
    ..CLOUD_EVENTS
};

const SPLUNK: Endpoint = Endpoint {
    method: "POST",
    path: "",
    needs: Needs::Scope(Scope::Ingest),
    face: Face::Splunk,
    route: || delivered(post(hec::events)),
    document: None,
};
const OTLP: Endpoint = Endpoint {
    face: Face::Otlp,
    ..SPLUNK
};
const GRPC: Endpoint = Endpoint {
    face: Face::Grpc,
    ..SPLUNK
};
const ELASTIC: Endpoint = Endpoint {
    face: Face::Elastic,
    route: || delivered(post(elastic::bulk).put(elastic::bulk)),
    ..SPLUNK
};
const ELASTIC_OF_INDEX: Endpoint = Endpoint {
    route: || delivered(post(elastic::bulk_of).put(elastic::bulk_of)),
    ..ELASTIC
};
const ELASTIC_ASKED: Endpoint = Endpoint {
    method: "GET",
    route: || get(elastic::banner),
    ..ELASTIC
};

pub(crate) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        path: "/services/collector/event",
        document: Some(HEC),
        ..SPLUNK
    },
    Endpoint {
        path: "/services/collector",
        ..SPLUNK
    },
    Endpoint {
        path: "/services/collector/event/1.0",
        ..SPLUNK
    },
    Endpoint {
        path: "/services/collector/raw",
        route: || delivered(post(hec::raw)),
        document: Some(HEC_RAW),
        ..SPLUNK
    },
    Endpoint {
        path: "/services/collector/raw/1.0",
        route: || delivered(post(hec::raw)),
        ..SPLUNK
    },
    Endpoint {
        path: "/services/collector/ack",
        route: || post(hec::acknowledged),
        document: Some(HEC_ACK),
        ..SPLUNK
    },
    Endpoint {
        method: "GET",
        path: "/services/collector/health",
        needs: Needs::Nothing,
        route: || get(hec::health),
        document: Some(HEC_HEALTH),
        ..SPLUNK
    },
    Endpoint {
        path: "/v1/webhooks/{name}",
        needs: Needs::Signature,
        face: Face::Api,
        route: || delivered(post(webhook::take)),
        document: Some(WEBHOOK),
        ..SPLUNK
    },
    Endpoint {
        method: "GET",
        path: "/v1/webhooks/{name}",
        needs: Needs::Signature,
        face: Face::Api,
        route: || get(webhook::verify),
        document: Some(WEBHOOK_ASKED),
    },
    Endpoint {
        path: "/v1/signals/{name}",
        needs: Needs::Signature,
        face: Face::Api,
        route: || delivered(post(signal::take)),
        document: Some(SIGNAL),
        ..SPLUNK
    },
    Endpoint {
        path: "/v1/cloudevents",
        face: Face::Api,
        route: || delivered(post(cloud_events::events)),
        document: Some(CLOUD_EVENTS),
        ..SPLUNK
    },
    Endpoint {
        method: "OPTIONS",
        path: "/v1/cloudevents",
        needs: Needs::Nothing,
        face: Face::Api,
        route: || options(cloud_events::wanted),
        document: Some(CLOUD_EVENTS_ASKED),
    },
    Endpoint {
        path: "/v1/traces",
        route: || delivered(post(otlp::traces)),
        document: Some(TRACES),
        ..OTLP
    },
    Endpoint {
        path: "/v1/logs",
        route: || delivered(post(otlp::logs)),
        document: Some(LOGS),
        ..OTLP
    },
    Endpoint {
        path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        route: || delivered(post(otlp::grpc::traces)),
        ..GRPC
    },
    Endpoint {
        path: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        route: || delivered(post(otlp::grpc::logs)),
        ..GRPC
    },
    Endpoint {
        path: "/_bulk",
        document: Some(BULK),
        ..ELASTIC
    },
    Endpoint {
        path: "/{index}/_bulk",
        ..ELASTIC_OF_INDEX
    },
    Endpoint {
        path: "/elastic/_bulk",
        ..ELASTIC
    },
    Endpoint {
        path: "/elastic/{index}/_bulk",
        ..ELASTIC_OF_INDEX
    },
    Endpoint {
        path: "/elastic",
        ..ELASTIC_ASKED
    },
    Endpoint {
        path: "/elastic/",
        ..ELASTIC_ASKED
    },
    Endpoint {
        path: "/elastic/_license",
        route: || get(elastic::license),
        ..ELASTIC_ASKED
    },
    Endpoint {
        path: "/elastic/_cluster/health",
        route: || get(elastic::health),
        ..ELASTIC_ASKED
    },
];
