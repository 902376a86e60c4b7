//! How fast a request body has to come.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use deedtrail_core::limits::BODY_BYTES_PER_SECOND_MIN;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::state::Shared;

/// Gives up a body that stops arriving, or trickles, with [`TooSlow`].
pub(crate) async fn pace(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let config = shared.config;
    let request = request.map(|body| {
        Body::new(Paced {
            body,
            pause_max: config.body_pause_max,
            grace: config.body_rate_grace,
            begun: None,
            bytes: 0,
            limit: None,
        })
    });
    next.run(request).await
}

/// A body that came too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body came too slowly")
    }
}

impl std::error::Error for TooSlow {}

struct Paced {
    body: Body,
    pause_max: Duration,
    grace: Duration,
    /// When somebody began to read it.
    begun: Option<Instant>,
    bytes: u64,
    /// Runs while more is waited for.
    limit: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    /// When the next piece has to be there.
    fn deadline(&mut self) -> Instant {
        let now = Instant::now();
        let begun = *self.begun.get_or_insert(now);
        let earned = Duration::from_millis(self.bytes * 1_000 / BODY_BYTES_PER_SECOND_MIN);
        (now + self.pause_max).min(begun + self.grace + earned)
    }
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.limit.is_none() {
            let deadline = self.deadline();
            self.limit = Some(Box::pin(sleep_until(deadline)));
        }
        if let Some(limit) = &mut self.limit
            && limit.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(axum::Error::new(TooSlow))));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.limit = None;
        if let Some(Ok(frame)) = &frame {
            self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
