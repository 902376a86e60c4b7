//! What every handler shares: the use cases, the settings, and the turnstile of intake.

use std::collections::BTreeMap;
use std::sync::Arc;

use deedtrail_app::App;
use tokio::sync::Semaphore;

use crate::api::ReportGate;
use crate::config::{LARGE_BODIES_MAX, PUSHES_CONCURRENT_MAX, WebConfig};
use crate::problem::Problem;

/// Turns of each webhook, or each stream of signals.
type Turns = Arc<BTreeMap<String, Arc<Semaphore>>>;

/// Shared by all requests; cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) app: Arc<App>,
    pub(crate) config: WebConfig,
    pub(crate) ingest_turns: Arc<Semaphore>,
    /// For deliveries with large bodies, which take one of the turns as well.
    pub(crate) large_places: Arc<Semaphore>,
    /// By name. Of their own, so that whoever knows one cannot keep others waiting.
    pub(crate) webhook_turns: Turns,
    pub(crate) signal_turns: Turns,
    pub(crate) reports: Arc<ReportGate>,
}

impl Shared {
    pub(crate) fn new(app: Arc<App>, config: WebConfig) -> Self {
        let webhook_turns = turns(app.webhooks.keys());
        let signal_turns = turns(app.signals.keys());
        Self {
            app,
            config,
            ingest_turns: Arc::new(Semaphore::new(config.ingest_concurrent_max)),
            large_places: Arc::new(Semaphore::new(LARGE_BODIES_MAX)),
            webhook_turns,
            signal_turns,
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

fn turns<'a>(names: impl Iterator<Item = &'a String>) -> Turns {
    let turns = || Arc::new(Semaphore::new(PUSHES_CONCURRENT_MAX));
    Arc::new(names.map(|name| (name.clone(), turns())).collect())
}
