//! OpenTelemetry's protocol over HTTP: traces and logs, in protobuf or JSON
//! (<https://opentelemetry.io/docs/specs/otlp/>).

mod answer;
pub(super) mod grpc;
mod log;
mod trace;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use deedtrail_app::access::Principal;
use deedtrail_app::intake::Shipped;
use deedtrail_core::port::mapper::Mapper;

use super::take;
use crate::problem::Problem;
use crate::state::Shared;

pub(crate) use answer::Refusal;
pub(crate) use grpc::Refusal as GrpcRefusal;

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Protobuf,
    Json,
}

impl Form {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let kind = headers
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .and_then(|kind| kind.split(';').next())
            .unwrap_or_default();
        match kind.trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            _ => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                "Content-Type is not supported",
                "Use application/x-protobuf or application/json.",
            )),
        }
    }
}

/// Cuts a body into records.
type Decode = for<'a> fn(Form, &dyn Mapper, &'a [u8]) -> Result<Vec<Shipped<'a>>, Problem>;

/// `POST /v1/traces`.
pub(super) async fn traces(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    request: Request,
) -> Result<Response, Refusal> {
    export(&shared, principal, request, trace::PROTOCOL, trace::records).await
}

/// `POST /v1/logs`.
pub(super) async fn logs(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    request: Request,
) -> Result<Response, Refusal> {
    export(&shared, principal, request, log::PROTOCOL, log::records).await
}

async fn export(
    shared: &Shared,
    principal: Principal,
    request: Request,
    protocol: &'static str,
    decode: Decode,
) -> Result<Response, Refusal> {
    let form = Form::of(request.headers())?;
    let took = take(shared, principal, request, protocol, move |mapper, body| {
        Ok((decode(form, mapper, body)?, ()))
    });
    match took.await {
        Ok(took) => Ok(answer::answer(form, &took.answer)),
        Err(problem) => Err(Refusal::new(form, problem)),
    }
}

/// A message that protobuf cannot read; nothing of it can be told apart, so nothing is stored.
fn unreadable(error: &prost::DecodeError) -> Problem {
    Problem::bad_request(format!(
        "The body is not the message of this address: {error}"
    ))
}
