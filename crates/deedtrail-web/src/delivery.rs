//! The body of a delivery: when it may be read, how much of it, and how it is packed.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use deedtrail_core::limits::BODY_BYTES_PER_SECOND_MIN;
use deedtrail_core::port::mapper::Encoding;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api::shortened;
use crate::config::{BODY_BYTES_SMALL, PUSH_BYTES_SMALL};
use crate::pace::TooSlow;
use crate::problem::Problem;
use crate::state::{Pushes, Shared};

/// Leave to read and append one delivery.
#[derive(Debug)]
pub(crate) struct Turn {
    _turn: OwnedSemaphorePermit,
    /// What its body takes.
    held: Option<OwnedSemaphorePermit>,
}

/// Waits for one of `turns` to read and append a delivery; held until it is durable.
pub(crate) async fn turn(shared: &Shared, turns: &Arc<Semaphore>) -> Result<Turn, Problem> {
    let turn = places(shared, turns, 1).await?;
    Ok(Turn {
        _turn: turn,
        held: None,
    })
}

async fn places(
    shared: &Shared,
    of: &Arc<Semaphore>,
    count: u32,
) -> Result<OwnedSemaphorePermit, Problem> {
    let waiting = Arc::clone(of).acquire_many_owned(count);
    let waited = tokio::time::timeout(shared.config.ingest_wait_max, waiting).await;
    match waited {
        Ok(Ok(places)) => Ok(places),
        Ok(Err(_)) | Err(_) => Err(Problem::busy(1)),
    }
}

/// The whole body as sent, if it is within `limit` bytes; a refusal is counted. A large one takes
/// one of the places for them before it is read, which goes with `turn`.
pub(crate) async fn body(
    shared: &Shared,
    turn: &mut Turn,
    request: Request,
    limit: usize,
) -> Result<Bytes, Problem> {
    let places = Room {
        of: &shared.large_places,
        needed: |bytes| u32::from(bytes > BODY_BYTES_SMALL),
        held: None,
    };
    let (body, held) = read(shared, request, limit, places, usize::MAX).await?;
    turn.held = held;
    Ok(body)
}

/// As [`body`], of somebody who is not proven yet to be who they say. The turn is waited for when
/// all of it is there: slow senders keep nobody waiting. While it arrives, a long one takes as much
/// room as has come of it.
pub(crate) async fn pushed(
    shared: &Shared,
    pushes: Option<&Pushes>,
    request: Request,
    limit: usize,
) -> Result<(Turn, Bytes), Problem> {
    let pushes = pushes.ok_or_else(Problem::internal)?;
    let room = Room {
        of: &pushes.room,
        needed: |bytes| {
            let over = bytes.saturating_sub(PUSH_BYTES_SMALL);
            u32::try_from(over.div_ceil(PUSH_BYTES_SMALL)).unwrap_or(u32::MAX)
        },
        held: None,
    };
    let (body, held) = read(shared, request, limit, room, PUSH_BYTES_SMALL).await?;
    let mut turn = turn(shared, &pushes.turns).await?;
    turn.held = held;
    Ok((turn, body))
}

/// What a body takes as it grows.
struct Room<'a> {
    of: &'a Arc<Semaphore>,
    /// How many of them a body of so many bytes needs.
    needed: fn(usize) -> u32,
    held: Option<OwnedSemaphorePermit>,
}

impl Room<'_> {
    /// Waits for what a body of so many bytes still lacks.
    async fn grow(&mut self, shared: &Shared, bytes: usize) -> Result<(), Problem> {
        let held = self
            .held
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let held = u32::try_from(held).unwrap_or(u32::MAX);
        let lacking = (self.needed)(bytes).saturating_sub(held);
        if lacking == 0 {
            return Ok(());
        }
        let more = places(shared, self.of, lacking).await?;
        match &mut self.held {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

/// Reads a body, of which at most `trusted` bytes are set aside because they are announced.
async fn read(
    shared: &Shared,
    request: Request,
    limit: usize,
    mut room: Room<'_>,
    trusted: usize,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Problem> {
    let refused = |problem: Problem| {
        shared.app.counters.refused.fetch_add(1, Relaxed);
        problem
    };
    let declared = declared(&request, limit).map_err(refused)?.min(trusted);
    room.grow(shared, declared).await?;
    let mut body = Limited::new(request.into_body(), limit);
    let mut whole = Vec::with_capacity(declared);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| refused(broken(shared, &*error, limit)))?;
        let more = frame.data_ref().map_or(&[][..], |data| data);
        room.grow(shared, whole.len() + more.len()).await?;
        whole.extend_from_slice(more);
    }
    Ok((whole.into(), room.held))
}

/// The length that a body is said to have, 0 if nothing is said; an error if that is over `limit`.
fn declared(request: &Request, limit: usize) -> Result<usize, Problem> {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<usize>().ok());
    match declared {
        Some(bytes) if bytes > limit => Err(over_limit(limit)),
        declared => Ok(declared.unwrap_or(0)),
    }
}

fn broken(shared: &Shared, error: &(dyn Error + 'static), limit: usize) -> Problem {
    if is_caused_by::<LengthLimitError>(error) {
        return over_limit(limit);
    }
    if is_caused_by::<TooSlow>(error) {
        return too_slow(shared.config.body_pause_max);
    }
    Problem::bad_request(format!("The body did not arrive: {error}"))
}

fn is_caused_by<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| (**error).source());
    causes.any(<dyn Error>::is::<E>)
}

fn too_slow(pause_max: Duration) -> Problem {
    let detail = format!(
        "Nothing more of the body came for {pause_max:?}, or less than {BODY_BYTES_PER_SECOND_MIN} \
         bytes a second. Send it again, or smaller batches; nothing of it was stored."
    );
    let status = StatusCode::REQUEST_TIMEOUT;
    Problem::new(status, "slow", "The body arrived too slowly", detail)
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
