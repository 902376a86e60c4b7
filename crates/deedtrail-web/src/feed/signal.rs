//! Security Event Tokens pushed by a transmitter of shared signals (RFC 8935).

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use deedtrail_app::App;
use deedtrail_app::signal::{BadSet, SET_BYTES_MAX, SignalError};
use serde::Serialize;

use crate::delivery;
use crate::problem::Problem;
use crate::state::Shared;

/// Largest body, bytes: a SET and white space around it. Beyond it: 413.
const BODY_BYTES_MAX: usize = SET_BYTES_MAX + 1024;
const MEDIA_TYPE: &str = "application/secevent+jwt";

/// A refusal as transmitters understand it (RFC 8935, section 2.3).
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    retry_after_s: Option<u32>,
    body: RefusalBody,
}

#[derive(Debug, Serialize)]
struct RefusalBody {
    err: &'static str,
    description: String,
}

pub(super) async fn take(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    if !is_set(request.headers()) {
        return Err(BadSet::MediaType.into());
    }
    let authorization = request.headers().get(header::AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok());
    let authorization = authorization.map(str::to_owned);
    // Whoever names none, or has not the header that was agreed, is answered before the body is read.
    shared
        .app
        .expect_pushed_signal(&name, authorization.as_deref())?;
    let pushes = shared.signals.get(&name);
    let (turn, body) = delivery::pushed(&shared, pushes, request, BODY_BYTES_MAX).await?;
    let ingest = move |app: &App| -> Result<(), SignalError> {
        let taken = app.ingest_pushed_signal(&name, authorization.as_deref(), &body);
        drop(turn);
        taken
    };
    shared.run(ingest).await??;
    Ok(StatusCode::ACCEPTED)
}

fn is_set(headers: &HeaderMap) -> bool {
    let named = headers.get(header::CONTENT_TYPE);
    let named = named.and_then(|value| value.to_str().ok()?.split(';').next());
    named.is_some_and(|name| name.trim().eq_ignore_ascii_case(MEDIA_TYPE))
}

impl From<BadSet> for Refusal {
    fn from(refused: BadSet) -> Self {
        Self {
            status: match refused {
                BadSet::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                _ => StatusCode::BAD_REQUEST,
            },
            retry_after_s: None,
            body: RefusalBody {
                err: refused.code(),
                description: refused.to_string(),
            },
        }
    }
}

impl From<SignalError> for Refusal {
    fn from(error: SignalError) -> Self {
        match error {
            SignalError::Refused(refused) => refused.into(),
            SignalError::KeysUnavailable { retry_after_s } => Self {
                status: StatusCode::SERVICE_UNAVAILABLE,
                retry_after_s: Some(retry_after_s),
                body: RefusalBody {
                    err: "invalid_key",
                    description: error.to_string(),
                },
            },
            SignalError::Ingest(error) => Problem::from(error).into(),
            SignalError::Record(error) => {
                tracing::error!(%error, "a transmitter's key cannot be recorded");
                let problem = Problem::internal();
                Problem {
                    status: StatusCode::SERVICE_UNAVAILABLE,
                    ..problem.retry_after(30)
                }
                .into()
            }
            SignalError::Source(_) => Problem::internal().into(),
        }
    }
}

/// What may be sent again is told by 503, which transmitters repeat.
impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let status = match problem.status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INSUFFICIENT_STORAGE
            | StatusCode::REQUEST_TIMEOUT => StatusCode::SERVICE_UNAVAILABLE,
            status => status,
        };
        Self {
            status,
            retry_after_s: problem.retry_after_s,
            body: RefusalBody {
                err: "invalid_request",
                description: problem.detail,
            },
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static("en"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
