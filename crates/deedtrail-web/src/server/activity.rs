//! Whether anything is under way on a connection.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::watch;

/// Number of requests of one connection whose answer is not sent yet.
#[derive(Clone, Debug)]
pub(super) struct Activity(watch::Sender<usize>);

impl Default for Activity {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Activity {
    /// Counts a request until what it returns is dropped.
    pub(super) fn begin(&self) -> UnderWay {
        self.0.send_modify(|requests| *requests += 1);
        UnderWay(self.0.clone())
    }

    /// Ends when nothing was under way for `limit`.
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

/// One request.
#[derive(Debug)]
pub(super) struct UnderWay(watch::Sender<usize>);

impl UnderWay {
    /// The request is under way until the last byte of the answer is taken.
    pub(super) fn until_sent(self, response: Response) -> Response<Sending> {
        response.map(|body| Sending {
            body,
            _request: self,
        })
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
    _request: UnderWay,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
