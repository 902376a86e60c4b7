//! `POST /v1/ingest/{source}`: a delivery of records.

use std::error::Error;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{MethodRouter, post};
use axum::{Extension, Json};
use deedtrail_app::access::Principal;
use deedtrail_app::intake::{Delivery, IngestAnswer, IngestError};
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::{Encoding, Mapper};
use tokio::sync::OwnedSemaphorePermit;
use tower_http::timeout::TimeoutError;

use super::Answer;
use super::ask::shortened;
use crate::problem::{Problem, unknown_source};
use crate::state::Shared;

pub(super) fn route() -> MethodRouter<Shared> {
    // The handler applies the limit of the configuration while it reads the body.
    post(take).layer(DefaultBodyLimit::disable())
}

async fn take(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(source): Path<String>,
    request: Request,
) -> Answer<IngestAnswer> {
    let source = known_source(&source, &*shared.app.ports.mapper)?;
    let encoding = encoding(request.headers())?;
    let turn = turn(&shared).await?;
    let body = body(&shared, request).await.inspect_err(|_| {
        shared.app.counters.refused.fetch_add(1, Relaxed);
    })?;
    let ingest = move |app: &deedtrail_app::App| -> Result<IngestAnswer, IngestError> {
        let delivery = Delivery {
            source: &source,
            encoding,
            body: &body,
        };
        let answer = app.ingest(&principal, delivery);
        drop(turn);
        answer
    };
    shared.attempt(ingest).await.map(Json)
}

async fn turn(shared: &Shared) -> Result<OwnedSemaphorePermit, Problem> {
    let turns = std::sync::Arc::clone(&shared.ingest_turns);
    let waited = tokio::time::timeout(shared.config.ingest_wait_max, turns.acquire_owned()).await;
    match waited {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) | Err(_) => Err(Problem::busy(1)),
    }
}

async fn body(shared: &Shared, mut request: Request) -> Result<Bytes, Problem> {
    let limit = shared.config.ingest_bytes_max;
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

fn over_limit(limit: usize) -> Problem {
    Problem::too_large(format!(
        "The body is over {limit} bytes as sent. Send smaller batches. Nothing of it was stored."
    ))
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Problem> {
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

/// The source of that name, if the mapper knows it; else which names come close.
pub(super) fn known_source(name: &str, mapper: &dyn Mapper) -> Result<SourceName, Problem> {
    let names = mapper.sources().into_iter().map(|facts| facts.name);
    let known = deedtrail_app::source_name::known_source(name, names);
    known.map_err(|error| unknown_source(format!("{error}; GET /v1/sources lists them all")))
}
