//! What an OTLP server answers.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use deedtrail_app::intake::IngestAnswer;
use prost::Message;
use serde_json::json;

use super::Form;
use crate::problem::Problem;

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// `ExportTraceServiceResponse` and `ExportLogsServiceResponse` are alike.
#[derive(Clone, PartialEq, Message)]
struct Response200 {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    /// Spans or log records that were refused: none ever is.
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// What to say although everything is durable: something waits in quarantine.
fn warning(counts: &IngestAnswer) -> Option<String> {
    counts.quarantine.first().map(|first| {
        format!(
            "{} of {} records wait in quarantine, the first because: {}",
            counts.quarantined, counts.records, first.reason
        )
    })
}

fn response(counts: &IngestAnswer) -> Response200 {
    Response200 {
        partial_success: warning(counts).map(|error_message| PartialSuccess {
            rejected: 0,
            error_message,
        }),
    }
}

/// The answer's message in protobuf.
pub(super) fn message(counts: &IngestAnswer) -> Vec<u8> {
    response(counts).encode_to_vec()
}

/// Everything is durable; with a warning where something waits in quarantine.
pub(super) fn answer(form: Form, counts: &IngestAnswer) -> Response {
    match form {
        Form::Json => match warning(counts) {
            Some(warning) => {
                Json(json!({ "partialSuccess": { "errorMessage": warning } })).into_response()
            }
            None => Json(json!({})).into_response(),
        },
        Form::Protobuf => protobuf(StatusCode::OK, &response(counts)),
    }
}

fn protobuf(status: StatusCode, message: &impl Message) -> Response {
    let mut response = (status, message.encode_to_vec()).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, PROTOBUF);
    response
}

/// A refusal: clients send again after 429, 502, 503 and 504 only.
#[derive(Debug)]
pub(crate) struct Refusal {
    form: Form,
    problem: Problem,
}

impl Refusal {
    pub(super) fn new(form: Form, problem: Problem) -> Self {
        let status = match problem.status {
            StatusCode::REQUEST_TIMEOUT | StatusCode::INSUFFICIENT_STORAGE => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            status => status,
        };
        let problem = Problem { status, ..problem };
        Self { form, problem }
    }

    /// Number of `google.rpc.Code`.
    fn code(&self) -> i32 {
        match self.problem.status {
            StatusCode::UNAUTHORIZED => 16,
            StatusCode::FORBIDDEN => 7,
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => 8,
            StatusCode::SERVICE_UNAVAILABLE => 14,
            status if status.is_server_error() => 13,
            _ => 3,
        }
    }
}

/// Before it is known how the request is written.
impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::new(Form::Json, problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (code, message) = (self.code(), self.problem.detail.clone());
        let status = self.problem.status;
        let mut response = match self.form {
            Form::Protobuf => protobuf(status, &Status { code, message }),
            Form::Json => {
                (status, Json(json!({ "code": code, "message": message }))).into_response()
            }
        };
        let from = self.problem.into_response();
        for name in [header::RETRY_AFTER, header::WWW_AUTHENTICATE] {
            if let Some(value) = from.headers().get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        response
    }
}
