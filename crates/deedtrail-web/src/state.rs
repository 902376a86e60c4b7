//! What every handler shares: the use cases, the settings, and the turnstile of intake.

use std::sync::Arc;

use deedtrail_app::App;
use tokio::sync::Semaphore;

use crate::api::ReportGate;
use crate::config::{WEBHOOKS_CONCURRENT_MAX, WebConfig};
use crate::problem::Problem;

/// Shared by all requests; cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) app: Arc<App>,
    pub(crate) config: WebConfig,
    pub(crate) ingest_turns: Arc<Semaphore>,
    /// Of their own, so that strangers cannot keep those with a token waiting.
    pub(crate) webhook_turns: Arc<Semaphore>,
    pub(crate) reports: Arc<ReportGate>,
}

impl Shared {
    pub(crate) fn new(app: Arc<App>, config: WebConfig) -> Self {
        Self {
            app,
            config,
            ingest_turns: Arc::new(Semaphore::new(config.ingest_concurrent_max)),
            webhook_turns: Arc::new(Semaphore::new(WEBHOOKS_CONCURRENT_MAX)),
            reports: Arc::default(),
        }
    }

    /// Runs blocking work (every use case blocks) outside the async threads.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let app = Arc::clone(&self.app);
        let span = tracing::Span::current();
        let task = tokio::task::spawn_blocking(move || span.in_scope(|| work(&app)));
        task.await.map_err(|error| {
            tracing::error!(%error, "a request's work ended without an answer");
            Problem::internal()
        })
    }

    /// As [`Shared::run`], for work that may fail; the failure becomes a problem.
    pub(crate) async fn attempt<T, E>(
        &self,
        work: impl FnOnce(&App) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
    {
        self.run(work).await?.map_err(Into::into)
    }
}
