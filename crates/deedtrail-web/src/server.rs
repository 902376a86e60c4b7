//! Serving until told to stop.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use tokio::sync::watch;

/// Requests under way get this long to end after shutdown was asked for.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(20);

/// Serves `router` on `listener` (TCP or Unix) until `shutdown` completes; then takes no new
/// connection and gives requests under way [`SHUTDOWN_GRACE`].
pub async fn serve<L>(
    listener: L,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()>
where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    let (asked, mut heard) = watch::channel(false);
    let stopping = async move {
        if heard.wait_for(|asked| *asked).await.is_err() {
            tracing::warn!("nobody can ask for a shutdown any more; stopping");
        }
    };
    let overdue = async move {
        shutdown.await;
        asked.send_replace(true);
        tokio::time::sleep(SHUTDOWN_GRACE).await;
    };
    let serving = axum::serve(listener, router).with_graceful_shutdown(stopping);
    tokio::select! {
        served = serving => served,
        () = overdue => {
            tracing::warn!(?SHUTDOWN_GRACE, "requests were still under way; they were cut off");
            Ok(())
        }
    }
}
