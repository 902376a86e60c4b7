//! Whether anything goes on on a connection: a request is worked on, or its answer is being taken.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::watch;

/// Number of requests of one connection that are worked on; changes too with every piece of an
/// answer that is taken.
#[derive(Clone, Debug)]
pub(super) struct Activity(watch::Sender<usize>);

impl Default for Activity {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Activity {
    /// Counts a request until its answer begins.
    pub(super) fn begin(&self) -> UnderWay {
        self.0.send_modify(|requests| *requests += 1);
        UnderWay(self.0.clone())
    }

    /// Ends when for `limit` nothing was worked on, and nothing of an answer was taken: somebody who
    /// asks and never reads is idle.
    pub(super) async fn idle_for(&self, limit: Duration) {
        let mut requests = self.0.subscribe();
        loop {
            // The sender is held by `self`: neither wait can fail.
            let quiet = requests.wait_for(|requests| *requests == 0).await.is_ok();
            let changed = tokio::time::timeout(limit, requests.changed()).await;
            if quiet && changed.is_err() {
                return;
            }
        }
    }
}

/// One request that is worked on.
#[derive(Debug)]
pub(super) struct UnderWay(watch::Sender<usize>);

impl UnderWay {
    /// The answer, which tells whenever a piece of it is taken.
    pub(super) fn answered(self, response: Response) -> Response<Sending> {
        let taken = self.0.clone();
        response.map(|body| Sending { body, taken })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|requests| *requests -= 1);
    }
}

/// An answer's body.
#[derive(Debug)]
pub(super) struct Sending {
    body: Body,
    taken: watch::Sender<usize>,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.taken.send_modify(|_| {});
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
