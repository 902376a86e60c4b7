//! Serving until told to stop.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use deedtrail_core::limits::HEADER_TIME_MAX;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::task::JoinSet;

/// Requests under way get this long to end after shutdown was asked for.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(20);

/// Connections open at a time; further ones wait to be accepted.
pub(crate) const CONNECTIONS_MAX: usize = 1024;

/// Serves `router` on `listener` (TCP or Unix) until `shutdown` completes; then takes no new
/// connection and gives requests under way [`SHUTDOWN_GRACE`]. A client that does not end its
/// headers within [`HEADER_TIME_MAX`] is cut off.
pub async fn serve<L>(listener: L, router: Router, shutdown: impl Future<Output = ()>)
where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    serve_within(HEADER_TIME_MAX, listener, router, shutdown).await;
}

/// As [`serve`], with another limit for the time that headers may take.
pub async fn serve_within<L>(
    header_time_max: Duration,
    mut listener: L,
    router: Router,
    shutdown: impl Future<Output = ()>,
) where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(header_time_max);
    let connections = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, from) = tokio::select! {
            accepted = listener.accept(), if tasks.len() < CONNECTIONS_MAX => accepted,
            Some(_) = tasks.join_next() => continue,
            () = &mut shutdown => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(?from, %error, "a connection was cut off");
            }
        });
    }
    drop(listener);
    tokio::select! {
        () = connections.shutdown() => {}
        () = tokio::time::sleep(SHUTDOWN_GRACE) => {
            tracing::warn!(?SHUTDOWN_GRACE, "requests were still under way; they were cut off");
        }
    }
}
