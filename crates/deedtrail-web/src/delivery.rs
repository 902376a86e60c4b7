//! The body of a delivery: when it may be read, how much of it, and how it is packed.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request};
use axum::http::{HeaderMap, StatusCode, header};
use deedtrail_core::port::mapper::Encoding;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::timeout::TimeoutError;

use crate::api::shortened;
use crate::problem::Problem;
use crate::state::Shared;

/// Leave to read and append one delivery.
pub(crate) type Turn = OwnedSemaphorePermit;

/// Waits for one of `turns` to read and append a delivery; held until it is durable.
pub(crate) async fn turn(shared: &Shared, turns: &Arc<Semaphore>) -> Result<Turn, Problem> {
    let waiting = Arc::clone(turns).acquire_owned();
    let waited = tokio::time::timeout(shared.config.ingest_wait_max, waiting).await;
    match waited {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) | Err(_) => Err(Problem::busy(1)),
    }
}

/// The whole body as sent, if it is within `limit` bytes; a refusal is counted.
pub(crate) async fn body(
    shared: &Shared,
    request: Request,
    limit: usize,
) -> Result<Bytes, Problem> {
    read(shared, request, limit).await.inspect_err(|_| {
        shared.app.counters.refused.fetch_add(1, Relaxed);
    })
}

async fn read(shared: &Shared, mut request: Request, limit: usize) -> Result<Bytes, Problem> {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<usize>().ok());
    if declared.is_some_and(|bytes| bytes > limit) {
        return Err(over_limit(limit));
    }
    DefaultBodyLimit::max(limit).apply(&mut request);
    let read = Bytes::from_request(request, shared).await;
    read.map_err(|refusal| {
        if refusal.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return over_limit(limit);
        }
        if stopped(&refusal) {
            return paused(shared.config.body_pause_max);
        }
        Problem::bad_request(format!("the body did not arrive: {}", refusal.body_text()))
    })
}

/// Whether a body was given up because nothing more of it came.
fn stopped(refusal: &BytesRejection) -> bool {
    let mut causes = std::iter::successors(Some(refusal as &dyn Error), |error| (**error).source());
    causes.any(<dyn Error>::is::<TimeoutError>)
}

fn paused(limit: Duration) -> Problem {
    let detail = format!(
        "Nothing more of the body came for {limit:?}. Send it again; nothing of it was stored."
    );
    let status = StatusCode::REQUEST_TIMEOUT;
    Problem::new(status, "paused", "The body stopped arriving", detail)
}

pub(crate) fn over_limit(limit: usize) -> Problem {
    Problem::too_large(format!(
        "The body is over {limit} bytes as sent. Send smaller batches. Nothing of it was stored."
    ))
}

/// How the body is packed, by its header.
pub(crate) fn encoding(headers: &HeaderMap) -> Result<Encoding, Problem> {
    let value = headers
        .get(header::CONTENT_ENCODING)
        .map(|v| v.to_str().unwrap_or("?"));
    match value.map(|v| v.trim().to_ascii_lowercase()).as_deref() {
        None | Some("" | "identity") => Ok(Encoding::Identity),
        Some("gzip" | "x-gzip") => Ok(Encoding::Gzip),
        Some("zstd") => Ok(Encoding::Zstd),
        Some(other) => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "encoding",
            "Content-Encoding is not supported",
            format!("`{}`: use gzip, zstd or none", shortened(other)),
        )),
    }
}
