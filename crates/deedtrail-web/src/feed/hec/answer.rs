//! What the collector answers: its own codes beside the HTTP status, which clients act on.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use deedtrail_app::intake::IngestAnswer;
use serde::Serialize;

use crate::problem::Problem;

/// When an unhealthy collector is asked again, s.
const UNHEALTHY_RETRY_S: u32 = 10;

/// Answers with status 200.
#[derive(Debug, Serialize)]
pub(in crate::feed) struct Answer {
    text: &'static str,
    code: u16,
    /// What `/services/collector/ack` is asked about; where the request names a channel.
    #[serde(rename = "ackId", skip_serializing_if = "Option::is_none")]
    acknowledgement: Option<u64>,
    /// Counts, reasons of quarantine and receipts; no client acts on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    deedtrail: Option<IngestAnswer>,
}

impl Answer {
    /// Everything is durable.
    pub(super) fn taken(acknowledgement: Option<u64>, answer: IngestAnswer) -> Json<Self> {
        Json(Self {
            text: "Success",
            code: 0,
            acknowledgement,
            deedtrail: Some(answer),
        })
    }

    pub(super) fn healthy() -> Json<Self> {
        Json(Self {
            text: "HEC is healthy",
            code: 17,
            acknowledgement: None,
            deedtrail: None,
        })
    }
}

/// A refusal as the collector words it.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    text: &'static str,
    code: u16,
    /// What went wrong and what to do; no client acts on it.
    detail: String,
    retry_after_s: Option<u32>,
}

#[derive(Serialize)]
struct Body<'a> {
    text: &'a str,
    code: u16,
    detail: &'a str,
}

impl Refusal {
    pub(super) fn no_data() -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            text: "No data",
            code: 5,
            detail: "The body holds no event.".to_owned(),
            retry_after_s: None,
        }
    }

    /// The service takes nothing at the moment.
    pub(super) fn unhealthy() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            text: "HEC is unhealthy, queues are full",
            code: 18,
            detail: "The log takes nothing at the moment; /readyz says why.".to_owned(),
            retry_after_s: Some(UNHEALTHY_RETRY_S),
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let (status, text, code) = match problem.status {
            StatusCode::UNAUTHORIZED => (problem.status, "Invalid authorization", 3),
            StatusCode::FORBIDDEN => (problem.status, "Invalid token", 4),
            StatusCode::PAYLOAD_TOO_LARGE => (problem.status, "Request entity too large", 27),
            // Clients send again after 503 only.
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::INSUFFICIENT_STORAGE
            | StatusCode::SERVICE_UNAVAILABLE => {
                (StatusCode::SERVICE_UNAVAILABLE, "Server is busy", 9)
            }
            status if status.is_server_error() => (status, "Internal server error", 8),
            status => (status, "Invalid data format", 6),
        };
        Self {
            status,
            text,
            code,
            detail: problem.detail,
            retry_after_s: problem.retry_after_s,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Body {
            text: self.text,
            code: self.code,
            detail: &self.detail,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Splunk realm=\"deedtrail\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
