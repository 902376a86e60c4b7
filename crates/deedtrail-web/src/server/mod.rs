//! Serving until told to stop: HTTP/1.1 and HTTP/2, plain or over TLS.

mod activity;
mod present;

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{Version, header};
use axum::response::IntoResponse as _;
use axum::serve::Listener;
use deedtrail_core::limits::HEADER_TIME_MAX;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tower::ServiceExt as _;

use crate::gate::RemoteAddress;
use crate::problem::Problem;
use activity::Activity;
use present::Present;

/// Requests under way get this long to end after shutdown was asked for.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(20);

/// Connections open at a time; further ones wait to be accepted.
pub(crate) const CONNECTIONS_MAX: usize = 1024;
/// Requests under way at a time on one connection of HTTP/2; further ones wait at the client.
const STREAMS_MAX: u32 = 64;
/// What a client of HTTP/2 may send of bodies that nobody reads yet, bytes for each connection.
const WINDOW_BYTES: u32 = 1 << 20;
/// Size of all headers of one request of HTTP/2, bytes.
const HEADER_BYTES_MAX: u32 = 32 << 10;
/// A connection of HTTP/2 is asked after this long whether its other end is still there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long the other end gets to hear that an idle connection ends, and may do nothing more.
const FAREWELL: Duration = Duration::from_secs(1);

/// Protocols offered in a TLS handshake, best first.
pub const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Serves `router` on `listener` (TCP or Unix) until `shutdown` completes; then takes no new
/// connection and gives requests under way [`SHUTDOWN_GRACE`]. A client that does not end its
/// handshake or its headers within [`HEADER_TIME_MAX`], or asks nothing for as long, is cut off.
pub async fn serve<L>(
    listener: L,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    shutdown: impl Future<Output = ()>,
) where
    L: Listener,
    L::Addr: std::fmt::Debug + 'static,
{
    serve_within(HEADER_TIME_MAX, listener, tls, router, shutdown).await;
}

/// As [`serve`], with another limit for the time that headers may take.
pub async fn serve_within<L>(
    header_time_max: Duration,
    mut listener: L,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    shutdown: impl Future<Output = ()>,
) where
    L: Listener,
    L::Addr: std::fmt::Debug + 'static,
{
    let (stop, stopped) = watch::channel(false);
    let serving = Serving {
        http: http(),
        tls: tls.map(TlsAcceptor::from),
        header_time_max,
        router,
        stopped,
    };
    let present = Present::default();
    let mut tasks = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, from) = tokio::select! {
            accepted = listener.accept(), if tasks.len() < CONNECTIONS_MAX => accepted,
            Some(_) = tasks.join_next() => continue,
            () = &mut shutdown => break,
        };
        let Some(place) = present.enter(&from) else {
            tracing::debug!(?from, "an address has too many connections");
            continue;
        };
        let serving = serving.clone();
        tasks.spawn(async move {
            let address = place.address().map(RemoteAddress);
            let _place = place;
            if let Err(error) = serving.connection(stream, address).await {
                tracing::debug!(?from, error, "a connection was cut off");
            }
        });
    }
    drop(listener);
    stop.send_replace(true);
    let ended = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(SHUTDOWN_GRACE, ended).await.is_err() {
        tracing::warn!(
            ?SHUTDOWN_GRACE,
            "requests were still under way; they were cut off"
        );
    }
}

fn http() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new());
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .keep_alive_interval(PING_EVERY);
    http
}

/// What every connection is served with.
#[derive(Clone)]
struct Serving {
    http: auto::Builder<TokioExecutor>,
    tls: Option<TlsAcceptor>,
    header_time_max: Duration,
    router: Router,
    stopped: watch::Receiver<bool>,
}

impl Serving {
    async fn connection<S>(
        mut self,
        stream: S,
        from: Option<RemoteAddress>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match self.tls.take() {
            None => self.requests(stream, from).await,
            Some(tls) => {
                let handshake = tls.accept(stream);
                let stream = tokio::time::timeout(self.header_time_max, handshake).await??;
                self.requests(stream, from).await
            }
        }
    }

    async fn requests<S>(
        mut self,
        stream: S,
        from: Option<RemoteAddress>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::default();
        let counted = activity.clone();
        let router = self.router;
        let service = service_fn(move |mut request: Request<Incoming>| {
            if let Some(from) = from {
                request.extensions_mut().insert(from);
            }
            let (router, under_way) = (router.clone(), counted.begin());
            async move {
                let response = if has_one_host(&request) {
                    router.oneshot(request).await?
                } else {
                    let detail = "A request has one header `Host` (RFC 9112, section 3.2).";
                    Problem::bad_request(detail).into_response()
                };
                Ok::<_, Infallible>(under_way.answered(response))
            }
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let stopped = async {
            // An error means that nobody will ever say stop.
            if self.stopped.wait_for(|stopped| *stopped).await.is_err() {
                pending::<()>().await;
            }
        };
        let quiet_max = tokio::select! {
            ended = &mut connection => return ended,
            () = activity.idle_for(self.header_time_max) => FAREWELL,
            () = stopped => SHUTDOWN_GRACE,
        };
        connection.as_mut().graceful_shutdown();
        // What began before the other end heard of it is answered.
        tokio::select! {
            ended = &mut connection => ended,
            () = activity.idle_for(quiet_max) => Ok(()),
        }
    }
}

/// Two of them, or none, are read by one server on the way as another request than by the next.
fn has_one_host(request: &Request<Incoming>) -> bool {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    request.version() != Version::HTTP_11 || hosts == 1
}
