//! What an endpoint is: one row of the table that routes, guards and documents.

use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use deedtrail_core::port::store::Scope;

use crate::feed::{ElasticRefusal, GrpcRefusal, HecRefusal, OtlpRefusal};
use crate::page::failure;
use crate::problem::Problem;
use crate::state::Shared;

/// What a caller must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Health, sign-in, style sheets, violation reports, the witness: no data of anybody.
    Nothing,
    /// A signature of what is sent, instead of a token.
    Signature,
    Scope(Scope),
}

/// Whom an endpoint answers: decides how a refusal looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    Api,
    Page,
    /// Clients of Splunk's HTTP Event Collector.
    Splunk,
    /// Clients of Elasticsearch.
    Elastic,
    /// Exporters of OpenTelemetry.
    Otlp,
    /// The same, by gRPC.
    Grpc,
}

impl Face {
    pub(crate) fn refusal(self, problem: Problem) -> Response {
        match self {
            Self::Api => problem.into_response(),
            Self::Page => failure::page(&problem),
            Self::Splunk => HecRefusal::from(problem).into_response(),
            Self::Elastic => ElasticRefusal::from(problem).into_response(),
            Self::Otlp => OtlpRefusal::from(problem).into_response(),
            Self::Grpc => GrpcRefusal::from(problem).into_response(),
        }
    }
}

/// One endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// Upper-case HTTP method.
    pub method: &'static str,
    /// Path with `{parameters}`.
    pub path: &'static str,
    pub needs: Needs,
    pub face: Face,
    pub(crate) route: fn() -> MethodRouter<Shared>,
    /// What the reference says; `None` for pages.
    pub(crate) document: Option<Document>,
}

/// Reference entry of an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Document {
    pub(crate) summary: &'static str,
    /// More, when there is more to say.
    pub(crate) detail: &'static str,
    pub(crate) parameters: &'static [Parameter],
    /// Media types and meaning of the request body.
    pub(crate) body: Option<Body>,
    /// What comes with 200.
    pub(crate) answer: Answer,
    /// Refusals beyond 401 and 403: status and when.
    pub(crate) refusals: &'static [(u16, &'static str)],
}

/// A query or path parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) shape: Shape,
}

/// What a parameter's value looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Text,
    /// RFC 3339.
    Time,
    Count,
    /// 32 hex digits.
    Id,
    /// Present or not.
    Flag,
    OneOf(fn() -> Vec<&'static str>),
}

/// A request body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    pub(crate) media_types: &'static [&'static str],
    pub(crate) schema: Option<&'static str>,
}

/// The answer with status 200.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// A schema of `api/schemas.json`.
    Json(&'static str),
    Text(&'static str),
}
